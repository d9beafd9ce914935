"""The registry: workers by heartbeat, simulators by lease."""

import pytest

from backend.database import Database
from backend.workers import service as fleet

NOW = 1_000_000.0


def test_a_worker_struck_off_learns_that_it_must_register_again(database: Database) -> None:
    with database.write() as session:
        assert not fleet.beat(session, "w", NOW)
        fleet.register_worker(session, "w", "host", 1, 2, NOW)
        assert fleet.beat(session, "w", NOW + 5, draining=True)
    with database.read() as session:
        (worker,) = fleet.list_workers(session)
    assert (worker.heartbeat_at, worker.draining, worker.slots) == (NOW + 5, True, 2)


def test_a_worker_that_leaves_takes_its_own_simulators_along(database: Database) -> None:
    with database.write() as session:
        fleet.register_worker(session, "w", "host", 1, 1, NOW)
        fleet.register_simulator(session, "127.0.0.1", 1, NOW, worker="w")
        fleet.register_simulator(session, "carla", 2000, NOW)
        fleet.remove_worker(session, "w")
    with database.read() as session:
        assert fleet.list_workers(session) == []
        assert [s.host for s in fleet.list_simulators(session)] == ["carla"]


def test_an_embedded_simulator_is_leased_only_to_its_own_worker(database: Database) -> None:
    with database.write() as session:
        fleet.register_simulator(session, "127.0.0.1", 1, NOW, worker="w")
        assert fleet.lease(session, 1, "t1", "other", 9000) is None
        assert fleet.lease(session, 1, "t1", "w", 9000) is not None


def test_a_simulator_is_leased_once_until_released_by_its_own_holder(database: Database) -> None:
    with database.write() as session:
        fleet.register_simulator(session, "carla", 2000, NOW)
        held = fleet.lease(session, 1, "t1", "w", 9000)
        assert held is not None
        assert (held.leased_run_id, held.traffic_port) == (1, 9000)
        assert fleet.lease(session, 2, "t2", "w", 9001) is None
        fleet.release(session, 1, "an older attempt's token")
        assert fleet.leased(session, 1, "t1") is not None
        fleet.release(session, 1, "t1")
        assert fleet.lease(session, 2, "t2", "w", 9001) is not None


def test_listing_a_simulator_again_keeps_its_lease(database: Database) -> None:
    with database.write() as session:
        fleet.register_simulator(session, "carla", 2000, NOW)
        fleet.lease(session, 1, "t", "w", 9000)
        fleet.register_simulator(session, "carla", 2000, NOW + 9, version="0.9.16")
        fleet.record_tick(session, 1, "t", 2.5, "Town01", NOW + 10, npcs=20)
    with database.read() as session:
        (simulator,) = fleet.list_simulators(session)
    assert (simulator.leased_run_id, simulator.version) == (1, "0.9.16")
    assert (simulator.tick_ms, simulator.map, simulator.seen_at) == (2.5, "Town01", NOW + 10)
    assert simulator.npcs == 20


def test_real_simulators_serve_when_the_own_one_is_taken(database: Database) -> None:
    with database.write() as session:
        fleet.register_simulator(session, "carla", 2000, NOW)
        fleet.register_simulator(session, "127.0.0.1", 1, NOW, worker="w")
        hosts = []
        for run_id in (1, 2):
            leased = fleet.lease(session, run_id, "t", "w", 9000)
            assert leased is not None
            hosts.append(leased.host)
    assert hosts == ["127.0.0.1", "carla"]


@pytest.mark.parametrize("run_id", [1, 2])
def test_releasing_nothing_is_harmless(database: Database, run_id: int) -> None:
    with database.write() as session:
        fleet.release(session, run_id, "t")
