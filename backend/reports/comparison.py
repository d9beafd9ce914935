"""Groups of runs side by side: final scores, who is likely better, learning curves with bands."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from backend.analysis.compare import (
    bootstrap,
    interquartile_mean,
    mann_whitney,
    probability_of_improvement,
    wilson,
)
from backend.analysis.grouping import EVERYTHING_BUT_THE_SEED, group_configs
from backend.errors import InvalidConfig, PitwallError
from backend.metrics.store import Columns, read_points
from backend.runs.contradictions import DDPG_TRICKS
from backend.runs.models import Run
from backend.runs.service import get_run

RETURNS, SUCCESS, EPISODES = (
    "evaluation/return_mean",
    "evaluation/success_rate",
    "evaluation/episodes",
)


class NotComparable(PitwallError):
    """The runs' returns mean different things, or there is nothing to compare."""

    status = 409
    title = "Not comparable"


@dataclass(frozen=True)
class Group:
    """Runs of one kind: their series of the compared metric, and (successes, episodes) of their last evaluation."""

    name: str
    runs: tuple[str, ...]
    series: tuple[Columns, ...]
    successes: int
    trials: int

    def scores(self, at: int) -> NDArray[np.float64]:
        """Each run's last value at or before step `at`."""
        return np.array([value_at(columns, at) for columns in self.series])


def value_at(columns: Columns, step: int) -> float:
    """The last value at or before `step`; NaN before the first."""
    place = int(np.searchsorted(columns.step, step, side="right"))
    return float(columns.value[place - 1]) if place else float("nan")


def read_group(session: Session, name: str, run_ids: Sequence[int], metric: str) -> Group:
    """A group as the database has it.

    Raises:
        NotFound: a run does not exist.
        NotComparable: a run has no point of the metric.
    """
    runs = [get_run(session, run_id) for run_id in run_ids]
    series = [read_points(session, run.id, metric) for run in runs]
    for run, columns in zip(runs, series, strict=True):
        if not len(columns):
            raise NotComparable(
                f"{run.name} has no point of {metric}: leave it out or compare another"
            )
    counts = [_last_successes(session, run) for run in runs]
    return Group(
        name,
        tuple(run.name for run in runs),
        tuple(series),
        sum(successes for successes, _ in counts),
        sum(trials for _, trials in counts),
    )


def _last_successes(session: Session, run: Run) -> tuple[int, int]:
    rates, episodes = (read_points(session, run.id, metric) for metric in (SUCCESS, EPISODES))
    if not len(rates) or not len(episodes):
        return 0, 0
    trials = int(episodes.value[-1])
    return round(float(rates.value[-1]) * trials), trials


def groups_of(
    session: Session, run_ids: Sequence[int], by: str = EVERYTHING_BUT_THE_SEED
) -> dict[str, list[int]]:
    """Runs sorted into groups of seeds: by everything but the seed, or by one key of their configuration.

    Raises:
        NotFound: a run does not exist.
        InvalidConfig: no run has the key `by`.
    """
    configs = {run_id: get_run(session, run_id).config for run_id in run_ids}
    try:
        return group_configs(configs, by, DDPG_TRICKS)
    except KeyError:
        raise InvalidConfig(
            {"by": f"'{by}' is no configuration key of these runs: take one, or 'config'"}
        ) from None


def compare(
    session: Session,
    groups: Mapping[str, Sequence[int]],
    *,
    metric: str = RETURNS,
    at: int | None = None,
    waive_fingerprints: bool = False,
) -> dict[str, Any]:
    """Groups compared at the last step every run has reached, or at `at`; every estimator is named.

    Raises:
        NotFound: a run does not exist.
        NotComparable: reward fingerprints differ and were not waived, or a run lacks the metric.
    """
    notes = _check_fingerprints(session, groups, waive_fingerprints)
    read = [read_group(session, name, run_ids, metric) for name, run_ids in groups.items()]
    if not read or any(not group.runs for group in read):
        raise NotComparable("every group needs a run at least")
    step = min(int(c.step[-1]) for group in read for c in group.series) if at is None else at
    return {
        "metric": metric,
        "at": step,
        "notes": notes,
        "groups": [_group_document(group, step) for group in read],
        "pairs": [_pair_document(a, b, step) for a, b in combinations(read, 2)],
    }


def _check_fingerprints(
    session: Session, groups: Mapping[str, Sequence[int]], waived: bool
) -> list[str]:
    prints = {
        run.reward_fingerprint or "unknown"
        for run_ids in groups.values()
        for run in (get_run(session, run_id) for run_id in run_ids)
    }
    if prints == {"unknown"}:
        return [
            "How these runs were rewarded is not known: that their returns mean the same is not checked"
        ]
    if len(prints) < 2:
        return []
    words = f"the runs were rewarded differently (fingerprints {', '.join(sorted(prints))})"
    if not waived:
        raise NotComparable(f"{words}: their returns cannot be compared unless that is waived")
    return [f"Waived: {words}"]


def _group_document(group: Group, step: int) -> dict[str, Any]:
    scores = group.scores(step)
    success = wilson(group.successes, group.trials) if group.trials else None
    return {
        "name": group.name,
        "runs": list(group.runs),
        "n": len(scores),
        "scores": scores.tolist(),
        "mean": float(scores.mean()),
        "std": float(scores.std()),
        "iqm": asdict(bootstrap([scores])),
        "success": asdict(success) if success else None,
        "curve": _curve(group, step),
    }


def _curve(group: Group, until: int, points: int = 100) -> dict[str, list[float]]:
    """IQM with the 10th and 90th percentile over runs, from where every run has begun."""
    first = max(int(columns.step[0]) for columns in group.series)
    steps = np.unique(np.linspace(min(first, until), until, points).astype(int))
    values = [group.scores(int(step)) for step in steps]
    return {
        "step": steps.tolist(),
        "iqm": [interquartile_mean(row) for row in values],
        "low": [float(np.percentile(row, 10)) for row in values],
        "high": [float(np.percentile(row, 90)) for row in values],
    }


def _pair_document(a: Group, b: Group, step: int) -> dict[str, Any]:
    x, y = a.scores(step), b.scores(step)
    return {
        "groups": [a.name, b.name],
        "mann_whitney": asdict(mann_whitney(x, y)),
        "probability_of_improvement": asdict(probability_of_improvement([x], [y])),
    }
