"""What pydantic found wrong with a value, in words that name the value and the remedy."""

from collections.abc import Mapping
from typing import Any

from backend.errors import shown

SHAPES = {
    "model_type": "a mapping: give keys with values",
    "model_attributes_type": "a mapping: give keys with values",
    "dict_type": "a mapping: give keys with values",
    "list_type": "a list: give its entries",
    "string_type": "a text: put it in quotes",
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
    return f"{detail['msg']}, got {shown(detail.get('input'))}"
