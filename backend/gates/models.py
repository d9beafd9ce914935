"""Tables of the rules' live statuses, their flips, and what people accepted."""

from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.database import Base


class RuleStatus(Base):
    """Where one rule of one run stands now. `state` is ok, warning, critical or no-data."""

    __tablename__ = "rule_statuses"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    rule: Mapped[str] = mapped_column(String(64), primary_key=True)
    title: Mapped[str] = mapped_column(String(120))
    state: Mapped[str] = mapped_column(String(16))
    value: Mapped[float | None] = mapped_column(Float, default=None)
    threshold: Mapped[float | None] = mapped_column(Float, default=None)
    since_step: Mapped[int] = mapped_column(default=0)
    first_warning: Mapped[int | None] = mapped_column(default=None)
    first_critical: Mapped[int | None] = mapped_column(default=None)
    can_fire: Mapped[bool] = mapped_column(default=True)
    reason: Mapped[str] = mapped_column(Text, default="")
    action: Mapped[str] = mapped_column(String(16), default="note")
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    position: Mapped[int] = mapped_column(default=0)


class Flip(Base):
    """One change of a rule's state, or of the verdict (`rule` = "verdict"); append-only."""

    __tablename__ = "flips"
    __table_args__ = (Index("ix_flips_run_id_id", "run_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    segment_id: Mapped[int | None] = mapped_column(default=None)
    rule: Mapped[str] = mapped_column(String(64))
    before: Mapped[str] = mapped_column(String(20))
    after: Mapped[str] = mapped_column(String(20))
    step: Mapped[int] = mapped_column()
    value: Mapped[float | None] = mapped_column(Float, default=None)
    threshold: Mapped[float | None] = mapped_column(Float, default=None)
    reason: Mapped[str] = mapped_column(Text, default="")
    preset: Mapped[str] = mapped_column(String(64), default="behavioural")
    preset_version: Mapped[int] = mapped_column(default=1)
    at: Mapped[float] = mapped_column(Float)


class Acceptance(Base):
    """A person's word on an alerting rule, with the evidence of that moment; append-only.

    `kind` is accepted (a condition may stand) or acknowledged (seen, whatever it says).
    """

    __tablename__ = "acceptances"
    __table_args__ = (Index("ix_acceptances_run_id_id", "run_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    rule: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16), default="accepted")
    person: Mapped[str] = mapped_column(String(120))
    reason: Mapped[str] = mapped_column(Text)
    step: Mapped[int] = mapped_column()
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    expires_step: Mapped[int | None] = mapped_column(default=None)
    expires_at: Mapped[float | None] = mapped_column(Float, default=None)
    at: Mapped[float] = mapped_column(Float)


class SavedPreset(Base):
    """One version of a preset people made from a built-in one; saving again adds a version."""

    __tablename__ = "rule_presets"

    name: Mapped[str] = mapped_column(String(48), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    base: Mapped[str] = mapped_column(String(48))
    title: Mapped[str] = mapped_column(String(120), default="")
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    custom: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    actions: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    person: Mapped[str] = mapped_column(String(120), default="")
    created_at: Mapped[float] = mapped_column(Float)


class RuleChoice(Base):
    """Rules that people gave a run in place of those it began with; the newest counts. Append-only.

    `preset` is a built-in one's name or NAME@VERSION.
    """

    __tablename__ = "rule_choices"
    __table_args__ = (Index("ix_rule_choices_run_id_id", "run_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    preset: Mapped[str] = mapped_column(String(64))
    person: Mapped[str] = mapped_column(String(120), default="")
    step: Mapped[int] = mapped_column()
    created_at: Mapped[float] = mapped_column(Float)


class GatePlan(Base):
    """One version of the gates people gave a run; the newest counts. Append-only."""

    __tablename__ = "gate_plans"
    __table_args__ = (Index("ix_gate_plans_run_id_id", "run_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    gates: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    against_run_id: Mapped[int | None] = mapped_column(default=None)
    person: Mapped[str] = mapped_column(String(120), default="")
    created_at: Mapped[float] = mapped_column(Float)


class GatePassage(Base):
    """What one gate of a run said when its step was reached; append-only.

    `gate` is the gate as it was; it looked at the points up to `looked_at`, later than that after an
    extension. `plan_id` is the version of the gates, None for the preset's.
    """

    __tablename__ = "gate_passages"
    __table_args__ = (Index("ix_gate_passages_run_id_id", "run_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    segment_id: Mapped[int | None] = mapped_column(default=None)
    plan_id: Mapped[int | None] = mapped_column(default=None)
    gate_at: Mapped[int] = mapped_column()
    gate: Mapped[dict[str, Any]] = mapped_column(JSON)
    looked_at: Mapped[int] = mapped_column()
    step: Mapped[int] = mapped_column()
    outcome: Mapped[str] = mapped_column(String(16))
    extend_to: Mapped[int | None] = mapped_column(default=None)
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    at: Mapped[float] = mapped_column(Float)
