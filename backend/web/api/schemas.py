"""What the API takes and gives, apart from the tables behind it."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from backend.runs.matrix import MOST_RUNS
from backend.runs.models import Run
from backend.runs.states import Action, RunState
from backend.web.views import RunView

# Also the most a 64-bit key column holds: a larger number names nothing.
RowId = Annotated[int, Field(ge=1, le=2**31 - 1)]


class FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class NewRun(BaseModel):
    """A run to start: `config` overrides single keys of the preset.

    `seeds` and `variants` (name: keys it sets besides `config`) start a group of runs instead, every
    variant with every seed: all of them, or with a wrong value none.
    """

    model_config = ConfigDict(extra="forbid")

    name: str = Field("", max_length=120)
    preset: str
    config: dict[str, Any] = Field(default_factory=dict)
    seeds: list[StrictInt] | None = Field(None, min_length=1, max_length=MOST_RUNS)
    variants: dict[str, dict[str, Any]] | None = Field(None, min_length=1, max_length=MOST_RUNS)


class Rollback(BaseModel):
    model_config = ConfigDict(extra="forbid")

    checkpoint_id: RowId


class Pin(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pinned: bool


class SegmentOut(FromRow):
    """One stretch of a run; a parent's points after `start_step` are an abandoned branch."""

    id: int
    number: int
    parent_id: int | None
    checkpoint_id: int | None
    start_step: int
    start_episode: int
    reason: str
    created_at: float


class RunOut(FromRow):
    """A run as it stands; times are seconds since the epoch, UTC."""

    id: int
    name: str
    preset: str
    group_id: int | None
    variant: str
    state: RunState
    desired: str
    state_reason: str
    activity: str
    step: int
    total_steps: int
    episode: int
    updates: int
    steps_per_second: float
    eta: float | None = None
    segment: int = 0
    segment_id: int | None
    verdict: str
    verdict_sentence: str
    verdict_since_step: int
    judged_by: str
    actions: list[Action] = Field(default_factory=list)
    attempt: int
    crashes: int
    worker: str
    simulator: str
    heartbeat_at: float | None
    created_at: float
    started_at: float | None
    ended_at: float | None
    config_hash: str
    reward_fingerprint: str

    @classmethod
    def of(cls, run: Run, segment_number: int, now: float, eta: float | None = None) -> Self:
        """`segment_number` counts a run's segments from 1; 0 before the first. `eta` is in seconds."""
        view = RunView(run, now)
        update = {"actions": list(view.actions), "eta": eta, "segment": segment_number}
        return cls.model_validate(run).model_copy(update=update)


class RunDetail(RunOut):
    """A run with its whole configuration and what was observed of it."""

    config: dict[str, Any]
    observed: dict[str, Any]


class GroupOut(FromRow):
    """Runs started together, in the order they were queued; `plan` is what was asked."""

    id: int
    name: str
    preset: str
    plan: dict[str, Any]
    created_at: float
    runs: list[RunOut] = Field(default_factory=list)


class CommandOut(FromRow):
    """Something asked of a running trainer; it answers at a step boundary."""

    id: int
    kind: str
    state: str
    argument: dict[str, Any]
    result: str
    created_at: float


class CheckpointOut(FromRow):
    """A saved state; `sha256` is that of its manifest, which holds the hash of each file."""

    id: int
    segment_id: int
    kind: str
    step: int
    episode: int
    updates: int
    bytes: int
    sha256: str
    verdict: str
    evaluation_return: float | None
    evaluation_success: float | None
    is_best: bool
    pinned: bool
    created_at: float


class NewEvaluation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    episodes: Annotated[int, Field(ge=1, le=1000)] = 20


class EvaluationOut(FromRow):
    """An evaluation somebody asked for: `done` of `episodes` are driven; `result` once it is `done`."""

    id: int
    checkpoint_id: int
    state: str
    episodes: int
    done: int
    worker: str
    result: dict[str, Any]
    reason: str
    created_at: float
    started_at: float | None
    ended_at: float | None


