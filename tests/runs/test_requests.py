"""What people may ask of a run in which state, and what becomes of it."""

from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from backend.checkpoints.service import list_checkpoints
from backend.database import Database
from backend.errors import IllegalTransition, NotFound
from backend.runs import attempts, service
from backend.runs.attempts import Claim
from backend.runs.commands import complete_command, take_command
from backend.runs.events import list_events
from backend.runs.models import Run
from backend.runs.states import Action, CommandState, RunState
from tests.runs.conftest import NOW, claimed, new_run, saved

Read = Callable[[int], Run]


def in_state(session: Session, state: RunState) -> int:
    """A run brought into the state by the people and owners who would."""
    run = new_run(session)
    if state is RunState.QUEUED:
        return run.id
    claim = claimed(session, run.id)
    owner = (session, run.id, claim.token)
    if state is RunState.STARTING:
        return run.id
    attempts.mark_running(*owner, NOW)
    saved(session, claim, 10)
    if state is RunState.STOPPING:
        attempts.mark_stopping(*owner, NOW)
    elif state is RunState.FINISHED:
        attempts.finish(*owner, NOW)
    elif state is RunState.HALTED:
        attempts.halt(*owner, "asked", NOW)
    elif state is RunState.CANCELLED:
        attempts.cancel(*owner, "asked", NOW)
    elif state is RunState.FAILED:
        attempts.fail(*owner, "broken", NOW)
    return run.id


def ask(session: Session, run_id: int, action: Action) -> None:
    checkpoints = [c.id for c in list_checkpoints(session, run_id)]
    {
        Action.HALT: lambda: service.request_halt(session, run_id, NOW),
        Action.CANCEL: lambda: service.request_cancel(session, run_id, NOW),
        Action.RESUME: lambda: service.request_resume(session, run_id, NOW),
        Action.CHECKPOINT: lambda: service.request_checkpoint(session, run_id, NOW),
        Action.ROLLBACK: lambda: service.request_rollback(session, run_id, checkpoints[0], NOW),
    }[action]()


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("state", list(RunState))
def test_an_action_is_taken_exactly_where_it_is_legal(
    database: Database, state: RunState, action: Action
) -> None:
    with database.write() as session:
        run_id = in_state(session, state)
    with database.write() as session:
        if action in state.actions:
            ask(session, run_id, action)
        else:
            with pytest.raises((IllegalTransition, IndexError)):
                ask(session, run_id, action)
            assert service.get_run(session, run_id).state == state


def test_the_refusal_names_state_and_legal_actions(database: Database) -> None:
    with database.write() as session:
        run_id = in_state(session, RunState.FINISHED)
        with pytest.raises(
            IllegalTransition, match="is finished, it cannot halt now: possible is rollback"
        ):
            service.request_halt(session, run_id, NOW)


def test_a_run_nobody_made_is_not_found(database: Database) -> None:
    with database.write() as session:
        with pytest.raises(NotFound, match="no run 7"):
            service.get_run(session, 7)
        with pytest.raises(NotFound, match="no run 7"):
            service.request_halt(session, 7, NOW)


def test_a_run_without_a_name_is_called_after_preset_and_number(database: Database) -> None:
    with database.write() as session:
        run = new_run(session)
        assert run.name == f"quickstart-{run.id}"


def test_a_queued_run_halts_at_once_and_nobody_can_claim_it(
    database: Database, run_now: Read
) -> None:
    with database.write() as session:
        run_id = new_run(session).id
        service.request_halt(session, run_id, NOW)
        assert attempts.claim(session, run_id, "w", NOW) is None
    assert run_now(run_id).state == RunState.HALTED
    assert run_now(run_id).ended_at == NOW


def test_a_running_run_is_only_told_to_halt(
    database: Database, running: Claim, run_now: Read
) -> None:
    with database.write() as session:
        service.request_halt(session, running.run_id, NOW, by="rule non_finite")
    run = run_now(running.run_id)
    assert (run.state, run.desired) == (RunState.RUNNING, "halt")
    assert run.state_reason == "halt asked by rule non_finite"


def test_a_halted_run_resumes_from_its_last_checkpoint_in_a_new_segment(
    database: Database, running: Claim
) -> None:
    with database.write() as session:
        checkpoint = saved(session, running, 500, kind="halt")
        attempts.record_progress(session, running.run_id, running.token, 520, 6, 260, 90.0, NOW)
        attempts.halt(session, running.run_id, running.token, "asked", NOW)
        service.request_resume(session, running.run_id, NOW)
        claim = claimed(session, running.run_id)
        run = service.get_run(session, running.run_id)
        segments = service.list_segments(session, running.run_id)
    assert (run.step, run.episode, run.updates) == (500, 5, 250)
    assert [s.reason for s in segments] == ["start", "resume"]
    assert segments[1].id == claim.segment_id
    assert (segments[1].parent_id, segments[1].checkpoint_id) == (segments[0].id, checkpoint.id)


