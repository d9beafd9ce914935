"""The executive summary of a run, in the order of the document this product began with."""

from collections.abc import Iterator
from dataclasses import replace

from backend.analysis.phases import Phase
from backend.analysis.quarters import Quarter, variance_collapse
from backend.metrics.catalog import describe
from backend.reports.behaviour import (
    components_section,
    configured_section,
    endings_section,
    evaluations_section,
)
from backend.reports.document import Block, Bullets, Paragraph, Picture, Report, Section, Table
from backend.reports.evidence import Evidence
from backend.reports.figures import Figure, Source, Text, fill
from backend.reports.plots import plots_of
from backend.rules.rule import RuleState
from backend.runs.config import RunConfig

VALUES = (
    "learner/q1_mean",
    "learner/q2_mean",
    "learner/actor_q_mean",
    "learner/td_error_q1",
    "learner/td_error_q2",
)
GRADIENTS = (
    "gradients/actor_norm_before_clip",
    "gradients/actor_norm_after_clip",
    "gradients/actor_head_norm_before_clip",
    "gradients/actor_encoder_norm_before_clip",
    "gradients/actor_encoder_norm_after_clip",
    "gradients/actor_head_norm",
    "gradients/actor_encoder_norm",
    "gradients/critic_norm_before_clip",
    "gradients/critic_norm_after_clip",
    "gradients/critic_encoder_norm_after_clip",
)
HORIZONS = (10_000, 100_000, 1_000_000)


def executive_summary(evidence: Evidence) -> Report:
    """A report of everything the run's data supports; what was not logged is not claimed."""
    report = Report(f"Executive summary: {evidence.run}")
    drawn = {plot.name: Picture(plot.name, plot.caption(evidence)) for plot in plots_of(evidence)}
    for section in (
        _short_version(evidence),
        _findings(evidence),
        _dynamics(evidence),
        _hyperparameters(evidence),
        _illustrated(_quarters(evidence), drawn.get("returns")),
        components_section(evidence),
        endings_section(evidence),
        _illustrated(evaluations_section(evidence), drawn.get("evaluations")),
        _illustrated(_values(evidence), drawn.get("q-values"), drawn.get("td-errors")),
        _illustrated(_critic_loss(evidence), drawn.get("critic-loss")),
        _illustrated(_gradients(evidence), drawn.get("gradients")),
        configured_section(evidence),
        _decision(evidence),
        _next_steps(evidence),
    ):
        if section is not None:
            report.sections.append(section)
    return report


def _illustrated(section: Section | None, *pictures: Picture | None) -> Section | None:
    if section is None:
        return None
    return replace(section, blocks=(*section.blocks, *filter(None, pictures)))


def _findings(evidence: Evidence) -> Section | None:
    """What stands out: the alerting rules with their evidence, and a spread of returns that collapsed."""
    items: list[Text] = [
        (f"{rule.title} ({rule.state.value} since step {rule.since_step:,}): {rule.explain()}",)
        for rule in evidence.judge.alerting
    ]
    collapse = variance_collapse(evidence.quarters) if evidence.quarters else None
    if collapse is not None and not 0.5 < collapse < 2:
        source = Source(
            evidence.run,
            "episode/return",
            "first and last quarter, edges int(n i / 4)",
            "population std of the first quarter over that of the last",
        )
        how = "fell" if collapse > 1 else "grew"
        factor = collapse if collapse > 1 else 1 / collapse
        items.append(
            fill(
                f"The spread of returns {how} by a factor of {{factor}} from the first quarter to the last.",
                {"factor": Figure(factor, 1, source)},
            )
        )
    return Section("Findings", (Bullets(tuple(items)),)) if items else None


def _short_version(evidence: Evidence) -> Section:
    items: list[Text] = [(evidence.judge.sentence(evidence.last_step),)]
    items.append(_length(evidence))
    overall = evidence.statistic("episode/return", "mean")
    spread = evidence.statistic("episode/return", "std")
    if overall and spread:
        items.append(fill("Overall return {m} ± {s}.", {"m": overall, "s": spread}))
    items.extend(_phase_change(evidence))
    return Section("TL;DR", (Bullets(tuple(items)),))


def _length(evidence: Evidence) -> Text:
    """Steps done beside steps planned, where a plan is known."""
    done = evidence.counted(evidence.last_step, "step", "last step logged")
    if evidence.planned_steps is None:
        return fill("{done} steps were done; how many were planned was not logged.", {"done": done})
    planned = evidence.counted(evidence.planned_steps, "total_steps", "configured")
    return fill("{done} of {planned} planned steps were done.", {"done": done, "planned": planned})


