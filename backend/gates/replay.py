"""Judging offline: the points of a stored run or an imported log through the code the worker runs."""

from collections.abc import Collection, Generator, Iterator, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from backend.gates.storable import storable
from backend.metrics.columns import Columns
from backend.rules.moment import UNREAD, Point, Timeline
from backend.rules.presets import RulePreset
from backend.rules.rule import RuleResult, RunFacts
from backend.rules.verdict import Judge

Result = TypeVar("Result")
AT_ONCE = 500  # moments between two words of how far it is


def points_of(
    series: Mapping[str, Columns], watched: Collection[str] = (), until: int | None = None
) -> Iterator[Point]:
    """The points of every metric a rule may read, up to step `until`, metric by metric."""
    for metric, columns in series.items():
        if metric.startswith(UNREAD) and metric not in watched:
            continue
        kept = columns if until is None else columns[columns.step <= until]
        for row in zip(*(array.tolist() for array in kept.arrays), strict=True):
            yield (metric, *row)


def judge_series(
    series: Mapping[str, Columns],
    facts: RunFacts,
    preset: RulePreset,
    until: int | None = None,
) -> Judge:
    """A judge that has seen the whole run, or its part up to step `until`."""
    return outcome(judging(series, facts, preset, until))


def judging(
    series: Mapping[str, Columns],
    facts: RunFacts,
    preset: RulePreset,
    until: int | None = None,
) -> Generator[float, None, Judge]:
    """The same a little at a time, for who waits: yields the share of the steps that are judged."""
    judge = Judge(preset, facts)
    timeline = Timeline(preset.watched)
    timeline.add(points_of(series, preset.watched, until))
    for number, moment in enumerate(timeline.take()):
        if number % AT_ONCE == 0:
            yield moment.step / max(1, timeline.step)
        judge.advance(moment)
    return judge


def outcome(work: Generator[float, None, Result]) -> Result:
    """What work that tells how far it is comes to, for who only wants that."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: Result = end.value
            return found


def document(judge: Judge, step: int) -> dict[str, Any]:
    """A verdict with its history and every rule, as JSON shows it."""
    return {
        "preset": judge.preset.name,
        "preset_version": judge.preset.version,
        "step": step,
        "verdict": judge.verdict.value,
        "since_step": judge.since_step,
        "sentence": judge.sentence(step),
        "history": [
            {"step": turn.step, "verdict": turn.verdict.value, "rules": list(turn.rules)}
            for turn in judge.history
        ],
        "rules": [rule_document(result) for result in judge.results()],
    }


def rule_document(result: RuleResult) -> dict[str, Any]:
    """One rule's answer; first steps are kept together as `first`."""
    fields = asdict(result)
    first = {"warning": fields.pop("first_warning"), "critical": fields.pop("first_critical")}
    fields["state"], fields["action"] = result.state.value, result.action.value
    return {**storable(fields), "first": first}
