"""What an attempt, the holder of a run's fencing token, does to the run: claim it, report, save, end.

Every change checks the token under the row's lock, so an attempt that was replaced cannot write. Ends
may be asked again after an ambiguous commit: the second time finds them done.
"""

from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from backend.checkpoints import service as checkpoints
from backend.checkpoints.models import Checkpoint
from backend.errors import FencedOff, IllegalTransition, NoSimulator
from backend.runs.commands import complete_rollbacks, expire_commands, open_commands
from backend.runs.config import RunConfig
from backend.runs.evaluations import open_evaluations
from backend.runs.events import Level, add_event
from backend.runs.models import Run, Segment
from backend.runs.service import get_run, lock_run
from backend.runs.states import Desired, RunState
from backend.workers import service as fleet

LONGEST_BACK_OFF = 60.0
FALL_BACK = "rule-rollback"
PLAN_DONE = "all planned steps are done"
# Why an attempt died: by a fault of its own or of what it stood on.
CRASH, SIMULATOR = "crash", "simulator"


@dataclass(frozen=True)
class Claim:
    """An attempt's right to a run: whoever holds `token` owns it."""

    run_id: int
    token: str
    attempt: int
    segment_id: int
    simulator: str


def new_token() -> str:
    return token_hex(16)


def claim(
    session: Session,
    run_id: int,
    worker: str,
    now: float,
    token: str | None = None,
    traffic_port: int = 0,
) -> Claim | None:
    """Take a queued run, lease its simulator and open a segment; None when it is not to be had.

    Asking again with the same `token` after an ambiguous commit returns the same claim.

    Raises:
        NoSimulator: nothing is changed once the transaction rolls back.
    """
    token = token or new_token()
    if not _take(session, run_id, worker, token, now):
        run = get_run(session, run_id)
        return _claim_of(run) if run.token == token and run.state == RunState.STARTING else None
    run = get_run(session, run_id)
    if run.config["environment"] == "carla":
        simulator = fleet.lease(session, run_id, token, worker, traffic_port)
        if simulator is None:
            why = fleet.why_none_is_free(session, worker)
            raise NoSimulator(f"worker {worker} has no free simulator: {why}")
        run.simulator = f"{simulator.host}:{simulator.port}"
    _open_segment(session, run, now)
    message = f"Attempt {run.attempt} on worker {worker}, segment from step {run.step:,}"
    add_event(session, run_id, Level.INFO, "claimed", message, now)
    return _claim_of(run)


def _take(session: Session, run_id: int, worker: str, token: str, now: float) -> bool:
    """The compare-and-swap that makes one of many claimants the owner."""
    taken = session.execute(
        update(Run)
        .where(
            Run.id == run_id,
            Run.state == RunState.QUEUED,
            Run.desired == Desired.RUN,
            Run.not_before <= now,
        )
        .values(
            state=RunState.STARTING,
            state_reason="",
            token=token,
            attempt=Run.attempt + 1,
            worker=worker,
            heartbeat_at=now,
            activity="starting",
        )
        .returning(Run.id)
    )
    return taken.first() is not None


def _claim_of(run: Run) -> Claim:
    assert run.segment_id is not None, "a claimed run has a segment"
    return Claim(run.id, run.token, run.attempt, run.segment_id, run.simulator)


def _open_segment(session: Session, run: Run, now: float) -> None:
    start = session.get(Checkpoint, run.resume_checkpoint_id or 0)
    last = session.scalar(select(func.max(Segment.number)).where(Segment.run_id == run.id))
    segment = Segment(
        run_id=run.id,
        number=(last or 0) + 1,
        parent_id=start.segment_id if start else None,
        checkpoint_id=start.id if start else None,
        start_step=start.step if start else 0,
        start_episode=start.episode if start else 0,
        reason=run.restart_reason,
        created_at=now,
    )
    session.add(segment)
    session.flush()
    run.segment_id, run.step, run.episode = segment.id, segment.start_step, segment.start_episode
    run.updates = start.updates if start else 0


def owned(session: Session, run_id: int, token: str) -> Run:
    """The run's row, locked, if the attempt still owns it.

    Raises:
        FencedOff: another attempt owns the run, or nobody does any more.
    """
    run = lock_run(session, run_id)
    if run.token != token or not RunState(run.state).is_active:
        raise FencedOff(f"this attempt does not own run {run_id} any more: it is {run.state}")
    return run


def mark_running(session: Session, run_id: int, token: str, now: float) -> Run:
    """Checkpoint loaded, simulator connected, pre-flight passed: training begins."""
    run = owned(session, run_id, token)
    if run.state == RunState.STOPPING:
        raise IllegalTransition(f"run {run_id} is stopping, it cannot begin to train")
    run.state, run.heartbeat_at, run.activity = RunState.RUNNING, now, ""
    run.started_at = run.started_at or now
    return run


