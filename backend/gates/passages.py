"""Gates of a stored run: which it has, what they said, and the watch a new attempt begins with."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.errors import IllegalTransition, InvalidConfig, NotFound
from backend.gates.models import Acceptance, GatePassage
from backend.gates.plan import documents, newest_plan, parse_gates, save_plan
from backend.gates.presets import load_preset
from backend.gates.replay import points_of
from backend.gates.steps import Looked, StepGates, StepPassage
from backend.metrics.store import Columns, list_metrics, read_points
from backend.rules.gate import Gate, Outcome
from backend.rules.moment import Point
from backend.runs.events import Level, add_event
from backend.runs.models import Run
from backend.runs.service import get_run

LEVELS = {
    Outcome.PASS: Level.INFO,
    Outcome.EXTEND: Level.INFO,
    Outcome.CONDITIONAL: Level.WARNING,
    Outcome.HALT: Level.CRITICAL,
}
WORDS = {
    Outcome.PASS: "passed",
    Outcome.EXTEND: "extended",
    Outcome.CONDITIONAL: "a person has to decide",
    Outcome.HALT: "halt",
}


def gates_of(session: Session, run: Run) -> tuple[tuple[Gate, ...], int | None, int]:
    """The run's gates, the run they compare it with, and their version (0: the preset's)."""
    plan = newest_plan(session, run.id)
    if plan is not None:
        return parse_gates(plan.gates), plan.against_run_id, plan.id
    return load_preset(session, str(run.config.get("rules", "behavioural"))).gates, None, 0


def edit_gates(
    session: Session,
    run_id: int,
    values: Sequence[Any] | str,
    person: str,
    now: float,
    against_run_id: int | None = None,
) -> None:
    """Give the run other gates; a trainer that runs takes them up at its next flush.

    Raises:
        NotFound: there is no such run, or none to compare with.
        InvalidConfig: a gate is wrong.
    """
    run = get_run(session, run_id)
    if against_run_id is not None:
        get_run(session, against_run_id)
        if against_run_id == run_id:
            raise InvalidConfig({"against": f"run {run_id} is this run: name another"})
    plan = save_plan(session, run_id, parse_gates(values), person, now, against_run_id)
    told = f"{len(plan.gates)} gates from now on, set by {person or 'a person'}"
    add_event(session, run.id, Level.INFO, "gate", told, now)


def watch(session: Session, run: Run, step: int) -> StepGates:
    """The gates as an attempt that starts at `step` finds them, having seen the run so far."""
    gates, against, version = gates_of(session, run)
    steps = StepGates(
        gates,
        acts=run.config.get("gates", "act") == "act",
        looked={
            gate: Looked(row.outcome, row.extend_to)
            for gate, row in _answered(session, run.id, step).items()
        },
        version=version,
    )
    steps.observe(_points(session, run.id, steps.metrics))
    steps.other = other_series(session, against, steps.metrics)
    return steps


def refresh(session: Session, run_id: int, steps: StepGates) -> None:
    """Take up gates that people changed since."""
    plan = newest_plan(session, run_id)
    if plan is None or plan.id == steps.version:
        return
    gates, against, version = gates_of(session, get_run(session, run_id))
    known = steps.metrics
    steps.adopt(gates, None, version)
    steps.other = other_series(session, against, steps.metrics)
    steps.observe(_points(session, run_id, steps.metrics - known))


def other_series(
    session: Session, run_id: int | None, metrics: Collection[str]
) -> dict[str, Columns] | None:
    """What gates may look at of a run; None where there is no such run any more."""
    if run_id is None or session.get(Run, run_id) is None:
        return None
    present = set(list_metrics(session, run_id)) & set(metrics)
    return {metric: read_points(session, run_id, metric) for metric in present}


def _points(session: Session, run_id: int, metrics: Collection[str]) -> list[Point]:
    series = other_series(session, run_id, metrics) or {}
    return list(points_of(series, metrics))


def save_passages(
    session: Session,
    run_id: int,
    segment_id: int | None,
    passed: Sequence[StepPassage],
    version: int,
    acts: bool,
    now: float,
) -> None:
    """Append what gates said, each with an event."""
    for passage in passed:
        session.add(
            GatePassage(
                run_id=run_id,
                segment_id=segment_id,
                plan_id=version or None,
                gate_at=passage.at,
                gate=documents([passage.gate])[0],
                looked_at=passage.looked_at,
                step=passage.step,
                outcome=passage.outcome,
                extend_to=passage.extend_to,
                findings=passage.document,
                at=now,
            )
        )
        words = WORDS[passage.outcome]
        if passage.extend_to:
            words = f"extended to {passage.extend_to:,}"
        elif passage.outcome is Outcome.HALT and not acts:
            words = "would halt, but gates only take note in this run"
        message = f"Gate at {passage.at:,}: {words}. {passage.reason}"
        add_event(session, run_id, LEVELS[passage.outcome], "gate", message, now, passage.step)


def passages(session: Session, run_id: int) -> list[GatePassage]:
    """Everything the run's gates said, oldest first."""
    query = select(GatePassage).where(GatePassage.run_id == run_id).order_by(GatePassage.id)
    return list(session.scalars(query).all())


