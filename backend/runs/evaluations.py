"""Evaluations of checkpoints on request: asked by people, driven by a worker, answered in a row.

Whoever holds the row's token drives it. Changes check the token, so a worker that was given up cannot
write; ends may be asked again after an ambiguous commit.
"""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.checkpoints.kinds import EvaluationState
from backend.checkpoints.models import Evaluation
from backend.checkpoints.service import get_checkpoint
from backend.errors import FencedOff, IllegalTransition, InvalidConfig, NoSimulator, NotFound
from backend.runs.events import Level, add_event
from backend.runs.service import get_run
from backend.workers import service as fleet

MOST_EPISODES = 1000
MOST_ATTEMPTS = 3
OPEN = [state for state in EvaluationState if state.is_open]


def request_evaluation(
    session: Session, run_id: int, checkpoint_id: int, episodes: int, now: float
) -> Evaluation:
    """Queue an evaluation of one of the run's checkpoints.

    Raises:
        NotFound: no such checkpoint, or its files are gone.
        IllegalTransition: Pitwall has no policy of this run, or the checkpoint is being evaluated.
        InvalidConfig: too few or too many episodes.
    """
    run = get_run(session, run_id)
    checkpoint = get_checkpoint(session, run_id, checkpoint_id)
    if not run.is_native:
        raise IllegalTransition(
            f"run {run_id} keeps its own checkpoints: evaluate them where they were trained"
        )
    if not 1 <= episodes <= MOST_EPISODES:
        raise InvalidConfig(
            {"episodes": f"episodes ({episodes}) is not between 1 and {MOST_EPISODES}"}
        )
    if any(e.checkpoint_id == checkpoint_id for e in open_evaluations(session, run_id)):
        raise IllegalTransition(
            f"checkpoint {checkpoint_id} is being evaluated already: wait for it or cancel it"
        )
    evaluation = Evaluation(
        run_id=run_id,
        checkpoint_id=checkpoint_id,
        state=EvaluationState.QUEUED,
        episodes=episodes,
        created_at=now,
    )
    session.add(evaluation)
    session.flush()
    message = f"Evaluation of checkpoint {checkpoint_id} over {episodes} episodes asked by a person"
    add_event(session, run_id, Level.INFO, "evaluation", message, now, step=checkpoint.step)
    return evaluation


def list_evaluations(session: Session, run_id: int) -> Sequence[Evaluation]:
    """The run's evaluations on request, newest first."""
    query = select(Evaluation).where(Evaluation.run_id == run_id).order_by(Evaluation.id.desc())
    return session.scalars(query.execution_options(populate_existing=True)).all()


def open_evaluations(session: Session, run_id: int) -> list[Evaluation]:
    """Those a worker drives, or will; the files of their checkpoints must stay."""
    return [e for e in list_evaluations(session, run_id) if EvaluationState(e.state).is_open]


def get_evaluation(session: Session, run_id: int, evaluation_id: int) -> Evaluation:
    """Raises NotFound."""
    found = session.get(Evaluation, evaluation_id, populate_existing=True)
    if found is None or found.run_id != run_id:
        raise NotFound(f"run {run_id} has no evaluation {evaluation_id}")
    return found


def cancel_evaluation(session: Session, run_id: int, evaluation_id: int, now: float) -> Evaluation:
    """Give it up; its worker hears of it within seconds.

    Raises:
        IllegalTransition: it is over.
    """
    evaluation = get_evaluation(session, run_id, evaluation_id)
    if not EvaluationState(evaluation.state).is_open:
        raise IllegalTransition(
            f"evaluation {evaluation_id} is {evaluation.state}: nothing to cancel"
        )
    evaluation.state, evaluation.ended_at = EvaluationState.CANCELLED, now
    return evaluation


def queued_evaluations(session: Session) -> list[int]:
    """What a worker may claim now, the longest waiting first."""
    query = select(Evaluation.id).where(Evaluation.state == EvaluationState.QUEUED)
    return list(session.scalars(query.order_by(Evaluation.id)))