def _phase_change(evidence: Evidence) -> Iterator[Text]:
    phases = evidence.phases
    if phases is None or not phases.exploration.n or not phases.learning.n:
        return
    yield fill(
        "Exploration returned {before} over {before_length} decisions an episode, learning {after} over "
        "{after_length}.",
        {
            "before": of_phase(evidence, phases.exploration, "return_mean"),
            "before_length": of_phase(evidence, phases.exploration, "length_mean"),
            "after": of_phase(evidence, phases.learning, "return_mean"),
            "after_length": of_phase(evidence, phases.learning, "length_mean"),
        },
    )


def of_phase(evidence: Evidence, phase: Phase, name: str, digits: int = 1) -> Figure | None:
    """`return_mean`, `return_std` or `length_mean` of a phase; None where the phase is empty."""
    metric = "episode/length" if name.startswith("length") else "episode/return"
    estimator = "population std" if name.endswith("std") else "mean"
    window = f"{phase.name}, episodes {phase.start}-{phase.stop - 1}"
    value = getattr(phase, name)
    source = Source(evidence.run, metric, window, estimator)
    return None if value is None else Figure(value, digits, source)


def _dynamics(evidence: Evidence) -> Section | None:
    phases = evidence.phases
    if phases is None:
        return None
    rows = tuple(
        (
            phase.name,
            f"{phase.start}-{phase.stop - 1}",
            f"{phase.n}",
            of_phase(evidence, phase, "return_mean") or "none",
            of_phase(evidence, phase, "return_std") or "none",
            of_phase(evidence, phase, "length_mean") or "none",
        )
        for phase in (phases.exploration, phases.learning)
        if phase.n
    )
    headers = ("Phase", "Episodes", "n", "Return", "Std", "Length")
    astride = ", ".join(str(index) for index in phases.astride) or "none"
    return Section(
        "Training dynamics",
        (
            Table("Exploration and learning", headers, rows),
            Paragraph((f"Episode astride the start of learning, counted in neither: {astride}.",)),
        ),
    )


def _hyperparameters(evidence: Evidence) -> Section | None:
    """Every field with a Stable-Baselines3 counterpart: ours, theirs, and whether they are the same."""
    rows = []
    for name, field in RunConfig.model_fields.items():
        extra = field.json_schema_extra
        if name not in evidence.config or not isinstance(extra, dict) or "sb3" not in extra:
            continue
        ours, theirs = evidence.config[name], extra["sb3"]
        rows.append((name, f"{ours}", f"{theirs}", "same" if ours == theirs else "different"))
    rows.extend(_observed_rates(evidence))
    if not rows:
        return None
    table = Table("Hyper-parameters", ("Parameter", "Value", "SB3 default", "Match"), tuple(rows))
    return Section("Hyper-parameters against Stable-Baselines3", (table,))


def _observed_rates(evidence: Evidence) -> Iterator[tuple[str, str, str, str]]:
    """Of imported logs at least the learning rates the optimisers had."""
    for name in ("actor_learning_rate", "critic_learning_rate"):
        summary = evidence.summaries.get(f"learner/{name}")
        if summary and name not in evidence.config:
            same = "same" if f"{summary.mean:.3g}" == "0.001" else "different"
            yield f"{name} (observed)", f"{summary.mean:.3g}", "0.001", same


def _quarters(evidence: Evidence) -> Section | None:
    if not evidence.quarters:
        return None
    rows = tuple(
        (
            f"Q{number}",
            f"[{quarter.start}, {quarter.stop})",
            f"{quarter.n}",
            _of_quarter(evidence, quarter, "mean") or "none",
            _of_quarter(evidence, quarter, "std") or "none",
        )
        for number, quarter in enumerate(evidence.quarters, 1)
    )
    table = Table("Episode return by quarter", ("Quarter", "Episodes", "n", "Mean", "Std"), rows)
    return Section("Episode returns", (table, *_boundary(evidence)))


def _boundary(evidence: Evidence) -> Iterator[Paragraph]:
    """A quarter that holds the start of learning mixes two policies: say which."""
    phases = evidence.phases
    if phases is None or not phases.exploration.n or not phases.learning.n:
        return
    first = phases.learning.start
    number = next(i for i, q in enumerate(evidence.quarters, 1) if q.start <= first < q.stop)
    if evidence.quarters[number - 1].start < first:
        yield Paragraph(
            (
                f"Learning starts inside Q{number}, with episode {first}: Q{number} mixes two policies.",
            )
        )


