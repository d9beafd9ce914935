"""Tables of the metric store: a series per segment and metric, and its compressed chunks."""

from sqlalchemy import Float, ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.database import Base


class Series(Base):
    """One metric of one segment."""

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("segment_id", "metric"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    segment_id: Mapped[int] = mapped_column(ForeignKey("segments.id", ondelete="CASCADE"))
    metric: Mapped[str] = mapped_column(String(200))


class Chunk(Base):
    """Up to 1,024 points of a series as compressed columns, with their summary.

    `level` 0 holds points; higher levels hold summaries of the level below.
    """

    __tablename__ = "chunks"

    series_id: Mapped[int] = mapped_column(
        ForeignKey("series.id", ondelete="CASCADE"), primary_key=True
    )
    level: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    first_step: Mapped[int] = mapped_column()
    last_step: Mapped[int] = mapped_column()
    count: Mapped[int] = mapped_column()
    minimum: Mapped[float | None] = mapped_column(Float, default=None)
    maximum: Mapped[float | None] = mapped_column(Float, default=None)
    total: Mapped[float] = mapped_column(Float, default=0.0)
    columns: Mapped[bytes] = mapped_column(LargeBinary)
