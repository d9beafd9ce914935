"""What a run did besides its numbers: reward components, endings, evaluations, configuration kept or not."""

from collections.abc import Iterator

import numpy as np

from backend.analysis.compare import wilson
from backend.analysis.components import Component, checksum, component_shares, terminations
from backend.analysis.evaluations import identical_pairs
from backend.metrics.catalog import COMPONENTS, TERMINATIONS
from backend.reports.document import Block, Bullets, Paragraph, Section, Table
from backend.reports.evidence import Evidence
from backend.reports.figures import Figure, Source, Text, fill

OBSERVED = {
    "updates_per_step": "learner/updates_per_step",
    "actor_learning_rate": "learner/actor_learning_rate",
    "critic_learning_rate": "learner/critic_learning_rate",
}


def shares_of(evidence: Evidence) -> tuple[Component, ...]:
    """Reward components by their share; empty where none was logged."""
    found = {name: evidence.series.get(f"episode/{name}") for name in COMPONENTS}
    return component_shares(
        {name: columns.value for name, columns in found.items() if columns is not None}
    )


def components_section(evidence: Evidence) -> Section | None:
    shares = shares_of(evidence)
    if not shares:
        return None
    rows = []
    for part in shares:
        metric = f"episode/{part.name}"
        window = f"{len(evidence.series[metric])} logged episodes"
        share = Source(
            evidence.run, metric, window, "sum of |component| over that of all components"
        )
        mean, std = (
            Source(evidence.run, metric, window, name) for name in ("mean", "population std")
        )
        rows.append(
            (
                part.name,
                Figure(part.mean, 2, mean),
                Figure(part.std, 2, std),
                Figure(100 * part.share, 1, share, " %"),
            )
        )
    blocks: list[Block] = [
        Table("Reward components", ("Component", "Mean", "Std", "Share"), tuple(rows))
    ]
    if told := _checksum(evidence):
        blocks.append(Paragraph(told))
    return Section("What the reward was made of", tuple(blocks))


def _checksum(evidence: Evidence) -> Text | None:
    """Components against returns of the same episodes, where every episode logged all of them."""
    returns = evidence.series.get("episode/return")
    found = {name: evidence.series.get(f"episode/{name}") for name in COMPONENTS}
    if returns is None or any(c is None or len(c) != len(returns) for c in found.values()):
        return None
    parts = {name: columns.value for name, columns in found.items() if columns is not None}
    told = checksum(parts, returns.value)
    if told is None:
        return None
    source = Source(
        evidence.run,
        "episode/return",
        "whole run",
        f"|sum of components - return| above {told.tolerance:g} of the return",
    )
    return fill(
        "In {wrong} of {n} episodes the components do not add up to the return; the largest error is {error}.",
        {
            "wrong": Figure(told.wrong, 0, source),
            "n": Figure(told.episodes, 0, source),
            "error": Figure(told.largest_error, 6, source),
        },
    )


def endings_of(evidence: Evidence) -> dict[str, int]:
    """How many episodes ended for which reason; empty where it was not logged."""
    columns = evidence.series.get("episode/termination")
    return {} if columns is None else terminations(columns.value.astype(int), TERMINATIONS)


def endings_section(evidence: Evidence) -> Section | None:
    counts = endings_of(evidence)
    if not counts:
        return None
    total = sum(counts.values())
    rows = []
    for reason, count in sorted(counts.items(), key=lambda item: -item[1]):
        share = wilson(count, total)
        window = f"whole run, n = {total:,}"
        number = Source(evidence.run, "episode/termination", window, "count")
        ends = Source(evidence.run, "episode/termination", window, share.interval)
        low, high = (Figure(100 * end, 1, ends) for end in (share.low, share.high))
        percent = Figure(100 * share.value, 1, Source(*_parts(number), share.estimator))
        rows.append((reason, Figure(count, 0, number), (percent, " [", low, ", ", high, "]")))
    table = Table("Endings", ("Reason", "Episodes", "Per cent [95 %]"), tuple(rows))
    return Section("How episodes ended", (table,))


def _parts(source: Source) -> tuple[str, str, str]:
    return source.run, source.metric, source.window


def evaluations_section(evidence: Evidence) -> Section | None:
    means = evidence.series.get("evaluation/return_mean")
    if means is None or not len(means):
        return None
    metric = "evaluation/return_mean"
    source = Source(evidence.run, metric, "whole run", "count")
    best = int(np.nanargmax(means.value))
    items = [
        fill(
            "{n} evaluations; the best returned {best} at step {step}, the last {last}.",
            {
                "n": Figure(len(means), 0, source),
                "best": Figure(
                    float(means.value[best]),
                    1,
                    Source(evidence.run, metric, "whole run", "maximum"),
                ),
                "step": Figure(int(means.step[best]), 0, source),
                "last": Figure(
                    float(means.value[-1]), 1, Source(evidence.run, metric, "last", "as logged")
                ),
            },
        )
    ]
    pairs = identical_pairs(
        means, evidence.series.get("evaluation/episode_return"), evidence.facts.learning_starts
    )
    equal = Source(evidence.run, metric, "whole run", "neighbours equal to the last bit")
    items.append(
        fill(
            "{pairs} pairs of neighbouring evaluations after learning started are identical.",
            {"pairs": Figure(len(pairs), 0, equal)},
        )
    )
    items.extend(_success(evidence))
    return Section("Evaluations", (Bullets(tuple(items)),))


def _success(evidence: Evidence) -> Iterator[Text]:
    rates = evidence.series.get("evaluation/success_rate")
    episodes = evidence.series.get("evaluation/episodes")
    if rates is None or episodes is None or not len(rates) or not len(episodes):
        return
    trials = int(episodes.value[-1])
    found = wilson(round(float(rates.value[-1]) * trials), trials)
    window = f"last evaluation, n = {trials}"
    point = Source(evidence.run, "evaluation/success_rate", window, found.estimator)
    ends = Source(evidence.run, "evaluation/success_rate", window, found.interval)
    yield fill(
        "The last evaluation completed the route without collision in {rate} of episodes [{low}, {high}].",
        {
            "rate": Figure(100 * found.value, 0, point, " %"),
            "low": Figure(100 * found.low, 0, ends, " %"),
            "high": Figure(100 * found.high, 0, ends, " %"),
        },
    )


def configured_section(evidence: Evidence) -> Section | None:
    """What the configuration asked for beside what the trainer logged."""
    rows = []
    for name, metric in OBSERVED.items():
        summary, asked = evidence.summaries.get(metric), evidence.config.get(name)
        if summary is None:
            continue
        seen = Figure(
            summary.last5[-1], 6, Source(evidence.run, metric, "last sample", "as logged")
        )
        same = asked is not None and abs(summary.last5[-1] - asked) <= 0.05 * abs(asked)
        judged = "not known" if asked is None else "same" if same else "different"
        rows.append((name, "not known" if asked is None else f"{asked:g}", seen, judged))
    if not rows:
        return None
    headers = ("Parameter", "Configured", "Observed last", "Within 5 %")
    table = Table("Configured against observed", headers, tuple(rows))
    return Section("Configured against observed", (table,))
