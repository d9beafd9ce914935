"""Runs sorted into groups of seeds."""

import pytest

from backend.analysis.grouping import group_configs

TRICKS = ("policy_delay", "twin_critics")
TD3 = {"algorithm": "td3", "policy_delay": 2, "twin_critics": True, "tau": 0.005}
DDPG = {**TD3, "algorithm": "ddpg", "policy_delay": 1, "twin_critics": False}


def test_seeds_of_one_kind_stand_together() -> None:
    configs = {n: {**(TD3 if n < 3 else DDPG), "seed": n} for n in range(1, 6)}
    assert group_configs(configs, implied=TRICKS) == {"TD3": [1, 2], "DDPG": [3, 4, 5]}


def test_a_group_is_named_by_what_tells_it_from_the_others() -> None:
    configs = {1: TD3, 2: {**TD3, "tau": 0.01}, 3: {**TD3, "tau": 0.01, "seed": 7}}
    assert group_configs(configs) == {"tau=0.005": [1], "tau=0.01": [2, 3]}


def test_runs_are_grouped_by_one_key_whatever_else_differs() -> None:
    configs = {1: TD3, 2: {**DDPG, "tau": 0.01}, 3: {**TD3, "gamma": 0.9}}
    assert group_configs(configs, "algorithm") == {"TD3": [1, 3], "DDPG": [2]}
    assert group_configs({1: {"lr": 1}, 2: {}}, "lr") == {"lr=1": [1], "lr=absent": [2]}


def test_a_key_that_no_run_has_is_refused() -> None:
    with pytest.raises(KeyError):
        group_configs({1: TD3}, "learning_rate")


def test_equal_runs_are_one_group() -> None:
    assert group_configs({1: TD3, 2: {**TD3, "seed": 4}}) == {"TD3": [1, 2]}
