"""When a trainer is pushed: pure functions of times."""

from hypothesis import given
from hypothesis import strategies as st

from worker.watch import DRIVING, Limits, Rung, StallWatchdog, StopLadder

LIMITS = Limits(stop=10, save=100, stall=60, patience=600)


def test_nobody_climbs_a_ladder_nobody_asked_for() -> None:
    assert StopLadder(LIMITS).rung(1e9, saving=False) is Rung.NONE


def test_a_stop_is_a_flag_then_sigterm_then_sigkill() -> None:
    ladder = StopLadder(LIMITS)
    ladder.ask(100)
    ladder.ask(115)
    rungs = [ladder.rung(now, saving=False) for now in (100, 109.9, 110, 119.9, 120, 1e6)]
    assert rungs == [
        Rung.FLAG,
        Rung.FLAG,
        Rung.TERMINATE,
        Rung.TERMINATE,
        Rung.KILL,
        Rung.KILL,
    ]


def test_a_trainer_that_saves_has_more_time() -> None:
    ladder = StopLadder(LIMITS)
    ladder.ask(0)
    assert ladder.rung(99, saving=True) is Rung.FLAG
    assert ladder.rung(100, saving=True) is Rung.TERMINATE
    assert ladder.rung(200, saving=True) is Rung.KILL


def test_a_drain_begins_with_sigterm() -> None:
    ladder = StopLadder(LIMITS)
    ladder.ask(0, draining=True)
    assert ladder.rung(0, saving=False) is Rung.TERMINATE
    assert ladder.rung(10, saving=False) is Rung.KILL


@given(st.lists(st.floats(0, 1e5), min_size=1).map(sorted), st.booleans())
def test_a_ladder_only_goes_up(times: list[float], draining: bool) -> None:
    ladder = StopLadder(LIMITS)
    ladder.ask(0, draining)
    rungs = [ladder.rung(now, saving=False) for now in times]
    assert rungs == sorted(rungs)


def test_driving_without_a_step_is_a_stall() -> None:
    watchdog = StallWatchdog(LIMITS, now=0)
    assert watchdog.stalled_for(0, 5, DRIVING) is None
    assert watchdog.stalled_for(60, 5, DRIVING) is None
    assert watchdog.stalled_for(61, 5, DRIVING) == 61
    assert watchdog.stalled_for(62, 6, DRIVING) is None


def test_an_evaluation_may_stand_on_one_step_for_longer() -> None:
    watchdog = StallWatchdog(LIMITS, now=0)
    assert watchdog.stalled_for(1, 5, "evaluating, episode 1 of 20") is None
    assert watchdog.stalled_for(500, 5, "evaluating, episode 1 of 20") is None
    assert watchdog.stalled_for(599, 5, "evaluating, episode 2 of 20") is None
    assert watchdog.stalled_for(1198, 5, "evaluating, episode 2 of 20") is None
    assert watchdog.stalled_for(1200, 5, "evaluating, episode 2 of 20") == 601
