"""The gates of each preset: the founding plan's absolute numbers, and relative ones that hold for any reward."""

from backend.rules.gate import (
    RETURN,
    Check,
    Gate,
    Mean,
    Outcome,
    q_drift,
    q_over_return,
    q_spread_change,
    q_variance_against_other,
    return_against_other,
    return_gain,
    return_over_reference,
    success_percent,
    td_over_spread,
)

INFINITY = float("inf")

FOUNDING = (
    Gate(
        10_000,
        (
            Check(
                "return gain over half way, %",
                return_gain,
                10,
                otherwise=Outcome.EXTEND,
                stops=(-10, INFINITY),
            ),
            Check("return", Mean(RETURN), 50, stops=(50, INFINITY)),
            Check("change of the spread of Q, %", q_spread_change, high=0),
            Check("Q", Mean("learner/q1_mean"), high=200, stops=(-INFINITY, 200)),
            Check("TD error", Mean("learner/td_error_q1"), high=5, stops=(-INFINITY, 20)),
        ),
        extend_to=20_000,
    ),
    Gate(50_000, (Check("drift of Q, %", q_drift, -10, 10),)),
    Gate(
        100_000,
        (
            Check("return gain over half way, %", return_gain, stops=(-10, INFINITY)),
            Check("return against the other run, %", return_against_other, 10),
            Check("variance of Q against the other run, %", q_variance_against_other, high=-20),
        ),
    ),
    Gate(500_000, (Check("evaluated return", Mean("evaluation/return_mean")),)),
    Gate(
        1_000_000,
        (
            Check("return", Mean(RETURN), 500),
            Check("success, %", success_percent, 80),
            Check("Q", Mean("learner/q1_mean"), 50, 100),
            Check("TD error", Mean("learner/td_error_q1"), high=5),
            Check("critic loss", Mean("learner/critic_loss"), high=50),
        ),
    ),
)

SANE = (
    Check("Q over the discounted return", q_over_return, 0.5, 2),
    Check("TD error over the spread of the target", td_over_spread, high=1),
)


def _relative(at: int, above_reference: float, otherwise: Outcome) -> Gate:
    """Values in proportion, no loss since half way, and returns that leave the reference behind."""
    return Gate(
        at,
        (
            *SANE,
            Check("return gain over half way, %", return_gain, -10),
            Check(
                "return above the reference, sigma*",
                return_over_reference,
                above_reference,
                otherwise=otherwise,
            ),
        ),
        extend_to=2 * at,
    )


RELATIVE = (
    _relative(10_000, 0, Outcome.EXTEND),
    _relative(50_000, 1, Outcome.CONDITIONAL),
    _relative(100_000, 1, Outcome.HALT),
    _relative(500_000, 1, Outcome.HALT),
    Gate(
        1_000_000,
        (*_relative(1_000_000, 1, Outcome.HALT).checks, Check("success, %", success_percent, 80)),
    ),
)
