"""Metrics over HTTP: which a run has, every raw point of them, and figures ready to draw."""

import math
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response, StreamingResponse

from backend.charts.encoding import to_json
from backend.charts.figures import View, draw
from backend.metrics import store
from backend.metrics.catalog import describe
from backend.metrics.columns import Axis
from backend.metrics.export import csv_lines, parquet_blocks
from backend.runs.service import get_run
from backend.web.api.runs import RunId
from backend.web.api.schemas import MetricOut
from backend.web.api.series import Bound, MetricName, PixelColumns, check_range
from backend.web.context import Reading

router = APIRouter(prefix="/runs/{run_id}", tags=["metrics"])
MOST_CHARTS = 100
ChartName = Annotated[str, Query(max_length=240)]
Metrics = Annotated[list[MetricName] | None, Query()]


@router.get("/metrics")
def read_metrics(run_id: RunId, session: Reading) -> list[MetricOut]:
    """Metrics that have points, what they mean, and the last point of each."""
    get_run(session, run_id)
    last = store.latest(session, run_id)
    return [_metric(name, last.get(name)) for name in store.list_metrics(session, run_id)]


def _metric(name: str, point: store.Point | None) -> MetricOut:
    known = describe(name)
    value = point[4] if point and math.isfinite(point[4]) else None
    return MetricOut(
        name=name,
        title=known.title,
        unit=known.unit,
        group=known.group,
        meaning=known.meaning,
        better=known.better,
        last_step=point[1] if point else None,
        last_value=value,
    )


@router.get("/points.csv", response_class=StreamingResponse)
def read_csv(run_id: RunId, session: Reading, metric: Metrics = None) -> StreamingResponse:
    """Every raw point, exactly, abandoned segments too; of all metrics unless some are named."""
    get_run(session, run_id)
    return _download(csv_lines(session, run_id, metric), f"run-{run_id}.csv", "text/csv")


@router.get("/points.parquet", response_class=StreamingResponse)
def read_parquet(run_id: RunId, session: Reading, metric: Metrics = None) -> StreamingResponse:
    """The same as a Parquet file."""
    get_run(session, run_id)
    blocks = parquet_blocks(session, run_id, metric)
    return _download(blocks, f"run-{run_id}.parquet", "application/vnd.apache.parquet")


def _download(parts: Iterator[str] | Iterator[bytes], name: str, kind: str) -> StreamingResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(parts, media_type=kind, headers=headers)


def _view(
    start: Bound = None,
    end: Bound = None,
    points: PixelColumns = 800,
    x: Axis = "step",
    smoothing: Annotated[float, Query(ge=0, lt=1)] = 0.6,
    branches: bool = True,
) -> View:
    check_range(start, end)
    return View(start, end, points, x, smoothing, branches)


Looked = Annotated[View, Depends(_view)]


@router.get("/charts", response_class=Response)
def read_charts(
    run_id: RunId,
    charts: Annotated[list[ChartName], Query(min_length=1, max_length=MOST_CHARTS)],
    session: Reading,
    view: Looked,
) -> Response:
    """Several charts as Plotly figure JSON, by id, in one answer."""
    run = get_run(session, run_id)
    return Response(to_json(draw(session, run, charts, view)), media_type="application/json")


@router.get("/charts/{chart}", response_class=Response)
def read_chart(
    run_id: RunId,
    chart: Annotated[str, Path(max_length=240)],
    session: Reading,
    view: Looked,
) -> Response:
    """A chart as Plotly figure JSON; smoothed, with the values themselves faint beneath."""
    run = get_run(session, run_id)
    drawn = draw(session, run, [chart], view)[chart]
    return Response(to_json(drawn), media_type="application/json")
