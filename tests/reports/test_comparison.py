"""Groups of runs compared, and refused where their returns mean different things."""

import json

import pytest
from sqlalchemy.orm import Session

from backend.database import Database
from backend.metrics.columns import Columns
from backend.reports.comparison import NotComparable, compare, value_at
from backend.rules.moment import Point
from backend.runs.models import Run
from backend.runs.parsing import parse_config
from tests.gates.test_stored import stored_run


def evaluated(session: Session, name: str, returns: list[float], success: float = 0.0) -> int:
    points: list[Point] = []
    for index, value in enumerate(returns):
        step = 1_000 * index
        points.append(("evaluation/return_mean", step, index, 1.0, value))
        points.append(("evaluation/success_rate", step, index, 1.0, success))
        points.append(("evaluation/episodes", step, index, 1.0, 20.0))
    return stored_run(session, points, name).id


def test_a_better_group_is_told_with_its_estimators(database: Database) -> None:
    with database.write() as session:
        td3 = [evaluated(session, f"td3-{i}", [0.0, 50.0, 100.0 + i], 1.0) for i in range(5)]
        ddpg = [evaluated(session, f"ddpg-{i}", [0.0, 10.0, 20.0 + i]) for i in range(5)]
        found = json.loads(json.dumps(compare(session, {"td3": td3, "ddpg": ddpg})))
    first, second = found["groups"]
    assert found["at"] == 2_000
    assert (first["iqm"]["value"], second["iqm"]["value"]) == (102, 22)
    assert first["success"]["low"] == pytest.approx(0.963, abs=1e-3)
    pair = found["pairs"][0]
    assert pair["mann_whitney"]["p"] == pytest.approx(2 / 252)
    assert pair["mann_whitney"]["method"] == "exact"
    assert pair["probability_of_improvement"]["value"] == 1
    assert first["curve"]["step"][-1] == 2_000
    assert first["curve"]["iqm"][-1] == 102


def test_runs_are_compared_at_the_last_step_all_have_reached(database: Database) -> None:
    with database.write() as session:
        long = evaluated(session, "long", [0.0, 1.0, 2.0, 3.0])
        short = evaluated(session, "short", [0.0, 5.0])
        found = compare(session, {"long": [long], "short": [short]})
    assert found["at"] == 1_000
    assert [group["scores"] for group in found["groups"]] == [[1.0], [5.0]]


def test_different_rewards_are_refused_unless_waived_and_then_said(database: Database) -> None:
    with database.write() as session:
        ours, theirs = (evaluated(session, name, [1.0, 2.0]) for name in ("ours", "theirs"))
        other = parse_config("quickstart", {"reward_goal": 5.0})
        session.get_one(Run, theirs).reward_fingerprint = other.reward_fingerprint
        session.flush()
        with pytest.raises(NotComparable, match="rewarded differently"):
            compare(session, {"a": [ours], "b": [theirs]})
        waived = compare(session, {"a": [ours], "b": [theirs]}, waive_fingerprints=True)
    assert waived["notes"][0].startswith("Waived: the runs were rewarded differently")


def test_a_run_without_the_metric_is_named(database: Database) -> None:
    with database.write() as session:
        run = stored_run(session, [("learner/q1_mean", 1, 0, 1.0, 1.0)], "blank")
        with pytest.raises(NotComparable, match="blank has no point of evaluation/return_mean"):
            compare(session, {"a": [run.id]})


def test_a_value_holds_until_the_next_one() -> None:
    columns = Columns.of([10, 20], [0, 0], [0.0, 0.0], [1.0, 2.0])
    assert value_at(columns, 19) == 1
    assert value_at(columns, 20) == 2
    assert value_at(columns, 9) != value_at(columns, 9)
