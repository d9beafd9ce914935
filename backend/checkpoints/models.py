"""Table of checkpoints; the files they name are described by `backend.checkpoints.files`."""

from sqlalchemy import Float, ForeignKey, String, Text
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
