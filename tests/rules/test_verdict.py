"""What the rules add up to, in a word and a sentence."""

from dataclasses import replace

import pytest

from backend.rules.presets import PRESETS, problems
from tests.rules.scripted import FACTS, Script, explored, healthy_samples, judged, result


def test_a_run_that_learns_is_go_with_its_evidence() -> None:
    script = explored().episodes([150.0] * 20).samples(healthy_samples(10))
    judge, _ = judged(script)
    assert judge.verdict == "go"
    assert judge.sentence(2_000) == (
        "GO since step 1,500, in learning: no rule fires; the last 10 learning episodes return 150 "
        "against exploration 100 ± 10. 1,000 learning steps, 2 % of 100K done."
    )


def test_go_says_so_when_no_evaluation_has_reached_the_goal_yet() -> None:
    script = explored().episodes([150.0] * 20).samples(healthy_samples(10))
    script.log(0, {"evaluation/success_rate": 0.0})
    for step in (1_600, 1_800):
        script.log(step, {"evaluation/success_rate": 0.0})
    judge, _ = judged(script)
    assert judge.verdict == "go"
    assert "But no evaluation has reached the goal yet (2 so far)." in judge.sentence(2_000)
    script.log(1_900, {"evaluation/success_rate": 0.1})
    judge, _ = judged(script)
    assert "reached the goal" not in judge.sentence(2_000)


def test_too_early_names_the_phase_what_is_missing_and_how_far_the_run_is() -> None:
    judge, _ = judged(Script().episodes([1.0] * 5))
    assert judge.sentence(250) == (
        "TOO EARLY, in exploration: waiting for 10 learning episodes (0 so far). "
        "0 learning steps, 0.25 % of 100K done."
    )


def test_of_a_log_whose_plan_is_not_known_it_says_where_it_ends() -> None:
    facts = replace(FACTS, native=False, planned=False, total_steps=2_000)
    judge, _ = judged(explored().episodes([150.0] * 20).samples(healthy_samples(10)), facts)
    assert judge.sentence(2_000).endswith("1,000 learning steps; the log ends at step 2,000.")
    assert judge.sentence(1_500).endswith("500 learning steps; the log goes on to step 2,000.")


def test_of_a_run_that_nobody_planned_it_says_no_share() -> None:
    facts = replace(FACTS, native=False, planned=False, total_steps=0)
    judge, _ = judged(explored().episodes([150.0] * 20).samples(healthy_samples(10)), facts)
    assert judge.sentence(2_000).endswith("1,000 learning steps so far.")


def test_an_evaluation_stands_in_while_learning_episodes_are_few() -> None:
    script = explored().episodes([90.0] * 3)
    script.log(1_150, {"evaluation/return_mean": 140.0})
    judge, _ = judged(script)
    assert judge.verdict == "too-early"
    assert "last evaluation returned 140 against exploration 100 ± 10" in judge.sentence(1_150)


def test_returns_alone_are_not_enough_for_go() -> None:
    judge, _ = judged(explored().episodes([150.0] * 20))
    assert judge.verdict == "too-early"
    assert "learner samples" in judge.sentence(2_000)


def test_the_history_names_the_rules_that_alerted() -> None:
    script = explored().episodes([20.0] * 10).episodes([150.0] * 20).samples(healthy_samples(30))
    judge, _ = judged(script)
    turns = [(turn.verdict.value, turn.rules) for turn in judge.history]
    assert turns == [
        ("too-early", ()),
        ("conditional-go", ("transition",)),
        ("go", ()),
    ]


def test_a_no_go_that_ended_stays_in_the_flips() -> None:
    leaking = healthy_samples(3, gradients__actor_head_norm_before_clip=0.0)
    script = explored().episodes([100.0] * 40).samples(leaking + healthy_samples(17))
    _, flips = judged(script)
    verdicts = [(flip.before, flip.after, flip.step) for flip in flips if flip.rule == "verdict"]
    assert verdicts == [("too-early", "no-go", 1_300), ("no-go", "go", 1_600)]


def test_parameters_are_edited_by_rule_and_name() -> None:
    script = explored().episodes([20.0] * 10).episodes([20.0] * 5)
    judge, _ = judged(script, parameters={"transition": {"steps": 100, "episodes": 2}})
    assert result(judge, "transition").first_critical == 1_600


@pytest.mark.parametrize(
    ("parameters", "field", "message"),
    [
        ({"transitoin": {}}, "transitoin", "is no rule of behavioural: choose from transition"),
        ({"transition": {"step": 1}}, "transition.step", "'step' is no parameter of transition"),
        ({"transition": {"steps": 1.5}}, "transition.steps", "1.5: give a whole number"),
        ({"over_estimation": {"warning": "x"}}, "over_estimation.warning", "'x': give a number"),
    ],
)
def test_a_parameter_nobody_can_read_is_refused(
    parameters: dict[str, dict[str, object]], field: str, message: str
) -> None:
    found = problems(replace(PRESETS["behavioural"], parameters=parameters))
    assert message in found[f"parameters.{field}"]


def test_every_rule_shows_its_parameters() -> None:
    known = PRESETS["behavioural"].defaults()
    assert known["over_estimation"] == {"warning": 1.5, "critical": 2.0, "samples": 3}
    assert len(known) == 20


def test_the_founding_preset_shows_the_documents_limits() -> None:
    known = PRESETS["founding"].defaults()
    assert known["td_error"] == {"threshold": 50.0}
    assert known["repeated_alerts"] == {"alerts": 3, "steps": 50_000}
