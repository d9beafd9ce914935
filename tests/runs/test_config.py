"""RunConfig: presets are valid, wrong values are refused with field, value and remedy, hashes follow content."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import InvalidConfig
from backend.runs.config import RunConfig, Weather
from backend.runs.parsing import changed_config, parse_config
from backend.runs.presets import PRESETS

PENDULUM = {"environment": "gymnasium:Pendulum-v1"}


def problem(preset: str, **overrides: Any) -> dict[str, str]:
    with pytest.raises(InvalidConfig) as caught:
        parse_config(preset, overrides)
    return caught.value.fields


def test_nobody_is_told_of_the_vehicle_ahead_where_nobody_sees_numbers() -> None:
    told = {"traffic": True, "vehicle_ahead": True}
    assert parse_config("vision-small", told).sees_vehicle_ahead
    refused = problem("vision-small", critic_input="same", **told)["vehicle_ahead"]
    assert "neither actor nor critic sees the 53-vector" in refused


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_a_valid_config(preset: str) -> None:
    config = parse_config(preset)
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_sets_only_values_that_differ_from_the_default(preset: str) -> None:
    defaults = RunConfig().model_dump()
    same = [key for key, value in PRESETS[preset].overrides.items() if defaults[key] == value]
    assert same == []


def test_every_field_has_a_description_and_a_group() -> None:
    for name, spec in RunConfig.model_json_schema()["properties"].items():
        assert spec.get("description"), name
        assert spec.get("group"), name


def test_an_unknown_preset_is_refused_and_the_known_ones_are_named() -> None:
    fields = problem("fast")
    assert "'fast'" in fields["preset"]
    assert "quickstart" in fields["preset"]


def test_an_unknown_key_is_an_error() -> None:
    assert "train_freq" in problem("quickstart", train_freq=4)["train_freq"]


def test_a_value_out_of_bounds_is_named_with_its_value() -> None:
    assert "1.5" in problem("quickstart", gamma=1.5)["gamma"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_learning_rate_that_is_not_a_number_is_refused(value: float) -> None:
    assert "actor_learning_rate" in problem("quickstart", actor_learning_rate=value)


def test_learning_that_would_never_start_is_refused_with_the_remedy() -> None:
    text = problem("quickstart", learning_starts=25_000, total_steps=10_000)["learning_starts"]
    assert text == (
        "learning_starts (25000) is not below total_steps (10000): lower it or lengthen the run"
    )


@pytest.mark.parametrize(
    ("field", "overrides"),
    [
        ("batch_size", {"batch_size": 512, "buffer_size": 256, "learning_starts": 600}),
        ("batch_size", {"batch_size": 512, "learning_starts": 100}),
        ("critic_input", {"critic_input": "vector"}),
        ("tf32", {"tf32": True}),
        ("updates_per_step", {"updates_per_step": 1e-6}),
        ("noise_final", {"noise_final": 0.5}),
        ("policy_delay", {"policy_delay": 1000, "total_steps": 1500}),
        ("policy_delay", {"policy_delay": 501, "total_steps": 1500, "learning_starts": 1000}),
        ("actor_input", {"actor_input": "image", "environment": "gymnasium:Pendulum-v1"}),
        ("evaluation_screening", {"evaluation_screening": 30}),
        ("held_out_routes", {"held_out_routes": ["left", "right"]}),
        ("second_town", {"second_town": "oval"}),
        ("second_town", {"second_town_routes": ["0-6"]}),
        ("second_town", {"second_town": "town", "second_town_routes": ["0-6"]}),
    ],
)
def test_contradictions_are_refused_at_the_field_at_fault(
    field: str, overrides: dict[str, Any]
) -> None:
    assert list(problem("quickstart", **overrides)) == [field]


@pytest.mark.parametrize(
    ("overrides", "why"),
    [
        ({"encoder": "small"}, "actor_input is vector"),
        ({"frame_stack": 2}, "actor_input is vector"),
        ({"scenario": 1}, "traffic is off"),
        ({"vehicle_ahead": True}, "traffic is off"),
        ({"reward_following": False}, "traffic is off"),
        ({"elsewhere_episodes": 3}, "held_out_routes and second_town are empty"),
        ({"held_out_routes": ["left"], "evaluation_interval": 0}, "evaluation_interval is 0"),
        ({"hold_decisions": 5, "exploration": "uniform"}, "exploration is uniform"),
        ({"target_noise_clip": 0.1, "algorithm": "ddpg"}, "target_policy_noise is 0"),
        ({"random_start_speed": 3, "random_start_probability": 0}, "random_start_probability is 0"),
        ({"reward_goal": 3, "reward_progress": 0}, "reward_progress is 0"),
        ({"noise_final": 0.2, "noise_decay": 0}, "noise_decay is 0"),
        ({"rollback_learning_rate_factor": 0.5, "rollback_limit": 0}, "rollback_limit is 0"),
        ({"town": "oval", **PENDULUM}, "environment is gymnasium:Pendulum-v1"),
        ({"reward_goal": 3, **PENDULUM}, "environment is gymnasium:Pendulum-v1"),
        ({"baseline_episodes": 3, **PENDULUM}, "environment is gymnasium:Pendulum-v1"),
        ({"evaluation_screening": 3, **PENDULUM}, "environment is gymnasium:Pendulum-v1"),
    ],
)
def test_a_key_that_would_never_be_read_is_refused_with_the_reason(
    overrides: dict[str, Any], why: str
) -> None:
    ((field, text),) = problem("quickstart", **overrides).items()
    assert field in overrides
    assert text.endswith(f"would never be read, for {why}: change that, or leave it out")


@pytest.mark.parametrize("preset", PRESETS)
def test_what_stands_there_anyway_may_be_repeated(preset: str) -> None:
    config = parse_config(preset)
    assert parse_config(preset, config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("preset", "overrides"),
    [
        ("paper", {**PENDULUM, "actor_input": "vector"}),
        ("vision-small", {**PENDULUM, "actor_input": "vector", "critic_input": "same"}),
        ("quickstart", {"noise_decay": 0, "noise_initial": 0.05, "noise_final": 0.05}),
        ("quickstart", {**PENDULUM, "evaluation_episodes": 2}),
        ("quickstart", {"policy_delay": 500, "total_steps": 1500, "learning_starts": 1000}),
        ("paper", {"evaluation_interval": 0, "routes": ["left"], "held_out_routes": []}),
    ],
)
def test_what_is_not_read_but_needed_for_a_valid_configuration_is_taken(
    preset: str, overrides: dict[str, Any]
) -> None:
    config = parse_config(preset, overrides)
    assert all(getattr(config, name) == value for name, value in overrides.items())


def test_a_stored_configuration_that_would_be_refused_today_is_readable_and_can_be_mended() -> None:
    stored = {**parse_config("quickstart").model_dump(mode="json"), "noise_final": 0.5}
    assert RunConfig.model_validate(stored).noise_final == 0.5
    with pytest.raises(InvalidConfig, match="noise_final"):
        changed_config(stored, {"seed": 2})
    assert changed_config(stored, {"noise_final": 0.1}).noise_final == 0.1


def test_what_becomes_unread_of_a_run_stays_and_what_is_changed_then_is_refused() -> None:
    seen = parse_config("vision-small", {"frame_stack": 2}).model_dump(mode="json")
    blind = changed_config(seen, {"actor_input": "vector", "critic_input": "same"})
    assert blind.frame_stack == 2
    with pytest.raises(InvalidConfig, match="frame_stack: 3 would never be read"):
        changed_config(blind.model_dump(mode="json"), {"frame_stack": 3})


def test_a_value_that_does_not_fit_its_pattern_is_told_how_it_looks() -> None:
    text = problem("quickstart", environment="foo")["environment"]
    assert text == "must look like carla or gymnasium:Pendulum-v1, got 'foo'"
    assert "must look like right or 4-17, got '1-'" in problem("quickstart", routes=["1-"]).values()


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ("gymnasium:Nope-v0", "`Nope` doesn't exist"),
        ("gymnasium:Pendulum-v0", "Please use `Pendulum-v1`"),
        ("gymnasium:Nope", "`Nope` doesn't exist"),
    ],
)
def test_an_environment_gymnasium_does_not_know_is_refused_before_it_is_queued(
    environment: str, reason: str
) -> None:
    text = problem("quickstart", environment=environment)["environment"]
    assert f"({environment}) is not registered" in text
    assert reason in text


def test_an_environment_without_a_version_is_its_newest() -> None:
    newest = "gymnasium:Pendulum"
    assert parse_config("quickstart", {"environment": newest}).environment == newest


def test_an_environment_of_ones_own_is_left_to_the_process_that_imports_it() -> None:
    own = "gymnasium:not.installed.here:Nope-v0"
    assert parse_config("quickstart", {"environment": own}).environment == own


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("weather", "Foo"),
        ("routes", ["zzz"]),
        ("routes", ["1-"]),
        ("town", "../../etc/passwd"),
        ("environment", "gymnasium:../x y"),
        ("tau", True),
        ("seed", False),
        ("buffer_size", 10**14),
        ("checkpoint_interval", 10**26),
        ("evaluation_interval", 10**12),
        ("total_steps", -1),
        ("hidden_sizes", []),
        ("hidden_sizes", [0]),
    ],
)
def test_a_value_that_could_never_work_is_refused_at_its_field(field: str, value: Any) -> None:
    assert [name.split(".")[0] for name in problem("quickstart", **{field: value})] == [field]


def test_the_weathers_are_those_of_the_carla_client() -> None:
    import carla

    presets = carla.WeatherParameters
    known = {name for name in dir(presets) if isinstance(getattr(presets, name), presets)}
    assert set(get_args(Weather)) == known


def test_several_wrong_fields_are_all_reported() -> None:
    assert set(problem("quickstart", gamma=2, tau=0, seed=-1)) == {"gamma", "tau", "seed"}


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))
def test_configs_have_equal_hashes_exactly_when_they_are_equal(first: int, second: int) -> None:
    a, b = (parse_config("quickstart", {"seed": seed}) for seed in (first, second))
    assert (a.hash == b.hash) == (a == b)


def test_the_reward_fingerprint_follows_the_reward_and_nothing_else() -> None:
    base = parse_config("quickstart").reward_fingerprint
    assert parse_config("quickstart", {"seed": 7, "batch_size": 64}).reward_fingerprint == base
    assert parse_config("quickstart", {"reward_scale": 1.0}).reward_fingerprint == base
    assert parse_config("quickstart", {"reward_goal": 50}).reward_fingerprint != base
    among = {"traffic": True}
    assert parse_config("quickstart", among).reward_fingerprint != base
    alone = {**among, "reward_following": False}
    assert parse_config("quickstart", alone).reward_fingerprint == base
    assert parse_config("quickstart", {"ticks_per_decision": 1}).reward_fingerprint != base
