"""The fleet: which workers live, which simulators there are, and who leases them."""

from collections.abc import Sequence

from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.workers.models import LONGEST_PROBLEM, Simulator, Worker


def register_worker(
    session: Session, name: str, host: str, pid: int, slots: int, now: float
) -> Worker:
    """A worker process has started; a row left by an earlier process of that name is replaced."""
    return session.merge(
        Worker(
            name=name,
            host=host,
            pid=pid,
            slots=slots,
            draining=False,
            started_at=now,
            heartbeat_at=now,
        )
    )


def beat(session: Session, name: str, now: float, draining: bool = False) -> bool:
    """The worker is alive. False: its row is gone (it was thought dead) and it must register again."""
    changed = session.execute(
        update(Worker)
        .where(Worker.name == name)
        .values(heartbeat_at=now, draining=draining)
        .returning(Worker.name)
    )
    return changed.first() is not None


def remove_worker(session: Session, name: str) -> None:
    """The worker has ended, and with it the simulators only it could lease."""
    session.execute(delete(Simulator).where(Simulator.worker == name))
    session.execute(delete(Worker).where(Worker.name == name))


def remove_silent_workers(session: Session, silent_since: float) -> list[str]:
    """Remove workers whose last heartbeat is older than `silent_since`; returns their names."""
    names = list(session.scalars(select(Worker.name).where(Worker.heartbeat_at < silent_since)))
    for name in names:
        remove_worker(session, name)
    return names


def list_workers(session: Session) -> Sequence[Worker]:
    return session.scalars(select(Worker).order_by(Worker.name)).all()


def register_simulator(
    session: Session,
    host: str,
    port: int,
    now: float,
    worker: str = "",
    version: str = "",
    *,
    embedded: bool = False,
) -> Simulator:
    """List a server that answered a probe.

    `worker` names the only worker that may lease it (its owner); empty: any may.
    Listing a server again keeps its lease and notes that it was seen.
    """
    simulator = _listed(session, host, port)
    simulator.worker, simulator.embedded = worker, embedded
    simulator.version, simulator.seen_at = version, now
    simulator.problem, simulator.asked_at = "", now
    session.flush()
    return simulator


def list_unfit(session: Session, host: str, port: int, now: float, problem: str) -> Simulator:
    """List a server of others that cannot be leased, and why; what it said before stays."""
    simulator = _listed(session, host, port)
    simulator.worker, simulator.embedded = "", False
    simulator.problem, simulator.asked_at = problem[:LONGEST_PROBLEM], now
    session.flush()
    return simulator


def _listed(session: Session, host: str, port: int) -> Simulator:
    """The server's row; a new one if there is none."""
    of_address = select(Simulator).where(Simulator.host == host, Simulator.port == port)
    if found := session.scalars(of_address).one_or_none():
        return found
    added = Simulator(host=host, port=port, traffic_port=0)
    try:
        with session.begin_nested():
            session.add(added)
    except IntegrityError:
        # Another worker listed it a moment ago.
        return session.scalars(of_address).one()
    return added


def forget_unasked(session: Session, since: float) -> None:
    """Strike off free servers of others that no worker has asked since then: nobody names them."""
    session.execute(
        delete(Simulator).where(
            Simulator.worker == "",
            Simulator.leased_run_id.is_(None),
            or_(Simulator.asked_at.is_(None), Simulator.asked_at < since),
        )
    )


def forget_simulator(session: Session, host: str, port: int) -> None:
    """Strike off a server that is gone."""
    session.execute(delete(Simulator).where(Simulator.host == host, Simulator.port == port))


def list_simulators(session: Session) -> Sequence[Simulator]:
    return session.scalars(select(Simulator).order_by(Simulator.host, Simulator.port)).all()


def holder(session: Session, host: str, port: int) -> int | None:
    """The run that holds the server at this address; None if none does."""
    return session.scalars(
        select(Simulator.leased_run_id).where(Simulator.host == host, Simulator.port == port)
    ).one_or_none()


def lease(
    session: Session, run_id: int, token: str, worker: str, traffic_port: int
) -> Simulator | None:
    """Give one free simulator to the attempt that holds `token`; None when all are taken.

    `traffic_port` is a port free on the worker's host: the Traffic Manager listens in the trainer.
    """
    free = (
        select(Simulator.id)
        .where(
            Simulator.leased_run_id.is_(None),
            Simulator.worker.in_((worker, "")),
            Simulator.problem == "",
        )
        .order_by(Simulator.worker.desc(), Simulator.seen_at.desc(), Simulator.id)
    )
    for simulator_id in session.scalars(free).all():
        taken = session.execute(
            update(Simulator)
            .where(Simulator.id == simulator_id, Simulator.leased_run_id.is_(None))
            .values(leased_run_id=run_id, lease_token=token, traffic_port=traffic_port)
            .returning(Simulator.id)
        )
        if taken.first() is not None:
            return session.get_one(Simulator, simulator_id, populate_existing=True)
    return None


def why_none_is_free(session: Session, worker: str) -> str:
    """Each server that worker may lease, and what keeps it from doing so."""
    known = [s for s in list_simulators(session) if s.worker in (worker, "")]
    reasons = [
        simulator.problem or f"{simulator.host}:{simulator.port} is in use by a run"
        for simulator in known
    ]
    return "; ".join(reasons) or "none is listed"


def leased(session: Session, run_id: int, token: str) -> Simulator | None:
    """The simulator that the attempt holds."""
    return session.scalars(
        select(Simulator).where(Simulator.leased_run_id == run_id, Simulator.lease_token == token)
    ).one_or_none()


def release(session: Session, run_id: int, token: str) -> None:
    """Free what the attempt holds; harmless when it holds nothing."""
    session.execute(
        update(Simulator)
        .where(Simulator.leased_run_id == run_id, Simulator.lease_token == token)
        .values(leased_run_id=None, lease_token="", tick_ms=None, npcs=None)
    )


def record_tick(
    session: Session,
    run_id: int,
    token: str,
    tick_ms: float,
    map_name: str,
    now: float,
    npcs: int = 0,
) -> None:
    """What the attempt saw of its simulator: mean milliseconds a tick took, map loaded, NPC vehicles."""
    session.execute(
        update(Simulator)
        .where(Simulator.leased_run_id == run_id, Simulator.lease_token == token)
        .values(tick_ms=tick_ms, map=map_name, npcs=npcs, seen_at=now)
    )
