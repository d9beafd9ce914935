"""The gates of a run as people write them: checked at the edge, kept in versions, read back."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.errors import InvalidConfig
from backend.gates.models import GatePlan
from backend.refusals import in_words
from backend.rules.gate import MEASURES, Check, Gate, Mean, Outcome
from backend.rules.presets import PRESETS

MEAN = "mean "
MOST_GATES = 50
Step = Annotated[int, Field(ge=1, le=1_000_000_000)]
Bound = Annotated[float, Field(allow_inf_nan=False)]


class CheckIn(BaseModel):
    """One measure and the bounds it must keep; `halt_below` and `halt_above` halt the run beyond them."""

    model_config = ConfigDict(extra="forbid")

    measure: str = Field(max_length=220)
    name: str = Field("", max_length=120)
    low: Bound | None = None
    high: Bound | None = None
    otherwise: Literal["extend", "conditional", "halt"] = "conditional"
    halt_below: Bound | None = None
    halt_above: Bound | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        metric = self.measure.removeprefix(MEAN).strip()
        if self.measure not in MEASURES and not (self.measure.startswith(MEAN) and metric):
            choice = ", ".join(MEASURES)
            raise ValueError(
                f"'{self.measure}' is no measure: choose from {choice}, or write '{MEAN}METRIC'"
            )
        for low, high in ((self.low, self.high), (self.halt_below, self.halt_above)):
            if low is not None and high is not None and low > high:
                raise ValueError(f"{low:g} to {high:g} holds nothing: swap the bounds")
        return self

    def check(self) -> Check:
        is_mean = self.measure.startswith(MEAN)
        return Check(
            self.name or self.measure.replace("_", " "),
            Mean(self.measure.removeprefix(MEAN).strip()) if is_mean else MEASURES[self.measure],
            -math.inf if self.low is None else self.low,
            math.inf if self.high is None else self.high,
            Outcome(self.otherwise),
            (
                -math.inf if self.halt_below is None else self.halt_below,
                math.inf if self.halt_above is None else self.halt_above,
            ),
        )


class GateIn(BaseModel):
    """The checks at one step; `extend_to` is where a gate that says extend looks again."""

    model_config = ConfigDict(extra="forbid")

    at: Step
    extend_to: Step | None = None
    checks: list[CheckIn] = Field(min_length=1, max_length=50)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.extend_to is not None and self.extend_to <= self.at:
            raise ValueError(
                f"extend_to ({self.extend_to}) is not after at ({self.at}): the gate would never look again"
            )
        return self

    def gate(self) -> Gate:
        return Gate(self.at, tuple(check.check() for check in self.checks), self.extend_to)


class GatesIn(BaseModel):
    """All gates of a run."""

    model_config = ConfigDict(extra="forbid")

    gates: list[GateIn] = Field(max_length=MOST_GATES)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        steps = [gate.at for gate in self.gates]
        if twice := {step for step in steps if steps.count(step) > 1}:
            raise ValueError(f"two gates stand at step {min(twice)}: join their checks")
        return self


Choice = Literal["founding", "behavioural", "none"]


def parse_gates(values: Sequence[Any] | str) -> tuple[Gate, ...]:
    """Gates as a preset's name, or as a list of documents.

    Raises:
        InvalidConfig: with every wrong field, its value and a remedy.
    """
    if isinstance(values, str):
        if values != "none" and values not in PRESETS:
            known = ", ".join([*PRESETS, "none"])
            raise InvalidConfig({"gates": f"'{values}' is no set of gates: choose from {known}"})
        return () if values == "none" else PRESETS[values].gates
    try:
        return tuple(gate.gate() for gate in GatesIn.model_validate({"gates": values}).gates)
    except ValidationError as error:
        raise InvalidConfig(problems(error)) from None


def problems(error: ValidationError) -> dict[str, str]:
    """Every problem by its field, with the value and what to do."""
    return {
        ".".join(str(part) for part in detail["loc"]) or "gates": in_words(detail)
        for detail in error.errors()
    }


def documents(gates: Sequence[Gate]) -> list[dict[str, Any]]:
    """Gates as `parse_gates` reads them; what is at its default is left out."""
    return [
        {
            "at": gate.at,
            **({"extend_to": gate.extend_to} if gate.extend_to else {}),
            "checks": [_document(check) for check in gate.checks],
        }
        for gate in gates
    ]


def _document(check: Check) -> dict[str, Any]:
    measure = (
        f"{MEAN}{check.measure.metric}"
        if isinstance(check.measure, Mean)
        else next(name for name, measure in MEASURES.items() if measure is check.measure)
    )
    bounds = {
        "low": check.low,
        "high": check.high,
        "halt_below": check.stops[0],
        "halt_above": check.stops[1],
    }
    found: dict[str, Any] = {"measure": measure, "name": check.name}
    found |= {name: bound for name, bound in bounds.items() if math.isfinite(bound)}
    if check.otherwise is not Outcome.CONDITIONAL:
        found["otherwise"] = check.otherwise.value
    return found


def save_plan(
    session: Session,
    run_id: int,
    gates: Sequence[Gate],
    person: str,
    now: float,
    against_run_id: int | None = None,
) -> GatePlan:
    """The run's gates from now on; earlier versions stay, because passages name them."""
    plan = GatePlan(
        run_id=run_id,
        gates=documents(gates),
        against_run_id=against_run_id,
        person=person,
        created_at=now,
    )
    session.add(plan)
    session.flush()
    return plan


def newest_plan(session: Session, run_id: int) -> GatePlan | None:
    """The gates people gave the run last; None while it has its preset's."""
    query = select(GatePlan).where(GatePlan.run_id == run_id).order_by(GatePlan.id.desc())
    return session.scalars(query.limit(1)).first()
