"""Tables of ladders and their stages. Times are seconds since the epoch, UTC."""

from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.database import Base


class Ladder(Base):
    """One plan under way: `state` is running, waiting, passed or stopped; `position` its stage, from 0."""

    __tablename__ = "ladders"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    state: Mapped[str] = mapped_column(String(16), index=True)
    reason: Mapped[str] = mapped_column(Text, default="")
    position: Mapped[int] = mapped_column(default=0)
    person: Mapped[str] = mapped_column(String(120), default="")
    created_at: Mapped[float] = mapped_column(Float)
    ended_at: Mapped[float | None] = mapped_column(Float, default=None)


class LadderStage(Base):
    """One stage of a ladder: what it is to train, the run that does, and how it came out.

    `plan` is the stage as `backend.ladders.plan` reads it. `state` is pending, running, waiting, passed
    or stopped. `answers` are its gates as they stood when it was over; `accepted_by` let it pass though
    a condition stood, and says why.
    """

    __tablename__ = "ladder_stages"
    __table_args__ = (UniqueConstraint("ladder_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    ladder_id: Mapped[int] = mapped_column(ForeignKey("ladders.id", ondelete="CASCADE"), index=True)
    position: Mapped[int] = mapped_column()
    name: Mapped[str] = mapped_column(String(80))
    plan: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text, default="")
    run_id: Mapped[int | None] = mapped_column(
        ForeignKey("runs.id", ondelete="SET NULL"), default=None, index=True
    )
    verdict: Mapped[str] = mapped_column(String(20), default="")
    step: Mapped[int] = mapped_column(default=0)
    answers: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    started_at: Mapped[float | None] = mapped_column(Float, default=None)
    ended_at: Mapped[float | None] = mapped_column(Float, default=None)
    accepted_by: Mapped[str] = mapped_column(String(120), default="")
    accepted_reason: Mapped[str] = mapped_column(Text, default="")
    accepted_at: Mapped[float | None] = mapped_column(Float, default=None)
