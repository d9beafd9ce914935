"""Gates at steps in the real loop: a halt is obeyed, with nothing but the trainer running."""

import time

from backend.checkpoints.service import list_checkpoints
from backend.database import Database
from backend.gates.passages import edit_gates, passages
from backend.runs.service import get_run, request_resume
from tests.training.conftest import MakeLab
from worker.training import Outcome

GATES = [{"at": 200, "checks": [{"measure": "mean progress/reward", "low": 1, "halt_below": 0}]}]


def test_a_gate_that_says_halt_halts_after_a_checkpoint_and_a_resume_overrides_it(
    make_lab: MakeLab, database: Database
) -> None:
    """Pendulum's rewards are never above 0; the run is long enough for a flush to come in time."""
    lab = make_lab(total_steps=20_000, learning_starts=19_000)
    with database.write() as session:
        edit_gates(session, lab.run_id, GATES, "Ada", time.time())
    end = lab.run()
    assert end.outcome is Outcome.HALTED
    assert end.reason.startswith("gate at 200: mean progress/reward: -")
    with database.read() as session:
        run = get_run(session, lab.run_id)
        (row,) = passages(session, lab.run_id)
        newest = list_checkpoints(session, lab.run_id)[0]
    assert (run.state, row.outcome, newest.kind) == ("halted", "halt", "alert")
    assert 200 < row.step <= run.step == newest.step

    with database.write() as session:
        edit_gates(session, lab.run_id, GATES, "Ada", time.time())  # the same: it has answered
        request_resume(session, lab.run_id, time.time())
    with lab.attempt() as training:
        training.config = training.config.model_copy(update={"total_steps": run.step + 500})
        assert training.run().outcome is Outcome.FINISHED
    with database.read() as session:
        assert len(passages(session, lab.run_id)) == 1


def test_gates_that_only_take_note_let_the_run_go_on(make_lab: MakeLab, database: Database) -> None:
    lab = make_lab(gates="note")
    with database.write() as session:
        edit_gates(session, lab.run_id, GATES, "Ada", time.time())
    assert lab.run().outcome is Outcome.FINISHED
    with database.read() as session:
        assert [row.outcome for row in passages(session, lab.run_id)] == ["halt"]


def test_the_gate_at_the_last_step_answers_before_the_run_is_finished(
    make_lab: MakeLab, database: Database
) -> None:
    lab = make_lab()
    last = [{"at": 600, "checks": [{"measure": "mean progress/reward"}]}]
    with database.write() as session:
        edit_gates(session, lab.run_id, last, "Ada", time.time())
    assert lab.run().outcome is Outcome.FINISHED
    with database.read() as session:
        assert [row.outcome for row in passages(session, lab.run_id)] == ["pass"]
