"""Every chart is a valid Plotly figure that says what the data say, on every axis and at every zoom."""

import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from backend.charts.encoding import to_json
from backend.charts.figures import CHARTS, View, chart_groups, draw, figure, find_charts
from backend.database import Database
from backend.errors import NotFound
from backend.metrics.columns import Axis
from backend.metrics.reader import latest
from backend.metrics.store import append, read_points
from backend.runs.models import Run
from tests.charts.conftest import LEARNING_STARTS, Drawn

GROUPS = [
    "Reward",
    "Learner",
    "Gradients",
    "Actions",
    "Driving",
    "Evaluation",
    "Speed and system",
]


def drawn_figure(database: Database, run_id: int, chart: str, **view: Any) -> go.Figure:
    with database.read() as session:
        return figure(session, session.get_one(Run, run_id), chart, **view)


def role(chart: go.Figure, name: str, metric: str | None = None) -> list[Any]:
    return [
        trace
        for trace in chart.data
        if trace.meta["role"] == name and metric in (None, trace.meta["metric"])
    ]


@pytest.mark.parametrize("x", ["step", "episode", "time"])
def test_every_chart_is_valid_for_plotly_on_every_axis(
    database: Database, drawn: Drawn, x: Axis
) -> None:
    with database.read() as session:
        run = session.get_one(Run, drawn.run_id)
        for chart_id, plain in draw(session, run, list(CHARTS), View(x=x, smoothing=0.6)).items():
            valid = go.Figure(plain)
            assert len(valid.data) > 0, chart_id
            assert all(trace.meta["metric"] and trace.meta["role"] for trace in valid.data)


def test_the_lean_json_is_what_plotly_would_write(database: Database, drawn: Drawn) -> None:
    with database.read() as session:
        run = session.get_one(Run, drawn.run_id)
        plain = draw(session, run, ["q-values"], View())["q-values"]
        validated = figure(session, run, "q-values")

    assert json.loads(to_json(plain)) == json.loads(validated.to_json())


def test_groups_stand_in_the_pages_order_and_hold_what_the_run_has(
    database: Database, drawn: Drawn
) -> None:
    with database.write() as session:
        segment = session.get_one(Run, drawn.run_id).segment_id
        assert segment
        append(session, segment, [("my/own metric", 4001, 0, 0.0, 1.0)])
    with database.read() as session:
        groups = chart_groups(session, drawn.run_id)
        own = groups[-1][1][-1]
        assert find_charts(session, drawn.run_id, [own.id]) == [own]

    assert [name for name, _ in groups] == [*GROUPS, "Other metrics"]
    assert own.id == "metric-my-own-metric"


def test_a_run_without_points_has_no_charts_and_an_empty_figure(
    database: Database, drawn: Drawn
) -> None:
    with database.write() as session:
        run = session.get_one(Run, drawn.run_id)
        other = Run(
            **{
                column.name: getattr(run, column.key)
                for column in Run.__table__.columns
                if column.name not in ("id", "segment_id")
            }
        )
        session.add(other)
        session.flush()
        assert chart_groups(session, other.id) == []
        assert len(figure(session, other, "return").data) == 0


def test_an_unknown_chart_is_named(database: Database, drawn: Drawn) -> None:
    with pytest.raises(NotFound, match="no chart 'nonsense'"):
        drawn_figure(database, drawn.run_id, "nonsense")


def test_the_band_holds_every_value_of_the_run(database: Database, drawn: Drawn) -> None:
    chart = drawn_figure(database, drawn.run_id, "critic-loss", points=100)
    with database.read() as session:
        values = read_points(session, drawn.run_id, "learner/critic_loss").value

    low, high = role(chart, "low")[0], role(chart, "high")[0]
    assert low.y.min() == np.float32(values.min())
    assert high.y.max() == np.float32(values.max())
    assert high.fill == "tonexty"
    assert 0 < len(low.x) <= 100


def test_an_abandoned_branch_is_drawn_faint_and_only_past_the_roll_back(
    database: Database, drawn: Drawn
) -> None:
    chart = drawn_figure(database, drawn.run_id, "critic-loss", points=10_000)
    (branch,) = role(chart, "branch")
    (mean,) = role(chart, "mean")

    assert branch.x.min() == drawn.resumed_at + 1
    assert branch.x.max() == 1500
    assert branch.opacity < 0.5
    assert branch.meta["segment"] == 1
    assert mean.x.tolist() == list(range(4001))
    assert role(drawn_figure(database, drawn.run_id, "critic-loss", branches=False), "branch") == []


