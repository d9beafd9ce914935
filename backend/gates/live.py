"""Judging runs of users' own trainers where their points come in: in the API's process, flush by flush."""

from collections.abc import Sequence
from threading import Lock

from sqlalchemy.orm import Session

from backend.gates.engine import GateEngine, Judgement
from backend.gates.passages import refresh, save_passages
from backend.gates.presets import load_preset
from backend.gates.service import save_judgement
from backend.gates.stored import chosen_preset, take_up, warm_engine
from backend.metrics.store import Point, append, stored_flush
from backend.rules.rule import RuleAction
from backend.runs.models import Run
from backend.runs.service import request_halt
from backend.runs.states import Desired, RunState

MOST_ENGINES = 32
# A trainer of the user's own can only stop: whoever runs it starts it again.
STOPPING = (RuleAction.PAUSE, RuleAction.HALT, RuleAction.ROLLBACK)


class LiveJudges:
    """The engines of the runs heard of last, each with the number of the flush it has seen.

    An engine is taken only when that number is the one the database holds, under the run's lock: after
    a rollback of the transaction, a restart or a flush through another process it is made anew from
    what is stored. Otherwise a flush costs what its own points cost.
    """

    def __init__(self) -> None:
        self._engines: dict[int, tuple[int, GateEngine]] = {}
        self._lock = Lock()

    def receive(
        self, session: Session, run: Run, flush: int, points: Sequence[Point], now: float
    ) -> bool:
        """Store a flush of a run whose row is locked, and judge it; False when it had been stored before.

        Raises:
            PointsRefused: a step that went back, or a metric name that is too long.
        """
        assert run.segment_id is not None, "an external run has a segment"
        before = stored_flush(session, run.segment_id)
        if flush <= before:
            return False
        engine = self._take(session, run, before)
        append(session, run.segment_id, points, flush=flush)
        engine.observe(points)
        refresh(session, run.id, engine.gates)
        _record(session, run, engine, engine.evaluate(run.step), now)
        self._keep(run.id, flush, engine)
        return True

    def close(self, session: Session, run: Run, now: float) -> None:
        """Judge what no later step made whole."""
        assert run.segment_id is not None, "an external run has a segment"
        engine = self._take(session, run, stored_flush(session, run.segment_id))
        _record(session, run, engine, engine.evaluate(run.step, final=True), now)

    def _take(self, session: Session, run: Run, flush: int) -> GateEngine:
        with self._lock:
            seen, engine = self._engines.pop(run.id, (-1, None))
        if engine is None or seen != flush:
            return warm_engine(session, run.id)
        chosen = chosen_preset(session, run.id)
        if chosen not in (None, engine.judge.preset.label):
            take_up(session, run.id, engine, load_preset(session, chosen))
        return engine

    def _keep(self, run_id: int, flush: int, engine: GateEngine) -> None:
        with self._lock:
            self._engines[run_id] = (flush, engine)
            if len(self._engines) > MOST_ENGINES:
                del self._engines[next(iter(self._engines))]


def _record(
    session: Session, run: Run, engine: GateEngine, judgement: Judgement, now: float
) -> None:
    save_judgement(session, run.id, run.segment_id, judgement, now)
    gates = engine.gates
    save_passages(
        session, run.id, run.segment_id, judgement.passages, gates.version, gates.acts, now
    )
    session.flush()
    for request in judgement.requests:
        if request.action not in STOPPING or run.state != RunState.RUNNING:
            continue
        if run.desired == Desired.RUN:
            request_halt(session, run.id, now, by=f"the {request.kind} {request.rule}")
