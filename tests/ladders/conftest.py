"""Ladders whose runs are moved on by hand, through the services a trainer uses."""

import time
from typing import Any

import pytest
from sqlalchemy.orm import Session

from backend.database import Database
from backend.gates import passages
from backend.gates.steps import StepPassage
from backend.ladders.climbing import advance_ladders, list_stages
from backend.ladders.models import Ladder, LadderStage
from backend.ladders.parse import parse_plan
from backend.ladders.service import get_ladder, start_ladder
from backend.rules.gate import Finding, Outcome
from backend.runs import attempts
from backend.runs.models import Run
from backend.runs.service import get_run
from tests.runs.conftest import claimed, saved

PENDULUM = {"environment": "gymnasium:Pendulum-v1"}
RETURN = {"measure": "mean episode/return", "low": 0}


def two_stages(**second: Any) -> dict[str, Any]:
    """A first stage of 4,000 steps with a gate at its end, and one that goes on to 8,000."""
    return {
        "name": "Two",
        "stages": [
            {
                "name": "first",
                "preset": "quickstart",
                "config": {**PENDULUM, "total_steps": 4000},
                "gates": [{"at": 4000, "extend_to": 6000, "checks": [RETURN]}],
            },
            {
                "name": "second",
                "start": "continue",
                "config": {"total_steps": 8000},
                "gates": "none",
                **second,
            },
        ],
    }


class Climb:
    """A ladder under way; `finish` trains its present stage to the end, with the gates' answer."""

    def __init__(self, database: Database, plan: dict[str, Any]) -> None:
        self.database = database
        with database.write() as session:
            parsed = parse_plan(session, plan)
            self.id = start_ladder(session, parsed, "Ada", time.time()).id

    def ladder(self) -> Ladder:
        with self.database.read() as session:
            return get_ladder(session, self.id)

    def stages(self) -> list[LadderStage]:
        with self.database.read() as session:
            return list(list_stages(session, self.id))

    def run(self, position: int) -> Run:
        run_id = self.stages()[position].run_id
        assert run_id is not None
        with self.database.read() as session:
            return get_run(session, run_id)

    def finish(self, outcome: str = "pass", verdict: str = "go") -> None:
        """The present stage's run reaches its planned steps; every gate on its way says `outcome`."""
        position = self.ladder().position
        run = self.run(position)
        with self.database.write() as session:
            claim = claimed(session, run.id, time.time())
            attempts.mark_running(session, run.id, claim.token, time.time())
            steps = run.total_steps
            attempts.record_progress(
                session, run.id, claim.token, steps, 10, steps, 1.0, time.time()
            )
            self._answer(session, run.id, steps, Outcome(outcome))
            live = get_run(session, run.id)
            live.verdict, live.verdict_sentence = verdict, f"{verdict} it is."
            saved(session, claim, steps, "final")
            attempts.finish(session, run.id, claim.token, time.time())

    def _answer(self, session: Session, run_id: int, steps: int, outcome: Outcome) -> None:
        run = get_run(session, run_id)
        gates = passages.watch(session, run, steps)
        for gate, look in gates.pending:
            if look > steps:
                continue
            again = gate.extend_to if outcome is Outcome.EXTEND else None
            finding = Finding("return", 1.0, outcome, f"the return is {outcome}")
            passed = StepPassage(gate, look, steps, outcome, again, (finding,))
            passages.save_passages(session, run_id, None, [passed], 1, True, time.time())

    def advance(self) -> bool:
        return self.id in advance_ladders(self.database, time.time())


@pytest.fixture
def climb(database: Database) -> Climb:
    return Climb(database, two_stages())
