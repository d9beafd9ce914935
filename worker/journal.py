"""What a trainer tells the world: points, progress, events, checkpoints, verdicts; one transaction a second."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from backend.checkpoints.files import CheckpointFiles, delete_checkpoint
from backend.checkpoints.kinds import CheckpointKind
from backend.database import Database
from backend.gates.engine import GateEngine, Judgement
from backend.gates.engine import Request as Demand
from backend.gates.passages import refresh, save_passages
from backend.gates.presets import load_preset
from backend.gates.service import save_judgement
from backend.gates.stored import chosen_preset, take_up
from backend.metrics.store import Point
from backend.rules.rule import RuleAction
from backend.runs import attempts
from backend.runs.attempts import Claim
from backend.runs.events import Level, add_event
from backend.runs.models import Run
from backend.workers.service import record_tick
from worker.checkpointing import CheckpointInfo
from worker.evaluation import Evaluation
from worker.progress import Progress
from worker.recorder import Recorder

log = logging.getLogger(__name__)
Entry = Callable[[Session, float], object]

DRIVING = "driving"
# A stalled loop hears nothing: the supervisor restarts it. A note is already in the judgement.
UNHEARD = (RuleAction.NOTE, RuleAction.RESTART)


class Journal:
    """The loop logs here and never waits for the database; the recorder's thread ships what is there.

    Everything of a flush goes into one transaction that first checks the fencing token: a checkpoint's
    row never stands without the points up to it, nor an attempt's word after it was replaced. Rules are
    judged at every flush, with the database away too.

    Attributes:
        activity: what the trainer is at, in words; shown on the page and watched for stalls.
    """

    def __init__(
        self,
        database: Database,
        claim: Claim,
        engine: GateEngine,
        spool: Path,
        checkpoints_kept: int,
        progress: Progress,
    ) -> None:
        self.activity = "starting"
        self._claim = claim
        self._engine = engine
        self._database = database
        self._preset = engine.judge.preset.label
        self._kept = checkpoints_kept
        self._lock = Lock()
        self._entries: list[Entry] = []
        self._shipping: list[Entry] = []
        self._demands: list[Demand] = []
        self._judgement: Judgement | None = None
        self._shipping_judgement: Judgement | None = None
        self._retired: list[Path] = []
        self._observed: dict[str, object] = {}
        self._reached = (progress.step, progress.episodes, 0, 0.0)
        self._ended = False
        self._recorder = Recorder(
            database,
            claim.segment_id,
            spool,
            ship=self._ship,
            judge=self._judge,
            shipped=self._shipped,
            alert=lambda message: self.event(Level.WARNING, "recorder", message),
        )

    @property
    def verdict(self) -> str:
        """What the rules say of everything judged so far."""
        return self._engine.judge.verdict.value

    @property
    def fenced(self) -> bool:
        """Another attempt owns the run; nothing this one says is recorded any more."""
        return self._recorder.fenced

    def log(self, values: Mapping[str, float], step: int, episode: int) -> None:
        self._recorder.add(values, step, episode)

    def reached(self, progress: Progress, updates: int, rate: float) -> None:
        """How far the loop is; the next flush says so."""
        self._reached = (progress.step, progress.episodes, updates, rate)

    def observe(self, values: Mapping[str, object]) -> None:
        """What was observed of the run, to stand beside what was configured."""
        if self._observed.items() >= values.items():
            return
        self._observed = {**self._observed, **values}
        observed, run_id = self._observed, self._claim.run_id

        def record(session: Session, _now: float) -> None:
            run = session.get_one(Run, run_id)
            run.observed = {**run.observed, **observed}  # what earlier attempts saw stays

        self._enter(record)

    def simulator(self, tick_ms: float, town: str, npcs: int) -> None:
        """How the leased simulator does; shown on the page of workers."""
        run_id, token = self._claim.run_id, self._claim.token
        self._enter(
            lambda session, now: record_tick(session, run_id, token, tick_ms, town, now, npcs)
        )

    def event(self, level: Level, kind: str, message: str) -> None:
        step, run_id = self._reached[0], self._claim.run_id
        self._enter(
            lambda session, now: add_event(session, run_id, level, kind, message, now, step)
        )

    def checkpoint(
        self,
        info: CheckpointInfo,
        files: CheckpointFiles,
        evaluation: Evaluation | None = None,
        verdict: str | None = None,
    ) -> None:
        """Files that are safe on disk become a checkpoint of the run; older ones retire.

        `verdict` is what stood when they were begun, where that was a while ago.
        """
        stood = verdict or self.verdict

        def record(session: Session, now: float) -> None:
            attempts.record_checkpoint(
                session,
                self._claim.run_id,
                self._claim.token,
                info.kind,
                step=info.step,
                episode=info.episode,
                updates=info.updates,
                path=files.path,
                size=files.bytes,
                sha256=files.sha256,
                now=now,
                evaluation_return=evaluation.return_mean if evaluation else None,
                evaluation_success=evaluation.success_rate if evaluation else None,
                is_best=info.kind == CheckpointKind.BEST,
                verdict=stood,
            )
            self._retired += attempts.retire_checkpoints(
                session, self._claim.run_id, self._claim.token, self._kept, now
            )

        self._enter(record)
        self._recorder.flush(wait=False)  # a killed trainer goes on from what the database knows

    def demands(self) -> list[Demand]:
        """What rules ask of the loop, each once."""
        if not self._demands:
            return []
        with self._lock:
            demands, self._demands = self._demands, []
        return demands

    def flush(self, timeout: float | None = None) -> bool:
        """Whether everything said so far is committed, at most `timeout` seconds later."""
        return self._recorder.flush(timeout=timeout)

    def conclude(self, timeout: float) -> None:
        """Nothing more is logged: judge the last step too, so that what it shows is heard and stored."""
        self._ended = True
        self.flush(timeout)

    def close(self, timeout: float) -> bool:
        """Judge and ship what is left; whether it all reached the database."""
        self._ended = True
        return self._recorder.close(timeout)

    def _enter(self, entry: Entry) -> None:
        with self._lock:
            self._entries.append(entry)

    def _judge(self, points: Sequence[Point], now: float) -> None:
        self._take_up_rules()
        self._engine.observe(points)
        busy = self.activity != DRIVING
        judgement = self._engine.evaluate(self._reached[0], now=now, busy=busy, final=self._ended)
        with self._lock:
            self._demands += [d for d in judgement.requests if d.action not in UNHEARD]
            if self._judgement is not None:  # not committed yet: its flips must not be lost
                judgement = replace(
                    judgement,
                    flips=(*self._judgement.flips, *judgement.flips),
                    passages=(*self._judgement.passages, *judgement.passages),
                )
            self._judgement = judgement

    def _take_up_rules(self) -> None:
        """Judge by the rules that people chose since, once all that was observed is stored."""
        if self._preset == self._engine.judge.preset.label or self._recorder.outage is not None:
            return
        try:
            with self._database.read() as session:
                preset = load_preset(session, self._preset)
                take_up(session, self._claim.run_id, self._engine, preset)
        except SQLAlchemyError as error:
            log.warning("the rules stay as they are, the database is away: %s", error)

    def _ship(self, session: Session, points: Sequence[Point], now: float) -> None:
        run_id, token = self._claim.run_id, self._claim.token
        self._retired = []  # of a transaction that failed, to be repeated
        attempts.record_progress(session, run_id, token, *self._reached, now, self.activity)
        with self._lock:
            self._shipping = list(self._entries)
            self._shipping_judgement = self._judgement
        gates, segment_id = self._engine.gates, self._claim.segment_id
        if judgement := self._shipping_judgement:
            save_judgement(session, run_id, segment_id, judgement, now)
            passed = judgement.passages
            save_passages(session, run_id, segment_id, passed, gates.version, gates.acts, now)
        refresh(session, run_id, gates)
        self._preset = chosen_preset(session, run_id) or self._preset
        for entry in self._shipping:
            entry(session, now)

    def _shipped(self) -> None:
        with self._lock:
            del self._entries[: len(self._shipping)]
            if self._judgement is self._shipping_judgement:
                self._judgement = None
        self._shipping = []
        retired, self._retired = self._retired, []
        for path in retired:
            delete_checkpoint(path)
