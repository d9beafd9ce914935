"""YAML that people write: one plain document, in which no key is said twice."""

from collections.abc import Hashable
from typing import Any

import yaml

from backend.errors import InvalidConfig

MOST_CHARACTERS = 200_000


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML is not typed
    """Plain values only. YAML lets the last of two equal keys win; here the second is refused."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    problem=f"'{key.value}' stands twice: remove one", problem_mark=key.start_mark
                )
            seen.add(key.value if isinstance(key.value, str) else id(key))
        found: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return found


def read_yaml(text: str, field: str = "plan") -> Any:
    """The document in a YAML text.

    Raises:
        InvalidConfig: it is no YAML, with the line at fault; filed under `field`.
    """
    if len(text) > MOST_CHARACTERS:
        raise InvalidConfig(
            {field: f"has {len(text):,} characters: keep it below {MOST_CHARACTERS:,}"}
        )
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InvalidConfig({field: f"is no YAML{where}: {error.problem}"}) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise InvalidConfig({field: f"is no YAML: {error}"}) from None
