"""What pages and the API say about a ladder, worked out once from its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from backend.gates.passages import GateView
from backend.ladders import climbing
from backend.ladders.models import Ladder, LadderStage
from backend.ladders.plan import LadderState, Move, Stage, StageState
from backend.ladders.service import get_ladder, list_ladders
from backend.rules.gate import Check
from backend.runs.models import Run
from backend.runs.service import get_run
from backend.web import words
from backend.web.views import RunView


@dataclass(frozen=True)
class CheckView:
    """One check of a gate: its bounds in words, and what it found."""

    name: str
    wanted: str
    value: float | None
    outcome: str
    told: bool

    @property
    def word(self) -> words.Word:
        return words.GATES[self.outcome]


@dataclass(frozen=True)
class GateCard:
    """A gate as a page shows it."""

    at: int
    looks_at: int
    outcome: str
    checks: Sequence[CheckView]
    accepted_by: str = ""
    accepted_reason: str = ""

    @property
    def word(self) -> words.Word:
        return words.GATES[self.outcome]

    @property
    def waits(self) -> bool:
        """A person is to decide, and none has."""
        return self.outcome == "conditional" and not self.accepted_by


def gate_card(view: GateView) -> GateCard:
    """The gate as it stands; while it is pending, its checks without values."""
    findings = view.passage.findings if view.passage else []
    checks = [
        _check(check, findings[number] if number < len(findings) else None)
        for number, check in enumerate(view.gate.checks)
    ]
    accepted = view.acceptance
    return GateCard(
        at=view.gate.at,
        looks_at=view.looks_at,
        outcome=view.outcome,
        checks=checks,
        accepted_by=accepted.person if accepted else "",
        accepted_reason=accepted.reason if accepted else "",
    )


def _check(check: Check, found: dict[str, Any] | None) -> CheckView:
    if found is None:
        return CheckView(check.name, check.wanted, None, "pending", told=False)
    return CheckView(check.name, check.wanted, found["value"], found["outcome"], told=True)


@dataclass(frozen=True)
class StageView:
    """A stage as a page shows it: its run while that is its own, and the gates it stands before."""

    row: LadderStage
    plan: Stage
    run: Run | None
    gates: Sequence[GateCard]
    hint: str
    now: float

    @property
    def word(self) -> words.Word:
        return words.STAGES[self.row.state]

    @property
    def view(self) -> RunView | None:
        return RunView(self.run, self.now) if self.run else None

    @property
    def is_live(self) -> bool:
        return self.row.state == StageState.RUNNING

    @property
    def verdict(self) -> words.Word | None:
        """The run's verdict while it trains for this stage; afterwards, that of the stage's end."""
        said = self.run.verdict if self.run and self.is_live else self.row.verdict
        return words.VERDICTS[said] if said else None

    @property
    def step(self) -> int:
        return self.run.step if self.run and self.is_live else self.row.step

    @property
    def starts(self) -> str:
        """Where it begins, in words."""
        if self.plan.start == "continue":
            return (
                f"goes on from the last checkpoint of {self.plan.continues or 'the stage before'}"
            )
        return f"from scratch, preset {self.plan.preset}"


@dataclass(frozen=True)
class LadderView:
    """A ladder with its stages."""

    ladder: Ladder
    stages: Sequence[StageView]

    @property
    def word(self) -> words.Word:
        return words.LADDERS[self.ladder.state]

    @property
    def present(self) -> StageView:
        return self.stages[self.ladder.position]

    @property
    def is_over(self) -> bool:
        return LadderState(self.ladder.state).is_over

    @property
    def passed(self) -> int:
        return sum(stage.row.state == StageState.PASSED for stage in self.stages)

    @property
    def title(self) -> str:
        return f"{self.word.text} \N{MIDDLE DOT} {self.ladder.name}"


def ladder_view(session: Session, ladder: Ladder, now: float) -> LadderView:
    """Everything a ladder's page shows."""
    rows = climbing.list_stages(session, ladder.id)
    return LadderView(ladder, [_stage(session, ladder, row, now) for row in rows])


def _stage(session: Session, ladder: Ladder, row: LadderStage, now: float) -> StageView:
    run = get_run(session, row.run_id) if row.run_id else None
    hint = ""
    if row.state == StageState.RUNNING and ladder.position == row.position:
        decided = climbing.decision(session, ladder, now)
        hint = decided.reason if decided.move is Move.WAIT else row.reason
    return StageView(row, climbing.stage_of(row), run, _gates(session, row), hint, now)


def _gates(session: Session, row: LadderStage) -> list[GateCard]:
    """Live while the stage is; afterwards as they stood at its end, since its run may have gone on."""
    if row.run_id and row.state in (StageState.RUNNING, StageState.WAITING):
        return [gate_card(view) for view in climbing.gate_views(session, row)]
    return [
        GateCard(
            at=answer["at"],
            looks_at=answer["at"],
            outcome=answer["outcome"],
            checks=[
                CheckView(
                    found["check"],
                    found["reason"].rpartition(", ")[2],
                    found["value"],
                    found["outcome"],
                    told=True,
                )
                for found in answer["checks"]
            ],
            accepted_by=answer["accepted_by"],
        )
        for answer in row.answers
    ]


def read_ladders(session: Session, query: Mapping[str, str], now: float) -> dict[str, Any]:
    """What the page of all ladders shows: those that wait for a person first."""
    views = [ladder_view(session, ladder, now) for ladder in list_ladders(session, limit=100)]
    waiting = sum(view.ladder.state == LadderState.WAITING for view in views)
    views.sort(key=lambda view: view.ladder.state != LadderState.WAITING)
    return {"ladders": views, "waiting": waiting}


def read_ladder(session: Session, query: Mapping[str, str], now: float) -> dict[str, Any]:
    """What the page of one ladder shows."""
    ladder = get_ladder(session, int(query.get("ladder") or 0))
    return {"view": ladder_view(session, ladder, now)}
