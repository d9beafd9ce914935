"""What a script logs, made fit for the store: catalogue names, whole numbers, steps that do not go back."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from backend.metrics.catalog import ALIASES, CATALOG

NAME_LENGTH = 200
LAST_STEP = 2**31 - 1
Row = tuple[int, int, float, Mapping[str, float]]  # step, episode, time, values
Point = tuple[str, int, int, float, float]

log = logging.getLogger(__name__)


class Intake:
    """Turns rows into points. What cannot be stored is left out, counted in `lost` and named once.

    Names the catalogue knows under another one get that; of two names for one metric the first keeps it.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._names: dict[str, str] = {}
        self._last: dict[str, int] = {}
        self._named: set[str] = set()

    def points(self, rows: Iterable[Row]) -> list[Point]:
        """The points of one flush. Within it a metric's steps may come in any order."""
        found: list[Point] = []
        for step, episode, at, values in rows:
            for name, value in values.items():
                try:
                    found.append(self._point(name, step, episode, at, value))
                except (TypeError, ValueError, OverflowError) as error:
                    self._leave_out(str(name), error)
        for metric, step, *_ in found:
            self._last[metric] = max(step, self._last.get(metric, 0))
        return found

    def _point(self, name: str, step: int, episode: int, at: float, value: float) -> Point:
        metric = self._names.get(name) or self._name(name)
        step, episode = int(step), int(episode)
        if not 0 <= step <= LAST_STEP or not 0 <= episode <= LAST_STEP:
            raise ValueError(f"step {step} or episode {episode} is not within 0 to {LAST_STEP:,}")
        if step < self._last.get(metric, 0):
            raise ValueError(f"step {step} is below {self._last[metric]}, which was sent before")
        return metric, step, episode, round(at, 3), number(value)

    def _name(self, name: str) -> str:
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= NAME_LENGTH:
            raise ValueError(f"a metric's name is 1 to {NAME_LENGTH} printable characters")
        metric = name if name in CATALOG else ALIASES.get(name, name)
        if metric != name and metric in self._names.values():
            metric = name
        self._names[name] = metric
        return metric

    def _leave_out(self, name: str, error: Exception) -> None:
        self.lost += 1
        if name not in self._named:
            self._named.add(name)
            log.warning("'%s' is not recorded: %s", name[:NAME_LENGTH], error)


def number(value: Any) -> float:
    """Of a number, or of an array or tensor that holds one.

    Raises:
        TypeError, ValueError: it is none.
    """
    if not hasattr(value, "item"):
        return float(value)
    try:
        return float(value.item())
    except RuntimeError as error:  # what PyTorch says of a tensor with several
        raise ValueError(str(error)) from None
