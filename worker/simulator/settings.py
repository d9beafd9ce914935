"""The episode's settings as clients send and read them."""

from dataclasses import dataclass

from worker.simulator.protocol import Wire, numbers

DEFAULT_DELTA = 0.05
LONGEST_DELTA = 10.0
# Fields the light simulator stores and gives back but that change nothing in it: culling, streaming, ragdolls.
DEFAULT_REST: tuple[float | bool, ...] = (True, 0.01, 10, 0.0, True, 3000.0, 2000.0, True)


@dataclass(frozen=True)
class EpisodeSettings:
    """Synchronous: the world advances on `tick` alone, by `delta` simulated seconds."""

    synchronous: bool = False
    no_rendering: bool = False
    fixed_delta: float | None = None
    rest: tuple[float | bool, ...] = DEFAULT_REST

    @classmethod
    def read(cls, value: Wire) -> "EpisodeSettings":
        """Settings out of a request; ValueError if the step is not one the world can take."""
        synchronous, no_rendering, delta, *rest = value
        fixed = numbers(delta[1:], 1, "fixed_delta_seconds")[0] if delta[0] else None
        if fixed is not None and not 0.0 < fixed <= LONGEST_DELTA:
            raise ValueError(
                f"fixed_delta_seconds {fixed:g} is not between 0 and {LONGEST_DELTA:g}: use 0.05"
            )
        numbers(rest, len(rest), "settings")
        complete = (*rest, *DEFAULT_REST[len(rest) :])[: len(DEFAULT_REST)]
        return cls(bool(synchronous), bool(no_rendering), fixed, complete)

    @property
    def delta(self) -> float:
        return self.fixed_delta or DEFAULT_DELTA

    def wire(self) -> Wire:
        optional = [False] if self.fixed_delta is None else [True, self.fixed_delta]
        return [self.synchronous, self.no_rendering, optional, *self.rest]
