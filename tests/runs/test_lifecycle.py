"""Random histories of people, owners, zombies and reapers never break a run."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.orm import Session

from backend.checkpoints.service import list_checkpoints
from backend.database import Database
from backend.errors import FencedOff, IllegalTransition, NoSimulator
from backend.runs import attempts, service
from backend.runs.attempts import Claim
from backend.runs.commands import open_commands, take_command
from backend.runs.models import Run
from backend.runs.parsing import parse_config
from backend.runs.reaper import reap
from backend.runs.states import Action, RunState
from backend.workers import service as fleet

S = RunState
ENDS = {S.QUEUED, S.HALTED, S.CANCELLED, S.FAILED}
LEGAL: dict[RunState, set[RunState]] = {
    S.QUEUED: {S.STARTING, S.HALTED, S.CANCELLED},
    S.STARTING: {S.RUNNING, S.STOPPING, *ENDS},
    S.RUNNING: {S.STOPPING, S.FINISHED, *ENDS},
    S.STOPPING: {S.FINISHED, *ENDS},
    S.FINISHED: {S.QUEUED},
    S.HALTED: {S.QUEUED, S.CANCELLED},
    S.FAILED: {S.QUEUED, S.CANCELLED},
    S.CANCELLED: set(),
}
TTL, MAX_CRASHES = 20.0, 2
Owner = Callable[[Session, Claim, float], object]
OWNERS_DEEDS: dict[str, Owner] = {
    "running": lambda s, c, now: attempts.mark_running(s, c.run_id, c.token, now),
    "stopping": lambda s, c, now: attempts.mark_stopping(s, c.run_id, c.token, now),
    "finish": lambda s, c, now: attempts.finish(s, c.run_id, c.token, now),
    "halt": lambda s, c, now: attempts.halt(s, c.run_id, c.token, "asked", now),
    "cancel": lambda s, c, now: attempts.cancel(s, c.run_id, c.token, "asked", now),
    "drain": lambda s, c, now: attempts.requeue(s, c.run_id, c.token, "drain", now),
    "crash": lambda s, c, now: attempts.crashed(s, c.run_id, c.token, "boom", now, MAX_CRASHES),
}


class Lifecycle(RuleBasedStateMachine):
    """One run, one simulator, any number of attempts of which most are dead but do not know it."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database
        self.now = 1_000_000.0
        self.claims: list[Claim] = []
        with database.write() as session:
            fleet.register_simulator(session, "carla", 2000, self.now)
            config = parse_config("quickstart")
            self.run_id = service.create_run(session, "", "quickstart", config, self.now).id
        self.state = S.QUEUED

    def teardown(self) -> None:
        """The next history finds the simulator free."""
        with self.database.write() as session:
            run = service.get_run(session, self.run_id)
            fleet.release(session, run.id, run.token)

    def note(self, session: Session) -> Run:
        """Every change must be one the state table knows."""
        session.flush()
        run = service.get_run(session, self.run_id)
        state = RunState(run.state)
        if state != self.state:
            assert state in LEGAL[self.state], f"{self.state} -> {state}"
        self.state = state
        return run

    @rule(seconds=st.sampled_from([0.5, 5.0, 70.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(action=st.sampled_from([Action.HALT, Action.CANCEL, Action.RESUME, Action.CHECKPOINT]))
    def a_person_asks(self, action: Action) -> None:
        ask = {
            Action.HALT: service.request_halt,
            Action.CANCEL: service.request_cancel,
            Action.RESUME: service.request_resume,
            Action.CHECKPOINT: service.request_checkpoint,
        }[action]
        legal = action in self.state.actions
        with self.database.write() as session:
            try:
                ask(session, self.run_id, self.now)
                assert legal, f"{action} was taken in {self.state}"
            except IllegalTransition:
                assert not legal, f"{action} was refused in {self.state}"
            self.note(session)

    @rule(choice=st.randoms(use_true_random=False))
    def a_person_rolls_back(self, choice: object) -> None:
        with self.database.write() as session:
            checkpoints = list_checkpoints(session, self.run_id)
            if not checkpoints:
                return
            chosen = choice.choice(checkpoints)  # type: ignore[attr-defined]
            with suppress(IllegalTransition):
                service.request_rollback(session, self.run_id, chosen.id, self.now)
            self.note(session)

    @rule()
    def a_worker_claims(self) -> None:
        try:
            with self.database.write() as session:
                claim = attempts.claim(session, self.run_id, "w", self.now)
                run = self.note(session)
                if claim is not None:
                    self.claims.append(claim)
                    assert run.token == claim.token
        except NoSimulator as error:
            raise AssertionError("the only run found its simulator taken") from error

    @precondition(lambda self: self.claims)
    @rule(deed=st.sampled_from(sorted(OWNERS_DEEDS)), which=st.integers(0, 3))
    def an_attempt_acts(self, deed: str, which: int) -> None:
        """Dead attempts act too: they must change nothing."""
        claim = self.claims[-1 - which % len(self.claims)]
        with self.database.write() as session:
            before = service.get_run(session, self.run_id)
            owner = before.token == claim.token and RunState(before.state).is_active
            facts = (before.state, before.token, before.step, before.resume_checkpoint_id)
            with suppress(FencedOff, IllegalTransition):
                OWNERS_DEEDS[deed](session, claim, self.now)
            run = self.note(session)
            if not owner:
                assert (run.state, run.token, run.step, run.resume_checkpoint_id) == facts

    @precondition(lambda self: self.claims)
    @rule(steps=st.integers(1, 50))
    def the_owner_drives_and_saves(self, steps: int) -> None:
        claim = self.claims[-1]
        with self.database.write() as session, suppress(FencedOff):
            owner = (session, self.run_id, claim.token)
            step = attempts.owned(*owner).step + steps
            attempts.record_progress(*owner, step, 0, 0, 1.0, self.now)
            attempts.record_checkpoint(
                *owner,
                "interval",
                step=step,
                episode=0,
                updates=0,
                path=Path("/nowhere"),
                size=1,
                sha256="",
                now=self.now,
            )
            attempts.retire_checkpoints(*owner, 2, self.now)
            self.note(session)

    @precondition(lambda self: self.claims)
    @rule()
    def the_trainer_takes_a_command(self) -> None:
        claim = self.claims[-1]
        with self.database.write() as session, suppress(FencedOff):
            attempts.owned(session, self.run_id, claim.token)
            command = take_command(session, self.run_id)
            if command is not None and command.kind == "rollback":
                chosen = command.argument["checkpoint_id"]
                run = attempts.requeue(
                    session, self.run_id, claim.token, "rollback", self.now, chosen
                )
                assert run.resume_checkpoint_id == chosen
            self.note(session)

    @rule()
    def the_reaper_comes(self) -> None:
        with self.database.write() as session:
            reap(session, self.now, TTL, MAX_CRASHES)
            self.note(session)

    @invariant()
    def the_row_is_consistent(self) -> None:
        with self.database.read() as session:
            run = service.get_run(session, self.run_id)
            state = RunState(run.state)
            leases = [s.lease_token for s in fleet.list_simulators(session) if s.leased_run_id]
            assert leases == ([run.token] if state.is_active else [])
            assert (run.ended_at is not None) == state.is_over
            assert state.is_active or not open_commands(session, self.run_id)
            assert run.crashes <= MAX_CRASHES + 1
            self.segments_are_consistent(session, run)

    def segments_are_consistent(self, session: Session, run: Run) -> None:
        segments = service.list_segments(session, self.run_id)
        assert [s.number for s in segments] == list(range(1, len(segments) + 1))
        assert len(segments) == run.attempt == len(self.claims)
        checkpoints = {
            c.id: c for c in list_checkpoints(session, self.run_id, include_deleted=True)
        }
        for segment in segments:
            if segment.checkpoint_id is not None:
                start = checkpoints[segment.checkpoint_id]
                assert segment.start_step == start.step
                assert segment.parent_id == start.segment_id
            assert segment.parent_id is None or segment.parent_id < segment.id
        if run.resume_checkpoint_id is not None:
            assert checkpoints[run.resume_checkpoint_id].deleted_at is None


def test_no_history_breaks_a_run(database: Database) -> None:
    # The rules are the same on both; PostgreSQL is there for its locks and costs more.
    examples = 25 if database.url.startswith("sqlite") else 10
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        lambda: Lifecycle(database),
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
