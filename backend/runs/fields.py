"""How a field of RunConfig is declared, and the kinds of value several of them share."""

from typing import Annotated, Any

from pydantic import Field

MOST_STEPS = 1_000_000_000


def documented(
    default: Any, group: str, description: str, *, sb3: Any = None, **bounds: Any
) -> Any:
    """A documented field; `group` orders the form, `sb3` is Stable-Baselines3's default for comparison."""
    extra: dict[str, Any] = {"group": group}
    if sb3 is not None:
        extra["sb3"] = sb3
    if isinstance(default, list):
        return Field(
            default_factory=lambda: list(default),
            description=description,
            json_schema_extra=extra,
            **bounds,
        )
    return Field(default, description=description, json_schema_extra=extra, **bounds)


Route = Annotated[str, Field(pattern=r"^(right|straight|left|\d{1,6}-\d{1,6})$")]
Probability = Annotated[float, Field(ge=0, le=1)]
Width = Annotated[int, Field(ge=1, le=8192)]
