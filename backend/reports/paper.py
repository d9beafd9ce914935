"""Paragraphs for a paper: methods from the configuration, results from the run, nothing else."""

from backend.analysis.phases import Phases
from backend.reports.document import Paragraph, Section
from backend.reports.evidence import Evidence
from backend.reports.figures import Figure, Source, Text, fill
from backend.reports.summary import of_phase

METHODS = (
    "{algorithm} (critic learning rate {critic_learning_rate}, actor learning rate "
    "{actor_learning_rate}, batch {batch_size}, discount {gamma}, Polyak coefficient {tau}, policy "
    "delay {policy_delay}) was trained for {total_steps} steps with seed {seed}; the first "
    "{learning_starts} steps explored without updates. Gradients were clipped to a global norm of "
    "{actor_max_grad_norm} (actor) and {critic_max_grad_norm} (critic)."
)


def paper_sections(evidence: Evidence) -> list[Section]:
    """Methods where the configuration is known, results where episodes were logged."""
    sections = []
    if evidence.config.get("algorithm"):
        sections.append(Section("Methods", (Paragraph(_methods(evidence)),), 3, paper=True))
    if evidence.phases is not None:
        paragraph = Paragraph(_results(evidence, evidence.phases))
        sections.append(Section("Results", (paragraph,), 3, paper=True))
    return sections


def _methods(evidence: Evidence) -> Text:
    values: dict[str, Figure | str | None] = {
        name: f"{value:,}" if isinstance(value, int) else f"{value}"
        for name, value in evidence.config.items()
    }
    values["algorithm"] = str(evidence.config["algorithm"]).upper()
    return fill(METHODS, values)


def _results(evidence: Evidence, phases: Phases) -> Text:
    returns = "episode/return"
    mean, std = (evidence.statistic(returns, name) for name in ("mean", "std"))
    episodes = evidence.counted(evidence.summaries[returns].n, returns, "episodes logged")
    text = fill(
        "Over {episodes} episodes the return was {mean} ± {std}. ",
        {"episodes": episodes, "mean": mean, "std": std},
    )
    if phases.exploration.n and phases.learning.n:
        text += fill(
            "Exploration returned {before} ± {before_std} in {n_before} episodes; after learning started "
            "the return was {after} ± {after_std} in {n_after} episodes. ",
            {
                "before": of_phase(evidence, phases.exploration, "return_mean"),
                "before_std": of_phase(evidence, phases.exploration, "return_std"),
                "n_before": f"{phases.exploration.n}",
                "after": of_phase(evidence, phases.learning, "return_mean"),
                "after_std": of_phase(evidence, phases.learning, "return_std"),
                "n_after": f"{phases.learning.n}",
            },
        )
    return text + _values(evidence) + _verdict(evidence)


def _values(evidence: Evidence) -> Text:
    parts: Text = ()
    for metric, name in (("learner/q1_mean", "Q-values"), ("learner/td_error_q1", "TD errors")):
        mean, std = (evidence.statistic(metric, statistic) for statistic in ("mean", "std"))
        if mean and std:
            parts += fill(f"{name} were {{mean}} ± {{std}}. ", {"mean": mean, "std": std})
    return parts


def _verdict(evidence: Evidence) -> Text:
    judge = evidence.judge
    source = Source(evidence.run, "verdict", "whole run", f"preset {judge.preset.name}")
    return fill(
        f"The rules of preset {judge.preset.name}, version {judge.preset.version}, judge the run "
        f"{judge.verdict.words} since step {{since}}.",
        {"since": Figure(judge.since_step, 0, source)},
    )