def test_smoothing_is_drawn_over_the_values_and_says_its_time_constant(
    database: Database, drawn: Drawn
) -> None:
    chart = drawn_figure(database, drawn.run_id, "td-error", smoothing=0.5, points=10_000)
    smooth, raw = role(chart, "mean")[0], role(chart, "raw")[0]

    assert chart.layout.meta["smoothing"]["estimator"] == "EMA"
    assert chart.layout.meta["smoothing"]["time_constant"] == smooth.meta["tau"] == 40
    assert smooth.y.std() < raw.y.std()
    assert len(role(drawn_figure(database, drawn.run_id, "td-error"), "raw")) == 0


def test_norms_have_a_logarithmic_axis(database: Database, drawn: Drawn) -> None:
    for chart in ("actor-gradient", "critic-gradient", "module-gradients", "feature-norms"):
        assert drawn_figure(database, drawn.run_id, chart).layout.yaxis.type == "log"


def test_the_return_chart_has_quarters_evaluations_and_references(
    database: Database, drawn: Drawn
) -> None:
    chart = drawn_figure(database, drawn.run_id, "return")
    with database.read() as session:
        returns = read_points(session, drawn.run_id, "episode/return").value
    (quarters,) = role(chart, "quarter")
    quarter = len(returns) // 4

    assert quarters.y[0] == np.float32(returns[:quarter].mean())
    assert role(chart, "mark", "evaluation/return_mean")
    levels = [s.label.text for s in chart.layout.shapes if s.name == "overlay:reference"]
    assert levels == ["random policy", "untrained policy", "PID + pure pursuit"]


def test_the_scripted_drivers_results_are_lines_on_the_charts_of_the_same_quantity(
    database: Database, drawn: Drawn
) -> None:
    with database.read() as session:
        jerk = latest(session, drawn.run_id, ["baseline/jerk"])["baseline/jerk"][4]
    for chart in ("evaluation-jerk", "jerk"):
        (line,) = [
            s
            for s in drawn_figure(database, drawn.run_id, chart).layout.shapes
            if s.name == "overlay:reference"
        ]
        assert (line.y0, line.label.text) == (jerk, "PID + pure pursuit")
    (line,) = [
        s
        for s in drawn_figure(database, drawn.run_id, "success-rate").layout.shapes
        if s.name == "overlay:reference"
    ]
    assert line.label.text.startswith("PID + pure pursuit, 95 % interval ")
    assert not [
        s
        for s in drawn_figure(database, drawn.run_id, "critic-loss").layout.shapes
        if s.name == "overlay:reference"
    ]


@pytest.mark.parametrize(
    ("x", "boundary"), [("step", LEARNING_STARTS), ("episode", 5), ("time", 1.7e12 + 1e5)]
)
def test_overlays_stand_at_their_place_on_every_axis(
    database: Database, drawn: Drawn, x: Axis, boundary: float
) -> None:
    shapes = drawn_figure(database, drawn.run_id, "critic-loss", x=x).layout.shapes
    places = {shape.name: shape.x0 for shape in shapes}

    assert places["overlay:phase"] == boundary
    assert set(places) == {
        "overlay:phase",
        "overlay:segment",
        "overlay:checkpoint",
        "overlay:verdict",
        "overlay:flip",
    }
    assert places["overlay:segment"] == places["overlay:checkpoint"]


def test_overlays_outside_the_zoom_are_left_out(database: Database, drawn: Drawn) -> None:
    shapes = drawn_figure(database, drawn.run_id, "critic-loss", start=1100, end=1300).layout.shapes

    assert {shape.name for shape in shapes} == {"overlay:verdict", "overlay:flip"}


def test_values_that_are_not_finite_are_marked(database: Database, drawn: Drawn) -> None:
    with database.write() as session:
        segment = session.get_one(Run, drawn.run_id).segment_id
        assert segment
        append(session, segment, [("learner/critic_loss", 4001, 0, 0.0, float("nan"))])
    chart = drawn_figure(database, drawn.run_id, "critic-loss", points=10_000)
    (crosses,) = role(chart, "nonfinite")

    assert crosses.x.tolist() == [4001]
    assert np.isfinite(crosses.y).all()


def test_terminations_count_every_episode_once(database: Database, drawn: Drawn) -> None:
    with database.write() as session:
        segment = session.get_one(Run, drawn.run_id).segment_id
        assert segment
        ends = [
            ("episode/termination", 4001 + i, 300 + i, 1.7e9 + 4001 + i, i % 3.0) for i in range(90)
        ]
        append(session, segment, ends)
    chart = drawn_figure(database, drawn.run_id, "terminations", start=4001)

    assert {trace.name: int(trace.y.sum()) for trace in chart.data} == {
        "goal": 30,
        "off route": 30,
        "collision": 30,
    }