def test_a_start_from_scratch_after_a_crash_has_no_parent(
    database: Database, running: Claim
) -> None:
    with database.write() as session:
        attempts.crashed(session, running.run_id, running.token, "died", NOW, 5)
        claimed(session, running.run_id, now=NOW + 60)
        segments = service.list_segments(session, running.run_id)
    assert [(s.number, s.parent_id, s.start_step, s.reason) for s in segments] == [
        (1, None, 0, "start"),
        (2, None, 0, "crash"),
    ]


def test_a_running_run_is_rolled_back_by_its_trainer(
    database: Database, running: Claim, run_now: Read
) -> None:
    run_id, token = running.run_id, running.token
    with database.write() as session:
        chosen = saved(session, running, 100)
        saved(session, running, 200)
        service.request_rollback(session, run_id, chosen.id, NOW)
        assert service.get_run(session, run_id).state == RunState.RUNNING
        command = take_command(session, run_id)
        assert command is not None
        assert command.argument == {"checkpoint_id": chosen.id}
        attempts.mark_stopping(session, run_id, token, NOW)
        saved(session, running, 250, kind="rollback")
        attempts.requeue(session, run_id, token, "rollback", NOW, chosen.id)
    assert run_now(run_id).state == RunState.QUEUED
    with database.write() as session:
        claimed(session, run_id)
        last = service.list_segments(session, run_id)[-1]
        assert (last.start_step, last.checkpoint_id, last.reason) == (100, chosen.id, "rollback")
        (done,) = service.list_commands(session, run_id)
        assert (done.state, done.result) == (CommandState.DONE, "back to step 100")


def test_a_segment_descends_from_the_one_that_wrote_its_checkpoint(
    database: Database, running: Claim
) -> None:
    """Back to 100, then forward to 200 of the first branch: the second branch is no ancestor."""
    run_id = running.run_id
    with database.write() as session:
        early, late = saved(session, running, 100), saved(session, running, 200)
        attempts.finish(session, run_id, running.token, NOW)
        for chosen in (early, late):
            service.request_rollback(session, run_id, chosen.id, NOW)
            claim = claimed(session, run_id)
            attempts.mark_running(session, run_id, claim.token, NOW)
            attempts.halt(session, run_id, claim.token, "asked", NOW)
        first, second, third = service.list_segments(session, run_id)
    assert second.parent_id == first.id
    assert third.parent_id == first.id


def test_a_halt_asked_during_a_rollback_wins_but_the_target_stays_chosen(
    database: Database, running: Claim
) -> None:
    run_id, token = running.run_id, running.token
    with database.write() as session:
        chosen = saved(session, running, 100)
        saved(session, running, 200)
        service.request_halt(session, run_id, NOW)
        run = attempts.requeue(session, run_id, token, "rollback", NOW, chosen.id)
        assert (run.state, run.resume_checkpoint_id) == (RunState.HALTED, chosen.id)


def test_rolling_back_to_anothers_unknown_or_deleted_checkpoint_is_refused(
    database: Database, running: Claim
) -> None:
    with database.write() as session:
        other = claimed(session, new_run(session).id)
        others = saved(session, other, 5)
        old, new = saved(session, running, 10), saved(session, running, 20)
        old.deleted_at = NOW
        for checkpoint_id, problem in (
            (others.id, "has no checkpoint"),
            (999, "has no checkpoint"),
            (old.id, "removed by retention"),
        ):
            with pytest.raises(NotFound, match=problem) as refusal:
                service.request_rollback(session, running.run_id, checkpoint_id, NOW)
            assert str(refusal.value).endswith(f"choose one of {new.id}")
        assert service.list_commands(session, running.run_id) == []


def test_commands_expire_when_the_run_ends(database: Database, running: Claim) -> None:
    run_id, token = running.run_id, running.token
    with database.write() as session:
        service.request_checkpoint(session, run_id, NOW)
        service.request_checkpoint(session, run_id, NOW)
        take_command(session, run_id)
        attempts.finish(session, run_id, token, NOW)
        states = {c.state for c in service.list_commands(session, run_id)}
    assert states == {CommandState.EXPIRED}


def test_a_command_is_answered_once_and_in_order(database: Database, running: Claim) -> None:
    run_id = running.run_id
    with database.write() as session:
        first = service.request_checkpoint(session, run_id, NOW)
        second = service.request_checkpoint(session, run_id, NOW)
        assert take_command(session, run_id) is first
        complete_command(session, first.id, CommandState.DONE, "step 5", NOW + 1)
        complete_command(session, second.id, CommandState.DONE, "never taken", NOW + 1)
    with database.read() as session:
        by_id = {c.id: c for c in service.list_commands(session, run_id)}
    assert (by_id[first.id].state, by_id[first.id].done_at) == (CommandState.DONE, NOW + 1)
    assert by_id[second.id].state == CommandState.PENDING


def test_every_request_leaves_a_sentence(database: Database, running: Claim) -> None:
    with database.write() as session:
        service.request_checkpoint(session, running.run_id, NOW, by="Ada")
        service.request_halt(session, running.run_id, NOW, by="Ada")
        messages = [e.message for e in list_events(session, running.run_id)]
    assert messages[-2:] == ["Checkpoint asked by Ada", "Halt asked by Ada"]
