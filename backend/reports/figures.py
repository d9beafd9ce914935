"""Numbers that remember where they came from, and sentences that refuse to be printed without theirs."""

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass

from backend.errors import PitwallError

LEFT_OPEN = re.compile(r"\[?\b(?:TO BE FILLED|TBD|TODO|FIXME|XXX)\b\]?", re.IGNORECASE)


class ReportIncomplete(PitwallError):
    """A placeholder has no figure, or a sentence claims what the data does not hold."""

    status = 422
    title = "Report incomplete"


@dataclass(frozen=True)
class Source:
    """Where a figure came from."""

    run: str
    metric: str
    window: str
    estimator: str

    def __str__(self) -> str:
        return f"{self.run} \N{MIDDLE DOT} {self.metric} \N{MIDDLE DOT} {self.window} \N{MIDDLE DOT} {self.estimator}"


@dataclass(frozen=True)
class Figure:
    """One number as printed: `digits` after the point, a sign if `signed`, then `unit`.

    Whole numbers get thousands separators; measurements do not, so that they can be searched for.
    """

    value: float
    digits: int
    source: Source
    unit: str = ""
    signed: bool = False

    @property
    def shown(self) -> str:
        rounded = round(self.value, self.digits) + 0.0  # -0.0 reads as a fall
        sign = "+" if self.signed and rounded else ""
        separator = "" if self.digits else ","
        return f"{rounded:{sign}{separator}.{self.digits}f}{self.unit}"


Text = tuple[str | Figure, ...]


def fill(template: str, figures: Mapping[str, Figure | str | None]) -> Text:
    """A sentence with `{name}` placeholders and the figures they stand for.

    Raises:
        ReportIncomplete: a placeholder has no figure, or the text says it is yet to be written.
    """
    if match := LEFT_OPEN.search(template):
        raise ReportIncomplete(
            f"'{match.group()}' stands in \"{template}\": write it or take the sentence out"
        )
    parts: list[str | Figure] = []
    for literal, name, _, _ in string.Formatter().parse(template):
        parts.append(literal)
        if name is None:
            continue
        figure = figures.get(name)
        if figure is None:
            raise ReportIncomplete(
                f"'{{{name}}}' in \"{template}\" has no figure: the run logged none for it"
            )
        parts.append(figure)
    return tuple(part for part in parts if part != "")