def _of_quarter(evidence: Evidence, quarter: Quarter, name: str) -> Figure | None:
    window = f"episodes [{quarter.start}, {quarter.stop}), edges int(n i / 4)"
    estimator = "population std" if name == "std" else "mean"
    value = quarter.std if name == "std" else quarter.mean
    source = Source(evidence.run, "episode/return", window, estimator)
    return None if value is None else Figure(value, 2, source)


def _statistics(evidence: Evidence, metrics: tuple[str, ...]) -> Table | None:
    rows = []
    for metric in metrics:
        summary = evidence.summaries.get(metric)
        # A series that hardly moves, as a clipped norm, shows it in two digits more.
        digits = 2 if summary is None or summary.std >= 0.005 else 4
        mean, std = (evidence.statistic(metric, name, digits) for name in ("mean", "std"))
        if mean is None or std is None:
            continue
        trend = evidence.statistic(metric, "trend_percent", 0, " %", signed=True)
        low, high = (evidence.statistic(metric, name, digits) for name in ("min", "max"))
        rows.append(
            (describe(metric).title, mean, std, low or "none", high or "none", trend or "none")
        )
    headers = ("Metric", "Mean", "Std", "Min", "Max", "Trend")
    return Table("Learner samples", headers, tuple(rows)) if rows else None


def _values(evidence: Evidence) -> Section | None:
    table = _statistics(evidence, VALUES)
    return Section("Q values and TD errors", (table,)) if table else None


def _gradients(evidence: Evidence) -> Section | None:
    table = _statistics(evidence, GRADIENTS)
    if table is None:
        return None
    note = "A norm after the clip that equals the clip says only that it was clipped."
    return Section("Gradient norms", (table, Paragraph((note,))))


def _critic_loss(evidence: Evidence) -> Section | None:
    metric = "learner/critic_loss"
    summary = evidence.summaries.get(metric)
    if summary is None:
        return None
    figures = {name: evidence.statistic(metric, name) for name in ("mean", "std", "min", "max")}
    text = fill("Mean {mean} ± {std}, range {min} - {max}.", figures)
    run = Source(evidence.run, metric, "first and last five samples", "values as logged")
    listed = [
        tuple(part for value in values for part in (Figure(value, 1, run), ", "))[:-1]
        for values in (summary.first5, summary.last5)
    ]
    progression: Text = ("From ", *listed[0], " to ", *listed[1], ".")
    return Section("Critic loss", (Paragraph(text), Paragraph(progression)))


def _decision(evidence: Evidence) -> Section:
    judge, results = evidence.judge, evidence.judge.results()
    preset = f"Preset {judge.preset.name}, version {judge.preset.version}."
    rows = tuple(
        (
            result.title,
            result.state.value,
            "" if result.first_warning is None else f"{result.first_warning:,}",
            "" if result.first_critical is None else f"{result.first_critical:,}",
            result.reason,
        )
        for result in results
        if result.state is not RuleState.NO_DATA
    )
    silent: tuple[Text, ...] = tuple(
        (f"{result.title}: {result.reason}",)
        for result in results
        if result.state is RuleState.NO_DATA
    )
    headers = ("Rule", "State", "First warning", "First critical", "Evidence")
    blocks: list[Block] = [Paragraph((f"{judge.sentence(evidence.last_step)} {preset}",))]
    if conditions := _conditions(evidence):
        blocks += [Paragraph(("Conditions:",)), Bullets(conditions)]
    blocks.append(Table("Rules with data", headers, rows))
    if silent:
        blocks += [Paragraph(("Rules that could not judge this run:",)), Bullets(silent)]
    return Section("Decision", tuple(blocks))


def _conditions(evidence: Evidence) -> tuple[Text, ...]:
    """Every warning, with who lets it stand and why."""
    return tuple(
        (f"{rule.title}: {evidence.accepted.get(rule.name, 'accepted by nobody')}.",)
        for rule in evidence.judge.alerting
        if rule.state is RuleState.WARNING
    )


def _next_steps(evidence: Evidence) -> Section | None:
    speed = evidence.steps_per_second
    if speed is None:
        return None
    source = Source(evidence.run, "episode/return", "first to last episode", "steps over wall time")
    items = [fill("Measured {speed} steps per second.", {"speed": Figure(speed, 2, source)})]
    items.extend(
        fill(
            f"{horizon:,} steps need {{hours}} more at that rate.",
            {"hours": Figure((horizon - evidence.last_step) / speed / 3_600, 1, source, " h")},
        )
        for horizon in HORIZONS
        if horizon > evidence.last_step
    )
    return Section("Next steps", (Bullets(tuple(items)),))
