"""The reference verdicts: three real logs whose first step per rule is known to the step."""

import os
from pathlib import Path

import pytest

from backend.gates.replay import judge_series
from backend.rules.presets import PRESETS
from backend.rules.rule import RunFacts
from backend.rules.verdict import Judge
from backend.tensorboard.importer import read_log
from tests.rules.scripted import result

LOGS = os.environ.get("PITWALL_REFERENCE_LOGS", "")
pytestmark = pytest.mark.skipif(not LOGS, reason="PITWALL_REFERENCE_LOGS names no folder")

REFERENCE = {
    "5k-run": (1_000, 1_187, 1_300, 1_400, 1_500, 1_300),
    "13nov-5k": (2_500, 2_712, 2_800, 3_000, 3_100, 2_800),
    "20nov-r3": (1_000, 1_187, 1_300, 1_200, 1_300, 1_200),
}


def judge_log(name: str, preset: str, until: int | None = None) -> Judge:
    log = read_log(Path(LOGS) / name)
    facts = RunFacts(log.learning_starts, 5_000, native=False)
    return judge_series(log.series, facts, PRESETS[preset], until)


@pytest.mark.parametrize("name", REFERENCE)
def test_the_behavioural_preset_finds_each_dead_run_at_its_known_step(name: str) -> None:
    starts, transition, share, corroborated, over, no_go = REFERENCE[name]
    judge = judge_log(name, "behavioural")
    assert judge.facts.learning_starts == starts
    assert result(judge, "transition").first_warning == transition
    assert result(judge, "policy_head_share").first_critical == share
    assert result(judge, "corroborated").first_critical == corroborated
    assert result(judge, "over_estimation").first_critical == over
    assert (judge.verdict, judge.since_step) == ("no-go", no_go)
    assert [turn.verdict for turn in judge.history][:3] == ["too-early", "conditional-go", "no-go"]


@pytest.mark.parametrize("name", ["5k-run", "13nov-5k"])
def test_the_founding_preset_never_leaves_go_on_two_dead_runs(name: str) -> None:
    judge = judge_log(name, "founding")
    assert {turn.verdict for turn in judge.history} == {"go"}
    for rule in judge.results():
        assert "never near" in rule.reason or not rule.can_fire, rule


def test_the_founding_preset_fires_on_td_error_in_the_third() -> None:
    judge = judge_log("20nov-r3", "founding")
    assert result(judge, "td_error").first_critical == 2_900
    assert ("no-go", 2_900) in [(turn.verdict, turn.step) for turn in judge.history]


def test_what_a_log_does_not_tell_is_no_data_with_the_reason() -> None:
    judge = judge_log("5k-run", "behavioural")
    for rule in ("zero_speed", "component_checksum", "one_termination", "configured_observed"):
        assert result(judge, rule).state == "no-data"
        assert result(judge, rule).reason
    assert "discount" in result(judge, "impossible_q").reason


def test_a_verdict_of_the_past_is_that_of_then() -> None:
    judge = judge_log("5k-run", "behavioural", until=1_250)
    assert (judge.verdict, judge.since_step) == ("conditional-go", 1_187)
