"""Gates at steps: the founding plan's numbers and the relative ones."""

import math

import numpy as np
import pytest

from backend.metrics.columns import Columns, by_metric
from backend.rules.gate import Check, Gate, Mean, Outcome, Standing, q_over_return
from backend.rules.gates import FOUNDING, RELATIVE
from backend.rules.returns import Reference
from tests.rules.scripted import FACTS, Script

SHORT = FACTS.__class__(1_000, 10_000, gamma=0.99)


def run_of(
    early: float, late: float, q: float = 100.0, td: float = 1.0, spread: float = 5.0
) -> dict[str, Columns]:
    """Ten thousand steps: returns `early` up to half way, `late` after; Q wobbles less in the end."""
    script = Script().episodes([early] * 50, length=100).episodes([late] * 50, length=100)
    for step in range(1_100, 10_001, 100):
        wobble = 4.0 if step <= 5_000 else 2.0
        script.log(
            step,
            {
                "learner/q1_mean": q + wobble * (-1) ** (step // 100),
                "learner/td_error_q1": td,
                "learner/target_q_std": spread,
            },
        )
    return by_metric(sorted(script.points, key=lambda point: point[1]))


def outcome(gate: Gate, series: dict[str, Columns], reference: Reference | None = None) -> Outcome:
    return gate.judge(Standing(gate.at, series, SHORT, reference), 10_000).outcome


@pytest.mark.parametrize(
    ("early", "late", "q", "td", "expected"),
    [
        (100.0, 120.0, 100.0, 1.0, Outcome.PASS),
        (100.0, 105.0, 100.0, 1.0, Outcome.EXTEND),
        (100.0, 80.0, 100.0, 1.0, Outcome.HALT),
        (20.0, 40.0, 100.0, 1.0, Outcome.HALT),
        (100.0, 120.0, 250.0, 1.0, Outcome.HALT),
        (100.0, 120.0, 100.0, 6.0, Outcome.CONDITIONAL),
        (100.0, 120.0, 100.0, 21.0, Outcome.HALT),
    ],
)
def test_the_founding_gate_at_10k(
    early: float, late: float, q: float, td: float, expected: Outcome
) -> None:
    assert outcome(FOUNDING[0], run_of(early, late, q, td)) is expected


def test_a_gate_not_reached_is_pending() -> None:
    passage = FOUNDING[0].judge(Standing(10_000, {}, SHORT), 9_999)
    assert passage.outcome is Outcome.PENDING
    assert passage.document()["checks"] == []


def test_a_measure_without_data_leaves_the_decision_to_a_person() -> None:
    passage = FOUNDING[2].judge(Standing(100_000, run_of(1, 1), SHORT), 100_000)
    assert passage.outcome is Outcome.CONDITIONAL
    assert all("no data" in finding.reason for finding in passage.findings)


def test_another_run_is_compared_at_the_same_step() -> None:
    ours, theirs = run_of(100, 120), run_of(100, 100)
    standing = Standing(10_000, ours, SHORT, other=theirs)
    found = FOUNDING[2].judge(standing, 100_000).findings
    assert [finding.value for finding in found] == [pytest.approx(20), pytest.approx(20), 0]


def test_q_is_measured_against_the_discounted_return_of_recorded_episodes() -> None:
    """Reward 1 at each of 50 decisions: the mean discounted return over states, summed by hand."""
    script = Script().episodes([50.0] * 40, length=50)
    script.log(2_000, {"learner/q1_mean": 1.0})
    by_hand = np.mean([sum(0.99**k for k in range(50 - state)) for state in range(50)])
    found = q_over_return(Standing(2_000, by_metric(script.points), SHORT))
    assert found == pytest.approx(1 / by_hand)


def test_a_learnt_q_in_proportion_to_its_returns_passes_where_absolute_limits_halt() -> None:
    returns, q = 600.0 * 100, 600.0 * 100 / 100 * 36.8
    series = run_of(50_000.0, returns, q=q)
    reference = Reference(1_000.0, 100.0, 10, "random policy")
    assert outcome(FOUNDING[0], series, reference) is Outcome.HALT
    assert outcome(RELATIVE[0], series, reference) is Outcome.PASS


def test_a_q_far_from_its_returns_is_a_condition() -> None:
    reference = Reference(50.0, 10.0, 10, "exploration")
    assert outcome(RELATIVE[0], run_of(100, 120, q=1e4), reference) is Outcome.CONDITIONAL


def test_returns_that_never_left_the_reference_extend_at_10k() -> None:
    series = run_of(100, 100, q=36.8)
    reference = Reference(200.0, 10.0, 10, "exploration")
    passage = RELATIVE[0].judge(Standing(10_000, series, SHORT, reference), 10_000)
    assert passage.outcome is Outcome.EXTEND
    assert passage.document()["extend_to"] == 20_000


def test_the_worst_check_decides() -> None:
    gate = Gate(
        100,
        (
            Check("fine", Mean("a"), low=0),
            Check("bad", Mean("a"), low=5, stops=(3, math.inf)),
        ),
    )
    series = {"a": Columns.of([100], [0], [0.0], [2.0])}
    assert gate.judge(Standing(100, series, SHORT), 100).outcome is Outcome.HALT
