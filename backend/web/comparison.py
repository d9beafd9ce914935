"""Runs side by side: who belongs together, where each group stands, what differs, what may be compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from backend.errors import PitwallError
from backend.metrics.reader import read_series
from backend.metrics.store import latest, read_points
from backend.reports.comparison import RETURNS, SUCCESS, NotComparable, compare, groups_of
from backend.runs.models import Run
from backend.runs.service import get_run
from backend.web import forms

MOST_RUNS = 64
MOST_LINES = 8
CHARTS = (
    "evaluation-return",
    "return",
    "success-rate",
    "q-values",
    "q-spread",
    "td-error",
    "critic-loss",
    "critic-gradient",
)
GROUP_CHARTS = ("evaluation-return", "return", "success-rate")
RETURN_CHARTS = frozenset({"evaluation-return", "return", "components", "step-reward"})
LAST = 10
EACH_RUN = "run"
SUCCESSFUL = 0.8
WINDOW = 0.1  # share of the compared steps, up to the last, over which a quantity is averaged

Groups = dict[str, list[Run]]


def grouped(session: Session, runs: Sequence[Run], by: str) -> Groups:
    """Runs by the name of their group: each by itself, or seeds together.

    Raises:
        InvalidConfig: no run has the key `by`.
    """
    if not runs or by == EACH_RUN:
        names = [run.name for run in runs]
        return {
            run.name if names.count(run.name) == 1 else f"{run.name} ({run.id})": [run]
            for run in runs
        }
    found = groups_of(session, [run.id for run in runs], by)
    return {name: [get_run(session, number) for number in ids] for name, ids in found.items()}


@dataclass(frozen=True)
class Difference:
    """A configuration key whose value is not the same everywhere."""

    name: str
    values: list[str]


def differences(groups: Groups) -> list[Difference]:
    """Only the keys that differ between groups, in the form's order; within a group every value once."""
    names = dict.fromkeys(name for runs in groups.values() for run in runs for name in run.config)
    table = [
        Difference(
            name,
            [
                ", ".join(dict.fromkeys(forms.text(run.config.get(name, "absent")) for run in runs))
                for runs in groups.values()
            ],
        )
        for name in names
    ]
    return [row for row in table if len(set(row.values)) > 1]


@dataclass(frozen=True)
class Standing:
    """How one run stands, for the table beside the others."""

    run: Run
    mean_return: float | None
    evaluation: float | None
    success: float | None


def standing(session: Session, run: Run) -> Standing:
    """Mean return of the last ten episodes, and the last evaluation."""
    start = run.episode - LAST + 1
    returns = read_points(session, run.id, "episode/return", start=start, x="episode").value
    last = latest(session, run.id, [RETURNS, SUCCESS])
    return Standing(
        run,
        float(returns.mean()) if len(returns) else None,
        last[RETURNS][4] if RETURNS in last else None,
        last[SUCCESS][4] if SUCCESS in last else None,
    )


def comparable(runs: Sequence[Run]) -> bool:
    """Whether returns mean the same in all of them."""
    return len({run.reward_fingerprint for run in runs}) <= 1


def check_returns(runs: Sequence[Run], chart: str, waived: bool) -> None:
    """A chart of returns that mean different things would mislead.

    Raises:
        NotComparable: unless that is waived.
    """
    if chart in RETURN_CHARTS and not waived and not comparable(runs):
        raise NotComparable(
            "These runs were rewarded differently: their returns do not mean the same. "
            "Compare success, or waive it above the charts"
        )


@dataclass(frozen=True)
class Statistics:
    """What could be compared, what was left out of it, and why there is nothing where there is not."""

    found: Mapping[str, Any] | None
    left_out: Sequence[str]
    refusal: str = ""


def statistics(session: Session, groups: Groups, waived: bool) -> Statistics:
    """Evaluation returns of the groups at the last step all of their evaluated runs have reached."""
    evaluated = {
        name: [run for run in runs if latest(session, run.id, [RETURNS])]
        for name, runs in groups.items()
    }
    kept = {name: [run.id for run in runs] for name, runs in evaluated.items() if runs}
    left_out = [
        run.name for name, runs in groups.items() for run in runs if run not in evaluated[name]
    ]
    if not kept:
        return Statistics(None, left_out, "No run has been evaluated yet.")
    try:
        return Statistics(compare(session, kept, waive_fingerprints=waived), left_out)
    except PitwallError as error:
        return Statistics(None, left_out, str(error))


@dataclass(frozen=True)
class Quantity:
    """One row of the table of groups: a value for each, and by how much the second exceeds the first."""

    title: str
    metric: str
    values: list[float | None]

    @property
    def change(self) -> float | None:
        """Share by which the first group's value is above the second's; None unless there are two."""
        known = [value for value in self.values if value is not None]
        if len(self.values) != 2 or len(known) != 2 or not known[1]:
            return None
        return (known[0] - known[1]) / abs(known[1])


QUANTITIES = {
    "Return of an episode": "episode/return",
    "Q1": "learner/q1_mean",
    "Spread of Q1 (std)": "learner/q1_std",
    "TD error of Q1": "learner/td_error_q1",
    "Critic loss": "learner/critic_loss",
    "Actor gradient before clip": "gradients/actor_norm_before_clip",
    "Critic gradient before clip": "gradients/critic_norm_before_clip",
    "Steps a second": "progress/steps_per_second",
}


def quantities(session: Session, groups: Groups) -> list[Quantity]:
    """Means over runs of each quantity's mean in the last tenth of the steps all runs have reached."""
    end = min((run.step for runs in groups.values() for run in runs if run.step), default=0)
    start = end * (1 - WINDOW)
    rows = [
        Quantity(
            title,
            metric,
            [
                _mean([_window(session, run, metric, start, end) for run in g])
                for g in groups.values()
            ],
        )
        for title, metric in QUANTITIES.items()
    ]
    reached = [_mean([_first_success(session, run) for run in runs]) for runs in groups.values()]
    rows.append(Quantity("Steps to 80 % success", SUCCESS, reached))
    return [row for row in rows if any(value is not None for value in row.values)]


def _window(session: Session, run: Run, metric: str, start: float, end: float) -> float | None:
    curve = read_series(session, run.id, metric, start, end, 1).curve
    return float(curve.mean[-1]) if len(curve) else None


def _first_success(session: Session, run: Run) -> float | None:
    points = read_points(session, run.id, SUCCESS)
    reached = points.step[points.value >= SUCCESSFUL]
    return float(reached[0]) if len(reached) else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
