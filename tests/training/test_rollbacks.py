"""Going back to a checkpoint, asked by a person or by a rule."""

import time

import numpy as np
import pytest
from sqlalchemy import select

from backend.checkpoints.service import list_checkpoints
from backend.gates.engine import Request as Demand
from backend.rules.rule import RuleAction
from backend.runs.events import list_events
from backend.runs.models import Segment
from backend.runs.service import get_run, request_rollback
from backend.runs.states import RunState
from tests.training.conftest import Lab, MakeLab
from worker.train import settle
from worker.training import End, Outcome, Training


def test_a_rollback_repeats_what_followed_the_checkpoint_and_keeps_the_branch(
    make_lab: MakeLab,
) -> None:
    lab = make_lab()
    lab.run()
    before = lab.values("progress/reward")
    with lab.database.write() as session:
        first = list_checkpoints(session, lab.run_id)[-1]
        request_rollback(session, lab.run_id, first.id, time.time())
    assert lab.run().outcome is Outcome.FINISHED
    assert lab.values("progress/reward") == before
    with lab.database.read() as session:
        segments = session.scalars(select(Segment).where(Segment.run_id == lab.run_id)).all()
    assert [(s.number, s.start_step, s.reason) for s in segments] == [
        (1, 0, "start"),
        (2, 250, "rollback"),
    ]


def diverged(lab: Lab) -> str:
    """An attempt that a rule wants rolled back; the state it leaves the run in."""
    with lab.attempt() as training:
        training.run()
        token = training.journal._claim.token
    settle(lab.database, lab.run_id, token, End(Outcome.ROLLED_BACK, "rule collapse: lost"))
    return lab.state


def test_a_rule_rolls_back_to_the_newest_checkpoint_that_was_not_no_go(make_lab: MakeLab) -> None:
    lab = make_lab()
    with lab.attempt() as training:
        training.run()
        token = training.journal._claim.token
    with lab.database.write() as session:
        last, good, *_ = list_checkpoints(session, lab.run_id)
        last.verdict = "no-go"
    settle(lab.database, lab.run_id, token, End(Outcome.ROLLED_BACK, "rule collapse: lost"))
    with lab.attempt() as training:
        assert training.progress.step == good.step
    assert good.step < last.step


def test_a_rollback_on_a_warning_leaves_no_checkpoint_of_the_trouble_to_go_back_to(
    make_lab: MakeLab,
) -> None:
    lab = make_lab()
    with lab.attempt() as training:
        end = training._heed([Demand(RuleAction.ROLLBACK, "mine", "lost")])
    assert end == End(Outcome.ROLLED_BACK, "rule mine: lost")
    assert lab.checkpoint_kinds() == []


def spoiled(training: Training) -> End:
    """Learning from rewards that are no numbers."""
    while training.progress.step < 100:
        if training.progress.episode is None:
            training._between_episodes()
        training._act()
        training._report()
    training.replay._arrays["reward"][:] = np.nan
    return training.run()


def test_a_divergence_goes_back_to_before_the_first_update_and_learns_more_slowly(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(rollback_on=["non_finite"], rollback_limit=1, rollback_learning_rate_factor=0.5)
    with lab.attempt() as training:
        end = spoiled(training)
        token = training.journal._claim.token
    assert (end.outcome, end.request) == (Outcome.ROLLED_BACK, None)
    assert "non_finite" in end.reason
    settle(lab.database, lab.run_id, token, end)
    with lab.attempt() as training:
        assert training.progress.step == 99
        assert training.agent.updates == 0
        assert training.agent.actor_optimiser.learning_rate == pytest.approx(1.5e-4)
        assert np.isfinite(training.replay._arrays["reward"]).all()
        end = spoiled(training)
        token = training.journal._claim.token
    settle(lab.database, lab.run_id, token, end)
    with lab.database.read() as session:
        run = get_run(session, lab.run_id)
        assert (run.state, run.verdict) == (RunState.HALTED, "no-go")
        assert "rolled back 1 times already: a person has to look" in run.state_reason
        told = [e.message for e in list_events(session, lab.run_id) if e.kind == "rollback"]
        assert told[0].endswith("Learning rates are 0.5 of the configured ones now.")
        verdicts = {c.step: c.verdict for c in list_checkpoints(session, lab.run_id)}
    assert verdicts[99] == "too-early"
    assert verdicts[max(verdicts)] == "no-go"


def test_a_rule_rolls_back_three_times_and_then_waits_for_a_person(make_lab: MakeLab) -> None:
    lab = make_lab()
    assert [diverged(lab) for _ in range(4)] == ["queued", "queued", "queued", "halted"]
    with lab.database.read() as session:
        assert "a person has to look" in get_run(session, lab.run_id).state_reason
