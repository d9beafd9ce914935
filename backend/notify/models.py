"""Tables of the notifications on their way, and how far each channel has read the events."""

from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.database import Base


class Delivery(Base):
    """One message on one channel. `state` is pending, sent or failed; `event_id` is None for a test.

    `not_before` is when it is tried next, and while it is being sent, when others may take it over.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("event_id", "channel"),
        Index("ix_deliveries_state_not_before", "state", "not_before"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(String(16))
    event_id: Mapped[int | None] = mapped_column(
        ForeignKey("events.id", ondelete="CASCADE"), default=None
    )
    message: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[float] = mapped_column(Float, default=0.0)
    problem: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[float] = mapped_column(Float)
    sent_at: Mapped[float | None] = mapped_column(Float, default=None)


class Bookmark(Base):
    """The newest event a channel has been offered; `first` is where it began."""

    __tablename__ = "bookmarks"

    channel: Mapped[str] = mapped_column(String(16), primary_key=True)
    first: Mapped[int] = mapped_column(default=0)
    event_id: Mapped[int] = mapped_column(default=0)
