"""Series over HTTP: any range of any metrics of one or several runs, in one request."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic_core import to_json
from sqlalchemy.orm import Session

from backend.errors import InvalidConfig
from backend.metrics.columns import Axis
from backend.metrics.downsample import Curve
from backend.metrics.lineage import lineage_of
from backend.metrics.reader import SeriesData, read_metrics
from backend.web.api.runs import RunId
from backend.web.api.schemas import RowId, SeriesOut
from backend.web.context import Reading

router = APIRouter(tags=["metrics"])
MOST_RUNS, MOST_METRICS, MOST_SERIES = 50, 50, 400
MetricName = Annotated[str, Query(min_length=1, max_length=200)]
Bound = Annotated[float | None, Query(allow_inf_nan=False)]
PixelColumns = Annotated[
    int, Query(ge=1, le=4000, description="Pixel columns, or points at the most")
]


@router.get("/runs/{run_id}/series", response_model=SeriesOut)
def read_series(
    run_id: RunId,
    metric: MetricName,
    session: Reading,
    start: Bound = None,
    end: Bound = None,
    points: PixelColumns = 1000,
    x: Axis = "step",
    branches: bool = False,
) -> Response:
    """A metric over `[start, end]` of an axis, min, max and mean per pixel column; `branches` adds the
    abandoned ones."""
    check_range(start, end)
    (found,) = _read(session, [run_id], [metric], start, end, points, x, branches)
    return _answer(found)


@router.get("/series", response_model=list[SeriesOut])
def read_several(
    runs: Annotated[list[RowId], Query(min_length=1, max_length=MOST_RUNS)],
    metrics: Annotated[list[MetricName], Query(min_length=1, max_length=MOST_METRICS)],
    session: Reading,
    start: Bound = None,
    end: Bound = None,
    points: PixelColumns = 1000,
    x: Axis = "step",
    branches: bool = False,
) -> Response:
    """Several metrics of one or several runs, run by run: `?runs=1&runs=2&metrics=a&metrics=b`."""
    check_range(start, end)
    if len(runs) * len(metrics) > MOST_SERIES:
        raise InvalidConfig(
            {
                "metrics": f"{len(runs)} runs x {len(metrics)} metrics are more than {MOST_SERIES} "
                "series: ask for fewer at a time"
            }
        )
    return _answer(_read(session, runs, metrics, start, end, points, x, branches))


def check_range(start: float | None, end: float | None) -> None:
    """Raises InvalidConfig for a range that ends before it starts."""
    if start is not None and end is not None and start > end:
        raise InvalidConfig({"start": f"start ({start:g}) is after end ({end:g}): swap them"})


def _read(
    session: Session, runs: Sequence[int], metrics: Sequence[str], *wanted: Any
) -> list[dict[str, Any]]:
    return [
        _plain(run_id, series)
        for run_id in runs
        for series in read_metrics(session, lineage_of(session, run_id), metrics, *wanted)
    ]


def _plain(run_id: int, series: SeriesData) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "metric": series.metric,
        "x": series.x,
        "raw": series.raw,
        "curve": _columns(series.curve),
        "branches": [
            {"segment": branch.segment, "curve": _columns(branch.curve)}
            for branch in series.branches
        ],
    }


def _columns(curve: Curve) -> dict[str, Any]:
    return {name: getattr(curve, name).tolist() for name in curve.__slots__}


def _answer(content: Any) -> Response:
    # Checking 20,000 numbers one by one and writing them out would take longer than reading them. JSON
    # has no NaN: what is not finite is null.
    return Response(to_json(content, inf_nan_mode="null"), media_type="application/json")
