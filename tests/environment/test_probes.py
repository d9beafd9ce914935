"""Reward probes: sound rewards pass, unsound ones are refused with the numbers."""

from typing import Any

import pytest

from backend.errors import InvalidConfig
from backend.runs.parsing import parse_config
from worker.environment import SimulatorAddress
from worker.environment.probes import judge, probe_rewards

RETURNS = {"good": 800.0, "crawl": 280.0, "stand": -19.0, "leave": 42.0, "collide": -76.0}
SHARES = {"efficiency": 43.0, "lane_keeping": 24.0, "comfort": 6.0, "safety": 0.0, "progress": 27.0}


def test_the_recipes_numbers_are_sound() -> None:
    report = judge(RETURNS, SHARES)
    assert report.sound
    assert report.returns == RETURNS


def test_standing_and_leaving_the_road_are_not_ordered() -> None:
    assert judge({**RETURNS, "stand": 42.0, "leave": -19.0}, SHARES).sound


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"crawl": 900.0}, "'good' earns 800.0, not more than 'crawl' with 900.0"),
        ({"stand": 300.0}, "'crawl' earns 280.0, not more than 'stand' with 300.0"),
        ({"leave": 300.0}, "'crawl' earns 280.0, not more than 'leave' with 300.0"),
        ({"collide": 0.0}, "'stand' earns -19.0, not more than 'collide' with 0.0"),
        ({"leave": -76.0}, "'leave' earns -76.0, not more than 'collide' with -76.0"),
    ],
)
def test_each_pair_in_the_wrong_order_is_named_with_its_numbers(
    changed: dict[str, float], problem: str
) -> None:
    assert judge({**RETURNS, **changed}, SHARES).problems == (problem,)


def test_a_component_that_dominates_is_named() -> None:
    report = judge(RETURNS, {**SHARES, "progress": 86.0})
    assert report.problems == ("progress is 86 % of the good drive's reward, more than 70 %",)


@pytest.mark.parametrize("preset", ["quickstart", "vision-small", "paper"])
def test_the_presets_pass_their_probes(simulator: SimulatorAddress, preset: str) -> None:
    report = probe_rewards(parse_config(preset), simulator)
    returns = report.returns
    assert returns["good"] > returns["crawl"] > max(returns["stand"], returns["leave"])
    assert min(returns["stand"], returns["leave"]) > returns["collide"]
    assert sum(report.shares.values()) == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ({"reward_safety": 0.0}, "not more than 'collide'"),
        ({"reward_progress": 50.0}, "progress is 8. % of the good drive's reward"),
        ({"reward_efficiency": 0.0, "reward_progress": 0.0, "reward_lane_keeping": 0.0}, "comfort"),
    ],
)
def test_a_broken_reward_is_refused_with_the_numbers(
    simulator: SimulatorAddress, overrides: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidConfig, match=problem) as refused:
        probe_rewards(parse_config("quickstart", overrides), simulator)
    assert "Change its weights (reward_efficiency=" in str(refused.value)
