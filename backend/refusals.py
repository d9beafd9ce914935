"""What pydantic found wrong with a value, in words that name the value and the remedy."""

from collections.abc import Mapping, Sequence
from typing import Any

from backend.errors import shown

SHAPES = {
    "model_type": "a mapping: give keys with values",
    "model_attributes_type": "a mapping: give keys with values",
    "dict_type": "a mapping: give keys with values",
    "list_type": "a list: give its entries",
    "string_type": "a text: put it in quotes",
}
BOUNDS = {
    "int_parsing": "must be a whole number such as 30000",
    "int_parsing_size": "must be a whole number such as 30000",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number such as 0.0003",
    "bool_parsing": "must be on or off",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
}


def in_words(detail: Mapping[str, Any]) -> str:
    """One entry of `ValidationError.errors()` as a sentence without its field."""
    kind, name = detail["type"], detail["loc"][-1] if detail["loc"] else ""
    if kind == "extra_forbidden":
        return f"'{name}' is not known here: remove it or check its spelling"
    if kind == "value_error":
        return str(detail["msg"]).removeprefix("Value error, ")
    if kind == "missing":
        return f"'{name}' is missing: add it"
    if kind in SHAPES:
        return f"is {shown(detail['input'])}, not {SHAPES[kind]}"
    if kind in BOUNDS:
        bound = BOUNDS[kind].format(**detail.get("ctx", {}))
        return f"{bound}, got {shown(detail['input'])}"
    return f"{detail['msg']}, got {shown(detail.get('input'))}"


def field_in_words(detail: Mapping[str, Any], examples: Sequence[str] = ()) -> tuple[str, str]:
    """The field at fault and its sentence; `examples` tell more of a text's pattern than the pattern does."""
    field = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return field, f"'{field}' is not a configuration key: remove it or check its spelling"
    if detail["type"] == "string_pattern_mismatch" and examples:
        return field, f"must look like {' or '.join(examples)}, got {shown(detail['input'])}"
    return field, in_words(detail)