def mark_stopping(session: Session, run_id: int, token: str, now: float) -> Run:
    """The trainer took a stop at a step boundary and is saving."""
    run = owned(session, run_id, token)
    run.state, run.heartbeat_at, run.activity = RunState.STOPPING, now, "saving"
    return run


def record_progress(
    session: Session,
    run_id: int,
    token: str,
    step: int,
    episode: int,
    updates: int,
    sps: float,
    now: float,
    activity: str = "driving",
) -> Run:
    """How far the attempt is. A change of `step` or `activity` keeps the stall watchdog quiet."""
    run = owned(session, run_id, token)
    run.step, run.episode, run.updates, run.steps_per_second = step, episode, updates, sps
    run.heartbeat_at, run.activity = now, activity
    return run


def say(session: Session, run_id: int, token: str, activity: str, now: float) -> None:
    """What the attempt is at before it trains, in words for the page."""
    run = owned(session, run_id, token)
    run.heartbeat_at, run.activity = now, activity


def beat(session: Session, run_id: int, token: str, now: float) -> Run:
    """The attempt's process is alive; says nothing about progress."""
    run = owned(session, run_id, token)
    run.heartbeat_at = now
    return run


def record_checkpoint(
    session: Session,
    run_id: int,
    token: str,
    kind: str,
    *,
    step: int,
    episode: int,
    updates: int,
    path: Path,
    size: int,
    sha256: str,
    now: float,
    evaluation_return: float | None = None,
    evaluation_success: float | None = None,
    is_best: bool = False,
    verdict: str | None = None,
) -> Checkpoint:
    """Make files a checkpoint of the run: from here it resumes. Progress past the last forgives crashes."""
    run = owned(session, run_id, token)
    assert run.segment_id is not None, "an owned run has a segment"
    last = session.get(Checkpoint, run.resume_checkpoint_id or 0)
    checkpoint = Checkpoint(
        run_id=run_id,
        segment_id=run.segment_id,
        kind=kind,
        step=step,
        episode=episode,
        updates=updates,
        path=str(path),
        bytes=size,
        sha256=sha256,
        verdict=verdict or run.verdict,
        evaluation_return=evaluation_return,
        evaluation_success=evaluation_success,
        is_best=is_best,
        created_at=now,
    )
    checkpoints.add_checkpoint(session, checkpoint)
    run.resume_checkpoint_id, run.heartbeat_at = checkpoint.id, now
    if step > (last.step if last else 0):
        run.crashes = 0
    message = f"Checkpoint {checkpoint.id} ({kind}), {size / 1e6:.1f} MB"
    add_event(session, run_id, Level.INFO, "checkpoint", message, now, step=step)
    return checkpoint


def retire_checkpoints(
    session: Session, run_id: int, token: str, keep: int, now: float
) -> list[Path]:
    """Apply retention; the one the run resumes from and any that a rollback or an evaluation waits
    for stay."""
    run = owned(session, run_id, token)
    asked = [c.argument.get("checkpoint_id") for c in open_commands(session, run_id)]
    asked += [evaluation.checkpoint_id for evaluation in open_evaluations(session, run_id)]
    protected = [run.resume_checkpoint_id, *asked]
    return checkpoints.apply_retention(session, run_id, keep, protected, now)


def finish(
    session: Session,
    run_id: int,
    token: str,
    now: float,
    reason: str = PLAN_DONE,
) -> Run:
    """The trainer is through with its plan."""
    run = get_run(session, run_id)
    if run.token == token and run.state == RunState.STARTING:
        raise IllegalTransition(f"run {run_id} is starting, it cannot have finished")
    return _end(session, run_id, token, RunState.FINISHED, reason, now)


def halt(session: Session, run_id: int, token: str, reason: str, now: float) -> Run:
    """The trainer obeyed a halt; its checkpoint is written."""
    return _end(session, run_id, token, RunState.HALTED, reason, now)


def cancel(session: Session, run_id: int, token: str, reason: str, now: float) -> Run:
    """The trainer obeyed a cancel."""
    return _end(session, run_id, token, RunState.CANCELLED, reason, now)


def fail(session: Session, run_id: int, token: str, reason: str, now: float) -> Run:
    """A fault no retry cures, such as a refused pre-flight."""
    return _end(session, run_id, token, RunState.FAILED, reason, now)


