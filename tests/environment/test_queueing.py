"""What a reward makes of a queue: rewards that follow wait in it, the paper's own drives into it."""

from typing import Any

import pytest

from backend.runs.parsing import parse_config, parse_leniently
from worker.environment.queueing import Queue, queue
from worker.environment.reward import Reward, Tick, collision

AMONG_VEHICLES = {"traffic": True}


@pytest.mark.parametrize("preset", ["quickstart", "vision-small"])
def test_the_presets_that_follow_would_rather_wait(preset: str) -> None:
    judged = queue(parse_config(preset, AMONG_VEHICLES))
    assert judged is not None
    assert judged.sound
    assert judged.waited > 0.0


def test_the_papers_literal_reward_would_rather_drive_into_it() -> None:
    judged = queue(parse_config("paper"))
    assert judged is not None
    assert not judged.sound
    assert judged.waited < 0.0 < judged.bumped
    assert str(judged).endswith("such a reward teaches collisions")


def test_half_a_minute_costs_what_600_ticks_of_standing_cost() -> None:
    """Only standing and closeness are paid for at rest; both weigh as the configuration says."""
    literal = {**AMONG_VEHICLES, "reward_following": False, "reward_safety": 2.0}
    config = parse_config("quickstart", literal)
    judged, reward = queue(config), Reward.of(config)
    ticks = (Tick(0.0, 0.0, 0.0, gap=6.0, standing=number) for number in range(1, 601))
    assert judged is not None
    assert judged.waited == pytest.approx(sum(sum(reward(tick)) for tick in ticks))


def test_the_blow_is_the_cheapest_there_is_and_its_price_decides() -> None:
    judged = queue(parse_config("paper", {"reward_safety": 0.0}))
    dear = queue(parse_config("paper", {"reward_safety": 30.0, "reward_following": True}))
    assert judged is not None
    assert dear is not None
    assert judged.waited == 0.0 < judged.bumped
    assert dear.bumped < -30.0 * collision(1.9)


def test_a_reward_that_follows_and_still_pays_for_the_blow_needs_more_for_its_efficiency() -> None:
    judged = queue(parse_config("quickstart", {**AMONG_VEHICLES, "reward_efficiency": 0.2}))
    literal = queue(parse_config("paper"))
    assert judged is not None
    assert literal is not None
    assert not judged.sound
    assert judged.remedy.startswith("Give reward_efficiency more weight")
    assert literal.remedy.startswith("Turn reward_following on")


@pytest.mark.parametrize(
    ("follows", "told"),
    [
        (False, "half a minute in a queue -375, driving into it 47"),
        (True, "half a minute in a queue 1,080, driving into it 27"),
    ],
)
def test_the_figures_are_those_of_the_tasks_page(follows: bool, told: str) -> None:
    assert str(queue(parse_config("paper", {"reward_following": follows}))).startswith(told)


@pytest.mark.parametrize(
    "changes",
    [{"traffic": False}, {"environment": "gymnasium:Pendulum-v1", "actor_input": "vector"}],
)
def test_a_run_that_meets_no_vehicles_meets_no_queue(changes: dict[str, Any]) -> None:
    assert queue(parse_leniently("paper", changes)) is None


def test_what_is_sound_is_told_with_its_figures_alone() -> None:
    assert (
        str(Queue(1080.0, 21.0, follows=True))
        == "half a minute in a queue 1,080, driving into it 21"
    )
