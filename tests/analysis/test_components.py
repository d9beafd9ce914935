"""Shares, checksums and endings."""

import pytest

from backend.analysis.components import checksum, component_shares, terminations


def test_shares_are_of_the_absolute_reward() -> None:
    found = component_shares({"progress": [3.0, 3.0], "safety": [-1.0, -1.0], "comfort": [0, 0]})
    assert [(c.name, c.share) for c in found] == [
        ("progress", 0.75),
        ("safety", 0.25),
        ("comfort", 0.0),
    ]
    assert found[1].mean == -1


def test_no_reward_at_all_has_no_shares_to_divide() -> None:
    assert component_shares({"progress": [0.0]})[0].share == 0


def test_the_checksum_counts_episodes_that_do_not_add_up() -> None:
    found = checksum({"a": [1.0, 2.0], "b": [1.0, 2.0]}, [2.0, 5.0])
    assert found is not None
    assert (found.episodes, found.wrong, found.largest_error) == (2, 1, 1.0)


@pytest.mark.parametrize(("components", "returns"), [({}, [1.0]), ({"a": []}, [])])
def test_nothing_to_add_is_no_checksum(
    components: dict[str, list[float]], returns: list[float]
) -> None:
    assert checksum(components, returns) is None


def test_endings_are_counted_by_name_and_unknown_codes_as_the_last() -> None:
    assert terminations([0, 1, 1, 9], ("goal", "crash", "other")) == {
        "goal": 1,
        "crash": 2,
        "other": 1,
    }
