"""The metric store: every point of every run, written once, read back over any range."""

from backend.metrics.columns import Axis, Columns, Point, by_metric
from backend.metrics.downsample import Curve
from backend.metrics.reader import (
    Branch,
    Cursor,
    SeriesData,
    cursor_at_end,
    iter_points,
    last_steps,
    latest,
    list_metrics,
    read_metrics,
    read_points,
    read_series,
    read_since,
)
from backend.metrics.writer import (
    PointsRefused,
    append,
    append_columns,
    delete_points,
    stored_flush,
)

__all__ = [
    "Axis",
    "Branch",
    "Columns",
    "Cursor",
    "Curve",
    "Point",
    "PointsRefused",
    "SeriesData",
    "append",
    "append_columns",
    "by_metric",
    "cursor_at_end",
    "delete_points",
    "iter_points",
    "last_steps",
    "latest",
    "list_metrics",
    "read_metrics",
    "read_points",
    "read_series",
    "read_since",
    "stored_flush",
]
