"""Tables of the metric store: a series per segment and metric, its compressed chunks, and flushes."""

from sqlalchemy import Float, ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.database import Base

METRIC_LENGTH = 200


class Series(Base):
    """One metric of one segment: how many points, the last one, and the points of the open chunk.

    `last_value` is None when the last value was NaN.
    """

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("segment_id", "metric"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    segment_id: Mapped[int] = mapped_column(ForeignKey("segments.id", ondelete="CASCADE"))
    metric: Mapped[str] = mapped_column(String(METRIC_LENGTH))
    count: Mapped[int] = mapped_column(default=0)
    last_step: Mapped[int] = mapped_column(default=0)
    last_episode: Mapped[int] = mapped_column(default=0)
    last_time: Mapped[float] = mapped_column(Float, default=0.0)
    last_value: Mapped[float | None] = mapped_column(Float, default=None)
    tail: Mapped[bytes] = mapped_column(LargeBinary, default=b"")


class Chunk(Base):
    """1,024 entries of a series as compressed columns, with their summary.

    Entries of `level` 0 are points; those of higher levels summarise a fixed number of points each
    (`backend.metrics.levels`). `minimum` and `maximum` are None where no value was finite; `total`
    is the sum of the finite ones.
    """

    __tablename__ = "chunks"

    series_id: Mapped[int] = mapped_column(
        ForeignKey("series.id", ondelete="CASCADE"), primary_key=True
    )
    level: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    first_step: Mapped[int] = mapped_column()
    last_step: Mapped[int] = mapped_column()
    last_episode: Mapped[int] = mapped_column()
    last_time: Mapped[float] = mapped_column(Float)
    count: Mapped[int] = mapped_column()
    minimum: Mapped[float | None] = mapped_column(Float)
    maximum: Mapped[float | None] = mapped_column(Float)
    total: Mapped[float] = mapped_column(Float)
    columns: Mapped[bytes] = mapped_column(LargeBinary)


class Flush(Base):
    """The last flush stored of a segment: a flush repeated after a lost commit is known by its number."""

    __tablename__ = "flushes"

    segment_id: Mapped[int] = mapped_column(
        ForeignKey("segments.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column()
