"""Plans as people write them, in YAML or JSON: checked whole before anything starts."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.orm import Session

from backend.errors import InvalidConfig, shown
from backend.gates.admission import check_rules
from backend.gates.plan import GatesIn, parse_gates, problems
from backend.ladders.plan import CONTINUE, Plan, Stage
from backend.runs.config import RunConfig
from backend.runs.parsing import parse_config

MOST_STAGES = 20
NAME = r"^\S(.{0,78}\S)?$"


class StageIn(BaseModel):
    """A stage; `backend.ladders.plan.Stage` says what each field means."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=NAME)
    preset: str = Field("", max_length=64)
    config: dict[str, Any] = {}
    start: Literal["scratch", "continue"] = "scratch"
    continues: str = Field("", max_length=80)
    gates: str | list[Any] = "rules"
    against: str = Field("", max_length=80)
    verdict: Literal["judged", "ignored"] = "judged"

    def stage(self) -> Stage:
        values = self.model_dump(exclude={"verdict"})
        return Stage(**values, judges_verdict=self.verdict == "judged")


class PlanIn(BaseModel):
    """A ladder."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=NAME)
    stages: list[StageIn] = Field(min_length=1, max_length=MOST_STAGES)


def parse_plan(session: Session, values: Any) -> Plan:
    """A plan every stage of which could start.

    Raises:
        InvalidConfig: with every wrong field, its value and a remedy.
    """
    if not isinstance(values, Mapping):
        raise InvalidConfig(
            {"plan": f"is {_kind(values)}, not a mapping: begin with `name:` and `stages:`"}
        )
    try:
        given = PlanIn.model_validate(dict(values))
    except ValidationError as error:
        raise InvalidConfig(problems(error)) from None
    plan = Plan(given.name, tuple(stage.stage() for stage in given.stages))
    if wrong := _check(session, plan):
        raise InvalidConfig(wrong)
    return plan


def _kind(values: Any) -> str:
    if values is None:
        return "empty"
    return {"str": "a text", "list": "a list"}.get(type(values).__name__, shown(values))


def _check(session: Session, plan: Plan) -> dict[str, str]:
    """What is wrong with the stages, each on its own and in their order."""
    wrong: dict[str, str] = {}
    configs: dict[str, RunConfig] = {}
    for number, stage in enumerate(plan.stages):
        where = f"stages.{number}"
        if stage.name in configs:
            wrong[f"{where}.name"] = f"'{stage.name}' names two stages: rename one"
        if stage.against and stage.against not in configs:
            wrong[f"{where}.against"] = _no_earlier(stage.against, configs)
        try:
            configs[stage.name] = config_of(session, plan, number, configs)
        except InvalidConfig as error:
            wrong |= {f"{where}.{field}": text for field, text in error.fields.items()}
            configs.setdefault(stage.name, RunConfig())
        try:
            check_gates(stage)
        except InvalidConfig as error:
            wrong |= {f"{where}.{field}": text for field, text in error.fields.items()}
    return wrong


def _no_earlier(name: str, known: Mapping[str, Any]) -> str:
    choice = ", ".join(known) or "none, this is the first"
    return f"'{name}' is no earlier stage: choose from {choice}"


def check_gates(stage: Stage) -> None:
    """Raises InvalidConfig when the stage's gates are wrong."""
    if stage.gates == "rules":
        return
    if isinstance(stage.gates, str):
        parse_gates(stage.gates)
        return
    try:
        GatesIn.model_validate({"gates": stage.gates})
    except ValidationError as error:
        raise InvalidConfig(problems(error)) from None


def config_of(
    session: Session, plan: Plan, number: int, earlier: Mapping[str, RunConfig]
) -> RunConfig:
    """The configuration a stage trains with; `earlier` are those of the stages before it.

    Raises:
        InvalidConfig: with every wrong field.
    """
    stage = plan.stages[number]
    if stage.start == CONTINUE:
        return _continued(plan, number, earlier)
    if stage.continues:
        raise InvalidConfig(
            {"continues": "is only for `start: continue`: remove it or change start"}
        )
    if not stage.preset:
        raise InvalidConfig({"preset": "is empty: a stage from scratch names the preset it takes"})
    try:
        config = parse_config(stage.preset, stage.config)
        check_rules(session, config)
    except InvalidConfig as error:
        fields = {
            name if name == "preset" else f"config.{name}": text
            for name, text in error.fields.items()
        }
        raise InvalidConfig(fields) from None
    return config


def _continued(plan: Plan, number: int, earlier: Mapping[str, RunConfig]) -> RunConfig:
    """The run of an earlier stage goes on: the same in everything but its length."""
    stage = plan.stages[number]
    target = continued_stage(plan, number)
    if target not in earlier:
        raise InvalidConfig({"continues": _no_earlier(target, earlier)})
    before = earlier[target]
    if stage.preset or set(stage.config) - {"total_steps"}:
        raise InvalidConfig(
            {
                "config": "a stage that continues keeps the run's configuration: "
                "set only total_steps, or use `start: scratch`"
            }
        )
    steps = stage.config.get("total_steps", 0)
    if isinstance(steps, bool) or not isinstance(steps, int) or steps <= before.total_steps:
        raise InvalidConfig(
            {
                "config.total_steps": f"{steps!r} is not above the {before.total_steps:,} steps "
                f"of '{target}': raise it"
            }
        )
    return RunConfig.model_validate({**before.model_dump(), "total_steps": steps})


def continued_stage(plan: Plan, number: int) -> str:
    """The stage whose run goes on: the one named, or the one just before."""
    stage = plan.stages[number]
    return stage.continues or (plan.stages[number - 1].name if number else "")
