"""Chunks: the columns stored in a row, as points or as summaries. Pure."""

from collections.abc import Sequence
from typing import Any

from backend.metrics.codec import unpack
from backend.metrics.columns import Axis, Columns
from backend.metrics.levels import Summary

POINT_COLUMNS = {"step": {0, 3}, "episode": {1, 3}, "time": {2, 3}}
SUMMARY_COLUMNS = {
    x: {i, i + 1, *range(6, 10)} for i, x in ((0, "step"), (2, "episode"), (4, "time"))
}


def decode_points(blobs: Sequence[bytes], x: Axis | None = None) -> Columns:
    """The points of level-0 chunks or of series' tails; with `x`, other clocks are left zero."""
    filled = [blob for blob in blobs if blob]
    if not filled:
        return Columns.empty()
    return Columns.of(*unpack(filled, POINT_COLUMNS[x] if x else None))


def decode_summary(blobs: Sequence[bytes], x: Axis | None = None) -> Summary:
    """The entries of one or more chunks of a level above 0; with `x`, other clocks are left zero."""
    arrays: list[Any] = unpack(blobs, SUMMARY_COLUMNS[x] if x else None)
    return Summary(*arrays)
