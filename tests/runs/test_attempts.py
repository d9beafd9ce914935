"""Who owns a run: claims, fencing, ends, crash accounting."""

import threading
from collections.abc import Callable

import pytest

from backend.database import Database
from backend.errors import FencedOff, IllegalTransition, NoSimulator
from backend.runs import attempts, service
from backend.runs.attempts import Claim
from backend.runs.events import list_events
from backend.runs.models import Run
from backend.runs.parsing import parse_config
from backend.runs.states import Desired, RunState
from backend.workers import service as fleet
from tests.runs.conftest import NOW, claimed, new_run, saved

Read = Callable[[int], Run]
MAX_CRASHES = 3


def test_of_many_claimants_in_threads_one_wins(database: Database) -> None:
    with database.write() as session:
        run_id = new_run(session).id
    won: list[Claim | None] = []
    barrier = threading.Barrier(8)

    def contend(worker: str) -> None:
        barrier.wait()
        with database.write() as session:
            won.append(attempts.claim(session, run_id, worker, NOW))

    threads = [threading.Thread(target=contend, args=(f"w{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 8
    (winner,) = [claim for claim in won if claim]
    with database.read() as session:
        run = service.get_run(session, run_id)
        assert (run.token, run.attempt) == (winner.token, 1)
        assert len(service.list_segments(session, run_id)) == 1


def test_of_two_runs_that_contend_for_one_simulator_one_gets_it(database: Database) -> None:
    with database.write() as session:
        fleet.register_simulator(session, "carla", 2000, NOW)
        config = parse_config("quickstart")
        runs = [service.create_run(session, "", "quickstart", config, NOW).id for _ in range(4)]
    results: list[Claim | str | None] = []
    barrier = threading.Barrier(len(runs))

    def contend(run_id: int) -> None:
        barrier.wait()
        try:
            with database.write() as session:
                results.append(attempts.claim(session, run_id, "w", NOW, traffic_port=8123))
        except NoSimulator:
            results.append("none free")

    threads = [threading.Thread(target=contend, args=(run_id,)) for run_id in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count("none free") == 3
    with database.read() as session:
        states = sorted(service.get_run(session, run_id).state for run_id in runs)
        (simulator,) = fleet.list_simulators(session)
    assert states == ["queued", "queued", "queued", "starting"]
    assert simulator.traffic_port == 8123


def test_a_claim_asked_again_with_the_same_token_is_the_same_claim(database: Database) -> None:
    with database.write() as session:
        run_id = new_run(session).id
    with database.write() as session:
        first = attempts.claim(session, run_id, "w", NOW, token="a" * 32)
    with database.write() as session:
        assert attempts.claim(session, run_id, "w", NOW, token="a" * 32) == first
        assert attempts.claim(session, run_id, "v", NOW, token="b" * 32) is None


@pytest.mark.parametrize(
    "write",
    [
        lambda s, r, t: attempts.mark_running(s, r, t, NOW),
        lambda s, r, t: attempts.mark_stopping(s, r, t, NOW),
        lambda s, r, t: attempts.record_progress(s, r, t, 9, 1, 1, 1.0, NOW),
        lambda s, r, t: attempts.beat(s, r, t, NOW),
        lambda s, r, t: attempts.finish(s, r, t, NOW),
        lambda s, r, t: attempts.halt(s, r, t, "", NOW),
        lambda s, r, t: attempts.cancel(s, r, t, "", NOW),
        lambda s, r, t: attempts.fail(s, r, t, "", NOW),
        lambda s, r, t: attempts.requeue(s, r, t, "drain", NOW),
        lambda s, r, t: attempts.crashed(s, r, t, "", NOW, MAX_CRASHES),
        lambda s, r, t: attempts.retire_checkpoints(s, r, t, 1, NOW),
        lambda s, r, t: saved(s, Claim(r, t, 1, 1, ""), 9),
    ],
)
def test_an_attempt_that_was_replaced_can_write_nothing(
    database: Database, running: Claim, write: Callable[..., object]
) -> None:
    with database.write() as session:
        attempts.crashed(session, running.run_id, running.token, "silent", NOW, MAX_CRASHES)
        second = claimed(session, running.run_id, now=NOW + 60)
    with database.write() as session:
        with pytest.raises(FencedOff):
            write(session, running.run_id, running.token)
        run = service.get_run(session, running.run_id)
        assert (run.token, run.step, run.state) == (second.token, 0, RunState.STARTING)


@pytest.mark.parametrize(
    "end",
    [
        lambda s, r, t: attempts.finish(s, r, t, NOW),
        lambda s, r, t: attempts.halt(s, r, t, "asked", NOW),
        lambda s, r, t: attempts.cancel(s, r, t, "asked", NOW),
        lambda s, r, t: attempts.fail(s, r, t, "broken", NOW),
        lambda s, r, t: attempts.requeue(s, r, t, "drain", NOW),
    ],
)
def test_an_end_whose_answer_was_lost_can_be_asked_again(
    database: Database, running: Claim, end: Callable[..., Run]
) -> None:
    with database.write() as session:
        state = end(session, running.run_id, running.token).state
    with database.write() as session:
        events = len(list_events(session, running.run_id))
        assert end(session, running.run_id, running.token).state == state
        assert len(list_events(session, running.run_id)) == events


def test_a_crash_backs_off_longer_each_time_and_fails_after_the_last_allowed(
    database: Database, running: Claim, run_now: Read
) -> None:
    claim, now, waits = running, NOW, []
    with database.write() as session:
        for _ in range(MAX_CRASHES):
            run = attempts.crashed(session, claim.run_id, claim.token, "boom", now, MAX_CRASHES)
            waits.append(run.not_before - now)
            assert attempts.claim(session, claim.run_id, "w", now) is None
            now = run.not_before
            claim = claimed(session, claim.run_id, now=now)
        attempts.crashed(session, claim.run_id, claim.token, "boom", now, MAX_CRASHES)
    assert waits == [1.0, 2.0, 4.0]
    run = run_now(running.run_id)
    assert run.state == RunState.FAILED
    assert run.state_reason == "crashed 4 times without a new checkpoint, last: boom"


def test_a_new_checkpoint_further_on_forgives_crashes_one_on_the_spot_does_not(
    database: Database, running: Claim
) -> None:
    with database.write() as session:
        saved(session, running, 100)
        attempts.crashed(session, running.run_id, running.token, "boom", NOW, MAX_CRASHES)
        again = claimed(session, running.run_id, now=NOW + 60)
        run = service.get_run(session, running.run_id)
        saved(session, again, 100, kind="halt")
        assert run.crashes == 1
        saved(session, again, 101)
        assert run.crashes == 0


@pytest.mark.parametrize(
    ("desired", "state"),
    [(Desired.HALT, RunState.HALTED), (Desired.CANCEL, RunState.CANCELLED)],
)
def test_a_trainer_that_dies_while_told_to_stop_has_stopped(
    database: Database, running: Claim, desired: Desired, state: RunState
) -> None:
    ask = {Desired.HALT: service.request_halt, Desired.CANCEL: service.request_cancel}[desired]
    with database.write() as session:
        ask(session, running.run_id, NOW)
        run = attempts.crashed(session, running.run_id, running.token, "boom", NOW, MAX_CRASHES)
        assert run.state == state


def test_a_drain_is_not_a_crash_and_can_be_claimed_at_once(
    database: Database, running: Claim
) -> None:
    with database.write() as session:
        run = attempts.requeue(session, running.run_id, running.token, "drain", NOW)
        assert (run.state, run.crashes) == (RunState.QUEUED, 0)
        claimed(session, running.run_id)
        assert service.list_segments(session, running.run_id)[-1].reason == "drain"


def test_every_way_out_releases_the_simulator(database: Database) -> None:
    ways: list[Callable[..., Run]] = [
        lambda s, c: attempts.finish(s, c.run_id, c.token, NOW),
        lambda s, c: attempts.halt(s, c.run_id, c.token, "", NOW),
        lambda s, c: attempts.fail(s, c.run_id, c.token, "", NOW),
        lambda s, c: attempts.requeue(s, c.run_id, c.token, "drain", NOW),
        lambda s, c: attempts.crashed(s, c.run_id, c.token, "", NOW, MAX_CRASHES),
    ]
    with database.write() as session:
        fleet.register_simulator(session, "carla", 2000, NOW)
    for leave in ways:
        with database.write() as session:
            run = service.create_run(session, "", "quickstart", parse_config("quickstart"), NOW)
            claim = claimed(session, run.id)
            attempts.mark_running(session, run.id, claim.token, NOW)
            assert fleet.leased(session, run.id, claim.token) is not None
            leave(session, claim)
            assert fleet.leased(session, run.id, claim.token) is None


def test_progress_tells_the_trainer_what_people_want(database: Database, running: Claim) -> None:
    run_id, token = running.run_id, running.token
    with database.write() as session:
        service.request_halt(session, run_id, NOW)
    with database.write() as session:
        run = attempts.record_progress(session, run_id, token, 7, 1, 3, 50.0, NOW + 1)
        assert (run.step, run.desired, run.heartbeat_at) == (7, Desired.HALT, NOW + 1)


def test_a_run_goes_through_its_states_in_order(database: Database) -> None:
    with database.write() as session:
        claim = claimed(session, new_run(session).id)
        owner = (session, claim.run_id, claim.token)
        with pytest.raises(IllegalTransition, match="is starting, it cannot have finished"):
            attempts.finish(*owner, NOW)
        attempts.mark_running(*owner, NOW)
        attempts.mark_stopping(*owner, NOW)
        with pytest.raises(IllegalTransition, match="is stopping, it cannot begin to train"):
            attempts.mark_running(*owner, NOW)
