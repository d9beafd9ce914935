"""The engine in the worker: what it asks of the trainer, and how it goes on after a resume."""

import time
from dataclasses import replace

import pytest

from backend.gates.engine import GateEngine
from backend.rules.presets import PRESETS
from backend.rules.rule import RuleAction, RuleState
from backend.runs.parsing import parse_config
from tests.rules.scripted import FACTS, Script, explored, healthy_samples

DROP = explored().episodes([20.0] * 40)


def test_a_critical_rule_asks_for_a_checkpoint_once() -> None:
    engine = GateEngine(FACTS)
    engine.observe(DROP.points)
    judgement = engine.evaluate(3_100)
    assert [(r.action, r.rule) for r in judgement.requests] == [
        (RuleAction.CHECKPOINT, "transition")
    ]
    assert engine.evaluate(3_200).requests == ()


def test_a_critical_rule_in_halt_on_asks_for_a_halt() -> None:
    engine = GateEngine(FACTS, halt_on=["transition"])
    engine.observe(DROP.points)
    assert engine.evaluate(3_100).actions == {RuleAction.HALT}


def test_the_third_critical_alert_asks_for_a_halt_whichever_rules_raised_them() -> None:
    engine = GateEngine(FACTS)
    leak = {"gradients__actor_head_norm_before_clip": 0.0, "learner__actor_q_mean": 99.0}
    dying = explored().episodes([20.0] * 10).samples(healthy_samples(5, **leak))
    engine.observe(dying.points)
    assert [(request.rule, request.action) for request in engine.evaluate(1_501).requests] == [
        ("policy_head_share", RuleAction.CHECKPOINT),
        ("over_estimation", RuleAction.CHECKPOINT),
        ("corroborated", RuleAction.CHECKPOINT),
        ("repeated_alerts", RuleAction.HALT),
    ]


def test_a_non_finite_loss_goes_back_or_halts_by_itself() -> None:
    for overrides, action in (
        ({}, RuleAction.ROLLBACK),
        ({"rollback_on": []}, RuleAction.HALT),
        ({"halt_on": ["non_finite"]}, RuleAction.HALT),
    ):
        engine = GateEngine.for_config(parse_config("quickstart", overrides))
        broken = healthy_samples(1, learner__critic_loss=float("nan"))
        engine.observe(Script().samples(broken).points)
        assert engine.evaluate(1_101).actions == {action}


def test_a_warning_alone_asks_for_nothing() -> None:
    engine = GateEngine(FACTS)
    engine.observe(explored().episodes([20.0] * 10).points)
    judgement = engine.evaluate(1_501)
    assert judgement.verdict == "conditional-go"
    assert judgement.requests == ()


def test_a_low_disk_asks_for_a_halt_at_warning() -> None:
    engine = GateEngine(FACTS)
    engine.observe(Script().samples(healthy_samples(3, system__disk_free_bytes=1e9)).points)
    assert engine.evaluate(1_400).actions == {RuleAction.HALT}


@pytest.mark.parametrize("asked", ["halt_on", "actions", "founding"])
def test_a_rule_that_knows_no_worse_than_a_warning_halts_at_it(asked: str) -> None:
    """Early stopping: by the preset, by an action of one's own, or by the run's `halt_on`."""
    preset = PRESETS["founding"]
    if asked != "founding":
        own = RuleAction.HALT if asked == "actions" else RuleAction.NOTE
        preset = replace(preset, actions={"stagnation": own})
    chosen = ["stagnation"] if asked == "halt_on" else []
    engine = GateEngine(replace(FACTS, total_steps=1_000_000), preset, halt_on=chosen)
    falling = Script().episodes([500.0] * 100, length=1_000).episodes([480.0] * 100, length=1_000)
    engine.observe(falling.points)
    judgement = engine.evaluate(200_001)
    assert judgement.verdict == "conditional-go"
    assert [(r.rule, r.action) for r in judgement.requests] == [("stagnation", RuleAction.HALT)]


def test_a_third_critical_alert_within_50k_steps_asks_for_a_halt() -> None:
    bad, good = healthy_samples(1, learner__td_error_q1=60.0), healthy_samples(3)
    good = [{**sample, "learner/td_error_q1": 1.0} for sample in good]
    engine = GateEngine(FACTS, PRESETS["founding"])
    engine.observe(Script().samples((bad + good) * 2).points)
    assert RuleAction.HALT not in engine.evaluate(1_900).actions
    engine = GateEngine(FACTS, PRESETS["founding"])
    engine.observe(Script().samples((bad + good) * 3).points)
    assert RuleAction.HALT in engine.evaluate(1_901).actions


def test_points_of_the_loops_present_step_wait_for_the_next_flush() -> None:
    engine = GateEngine(FACTS)
    engine.observe(explored().episodes([20.0] * 10).points)
    assert engine.evaluate(1_500).verdict == "too-early"
    assert engine.evaluate(1_501).verdict == "conditional-go"


def test_a_warm_start_goes_on_with_the_verdict_and_repeats_nothing() -> None:
    points = DROP.points
    engine = GateEngine(FACTS)
    engine.warm_up([point for point in points if point[1] <= 2_000])
    first = engine.evaluate(2_000)
    assert first.verdict == "conditional-go"
    assert first.since_step == 1_500
    assert first.flips == ()
    engine.observe([point for point in points if point[1] > 2_000])
    assert [(f.rule, f.step) for f in engine.evaluate(3_001).flips] == [
        ("transition", 2_500),
        ("verdict", 2_500),
    ]


def test_a_clock_without_steps_is_a_stall_and_a_step_ends_it() -> None:
    engine = GateEngine(FACTS)
    assert engine.evaluate(10, now=0.0).requests == ()
    assert engine.evaluate(10, now=60.0).requests == ()
    stalled = engine.evaluate(10, now=61.0)
    assert stalled.actions == {RuleAction.RESTART}
    assert stalled.verdict == "no-go"
    moving = engine.evaluate(11, now=62.0)
    stall = next(rule for rule in moving.rules if rule.name == "stall")
    assert stall.state is RuleState.OK


def test_a_reset_or_an_evaluation_is_no_stall() -> None:
    engine = GateEngine(FACTS)
    for second in range(0, 300, 50):
        judgement = engine.evaluate(10, now=float(second), busy=True)
    assert judgement.requests == ()
    assert engine.evaluate(10, now=280.0).requests == ()


def quickest_flush(engine: GateEngine, script: Script) -> float:
    """Processor seconds of the least disturbed of a hundred flushes."""
    sample = healthy_samples(1)[0]
    taken = []
    for _ in range(100):
        script.points.clear()
        script.episodes([120.0]).log(script.step, sample)
        started = time.process_time()
        engine.observe(script.points)
        engine.evaluate(script.step + 1)
        taken.append(time.process_time() - started)
    return min(taken)


def test_the_cost_of_a_flush_does_not_grow_with_the_run() -> None:
    engine = GateEngine(FACTS)
    script = explored().episodes([120.0] * 4_000)
    engine.warm_up(script.samples(healthy_samples(2_000)).points)
    late = Script(step=script.step, episode=script.episode)
    per_flush = quickest_flush(engine, late)
    fresh = GateEngine(FACTS)
    early = explored()
    fresh.warm_up(early.points)
    assert per_flush < 5 * quickest_flush(fresh, early)
