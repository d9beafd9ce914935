"""Charts with a line for each of several runs, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from backend.metrics.columns import Axis
from backend.runs.service import get_run
from backend.web.api.metrics import Columns
from backend.web.api.schemas import RowId
from backend.web.comparison import MOST_RUNS, compared_figure
from backend.web.context import Reading

router = APIRouter(prefix="/compare", tags=["compare"])


@router.get("/charts/{chart}", response_class=Response)
def read_chart(
    chart: Annotated[str, Path(max_length=240)],
    session: Reading,
    runs: Annotated[list[RowId], Query(min_length=1, max_length=MOST_RUNS)],
    points: Columns = 800,
    x: Axis = "step",
    smoothing: Annotated[float, Query(ge=0, lt=1)] = 0.6,
) -> Response:
    """A chart of several runs as Plotly figure JSON."""
    found = [get_run(session, run_id) for run_id in runs]
    drawn = compared_figure(session, found, chart, x, points, smoothing)
    return Response(drawn.to_json(validate=False), media_type="application/json")
