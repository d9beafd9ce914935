"""What a report may say about one run: its series, facts and verdict, turned into bound figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from backend.analysis.phases import Phases, split_phases
from backend.analysis.quarters import Quarter, Summary, quarters, summarise
from backend.metrics.columns import Columns
from backend.reports.figures import Figure, Source
from backend.rules.rule import RunFacts
from backend.rules.verdict import Judge

STATISTICS = {
    "mean": "mean",
    "std": "population std",
    "min": "minimum",
    "max": "maximum",
    "trend_percent": "change of the last quarter's mean from the first quarter's",
}


@dataclass(frozen=True)
class Evidence:
    """One run as it is read for a report. `config` is empty for imported logs.

    `accepted` says of a rule who lets its condition stand and why.
    """

    run: str
    series: Mapping[str, Columns]
    facts: RunFacts
    judge: Judge
    config: Mapping[str, Any]
    accepted: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def last_step(self) -> int:
        return max((int(c.step[-1]) for c in self.series.values() if len(c)), default=0)

    @property
    def planned_steps(self) -> int | None:
        """What the configuration asked for; None for a log that ends where it ends."""
        return self.facts.total_steps if self.facts.planned else None

    @cached_property
    def summaries(self) -> dict[str, Summary]:
        """A summary of every metric that has finite values."""
        found = {name: summarise(columns.value) for name, columns in self.series.items()}
        return {name: summary for name, summary in sorted(found.items()) if summary}

    @cached_property
    def quarters(self) -> tuple[Quarter, ...]:
        """Quarters of the episode returns; empty without episodes."""
        returns = self.series.get("episode/return")
        return quarters(returns.value) if returns is not None and len(returns) else ()

    @cached_property
    def phases(self) -> Phases | None:
        returns, lengths = self.series.get("episode/return"), self.series.get("episode/length")
        starts = self.facts.learning_starts
        if returns is None or lengths is None or starts is None or len(returns) != len(lengths):
            return None
        return split_phases(returns.value, returns.step, lengths.value, starts)

    @cached_property
    def steps_per_second(self) -> float | None:
        """Steps over wall time between the first and the last point of the returns."""
        returns = self.series.get("episode/return")
        if returns is None or len(returns) < 2:
            return None
        seconds = float(np.ptp(returns.time))
        return float(np.ptp(returns.step)) / seconds if seconds > 0 else None

    def statistic(
        self, metric: str, name: str, digits: int = 2, unit: str = "", signed: bool = False
    ) -> Figure | None:
        """A statistic of a whole series, by its name in `Summary`; None where there is no data."""
        summary = self.summaries.get(metric)
        value = getattr(summary, name) if summary else None
        if summary is None or value is None:
            return None
        columns = self.series[metric]
        window = f"steps {int(columns.step[0]):,}-{int(columns.step[-1]):,}, n = {summary.n:,}"
        source = Source(self.run, metric, window, STATISTICS[name])
        return Figure(float(value), digits, source, unit, signed)

    def counted(self, value: float, metric: str, what: str) -> Figure:
        """A count over the whole run, printed without decimals."""
        return Figure(value, 0, Source(self.run, metric, "whole run", what))