class NewFork(BaseModel):
    """A run that starts from a checkpoint: `config` overrides single keys of its source's."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field("", max_length=120)
    config: dict[str, Any] = Field(default_factory=dict)


class EventOut(FromRow):
    id: int
    segment_id: int | None
    step: int
    level: str
    kind: str
    message: str
    data: dict[str, Any]
    at: float


class RuleOut(FromRow):
    """Where one rule stands: value against threshold, since when, why, and whether it can fire at all."""

    rule: str
    title: str
    state: str
    value: float | None
    threshold: float | None
    since_step: int
    first_warning: int | None
    first_critical: int | None
    can_fire: bool
    reason: str
    action: str
    evidence: dict[str, Any]


class FlipOut(FromRow):
    """One change of a rule or of the verdict, with the rules, and their version, that gave it."""

    id: int
    rule: str
    before: str
    after: str
    step: int
    value: float | None
    threshold: float | None
    reason: str
    preset: str
    preset_version: int
    at: float


class Accept(BaseModel):
    """Who lets a condition stand, why, and up to which step."""

    model_config = ConfigDict(extra="forbid")

    person: str = Field(max_length=120)
    reason: str = Field(max_length=2000)
    expires_step: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    expires_at: Annotated[float, Field(ge=0, le=1e11)] | None = None


class AcceptGate(BaseModel):
    """Who lets a gate's condition stand, and why: a gate has answered once and for all."""

    model_config = ConfigDict(extra="forbid")

    person: str = Field(max_length=120)
    reason: str = Field(max_length=2000)


class ChooseRules(BaseModel):
    """What the run is judged by from now on, `NAME`, `NAME@VERSION` or a built-in preset, and who says so."""

    model_config = ConfigDict(extra="forbid")

    preset: str = Field(max_length=64)
    person: str = Field(max_length=120)


class Acknowledge(BaseModel):
    """Who has seen it, and what they make of it."""

    model_config = ConfigDict(extra="forbid")

    person: str = Field(max_length=120)
    remark: str = Field("", max_length=2000)


class AcceptanceOut(FromRow):
    """A person's word on an alerting rule, or a gate: `kind` is accepted or acknowledged."""

    id: int
    kind: str
    rule: str
    person: str
    reason: str
    step: int
    evidence: dict[str, Any]
    expires_step: int | None
    expires_at: float | None
    at: float


class WordOut(AcceptanceOut):
    """A word with whether it counts now: not expired, not replaced, its rule not critical."""

    counts: bool


class StepCheckOut(FromRow):
    """One check of a gate: what it wants in words, and what it found."""

    name: str
    wanted: str
    value: float | None
    outcome: str


class StepGateOut(FromRow):
    """A gate at a step: pending, pass, extend, conditional or halt, with its checks."""

    at: int
    looks_at: int
    outcome: str
    checks: list[StepCheckOut]
    accepted_by: str
    accepted_reason: str


class StepGatesIn(BaseModel):
    """Other gates for a run: a list, or `founding`, `behavioural` or `none`."""

    model_config = ConfigDict(extra="forbid")

    gates: list[Any] | str
    against: RowId | None = None
    person: str = Field("", max_length=120)


class GatesOut(BaseModel):
    """The verdict and all behind it. `accepted` counts now; `words` is everything people ever said."""

    verdict: str
    sentence: str
    since_step: int
    judged_by: str
    rules: list[RuleOut]
    flips: list[FlipOut]
    accepted: list[AcceptanceOut]
    words: list[WordOut]
    steps: list[StepGateOut]


class WorkerOut(FromRow):
    name: str
    host: str
    pid: int
    slots: int
    draining: bool
    started_at: float
    heartbeat_at: float
    runs: list[int] = Field(default_factory=list)


class SimulatorOut(FromRow):
    id: int
    host: str
    port: int
    embedded: bool
    version: str
    map: str
    leased_run_id: int | None
    tick_ms: float | None
    npcs: int | None
    seen_at: float | None
    problem: str


class MetricOut(BaseModel):
    """A metric with points: its meaning, and its last point (null when that is not finite)."""

    name: str
    title: str
    unit: str
    group: str
    meaning: str
    better: str
    last_step: int | None
    last_value: float | None


class CurveOut(BaseModel):
    """Equally long columns; `count` points in each, of which `nonfinite` are NaN or infinite."""

    x: list[float]
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]
    count: list[int]
    nonfinite: list[int]


class BranchOut(BaseModel):
    segment: int
    curve: CurveOut


class SeriesOut(BaseModel):
    """`raw`: every point is a row of its own, nothing is summed up."""

    run_id: int
    metric: str
    x: str
    raw: bool
    curve: CurveOut
    branches: list[BranchOut]
