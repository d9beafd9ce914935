"""The pictures of a report as PDF, PNG or SVG: what the tables say, drawn from the same series."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from backend.errors import NotFound
from backend.metrics.catalog import describe
from backend.metrics.columns import Columns
from backend.reports.evidence import Evidence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = ("pdf", "png", "svg")
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # Okabe and Ito (2008): told apart by all
SIZE = (6.4, 2.9)  # inches: the text width of a one-column paper
Draw = Callable[["Axes", Evidence], None]


@dataclass(frozen=True)
class Plot:
    """One picture: `metrics` are what it draws, and it is there if the run logged the first."""

    name: str
    title: str
    metrics: tuple[str, ...]
    draw: Draw
    log: bool = False

    def caption(self, evidence: Evidence) -> str:
        """What is drawn and where it came from."""
        drawn = [metric for metric in self.metrics if metric in evidence.series]
        columns = evidence.series[drawn[0]]
        steps = f"steps {int(columns.step[0]):,}-{int(columns.step[-1]):,}"
        return f"{self.title} of {evidence.run}: {', '.join(drawn)}, {steps}, values as logged"


def _returns(axes: "Axes", evidence: Evidence) -> None:
    """Every episode's return over its number, the quarters' means, and where learning began."""
    value = evidence.series["episode/return"].value
    axes.plot(range(len(value)), value, ".", ms=3, color=COLOURS[0], label="episode")
    for number, quarter in enumerate(evidence.quarters):
        if quarter.mean is not None:
            label = "mean of quarter" if number == 0 else None
            ends = [quarter.start, max(quarter.start, quarter.stop - 1)]
            axes.plot(ends, [quarter.mean] * 2, color=COLOURS[1], lw=2, label=label)
    if evidence.phases is not None and evidence.phases.learning.n:
        start = evidence.phases.learning.start
        axes.axvline(start, color="0.4", ls="--", lw=1, label="learning starts")
    axes.set_xlabel("episode")
    axes.set_ylabel("return")


def _lines(*metrics: str) -> Draw:
    def draw(axes: "Axes", evidence: Evidence) -> None:
        for colour, metric in zip(COLOURS, metrics, strict=False):
            if (columns := evidence.series.get(metric)) is not None and len(columns):
                _line(axes, columns, describe(metric).title, colour)
        _flips(axes, evidence)
        axes.set_xlabel("step")

    return draw


def _line(axes: "Axes", columns: Columns, label: str, colour: str) -> None:
    mark = "." if len(columns) < 60 else ""
    axes.plot(columns.step, columns.value, mark + "-", ms=4, lw=1, color=colour, label=label)


def _flips(axes: "Axes", evidence: Evidence) -> None:
    """Where the verdict became NO-GO."""
    for turn in evidence.judge.history:
        if turn.verdict == "no-go":
            axes.axvline(turn.step, color=COLOURS[1], ls=":", lw=1, label="NO-GO")
            return


def _plot(name: str, title: str, *metrics: str, log: bool = False) -> Plot:
    return Plot(name, title, metrics, _lines(*metrics), log)


PLOTS = {
    plot.name: plot
    for plot in (
        Plot("returns", "Episode returns", ("episode/return",), _returns),
        _plot("q-values", "Q values", "learner/q1_mean", "learner/q2_mean", "learner/actor_q_mean"),
        _plot("td-errors", "TD errors", "learner/td_error_q1", "learner/td_error_q2"),
        _plot("critic-loss", "Critic loss", "learner/critic_loss", log=True),
        _plot(
            "gradients",
            "Gradient norms before the clip",
            "gradients/critic_norm_before_clip",
            "gradients/actor_norm_before_clip",
            log=True,
        ),
        _plot("evaluations", "Evaluation returns", "evaluation/return_mean"),
    )
}


def plots_of(evidence: Evidence) -> Iterator[Plot]:
    """The pictures the run's data supports."""
    for plot in PLOTS.values():
        if len(evidence.series.get(plot.metrics[0], ())):
            yield plot


def render(evidence: Evidence, name: str, form: str) -> bytes:
    """One picture as `pdf`, `png` or `svg`; the same data gives the same bytes.

    Raises:
        NotFound: there is no such picture or format, or the run has no data for it.
    """
    plot = next((plot for plot in plots_of(evidence) if plot.name == name), None)
    if plot is None or form not in FORMATS:
        names = ", ".join(plot.name for plot in plots_of(evidence)) or "none"
        raise NotFound(
            f"{name}.{form} is no picture of {evidence.run}: there are {names}, as {', '.join(FORMATS)}"
        )
    # A second and 60 MB that only who draws a picture should pay.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"font.size": 8, "svg.hashsalt": "pitwall", "pdf.fonttype": 42}):
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.add_subplot()
        plot.draw(axes, evidence)
        axes.set_title(plot.title, loc="left", fontsize=9)
        if plot.log:
            axes.set_yscale("log")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=7)
        target = BytesIO()
        figure.savefig(target, format=form, dpi=200, metadata=_undated(form))
    return target.getvalue()


def _undated(form: str) -> dict[str, Any]:
    """Two exports of one run are the same file."""
    return {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(form, {})
