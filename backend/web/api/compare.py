"""Several runs over HTTP: charts with a line for each, and groups of seeds with their statistics."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response

from backend.analysis.bands import Centre
from backend.analysis.grouping import EVERYTHING_BUT_THE_SEED
from backend.charts.bands import banded
from backend.charts.encoding import to_json
from backend.charts.figures import View
from backend.charts.group_curves import group_curves
from backend.errors import InvalidConfig
from backend.gates.storable import storable
from backend.metrics.columns import Axis
from backend.reports.comparison import RETURNS, compare, groups_of
from backend.reports.comparison_report import comparison_report
from backend.reports.latex import body
from backend.web.api.schemas import RowId
from backend.web.api.series import Bound, PixelColumns, check_range
from backend.web.compared import chosen_runs
from backend.web.comparison import MOST_LINES, MOST_RUNS, check_returns, grouped
from backend.web.context import Reading

router = APIRouter(prefix="/compare", tags=["compare"])


@router.get("/charts/{chart}", response_class=Response)
def read_chart(
    chart: Annotated[str, Path(max_length=240)],
    session: Reading,
    runs: Annotated[list[RowId], Query(default_factory=list, max_length=MOST_RUNS)],
    group: RowId | None = None,
    by: Annotated[str, Query(max_length=64)] = EVERYTHING_BUT_THE_SEED,
    centre: Centre = Centre.IQM,
    waive: bool = False,
    points: PixelColumns = 800,
    x: Axis = "step",
    smoothing: Annotated[float, Query(ge=0, lt=1)] = 0.6,
    start: Bound = None,
    end: Bound = None,
) -> Response:
    """A chart of several runs as Plotly figure JSON; seeds of one kind are one line with a band.

    `by` is `config` (everything but the seed), `run` (each by itself) or a configuration key. Charts of
    returns are refused for runs that were rewarded differently, unless `waive` says otherwise.
    """
    found = chosen_runs(session, runs, group)
    if not found:
        raise InvalidConfig({"runs": "none is named: give runs=1&runs=2 or group=1"})
    check_range(start, end)
    check_returns(found, chart, waive)
    groups = dict(list(grouped(session, found, by).items())[:MOST_LINES])
    view = View(start, end, points, x, smoothing)
    figure = banded(session, groups, chart, view, centre)
    return Response(to_json(figure), media_type="application/json")


MOST_GROUPED = 200


def _compared(
    session: Reading,
    runs: Annotated[list[RowId], Query(min_length=1, max_length=MOST_GROUPED)],
    by: Annotated[str, Query(max_length=64)] = EVERYTHING_BUT_THE_SEED,
    metric: Annotated[str, Query(max_length=200)] = RETURNS,
    at: Annotated[int | None, Query(ge=0)] = None,
    waive: bool = False,
) -> dict[str, Any]:
    """Groups of seeds compared at the last step all have reached, or at `at`.

    `by` is `config` (everything but the seed) or a configuration key such as `algorithm`. Runs that were
    rewarded differently are refused unless `waive` says otherwise; what was waived stands in `notes`.
    """
    groups = groups_of(session, list(dict.fromkeys(runs)), by)
    found = compare(session, groups, metric=metric, at=at, waive_fingerprints=waive)
    cleaned: dict[str, Any] = storable({"by": by, **found})
    return cleaned


Compared = Annotated[dict[str, Any], Depends(_compared)]


@router.get("/statistics")
def read_statistics(compared: Compared) -> dict[str, Any]:
    """IQM with stratified bootstrap interval, probability of improvement, Mann-Whitney U, Wilson interval of success.

    Every number stands beside the name of its estimator.
    """
    return compared


@router.get("/curves", response_class=Response)
def read_curves(compared: Compared) -> Response:
    """Learning curves of the groups with bands as Plotly figure JSON; caveats stand on the figure."""
    return Response(to_json(group_curves(compared)), media_type="application/json")


@router.get("/table.tex", response_class=Response)
def read_table(compared: Compared) -> Response:
    """The comparison as LaTeX tables."""
    text = body(comparison_report(compared))
    return Response(text, media_type="application/x-tex; charset=utf-8")
