"""Table of checkpoints; the files they name are described by `backend.checkpoints.files`."""

from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.database import Base


class Checkpoint(Base):
    """One saved state of a run. `kind` is interval, best, alert, halt, manual, drain, rollback or final.

    `deleted_at` marks files removed by retention; the row stays, so lineage stays readable.
    """

    __tablename__ = "checkpoints"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    segment_id: Mapped[int] = mapped_column(ForeignKey("segments.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(16))
    step: Mapped[int] = mapped_column()
    episode: Mapped[int] = mapped_column()
    updates: Mapped[int] = mapped_column(default=0)
    path: Mapped[str] = mapped_column(Text)
    bytes: Mapped[int] = mapped_column(default=0)
    sha256: Mapped[str] = mapped_column(String(64))
    verdict: Mapped[str] = mapped_column(String(20), default="too-early")
    evaluation_return: Mapped[float | None] = mapped_column(Float, default=None)
    evaluation_success: Mapped[float | None] = mapped_column(Float, default=None)
    is_best: Mapped[bool] = mapped_column(default=False)
    pinned: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[float] = mapped_column(Float)
    deleted_at: Mapped[float | None] = mapped_column(Float, default=None)


class Evaluation(Base):
    """A checkpoint's policy driven without noise over fixed episodes: asked for, under way, or answered.

    `token` fences: only the worker that holds it may write. `done` of `episodes` are driven; `result` is
    what `pitwall evaluate` prints, empty before the end; `reason` why it failed.
    """

    __tablename__ = "evaluations"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    checkpoint_id: Mapped[int] = mapped_column(ForeignKey("checkpoints.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(String(16), index=True)
    episodes: Mapped[int] = mapped_column()
    done: Mapped[int] = mapped_column(default=0)
    token: Mapped[str] = mapped_column(String(32), default="")
    worker: Mapped[str] = mapped_column(String(120), default="")
    attempt: Mapped[int] = mapped_column(default=0)
    heartbeat_at: Mapped[float | None] = mapped_column(Float, default=None)
    result: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    reason: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[float] = mapped_column(Float)
    started_at: Mapped[float | None] = mapped_column(Float, default=None)
    ended_at: Mapped[float | None] = mapped_column(Float, default=None)

    @property
    def left(self) -> float | None:
        """Seconds to its end at the speed so far; None before an episode has been driven."""
        if not self.done or self.started_at is None or self.heartbeat_at is None:
            return None
        return (self.heartbeat_at - self.started_at) / self.done * (self.episodes - self.done)

    @property
    def success(self) -> float | None:
        """Share of the episodes that reached the goal; None before the end, or without a goal."""
        return self.result.get("success_rate")

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % Wilson interval of the success."""
        found = self.result.get("success_interval")
        return (found[0], found[1]) if found and self.success is not None else None