def requeue(
    session: Session,
    run_id: int,
    token: str,
    reason: str,
    now: float,
    checkpoint_id: int | None = None,
) -> Run:
    """Give the run back without blame: `reason` is drain or rollback, then to `checkpoint_id`.

    A halt or cancel asked meanwhile wins over the queue.
    """
    run = lock_run(session, run_id)
    if run.token == token and run.state == RunState.QUEUED:
        return run
    run = owned(session, run_id, token)
    if checkpoint_id is not None:
        chosen = checkpoints.get_checkpoint(session, run_id, checkpoint_id)
        run.resume_checkpoint_id = checkpoint_id
        complete_rollbacks(session, run_id, f"back to step {chosen.step:,}", now)
    run.restart_reason = reason
    return _leave(session, run, _after(run), reason, now)


def fall_back(session: Session, run_id: int, token: str, reason: str, now: float) -> Run:
    """A rule wants the run back where it was good: queue it from there, or halt it for a person.

    Good is the newest checkpoint whose verdict was not NO-GO. One that was gone back to before is passed
    over for an older one: it may have been written in the trouble, before the rules were sure. From there
    the run learns more slowly, as its configuration says. After the configured number of such returns, or
    without a good checkpoint, a person has to look.
    """
    run = lock_run(session, run_id)
    if run.token == token and run.state in (RunState.QUEUED, RunState.HALTED):
        return run
    config = RunConfig.model_validate(run.config)
    tried = session.scalars(
        select(Segment.checkpoint_id).where(Segment.run_id == run_id, Segment.reason == FALL_BACK)
    ).all()
    good = [c for c in checkpoints.list_checkpoints(session, run_id) if c.verdict != "no-go"]
    target = next((c for c in good if c.id not in tried), good[-1] if good else None)
    if len(tried) >= config.rollback_limit or target is None:
        why = f"rolled back {len(tried)} times already" if good else "no checkpoint was good"
        return halt(session, run_id, token, f"{reason} ({why}: a person has to look)", now)
    run.learning_rate_factor *= config.rollback_learning_rate_factor
    message = (
        f"Back to checkpoint {target.id} (step {target.step:,}), which was not NO-GO: {reason}"
    )
    if config.rollback_learning_rate_factor < 1:
        message += f" Learning rates are {run.learning_rate_factor:.3g} of the configured ones now."
    add_event(session, run_id, Level.WARNING, "rollback", message, now, step=run.step)
    return requeue(session, run_id, token, FALL_BACK, now, target.id)


def crashed(
    session: Session,
    run_id: int,
    token: str,
    reason: str,
    now: float,
    max_crashes: int,
    cause: str = CRASH,
) -> Run:
    """The attempt died: queue again after a back-off, or fail after too many crashes on one spot.

    `cause`, CRASH or SIMULATOR, names the event and the next segment's reason. More than `max_crashes`
    crashes without a checkpoint further on fail the run. If a halt or cancel was asked meanwhile, the
    death fulfils it.
    """
    run = owned(session, run_id, token)
    run.crashes += 1
    run.restart_reason = cause
    state = _after(run)
    if state is RunState.QUEUED and run.crashes > max_crashes:
        state = RunState.FAILED
        reason = f"crashed {run.crashes} times without a new checkpoint, last: {reason}"
    if state is RunState.QUEUED:
        run.not_before = now + min(LONGEST_BACK_OFF, 2.0 ** (run.crashes - 1))
    level = Level.WARNING if state is RunState.QUEUED else Level.CRITICAL
    add_event(session, run_id, level, cause, f"Attempt {run.attempt} died: {reason}", now)
    return _leave(session, run, state, reason, now)


def _after(run: Run) -> RunState:
    """Where a run goes when its owner leaves it unfinished: what people asked decides."""
    return {
        Desired.RUN: RunState.QUEUED,
        Desired.HALT: RunState.HALTED,
        Desired.CANCEL: RunState.CANCELLED,
    }[Desired(run.desired)]


def _end(
    session: Session, run_id: int, token: str, state: RunState, reason: str, now: float
) -> Run:
    run = lock_run(session, run_id)
    if run.token == token and run.state == state:
        return run
    return _leave(session, owned(session, run_id, token), state, reason, now)


def _leave(session: Session, run: Run, state: RunState, reason: str, now: float) -> Run:
    """The one way out of ownership: release the simulator, expire commands, note the end."""
    fleet.release(session, run.id, run.token)
    expire_commands(session, run.id, now)
    run.state, run.state_reason = state, reason
    run.activity, run.steps_per_second = "", 0.0
    run.ended_at = now if state.is_over else None
    level = Level.CRITICAL if state is RunState.FAILED else Level.INFO
    add_event(session, run.id, level, state.value, f"{state.title()}: {reason}", now)
    return run
