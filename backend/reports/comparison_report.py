"""A comparison of groups as a report: tables for people and papers, each number with its estimator."""

from collections.abc import Mapping
from typing import Any

from backend.metrics.catalog import describe
from backend.reports.document import Bullets, Report, Section, Table
from backend.reports.figures import Figure, Source, Text

Cell = str | Figure | Text


def comparison_report(found: Mapping[str, Any]) -> Report:
    """What `backend.reports.comparison.compare` found, in reading order."""
    title = describe(found["metric"]).title
    sections = [Section(f"{title} at step {found['at']:,}", (_groups(found),))]
    if found["pairs"]:
        sections.append(Section("Pairs of groups", (_pairs(found),)))
    if found["notes"]:
        notes: tuple[Text, ...] = tuple((note,) for note in found["notes"])
        sections.append(Section("Notes", (Bullets(notes),)))
    return Report("Comparison", sections)


def _groups(found: Mapping[str, Any]) -> Table:
    metric, window = found["metric"], f"last value at or before step {found['at']:,}"
    rows = []
    for group in found["groups"]:
        source = Source(group["name"], metric, f"{window}, n = {group['n']}", "mean")
        spread = Source(group["name"], metric, source.window, "population std")
        rows.append(
            (
                group["name"],
                f"{group['n']}",
                Figure(group["mean"], 1, source),
                Figure(group["std"], 1, spread),
                _interval(group["name"], metric, source.window, group["iqm"], 1),
                _success(group),
            )
        )
    headers = ("Group", "n", "Mean", "Std", "IQM [95 %]", "Success [95 %]")
    return Table("Groups", headers, tuple(rows))


def _success(group: Mapping[str, Any]) -> Cell:
    if group["success"] is None:
        return "none"
    return _interval(
        group["name"], "evaluation/success_rate", "last evaluation", group["success"], 2
    )


def _interval(
    name: str, metric: str, window: str, estimate: Mapping[str, Any], digits: int
) -> Text:
    point = Source(name, metric, window, estimate["estimator"])
    ends = Source(name, metric, window, estimate["interval"])
    low, high = (Figure(estimate[end], digits, ends) for end in ("low", "high"))
    return (Figure(estimate["value"], digits, point), " [", low, ", ", high, "]")


def _pairs(found: Mapping[str, Any]) -> Table:
    rows = []
    for pair in found["pairs"]:
        name, test = " against ".join(pair["groups"]), pair["mann_whitney"]
        window = f"step {found['at']:,}"
        exact = Source(
            name, found["metric"], window, f"Mann-Whitney U, two-sided, {test['method']}"
        )
        improvement = pair["probability_of_improvement"]
        rows.append(
            (
                name,
                Figure(test["u"], 1, exact),
                Figure(test["p"], 4, exact),
                _interval(name, found["metric"], window, improvement, 2),
            )
        )
    headers = ("Pair", "U", "p", "P(first > second) [95 %]")
    return Table("Pairs", headers, tuple(rows))
