"""Judging runs out of the database: warm starts, verdicts of any step, and backtests."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.errors import NotFound
from backend.gates.engine import GateEngine
from backend.gates.facts import facts_of
from backend.gates.models import RuleChoice
from backend.gates.passages import gates_of, other_series, watch
from backend.gates.presets import load_preset
from backend.gates.replay import document, judge_series, points_of
from backend.metrics.store import Columns, list_metrics, read_points
from backend.rules.gate import Passage, Standing
from backend.rules.moment import UNREAD
from backend.rules.presets import RulePreset
from backend.rules.verdict import Judge
from backend.runs.models import Run
from backend.runs.service import get_run

DEFAULT_PRESET = "behavioural"


def rule_series(session: Session, run_id: int, preset: RulePreset) -> dict[str, Columns]:
    """Every metric a rule may read, along the run's lineage."""
    metrics = [
        metric
        for metric in list_metrics(session, run_id)
        if metric in preset.watched or not metric.startswith(UNREAD)
    ]
    return {metric: read_points(session, run_id, metric) for metric in metrics}


def engine_of(run: Run, preset: RulePreset) -> GateEngine:
    """An engine of the run that has seen nothing yet."""
    return GateEngine(facts_of(run), preset, run.config.get("halt_on", ()), run.rollback_on)


def warm_engine(session: Session, run_id: int) -> GateEngine:
    """The engine for a new attempt, having seen what the run's lineage stored before it.

    Rules that people chose since the run was last judged are taken up as they are under way.

    Raises:
        NotFound: the run or the preset it is judged by does not exist.
    """
    run = get_run(session, run_id)
    chosen = load_preset(session, preset_of(session, run))
    before = _judged_by(session, run) or chosen
    engine = engine_of(run, before)
    engine.gates = watch(session, run, run.step)
    engine.warm_up(points_of(rule_series(session, run_id, before), before.watched))
    if before.label != chosen.label:
        take_up(session, run_id, engine, chosen)
    return engine


def _judged_by(session: Session, run: Run) -> RulePreset | None:
    """The rules that gave the run's verdict, while they can be built."""
    try:
        return load_preset(session, run.judged_by) if run.judged_by else None
    except NotFound:  # a built-in preset of an older Pitwall
        return None


def take_up(
    session: Session,
    run_id: int,
    engine: GateEngine,
    preset: RulePreset,
    before: dict[str, str] | None = None,
) -> None:
    """Let an engine that has observed everything the run stored judge by `preset` from now on."""
    series = rule_series(session, run_id, preset)
    engine.adopt(preset, points_of(series, preset.watched), before)


def preset_of(session: Session, run: Run) -> str:
    """What the run is judged by: what people chose last, else what its configuration names."""
    return chosen_preset(session, run.id) or str(run.config.get("rules", DEFAULT_PRESET))


def chosen_preset(session: Session, run_id: int) -> str | None:
    """What people chose last in place of what its configuration names."""
    chosen = select(RuleChoice.preset).where(RuleChoice.run_id == run_id)
    return session.scalar(chosen.order_by(RuleChoice.id.desc()).limit(1))


def verdict_document(
    session: Session, run_id: int, preset: str | None = None, at: int | None = None
) -> dict[str, Any]:
    """What `pitwall verdict` prints: the verdict at step `at` or at the end, its history, rules and gates.

    Raises:
        NotFound: the run or the preset does not exist.
    """
    run = get_run(session, run_id)
    rules = load_preset(session, preset or preset_of(session, run))
    series = rule_series(session, run_id, rules)
    judge = judge_series(series, facts_of(run), rules, at)
    step = judge.step if at is None else min(at, judge.step)
    return {
        "run": {"id": run.id, "name": run.name},
        **document(judge, step),
        "gates": [
            passage.document() for passage in _passages(session, run, judge, series, step, preset)
        ],
    }


def _passages(
    session: Session,
    run: Run,
    judge: Judge,
    series: Mapping[str, Columns],
    step: int,
    preset: str | None,
) -> list[Passage]:
    """How a run that reached `step` passes its own gates, or those of a preset asked for by name."""
    gates, against, _ = gates_of(session, run)
    if preset is not None:
        gates = judge.preset.gates
    metrics = frozenset[str]().union(*(gate.metrics for gate in gates))
    other = other_series(session, against, metrics)
    seen = {**(other_series(session, run.id, metrics - set(series)) or {}), **series}
    reference = judge.returns.reference
    return [
        gate.judge(Standing(gate.at, seen, judge.facts, reference, other), step) for gate in gates
    ]


def backtest(session: Session, run_ids: Sequence[int], preset: str) -> dict[str, Any]:
    """Where each rule would have fired on each run, and how many steps a halt there would have saved.

    Raises:
        NotFound: a run or the preset does not exist.
    """
    rules = load_preset(session, preset)
    return {"preset": preset, "runs": [backtest_run(session, run_id, rules) for run_id in run_ids]}


def backtest_run(session: Session, run_id: int, rules: RulePreset) -> dict[str, Any]:
    """Where each rule of a preset would have fired on a run.

    Raises:
        NotFound: there is no such run.
    """
    run = get_run(session, run_id)
    judge = judge_series(rule_series(session, run_id, rules), facts_of(run), rules)
    no_go = next((turn.step for turn in judge.history if turn.verdict == "no-go"), None)
    return {
        "run": {"id": run.id, "name": run.name},
        "verdict": judge.verdict.value,
        "last_step": judge.step,
        "no_go_from": no_go,
        "steps_saved": None if no_go is None else judge.step - no_go,
        "rules": {
            result.name: {
                "warning": result.first_warning,
                "critical": result.first_critical,
                "can_fire": result.can_fire,
                "title": result.title,
                "reason": result.reason,
                "steps_saved": (
                    None if result.first_critical is None else judge.step - result.first_critical
                ),
            }
            for result in judge.results()
        },
    }