def claim_evaluation(
    session: Session, evaluation_id: int, worker: str, token: str, now: float, traffic_port: int
) -> Evaluation | None:
    """Take a queued evaluation and lease its simulator; None when it is not to be had.

    Asking again with the same `token` after an ambiguous commit returns the same claim.

    Raises:
        NoSimulator: nothing is changed once the transaction rolls back.
    """
    taken = session.execute(
        update(Evaluation)
        .where(Evaluation.id == evaluation_id, Evaluation.state == EvaluationState.QUEUED)
        .values(
            state=EvaluationState.RUNNING,
            token=token,
            worker=worker,
            attempt=Evaluation.attempt + 1,
            done=0,
            heartbeat_at=now,
            started_at=now,
        )
        .returning(Evaluation.id)
    ).first()
    evaluation = session.get(Evaluation, evaluation_id, populate_existing=True)
    if evaluation is None:
        return None
    if taken is None:
        mine = evaluation.token == token and evaluation.state == EvaluationState.RUNNING
        return evaluation if mine else None
    run = get_run(session, evaluation.run_id)
    if run.config["environment"] == "carla" and not fleet.lease(
        session, run.id, token, worker, traffic_port
    ):
        why = fleet.why_none_is_free(session, worker)
        raise NoSimulator(f"worker {worker} has no free simulator: {why}")
    return evaluation


def owned_evaluation(session: Session, evaluation_id: int, token: str) -> Evaluation:
    """The row, if `token` still drives it.

    Raises:
        FencedOff: it was cancelled or given to another worker.
    """
    found = session.get(Evaluation, evaluation_id, with_for_update=True, populate_existing=True)
    if found is None or found.token != token or found.state != EvaluationState.RUNNING:
        state = found.state if found else "gone"
        raise FencedOff(f"evaluation {evaluation_id} is not this worker's any more: it is {state}")
    return found


def beat_evaluation(session: Session, evaluation_id: int, token: str, now: float) -> Evaluation:
    """Its worker is alive."""
    evaluation = owned_evaluation(session, evaluation_id, token)
    evaluation.heartbeat_at = now
    return evaluation


def report_evaluation(session: Session, evaluation_id: int, token: str, done: int) -> None:
    """How many of its episodes are driven."""
    owned_evaluation(session, evaluation_id, token).done = done


def finish_evaluation(
    session: Session, evaluation_id: int, token: str, result: dict[str, object], now: float
) -> None:
    """The answer; the simulator is the worker's to release."""
    found = session.get(Evaluation, evaluation_id, populate_existing=True)
    if found is not None and found.token == token and found.state == EvaluationState.DONE:
        return
    evaluation = owned_evaluation(session, evaluation_id, token)
    evaluation.state, evaluation.ended_at = EvaluationState.DONE, now
    evaluation.result, evaluation.done = result, evaluation.episodes
    message = f"Checkpoint {evaluation.checkpoint_id} evaluated over {evaluation.episodes} episodes"
    add_event(session, evaluation.run_id, Level.INFO, "evaluation", message, now)


def leave_evaluation(
    session: Session, evaluation_id: int, token: str, reason: str, now: float, *, again: bool
) -> None:
    """Its process is gone: release the simulator, and settle what it left unsettled.

    `again`: it was nobody's fault, so it goes back to the queue, `MOST_ATTEMPTS` times at the most.
    """
    evaluation = session.get(Evaluation, evaluation_id, populate_existing=True)
    if evaluation is None or evaluation.token != token:
        return
    fleet.release(session, evaluation.run_id, token)
    evaluation.token = ""
    if evaluation.state != EvaluationState.RUNNING:
        return
    if again and evaluation.attempt < MOST_ATTEMPTS:
        evaluation.state = EvaluationState.QUEUED
        return
    evaluation.state, evaluation.reason = EvaluationState.FAILED, reason
    evaluation.ended_at = now
    message = f"Evaluation of checkpoint {evaluation.checkpoint_id} failed: {reason}"
    add_event(session, evaluation.run_id, Level.WARNING, "evaluation", message, now)


def reap_evaluations(session: Session, silent_since: float, now: float) -> None:
    """What a dead worker held goes back to the queue."""
    silent = select(Evaluation.id, Evaluation.token).where(
        Evaluation.token != "", Evaluation.heartbeat_at < silent_since
    )
    for evaluation_id, token in session.execute(silent).all():
        reason = "no heartbeat: the worker or its machine is gone"
        leave_evaluation(session, evaluation_id, token, reason, now, again=True)
