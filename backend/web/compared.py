"""What the page of a comparison shows: which runs are meant, where they stand, what sets them apart."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from backend.analysis.bands import Centre, estimator
from backend.analysis.grouping import EVERYTHING_BUT_THE_SEED
from backend.charts.figures import CHARTS
from backend.runs.groups import get_group, members
from backend.runs.models import Run
from backend.runs.service import get_run
from backend.web import comparison
from backend.web.views import RunView


def chosen_runs(
    session: Session,
    numbers: Sequence[int],
    group_id: int | None,
    most: int = comparison.MOST_RUNS,
) -> list[Run]:
    """The runs named, and those of a group; each once, in order.

    Raises:
        NotFound: a run or the group does not exist.
    """
    named = [get_run(session, number) for number in dict.fromkeys(numbers)]
    if group_id is not None:
        get_group(session, group_id)
        named += [run for run in members(session, group_id) if run not in named]
    return named[:most]


def run_numbers(text: str) -> list[int]:
    """`1,2` as numbers; what is none is left out, each once, in order."""
    parts = [part.strip() for part in text.split(",")]
    numbers = [int(part) for part in parts if part.isdigit() and len(part) < 10]
    return list(dict.fromkeys(numbers))


def _group_id(query: Mapping[str, str]) -> int | None:
    number = query.get("group", "")
    return int(number) if number.isdigit() else None


def _asked(session: Session, query: Mapping[str, str]) -> list[Run]:
    return chosen_runs(session, run_numbers(query.get("runs", "")), _group_id(query))


def glance(session: Session, query: Mapping[str, str]) -> Hashable:
    """What moves while runs train: as long as it is the same, so is everything on the page."""
    runs = _asked(session, query)
    return tuple((run.id, run.step, run.state, run.desired, run.verdict) for run in runs)


def read_comparison(session: Session, query: Mapping[str, str], now: float) -> dict[str, Any]:
    """Runs, their groups, where they stand and what may be said of them.

    `query`: `runs` as `1,2`, `group`, `by`, `centre`, and `waive` as `1`, as in the page's address.

    Raises:
        NotFound: a run or the group does not exist.
        InvalidConfig: no run has the key `by`.
    """
    numbers, group_id = run_numbers(query.get("runs", "")), _group_id(query)
    by = query.get("by") or EVERYTHING_BUT_THE_SEED
    centre = Centre(query.get("centre") or Centre.IQM)
    waive = query.get("waive") == "1"
    chosen = chosen_runs(session, numbers, group_id)
    groups = comparison.grouped(session, chosen, by)
    given = {"group": group_id, "by": by, "centre": centre.value, "waive": int(waive)}
    address = [(name, value) for name, value in given.items() if value not in (None, 0)]
    return {
        "numbers": numbers,
        "group_id": group_id,
        "by": by,
        "centre": centre,
        "waive": waive,
        "chosen": chosen,
        "query": urlencode([*(("runs", number) for number in numbers), *address]),
        "stream_query": urlencode([("runs", ",".join(map(str, numbers))), *address]),
        "runs_query": urlencode([("runs", run.id) for run in chosen]),
        "most_lines": comparison.MOST_LINES,
        "comparable": comparison.comparable(chosen),
        "estimator": estimator(centre) if any(len(runs) > 1 for runs in groups.values()) else "",
        "groups": groups,
        **_found(session, groups, waive, now),
    }


def _found(session: Session, groups: comparison.Groups, waive: bool, now: float) -> dict[str, Any]:
    runs = [run for members in groups.values() for run in members]
    names = comparison.CHARTS if len(runs) > 1 else ()
    drawn = waive or comparison.comparable(runs)
    algorithms = {str(run.config.get("algorithm")) for run in runs}
    return {
        "views": {run.id: RunView(run, now) for run in runs},
        "standings": {run.id: comparison.standing(session, run) for run in runs},
        "differences": comparison.differences(groups),
        "charts": [CHARTS[n] for n in names if drawn or n not in comparison.RETURN_CHARTS],
        "statistics": comparison.statistics(session, groups, waive) if len(runs) > 1 else None,
        "quantities": comparison.quantities(session, groups) if len(groups) > 1 else [],
        "both_algorithms": {"td3", "ddpg"} <= algorithms,
    }
