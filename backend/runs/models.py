"""Tables of runs, their segments, commands and events. Times are seconds since the epoch, UTC."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.database import Base
from backend.runs.states import Action, RunState
from backend.runs.stored import SOURCE, StoredConfig

STOPS = (Action.HALT, Action.CANCEL)


class RunGroup(Base):
    """Runs started together: every variant of one configuration with every seed.

    `plan` is what was asked: `config`, `seeds` and `variants`.
    """

    __tablename__ = "run_groups"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    preset: Mapped[str] = mapped_column(String(64))
    plan: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[float] = mapped_column(Float)


class Run(Base):
    """One training run: what was asked, who owns it, how far it is.

    `state` is where it stands, `desired` what people want of it. `token` fences: only the attempt that
    holds it may write. `resume_checkpoint_id` is what the next start loads (None: from scratch), and
    `restart_reason` why it comes. `activity` is what the trainer is at, in words; the watchdog wants it
    or the step to change. `learning_rate_factor` is what rules that took the run back left of the
    configured learning rates. `variant` is its place in the group it was started with.
    """

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    preset: Mapped[str] = mapped_column(String(64))
    config: Mapped[dict[str, Any]] = mapped_column(StoredConfig)
    config_hash: Mapped[str] = mapped_column(String(64))
    reward_fingerprint: Mapped[str] = mapped_column(String(64), default="")
    group_id: Mapped[int | None] = mapped_column(default=None, index=True)
    variant: Mapped[str] = mapped_column(String(40), default="")
    state: Mapped[str] = mapped_column(String(16), index=True)
    desired: Mapped[str] = mapped_column(String(16))
    state_reason: Mapped[str] = mapped_column(Text, default="")
    step: Mapped[int] = mapped_column(default=0)
    episode: Mapped[int] = mapped_column(default=0)
    updates: Mapped[int] = mapped_column(default=0)
    total_steps: Mapped[int] = mapped_column()
    steps_per_second: Mapped[float] = mapped_column(Float, default=0.0)
    segment_id: Mapped[int | None] = mapped_column(default=None)
    resume_checkpoint_id: Mapped[int | None] = mapped_column(default=None)
    token: Mapped[str] = mapped_column(String(32), default="")
    attempt: Mapped[int] = mapped_column(default=0)
    activity: Mapped[str] = mapped_column(String(64), default="")
    restart_reason: Mapped[str] = mapped_column(String(16), default="start")
    crashes: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str] = mapped_column(String(120), default="")
    simulator: Mapped[str] = mapped_column(String(120), default="")
    heartbeat_at: Mapped[float | None] = mapped_column(Float, default=None)
    not_before: Mapped[float] = mapped_column(Float, default=0.0)
    verdict: Mapped[str] = mapped_column(String(20), default="too-early")
    verdict_sentence: Mapped[str] = mapped_column(Text, default="")
    verdict_since_step: Mapped[int] = mapped_column(default=0)
    judged_by: Mapped[str] = mapped_column(String(64), default="")
    learning_rate_factor: Mapped[float] = mapped_column(Float, default=1.0)
    observed: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_at: Mapped[float] = mapped_column(Float)
    started_at: Mapped[float | None] = mapped_column(Float, default=None)
    ended_at: Mapped[float | None] = mapped_column(Float, default=None)

    @property
    def is_native(self) -> bool:
        """Pitwall's own trainer trains it: an imported log or a user's own trainer names its `source`."""
        return SOURCE not in self.config

    @property
    def rollback_on(self) -> Sequence[str]:
        """Rules that take it back. A user's own trainer can stop, not go back."""
        found: Sequence[str] = self.config["rollback_on"] if self.is_native else ()
        return found

    @property
    def actions(self) -> tuple[Action, ...]:
        """What a person can do to it now: only a native run can be started again or told to save."""
        legal = RunState(self.state).actions
        return legal if self.is_native else tuple(a for a in legal if a in STOPS)


class Segment(Base):
    """One stretch of a run: from a start, a resume or a rollback to the next.

    Its points up to `start_step` are its parent's, the segment that wrote the checkpoint it started from;
    the parent's points after it are an abandoned branch. A start from scratch has no parent.
    """

    __tablename__ = "segments"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    number: Mapped[int] = mapped_column()
    parent_id: Mapped[int | None] = mapped_column(
        ForeignKey("segments.id", ondelete="CASCADE"), default=None
    )
    checkpoint_id: Mapped[int | None] = mapped_column(default=None)
    start_step: Mapped[int] = mapped_column(default=0)
    start_episode: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str] = mapped_column(String(64), default="start")
    created_at: Mapped[float] = mapped_column(Float)


class Command(Base):
    """Something asked of a running trainer; it takes the row at a step boundary."""

    __tablename__ = "commands"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    argument: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    state: Mapped[str] = mapped_column(String(16))
    result: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[float] = mapped_column(Float)
    done_at: Mapped[float | None] = mapped_column(Float, default=None)


class Event(Base):
    """Something that happened to a run, in a sentence; `level` is info, warning or critical."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_run_id_id", "run_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    segment_id: Mapped[int | None] = mapped_column(default=None)
    step: Mapped[int] = mapped_column(default=0)
    level: Mapped[str] = mapped_column(String(16), default="info")
    kind: Mapped[str] = mapped_column(String(32))
    message: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    at: Mapped[float] = mapped_column(Float)
