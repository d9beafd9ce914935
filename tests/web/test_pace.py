"""How long a run will take is said from the speed of each phase, its own or that of the run most like it."""

import pytest

from backend.database import Database
from backend.runs.models import Run
from backend.runs.parsing import parse_config
from backend.runs.service import create_run, get_run
from backend.web.pace import Pace, expected, remaining
from backend.web.views import RunView, view_of
from tests.web.scripted import NOW, ScriptedTrainer, fleet

CONFIG = {"learning_starts": 1000, "total_steps": 5000, "evaluation_interval": 1000}


def trained(database: Database, port: int, **config: object) -> ScriptedTrainer:
    with database.write() as session:
        fleet.register_worker(session, "w1", "here", 1, 9, NOW)
        fleet.register_simulator(session, "127.0.0.1", port, NOW, "w1")
        values = parse_config("quickstart", {**CONFIG, **config})
        run_id = create_run(session, "", "quickstart", values, NOW).id
    trainer = ScriptedTrainer(database, run_id)
    assert trainer.claim(NOW)
    return trainer


def test_each_phase_and_each_evaluation_to_come_is_counted_at_its_own_speed() -> None:
    pace = Pace(exploring=100.0, learning=10.0, evaluation=7.0, source="x")
    assert pace.seconds(CONFIG) == 1000 / 100 + 4000 / 10 + 6 * 7
    assert pace.seconds(CONFIG, step=3000) == 2000 / 10 + 3 * 7
    assert Pace(100.0, None, 0.0, "x").seconds(CONFIG) is None
    assert Pace(None, 10.0, 0.0, "x").seconds(CONFIG, step=2000) == 300


def test_a_run_that_explores_does_not_pretend_to_know(database: Database) -> None:
    """Exploring is several times as fast as learning: its speed would promise far too much."""
    first = trained(database, 2000)
    first.advance(500, NOW + 5, 5)
    with database.read() as session:
        assert remaining(session, get_run(session, first.run_id), NOW + 5) is None
        assert view_of(session, get_run(session, first.run_id), NOW + 5).eta is None
    first.advance(2500, NOW + 30, 25)
    second = trained(database, 2004, seed=1)
    second.advance(500, NOW + 35, 5)
    with database.read() as session:
        left = remaining(session, get_run(session, second.run_id), NOW + 35)
        # The script logs 95 to 105 steps a second in either phase.
        assert left is not None
        assert 4500 / 105 <= left <= 4500 / 95 + 60
        learning = remaining(session, get_run(session, first.run_id), NOW + 30)
        assert learning is not None
        assert learning < left


def test_only_a_run_with_the_same_eyes_and_hardware_tells_how_fast_another_will_be(
    database: Database,
) -> None:
    slow = trained(database, 2000, batch_size=256)
    slow.advance(2500, NOW + 25, 25)
    like = trained(database, 2004)
    like.advance(2500, NOW + 25, 25)
    wanted = parse_config("quickstart", CONFIG).model_dump(mode="json")
    with database.read() as session:
        found = expected(session, wanted, NOW + 25)
        assert found is not None
        assert found.source == get_run(session, like.run_id).name
        assert expected(session, {**wanted, "device": "cuda"}, NOW) is None
        vision = parse_config("vision-small").model_dump(mode="json")
        assert expected(session, vision, NOW) is None


@pytest.mark.parametrize(
    ("activity", "stage"),
    [("evaluation 3/20", (3, 20)), ("driving", None), ("odd 1/0", None)],
)
def test_work_beside_the_driving_says_how_far_it_is(
    activity: str, stage: tuple[int, int] | None
) -> None:
    assert RunView(Run(state="running", activity=activity), NOW).stage == stage
    assert RunView(Run(state="halted", activity=activity), NOW).stage is None
