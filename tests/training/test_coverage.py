"""What the buffer has seen of steering and speed, in percent."""

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from backend.metrics.behaviour_metrics import BINS, bins
from backend.metrics.catalog import CATALOG
from worker.coverage import histogram, replay_coverage
from worker.environment.observation import VECTOR_SCALE
from worker.replay import ReplayBuffer

SPACE = spaces.Dict({"vector": spaces.Box(-np.inf, np.inf, (53,), np.float32)})


def seen(*driven: tuple[float, float]) -> dict[str, float]:
    """Coverage of a buffer of single-step episodes, each (steering, speed in m/s)."""
    replay = ReplayBuffer(100, SPACE, 2)
    for steering, speed in driven:
        at = {"vector": np.zeros(53, np.float32)}
        at["vector"][0] = speed / 30 * VECTOR_SCALE[0]
        replay.add(at, np.array([steering, 0], np.float32), 0.0, at, True, False)
    return replay_coverage(replay)


def test_every_metric_of_it_is_catalogued() -> None:
    assert set(seen((0, 0))) == {name for name in CATALOG if name.startswith("replay/")}


def test_one_cell_of_sixty_four_is_covered_by_driving_always_alike() -> None:
    assert seen((0.1, 5.0), (0.2, 5.5))["replay/coverage"] == pytest.approx(100 / 64)


def test_shares_lie_in_the_bins_of_their_values() -> None:
    found = seen((-1, 0), (-0.9, 1.9), (0.99, 40.0), (1, 15.0))
    assert [found[name] for name in bins("replay/steering")] == [50, 0, 0, 0, 0, 0, 0, 50]
    assert [found[name] for name in bins("replay/speed")] == [50, 0, 0, 0, 0, 0, 0, 50]
    assert found["replay/coverage"] == pytest.approx(200 / 64)


@given(st.lists(st.floats(-2, 2, width=32), min_size=1, max_size=50))
def test_a_histogram_is_the_whole(values: list[float]) -> None:
    found = histogram("actions/steering", np.array(values, np.float32), -1, 1)
    assert len(found) == BINS
    assert sum(found.values()) == pytest.approx(100)
