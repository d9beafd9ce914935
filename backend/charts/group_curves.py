"""Learning curves of groups: the IQM over runs with its band, and on the figure what must be known of it."""

from collections.abc import Mapping
from typing import Any

from backend.charts.traces import BAND_OPACITY, PALETTE, Trace
from backend.metrics.catalog import describe


def group_curves(found: Mapping[str, Any]) -> dict[str, Any]:
    """What `backend.reports.comparison.compare` found, as a plain Plotly figure."""
    traces: list[Trace] = []
    for slot, group in enumerate(found["groups"]):
        traces += _curve(group, slot)
    title = describe(found["metric"]).title
    return {
        "data": traces,
        "layout": {
            "xaxis": {"title": {"text": "step"}, "type": "linear"},
            "yaxis": {"title": {"text": f"{title}, IQM with 10th to 90th percentile"}},
            "showlegend": True,
            "annotations": [_note(note, line) for line, note in enumerate(found["notes"])],
            "meta": {"chart": "group-curves", "title": title, "x": "step", "marks": []},
        },
    }


def _curve(group: Mapping[str, Any], slot: int) -> list[Trace]:
    curve, colour = group["curve"], PALETTE[slot % len(PALETTE)]
    edge = {
        "type": "scatter",
        "mode": "lines",
        "x": curve["step"],
        "line": {"width": 0, "color": colour},
        "showlegend": False,
        "name": group["name"],
    }
    return [
        {**edge, "y": curve["low"], "meta": {"role": "low", "slot": slot}},
        {
            **edge,
            "y": curve["high"],
            "fill": "tonexty",
            "fillcolor": colour + BAND_OPACITY,
            "meta": {"role": "high", "slot": slot},
        },
        {
            **edge,
            "y": curve["iqm"],
            "showlegend": True,
            "name": f"{group['name']} (n = {group['n']})",
            "line": {"width": 2, "color": colour},
            "meta": {"role": "compared", "slot": slot},
        },
    ]


def _note(text: str, line: int) -> dict[str, Any]:
    """A caveat belongs on the picture: people copy the picture and leave the page behind."""
    return {
        "text": text,
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": 1,
        "yshift": 14 * (line + 1),
        "xanchor": "left",
        "showarrow": False,
        "font": {"size": 11},
    }
