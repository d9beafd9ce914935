"""A matrix is every variant with every seed; one wrong value names its variant and makes none of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import InvalidConfig
from backend.runs.ablations import ABLATIONS, changes
from backend.runs.matrix import MOST_RUNS, expand
from backend.runs.parsing import parse_config, parse_leniently
from backend.runs.presets import PRESETS

TWO = {"baseline": {}, "no-delay": {"policy_delay": 1}}


@given(
    st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=8, unique=True),
    st.sets(st.sampled_from(sorted(set(ABLATIONS) - {"shared-encoder"})), max_size=4),
)
def test_every_variant_runs_with_every_seed_and_differs_only_in_what_it_says(
    seeds: list[int], ablations: set[str]
) -> None:
    variants = {"baseline": {}, **{name: dict(ABLATIONS[name].overrides) for name in ablations}}
    cells = expand("quickstart", {}, seeds, variants)
    assert [(cell.variant, cell.seed) for cell in cells] == [
        (name, seed) for seed in seeds for name in variants
    ]
    for cell in cells:
        wanted = parse_leniently("quickstart", {**variants[cell.variant], "seed": cell.seed})
        assert cell.config == wanted


def test_without_seeds_there_is_the_configurations_own() -> None:
    cells = expand("quickstart", {"seed": 7}, variants=TWO)
    assert [(cell.variant, cell.seed) for cell in cells] == [("baseline", 7), ("no-delay", 7)]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", ABLATIONS)
def test_every_known_ablation_of_every_preset_is_valid(preset: str, name: str) -> None:
    config = parse_config(preset).model_dump(mode="json")
    ablation = ABLATIONS[name]
    if not changes(ablation, config):
        pytest.skip("takes nothing away of this preset")
    cells = expand(preset, {}, [0], {"baseline": {}, name: dict(ablation.overrides)})
    assert cells[0].config.hash != cells[1].config.hash


@pytest.mark.parametrize(
    ("preset", "possible"), [("quickstart", False), ("vision-small", False), ("paper", True)]
)
def test_one_encoder_for_two_needs_both_to_look_at_pictures(preset: str, possible: bool) -> None:
    config = parse_config(preset).model_dump(mode="json")
    assert changes(ABLATIONS["shared-encoder"], config) is possible


def test_what_variants_make_of_a_configuration_is_what_counts() -> None:
    busy = {"traffic": True}
    cells = expand("quickstart", {"scenario": 2}, [0], {"a": busy, "b": {**busy, "gamma": 0.9}})
    assert [cell.config.scenario for cell in cells] == [2, 2]
    sight = {"actor_input": "image"}
    cells = expand("quickstart", {"critic_input": "vector"}, [0], {"sight": sight})
    assert cells[0].config.uses_images


def test_what_no_variant_reads_is_refused_by_its_own_name() -> None:
    with pytest.raises(
        InvalidConfig, match=r"^scenario: 2 would never be read, for traffic is off"
    ):
        expand("quickstart", {"scenario": 2}, [0], TWO)
    with pytest.raises(InvalidConfig) as refused:
        expand("quickstart", {"gamma": 2}, [0], TWO)
    assert list(refused.value.fields) == ["gamma"]


def test_a_seed_beside_seeds_is_refused_because_no_run_has_it() -> None:
    with pytest.raises(InvalidConfig, match=r"^seed: 7 would never be read, for seeds are given"):
        expand("quickstart", {"seed": 7}, [0, 1])
    assert [cell.seed for cell in expand("quickstart", {"seed": 0}, [1, 2])] == [1, 2]
    needed = {"noise_decay": 0, "noise_initial": 0.05, "noise_final": 0.05}
    with pytest.raises(InvalidConfig, match=r"^seed: 7 would never be read"):
        expand("quickstart", {**needed, "seed": 7}, [0, 1])


def test_a_variant_need_not_read_what_the_others_read() -> None:
    numbers = {"actor_input": "vector", "critic_input": "same"}
    cells = expand("vision-small", {"frame_stack": 2}, [0], {"sight": {}, "numbers": numbers})
    assert [cell.config.uses_images for cell in cells] == [True, False]


@pytest.mark.parametrize(
    ("seeds", "variants", "field", "remedy"),
    [
        ([1, 2, 1], {}, "seeds", "drop one"),
        ([-1], {}, "seeds", "from 0 to"),
        (list(range(MOST_RUNS + 1)), {}, "seeds", "leave some out"),
        ([0], {"odd": {"gamma": 2}}, "variants.odd.gamma", "must be at most 1"),
        ([0], {"odd": {"lr": 2}}, "variants.odd.lr", "check its spelling"),
        ([0], {"odd": {"seed": 2}}, "variants.odd.seed", "stand in `seeds`"),
        ([0], {"a": {}, "b": {"tau": 0.005}}, "variants.b", "drop one"),
        ([0], {"a": {}, "b": {"frame_stack": 2}}, "variants.b.frame_stack", "never be read"),
        ([0], {"a": {"scenario": 2}, "c": {"tau": 0.1}}, "variants.a.scenario", "never be read"),
        ([0], {" ": {}}, "variants", "give 1 to"),
        ([0], {"x" * 41: {}}, "variants", "give 1 to"),
    ],
)
def test_a_wrong_value_names_where_it_stands(
    seeds: list[int], variants: dict[str, dict[str, object]], field: str, remedy: str
) -> None:
    with pytest.raises(InvalidConfig) as refused:
        expand("quickstart", {}, seeds, variants)
    assert remedy in refused.value.fields[field]
