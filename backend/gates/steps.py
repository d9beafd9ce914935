"""The gates of one run at work: points in, a passage out when a gate's step is reached."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.rules.gate import Finding, Gate, Outcome, Passage, Points, Standing
from backend.rules.moment import Point
from backend.rules.returns import Reference
from backend.rules.rule import RunFacts


@dataclass(frozen=True)
class StepPassage:
    """What a gate said when it looked at step `looked_at`; the run had reached `step`."""

    gate: Gate
    looked_at: int
    step: int
    outcome: Outcome
    extend_to: int | None
    findings: tuple[Finding, ...]

    @property
    def at(self) -> int:
        return self.gate.at

    @property
    def reason(self) -> str:
        """The checks that decided, in words."""
        told = [f.reason for f in self.findings if f.outcome is self.outcome]
        return "; ".join(told) or "it checks nothing"

    @property
    def document(self) -> list[dict[str, Any]]:
        """The findings as they are stored."""
        told = Passage(self.at, self.outcome, self.findings, self.extend_to).document()
        return list(told["checks"])


@dataclass(frozen=True)
class Looked:
    """What a gate said last, of an earlier attempt."""

    outcome: str
    extend_to: int | None


@dataclass(frozen=True)
class _Arrays:
    step: NDArray[np.int64]
    value: NDArray[np.float64]


class StepGates:
    """Gates of one run. `observe` every point in order; `judge` asks those whose step is reached.

    A gate answers once. One that said extend looks again at `extend_to`, and then a person decides in
    place of a second extension. `acts`: an answer halt asks for a halt; otherwise it is only recorded.
    `looked` is what gates said before this attempt, `other` the series of a run to compare with.
    """

    def __init__(
        self,
        gates: Sequence[Gate],
        *,
        acts: bool = True,
        looked: Mapping[Gate, Looked] | None = None,
        other: Mapping[str, Points] | None = None,
        version: int = 0,
    ) -> None:
        self.acts = acts
        self.version = version
        self._looked = dict(looked or {})
        self._points: dict[str, tuple[array[int], array[float]]] = {}
        self.adopt(gates, other, version)

    def adopt(
        self, gates: Sequence[Gate], other: Mapping[str, Points] | None, version: int
    ) -> None:
        """Other gates from now on; one that is as it was keeps its answer, one that changed asks anew."""
        self.gates = tuple(sorted(gates, key=lambda gate: gate.at))
        self.other, self.version = other, version
        self.metrics = frozenset().union(*(gate.metrics for gate in self.gates))

    @property
    def pending(self) -> list[tuple[Gate, int]]:
        """Gates that have yet to answer, with the step at which they will look."""
        found = []
        for gate in self.gates:
            looked = self._looked.get(gate)
            if looked is None:
                found.append((gate, gate.at))
            elif looked.outcome == Outcome.EXTEND and looked.extend_to:
                found.append((gate, looked.extend_to))
        return found

    def observe(self, points: Iterable[Point]) -> None:
        """Keep what a gate looks at; every other point is let go."""
        for metric, step, _, _, value in points:
            if metric in self.metrics:
                steps, values = self._points.setdefault(metric, (array("q"), array("d")))
                steps.append(step)
                values.append(value)

    def judge(
        self, reached: int, final: bool, facts: RunFacts, reference: Reference | None
    ) -> list[StepPassage]:
        """The answers that are due at step `reached`.

        A gate waits until the run is past its step, so that an evaluation at that very step is in;
        `final` asks the one at the last step too.
        """
        past = reached if final else reached - 1
        return [
            self._ask(gate, look, reached, facts, reference)
            for gate, look in self.pending
            if look <= past
        ]

    def _ask(
        self, gate: Gate, look: int, reached: int, facts: RunFacts, reference: Reference | None
    ) -> StepPassage:
        standing = Standing(look, self._series(), facts, reference, self.other)
        told = replace(gate, at=look).judge(standing, reached)
        again = gate.extend_to if gate.extend_to and gate.extend_to > look else None
        outcome = told.outcome
        if outcome is Outcome.EXTEND and again is None:
            outcome = Outcome.CONDITIONAL
        findings = tuple(
            replace(f, outcome=outcome) if f.outcome is told.outcome else f for f in told.findings
        )
        extend_to = again if outcome is Outcome.EXTEND else None
        self._looked[gate] = Looked(outcome, extend_to)
        return StepPassage(gate, look, reached, outcome, extend_to, findings)

    def _series(self) -> dict[str, Points]:
        return {
            metric: _Arrays(np.array(steps, np.int64), np.array(values, np.float64))
            for metric, (steps, values) in self._points.items()
        }