def _answered(session: Session, run_id: int, step: int) -> dict[Gate, GatePassage]:
    """The last answer of every gate on the path of a run that stands at `step`."""
    rows = [row for row in passages(session, run_id) if row.step <= step]
    return {parse_gates([row.gate])[0]: row for row in rows}


@dataclass(frozen=True)
class GateView:
    """One gate of a run as it stands: what it checks, what it said last, who accepted it."""

    gate: Gate
    passage: GatePassage | None
    acceptance: Acceptance | None

    @property
    def outcome(self) -> Outcome:
        return Outcome(self.passage.outcome) if self.passage else Outcome.PENDING

    @property
    def reason(self) -> str:
        """The checks that decided, in words."""
        findings = self.passage.findings if self.passage else []
        told = [found["reason"] for found in findings if found["outcome"] == self.outcome]
        return f"gate at {self.gate.at:,}: {'; '.join(told) or self.outcome}"

    @property
    def looks_at(self) -> int:
        """The step at which it looks, or looks again."""
        return (self.passage.extend_to if self.passage else None) or self.gate.at


def standing(session: Session, run: Run) -> list[GateView]:
    """The run's gates in order, each with its last answer on the path the run took."""
    gates, _, _ = gates_of(session, run)
    last = _answered(session, run.id, run.step)
    accepted = {row.rule: row for row in _acceptances(session, run.id)}
    found = []
    for gate in gates:
        passage = last.get(gate)
        acceptance = accepted.get(label(gate.at))
        if acceptance and passage and acceptance.at < passage.at:
            acceptance = None
        found.append(GateView(gate, passage, acceptance))
    return found


def label(at: int) -> str:
    """What an acceptance of the gate at this step is filed under."""
    return f"gate at {at}"


def _acceptances(session: Session, run_id: int) -> Sequence[Acceptance]:
    query = select(Acceptance).where(Acceptance.run_id == run_id).order_by(Acceptance.id)
    return session.scalars(query).all()


def accept_gate(
    session: Session, run_id: int, at: int, person: str, reason: str, now: float
) -> Acceptance:
    """Accept what the gate at this step left to a person; what it found is kept with it.

    Raises:
        NotFound: the run has no such gate.
        IllegalTransition: it did not leave the decision to a person.
        InvalidConfig: nobody or no reason is named.
    """
    check_person(person, reason)
    run = get_run(session, run_id)
    view = next((view for view in standing(session, run) if view.gate.at == at), None)
    if view is None:
        raise NotFound(f"run {run_id} has no gate at step {at}")
    if view.passage is None or view.outcome is not Outcome.CONDITIONAL:
        raise IllegalTransition(
            f"the gate at {at:,} says {view.outcome}: only one that says conditional can be accepted"
        )
    evidence = {"outcome": view.outcome.value, "checks": view.passage.findings}
    row = Acceptance(
        run_id=run_id,
        rule=label(at),
        person=person.strip(),
        reason=reason.strip(),
        step=run.step,
        evidence=evidence,
        at=now,
    )
    session.add(row)
    told = f"Gate at {at:,} accepted by {row.person}: {row.reason}"
    add_event(session, run_id, Level.INFO, "accepted", told, now)
    session.flush()
    return row


def check_person(person: str, reason: str) -> None:
    """Raises InvalidConfig unless somebody says why."""
    asked = (("person", person, "who accepts"), ("reason", reason, "why it may stand"))
    missing = {
        field: f"'{field}' is empty: say {words}"
        for field, value, words in asked
        if not value.strip()
    }
    if missing:
        raise InvalidConfig(missing)
