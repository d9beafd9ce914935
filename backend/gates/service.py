"""Judgements stored and read: where every rule stands, what flipped, what people accepted."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.errors import IllegalTransition, InvalidConfig, NotFound
from backend.gates.engine import Judgement
from backend.gates.models import Acceptance, Flip, RuleStatus
from backend.gates.storable import storable
from backend.rules import rule as rules
from backend.rules.rule import RuleResult, RuleState
from backend.rules.verdict import VERDICT, Verdict
from backend.runs.events import Level, add_event
from backend.runs.models import Run, Segment

LEVELS: dict[str, Level] = {
    RuleState.WARNING: Level.WARNING,
    RuleState.CRITICAL: Level.CRITICAL,
    Verdict.NO_GO: Level.CRITICAL,
    Verdict.CONDITIONAL_GO: Level.WARNING,
}


@dataclass(frozen=True)
class Current:
    """The verdict on a run as stored, with its rules in order and the acceptances that count now.

    `judged_by` names the rules that gave it, with their version.
    """

    verdict: str
    since_step: int
    sentence: str
    judged_by: str
    rules: Sequence[RuleStatus]
    accepted: Sequence[Acceptance]


def save_judgement(
    session: Session, run_id: int, segment_id: int | None, judgement: Judgement, now: float
) -> None:
    """Write the statuses and the verdict, and append what flipped, also across a resume or rollback."""
    run = session.get_one(Run, run_id)
    stored = {status.rule: status for status in _statuses(session, run_id)}
    flips = [*_bridges(session, run, segment_id, stored, judgement), *judgement.flips]
    for position, result in enumerate(judgement.rules):
        status = stored.pop(result.name, None)
        if status is None:
            status = RuleStatus(run_id=run_id, rule=result.name)
            session.add(status)
        _update(status, result, position)
    for stale in stored.values():
        session.delete(stale)
    for flip in flips:
        _append(session, run_id, segment_id, judgement, flip, now)
    run.verdict = judgement.verdict
    run.verdict_since_step = judgement.since_step
    run.verdict_sentence = judgement.sentence
    run.judged_by = f"{judgement.preset}@{judgement.preset_version}"


def states_of(session: Session, run: Run) -> dict[str, str]:
    """The state of every rule as stored, and of the verdict."""
    return {VERDICT: run.verdict, **{s.rule: s.state for s in _statuses(session, run.id)}}


def _statuses(session: Session, run_id: int) -> Sequence[RuleStatus]:
    query = select(RuleStatus).where(RuleStatus.run_id == run_id).order_by(RuleStatus.position)
    return session.scalars(query).all()


def _update(status: RuleStatus, result: RuleResult, position: int) -> None:
    status.position = position
    status.title = result.title
    status.state = result.state
    status.value = storable(result.value)
    status.threshold = storable(result.threshold)
    status.since_step = result.since_step
    status.first_warning = result.first_warning
    status.first_critical = result.first_critical
    status.can_fire = result.can_fire
    status.reason = result.reason
    status.action = result.action
    status.evidence = storable(dict(result.evidence))


def _bridges(
    session: Session,
    run: Run,
    segment_id: int | None,
    stored: dict[str, RuleStatus],
    judgement: Judgement,
) -> Iterable[rules.Flip]:
    """Flips from what was stored to what this engine began with, where going back changed it."""
    first = {flip.rule: flip.before for flip in reversed(judgement.flips)}
    known = {name: status.state for name, status in stored.items()}
    begun = {result.name: first.get(result.name, result.state) for result in judgement.rules}
    if stored:
        known[VERDICT], begun[VERDICT] = run.verdict, first.get(VERDICT, judgement.verdict)
    turned = [(name, was, begun[name]) for name, was in known.items() if name in begun]
    turned = [(name, before, after) for name, before, after in turned if before != after]
    if not turned:
        return
    segment = session.get(Segment, segment_id) if segment_id is not None else None
    step = segment.start_step if segment and segment.number > 1 else judgement.step
    reason = f"The run went back: judged again from step {step:,}."
    for name, before, after in turned:
        yield rules.Flip(name, before, after, step, None, None, reason)


def _append(
    session: Session,
    run_id: int,
    segment_id: int | None,
    judgement: Judgement,
    flip: rules.Flip,
    now: float,
) -> None:
    row = Flip(run_id=run_id, segment_id=segment_id, at=now, **storable(asdict(flip)))
    row.preset, row.preset_version = judgement.preset, judgement.preset_version
    session.add(row)
    alerts = (RuleState.WARNING, RuleState.CRITICAL)
    if flip.rule == VERDICT or flip.after in alerts or flip.before in alerts:
        level = LEVELS.get(flip.after, Level.INFO)
        kind = "verdict" if flip.rule == VERDICT else "rule"
        message = f"{flip.rule}: {flip.before} -> {flip.after}. {flip.reason}"
        add_event(session, run_id, level, kind, message, now, flip.step, {"rule": flip.rule})


def current(session: Session, run_id: int, now: float) -> Current:
    """Where the run stands.

    Raises:
        NotFound: there is no such run.
    """
    run = session.get(Run, run_id)
    if run is None:
        raise NotFound(f"Run {run_id} does not exist")
    rows = _statuses(session, run_id)
    return Current(
        verdict=run.verdict,
        since_step=run.verdict_since_step,
        sentence=run.verdict_sentence,
        judged_by=run.judged_by,
        rules=rows,
        accepted=_counting(session, run, rows, now),
    )


def _counting(
    session: Session, run: Run, rows: Sequence[RuleStatus], now: float
) -> list[Acceptance]:
    """The last acceptance of every rule, unless it has expired or the rule is critical by now."""
    newest: dict[str, Acceptance] = {}
    for word in acceptances(session, run.id):
        if word.kind == "accepted":
            newest.setdefault(word.rule, word)
    critical = {row.rule for row in rows if row.state == RuleState.CRITICAL}
    return [w for w in newest.values() if w.rule not in critical and in_force(w, run.step, now)]


def who_accepted(session: Session, run_id: int, now: float) -> str:
    """Who lets every condition of a CONDITIONAL GO stand, and why; empty where one is left.

    Raises:
        NotFound: there is no such run.
    """
    told = current(session, run_id, now)
    words = {word.rule: f"{word.person}: {word.reason}" for word in told.accepted}
    conditions = [row.rule for row in told.rules if row.state == RuleState.WARNING]
    if told.verdict != Verdict.CONDITIONAL_GO or not set(conditions) <= set(words):
        return ""
    return "; ".join(dict.fromkeys(words[rule] for rule in conditions))


def flips(session: Session, run_id: int, limit: int = 200) -> Sequence[Flip]:
    """The newest changes of rules and verdict, newest first."""
    query = select(Flip).where(Flip.run_id == run_id).order_by(Flip.id.desc()).limit(limit)
    return session.scalars(query).all()


def acceptances(session: Session, run_id: int) -> Sequence[Acceptance]:
    """Everything people accepted, newest first."""
    query = select(Acceptance).where(Acceptance.run_id == run_id).order_by(Acceptance.id.desc())
    return session.scalars(query).all()


def accept(
    session: Session,
    run_id: int,
    rule: str,
    person: str,
    reason: str,
    now: float,
    *,
    expires_step: int | None = None,
    expires_at: float | None = None,
) -> Acceptance:
    """Accept the condition that `rule` sets now; what stood then is kept with it.

    Raises:
        NotFound: the run has no such rule.
        IllegalTransition: the rule is not at warning; a critical rule cannot be accepted away.
        InvalidConfig: nobody or no reason is named, or it would have expired already.
    """
    run, status = session.get(Run, run_id), _status(session, run_id, rule)
    problems = {
        field: f"'{field}' is empty: say {words}"
        for field, value, words in (
            ("person", person, "who accepts"),
            ("reason", reason, "why the condition may stand"),
        )
        if not value.strip()
    }
    if run and expires_step is not None and expires_step <= run.step:
        problems["expires_step"] = f"step {expires_step:,} is behind the run: take a later one"
    if expires_at is not None and expires_at <= now:
        problems["expires_at"] = "that moment is over: take a later one"
    if problems:
        raise InvalidConfig(problems)
    if status.state != RuleState.WARNING:
        raise IllegalTransition(
            f"{rule} is {status.state}, not warning: only the conditions of a CONDITIONAL GO can be accepted"
        )
    return _say(
        session,
        status,
        "accepted",
        person,
        reason,
        now,
        expires_step=expires_step,
        expires_at=expires_at,
    )


def acknowledge(
    session: Session, run_id: int, rule: str, person: str, remark: str, now: float
) -> Acceptance:
    """Write down that a person has seen a rule alert; the verdict is not changed by it.

    Raises:
        NotFound: the run has no such rule.
        IllegalTransition: the rule does not alert.
        InvalidConfig: nobody is named.
    """
    status = _status(session, run_id, rule)
    if not person.strip():
        raise InvalidConfig({"person": "'person' is empty: say who has seen it"})
    if not RuleState(status.state).alerts:
        raise IllegalTransition(f"{rule} is {status.state}: there is nothing to acknowledge")
    return _say(session, status, "acknowledged", person, remark, now)


def _status(session: Session, run_id: int, rule: str) -> RuleStatus:
    status = session.get(RuleStatus, (run_id, rule))
    if status is None:
        raise NotFound(f"Run {run_id} has no rule '{rule}'")
    return status


def _say(
    session: Session,
    status: RuleStatus,
    kind: str,
    person: str,
    reason: str,
    now: float,
    **expiry: Any,
) -> Acceptance:
    evidence = {"state": status.state, "since_step": status.since_step, **dict(status.evidence)}
    told = {"value": status.value, "threshold": status.threshold, "reason": status.reason}
    row = Acceptance(
        run_id=status.run_id,
        rule=status.rule,
        kind=kind,
        person=person.strip(),
        reason=reason.strip(),
        step=session.get_one(Run, status.run_id).step,
        evidence={**evidence, **told},
        at=now,
        **expiry,
    )
    session.add(row)
    message = f"{row.person} {kind} {status.rule} ({status.state})" + (
        f": {row.reason}" if row.reason else ""
    )
    add_event(session, status.run_id, Level.INFO, kind, message, now, row.step)
    return row


def in_force(acceptance: Acceptance, step: int, now: float) -> bool:
    """Whether an acceptance still holds; an acknowledgement never excuses anything."""
    if acceptance.kind != "accepted":
        return False
    if acceptance.expires_step is not None and step > acceptance.expires_step:
        return False
    return acceptance.expires_at is None or now <= acceptance.expires_at
