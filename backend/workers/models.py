"""Tables of workers and of the simulators they may lease."""

from sqlalchemy import Float, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from backend.database import Base

LONGEST_PROBLEM = 300


class Worker(Base):
    """One worker process; alive while its heartbeat is fresh."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    host: Mapped[str] = mapped_column(String(120))
    pid: Mapped[int] = mapped_column()
    slots: Mapped[int] = mapped_column(default=1)
    draining: Mapped[bool] = mapped_column(default=False)
    started_at: Mapped[float] = mapped_column(Float)
    heartbeat_at: Mapped[float] = mapped_column(Float)


class Simulator(Base):
    """One CARLA server, real or embedded, with the Traffic Manager port that goes with it.

    `worker` is the only one that may lease it (a server it started lives and dies with it); empty: any may.
    `tick_ms` and `npcs` are what the attempt that holds it last saw. `leased_run_id` and `lease_token` name the attempt that holds it; both empty when it is free.
    `seen_at` is when it last answered, `asked_at` when it was last asked. `problem` says why it cannot be leased; empty: it can.
    """

    __tablename__ = "simulators"
    __table_args__ = (UniqueConstraint("host", "port"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    host: Mapped[str] = mapped_column(String(120))
    port: Mapped[int] = mapped_column()
    traffic_port: Mapped[int] = mapped_column()
    embedded: Mapped[bool] = mapped_column(default=True)
    worker: Mapped[str] = mapped_column(String(120), default="")
    version: Mapped[str] = mapped_column(String(32), default="")
    map: Mapped[str] = mapped_column(String(64), default="")
    leased_run_id: Mapped[int | None] = mapped_column(default=None)
    lease_token: Mapped[str] = mapped_column(String(32), default="")
    tick_ms: Mapped[float | None] = mapped_column(Float, default=None)
    npcs: Mapped[int | None] = mapped_column(default=None)
    seen_at: Mapped[float | None] = mapped_column(Float, default=None)
    asked_at: Mapped[float | None] = mapped_column(Float, default=None)
    problem: Mapped[str] = mapped_column(String(LONGEST_PROBLEM), default="")
