"""The founding document's figures, recomputed from its own event file to the printed digits."""

import os
from pathlib import Path

import pytest

from backend.analysis.phases import split_phases
from backend.analysis.quarters import Summary, quarters, summarise, variance_collapse
from backend.metrics.columns import Columns
from backend.tensorboard.importer import read_log

LOGS = os.environ.get("PITWALL_REFERENCE_LOGS", "")
pytestmark = pytest.mark.skipif(not LOGS, reason="PITWALL_REFERENCE_LOGS names no folder")


@pytest.fixture(scope="module")
def series() -> dict[str, Columns]:
    return read_log(Path(LOGS) / "5k-run").series


def summary_of(series: dict[str, Columns], metric: str) -> Summary:
    found = summarise(series[metric].value)
    assert found is not None
    return found


def test_episodes_and_their_overall_return(series: dict[str, Columns]) -> None:
    found = summary_of(series, "episode/return")
    assert (found.n, f"{found.mean:.2f}", f"{found.std:.2f}") == (187, "154.71", "269.42")


def test_quarters_of_the_return(series: dict[str, Columns]) -> None:
    found = quarters(series["episode/return"].value)
    assert [(q.start, q.stop, f"{q.mean:.2f}", f"{q.std:.2f}") for q in found] == [
        (0, 46, "393.47", "468.10"),
        (46, 93, "78.54", "11.24"),
        (93, 140, "76.26", "12.26"),
        (140, 187, "75.67", "9.16"),
    ]
    assert variance_collapse(found) == pytest.approx(468.10 / 9.16, rel=1e-3)


@pytest.mark.parametrize(
    ("metric", "mean", "std", "trend"),
    [
        ("learner/q1_mean", "33.20", "14.07", 145),
        ("learner/q2_mean", "33.16", "14.08", 144),
        ("learner/td_error_q1", "3.63", "2.40", 232),
        ("learner/td_error_q2", "3.61", "2.35", 227),
        ("gradients/critic_norm_before_clip", "946.40", "1138.80", 501),
    ],
)
def test_learner_samples_and_their_trend(
    series: dict[str, Columns], metric: str, mean: str, std: str, trend: int
) -> None:
    found = summary_of(series, metric)
    assert (found.n, f"{found.mean:.2f}", f"{found.std:.2f}") == (29, mean, std)
    assert found.trend_percent is not None
    assert round(found.trend_percent) == trend


def test_the_critic_loss_from_first_to_last(series: dict[str, Columns]) -> None:
    found = summary_of(series, "learner/critic_loss")
    assert (f"{found.mean:.2f}", f"{found.std:.2f}") == ("93.32", "129.81")
    assert (f"{found.min:.2f}", f"{found.max:.2f}") == ("9.43", "621.32")
    assert [f"{v:.1f}" for v in found.first5] == ["112.8", "59.3", "18.4", "16.5", "9.4"]
    assert [f"{v:.1f}" for v in found.last5] == ["621.3", "131.3", "188.5", "79.2", "314.2"]


def test_the_clipped_gradients_are_the_clip(series: dict[str, Columns]) -> None:
    cnn = summary_of(series, "gradients/critic_encoder_norm_after_clip")
    assert (f"{cnn.mean:.2f}", f"{cnn.std:.2f}") == ("9.23", "1.02")
    actor = summary_of(series, "gradients/actor_encoder_norm_after_clip")
    assert f"{actor.mean:.4f}" == "1.0000"
    assert f"{summary_of(series, 'gradients/critic_norm_after_clip').mean:.4f}" == "10.0000"


def test_learning_rates_are_not_what_the_document_prints(series: dict[str, Columns]) -> None:
    assert summary_of(series, "learner/actor_learning_rate").mean == pytest.approx(1e-3)


def test_the_phase_boundary_lies_inside_the_first_quarter(series: dict[str, Columns]) -> None:
    returns, lengths = series["episode/return"], series["episode/length"]
    phases = split_phases(returns.value, returns.step, lengths.value, 1_000)
    explored, learnt = phases.exploration, phases.learning
    assert (explored.start, explored.stop) == (0, 17)
    assert (f"{explored.return_mean:.1f}", f"{explored.length_mean:.1f}") == ("912.3", "57.2")
    assert (f"{learnt.return_mean:.1f}", f"{learnt.return_std:.1f}") == ("77.1", "10.8")
    assert f"{learnt.length_mean:.1f}" == "17.2"
    assert phases.astride == (17,)


def test_the_log_ends_at_3900_after_2900_updates(series: dict[str, Columns]) -> None:
    assert int(series["learner/q1_mean"].step[-1]) == 3_900
    assert series["learner/updates"].value[-1] == 2_900


def test_the_module_gradients_of_the_document_are_those_after_the_clip(
    series: dict[str, Columns],
) -> None:
    told = series["gradients/actor_encoder_norm"].value
    assert told.tolist() == series["gradients/actor_encoder_norm_after_clip"].value.tolist()
