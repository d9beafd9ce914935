"""Requests that come while something is driven between episodes, or before the first."""

import time
from pathlib import Path
from typing import Any

import pytest

from backend.checkpoints.kinds import CheckpointKind
from backend.runs.service import request_resume
from backend.runs.states import RunState
from tests.training.conftest import EVALUATED, HALT, SAVE, MakeLab
from worker.commands import Request, StopRequested
from worker.train import settle
from worker.training import Outcome, Training


def ask_between_episodes(training: Training, at: int, request: Request) -> list[int]:
    """Asks in the third decision that is driven between episodes from step `at` on; counts them."""
    attend, decisions = training.assessment._attend, [0]

    def counted() -> None:
        decisions[0] += training.progress.step >= at
        if decisions[0] == 3:
            training.commands.requests[training.progress.step] = request
        attend()

    training.assessment._attend = counted
    return decisions


@pytest.mark.parametrize("at", [0, 200, 600])
def test_a_halt_breaks_off_what_is_driven_between_episodes_and_changes_nothing(
    make_lab: MakeLab, at: int
) -> None:
    whole, parts = make_lab(**EVALUATED), make_lab(**EVALUATED)
    whole.run()
    with parts.attempt() as training:
        decisions = ask_between_episodes(training, at, HALT)
        end = training.run()
        token = training.journal._claim.token
    settle(parts.database, parts.run_id, token, end)
    assert (end.outcome, decisions, parts.state) == (Outcome.HALTED, [3], RunState.HALTED)
    with parts.database.write() as session:
        request_resume(session, parts.run_id, time.time())
    assert parts.run().outcome is Outcome.FINISHED
    for metric in ("progress/reward", "evaluation/return_mean", "evaluation/random_return"):
        assert parts.values(metric) == whole.values(metric)


def test_a_stop_in_the_pre_flight_ends_it_and_leaves_nothing(
    make_lab: MakeLab, tmp_path: Path
) -> None:
    lab = make_lab()
    with pytest.raises(StopRequested), lab.attempt(stop=HALT):
        pytest.fail("it went on to train")
    left = [path for path in tmp_path.rglob("*") if path.is_file() and ".db" not in path.name]
    assert left == []


def test_a_checkpoint_asked_for_in_an_evaluation_is_begun_at_that_decision(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(**EVALUATED)
    begun: list[tuple[str, int]] = []
    with lab.attempt() as training:
        decisions = ask_between_episodes(training, 200, SAVE)
        begin = training.saver.begin

        def noted(kind: CheckpointKind, *rest: Any) -> None:
            begun.append((kind, decisions[0]))
            begin(kind, *rest)

        training.saver.begin = noted
        training.run()
    assert ("manual", 3) in begun
    assert "manual" in lab.checkpoint_kinds()
