"""The unmodified `carla` client against a running simulator."""

import re
from pathlib import Path

import pytest

from tests.simulator.conftest import RawClient, ServerProcess, drive, server_process
from worker.probe import free_port
from worker.simulator import towns

LANE_HALF = 0.5


def test_the_same_seed_and_controls_give_the_same_trajectory_bit_for_bit(
    server: ServerProcess,
) -> None:
    with server_process("--seed", "0") as other:
        first, second = drive("trajectory", server.port), drive("trajectory", other.port)
    assert first["places"] == second["places"]
    assert drive("trajectory", server.port)["places"] == first["places"]


def test_cameras_agree_on_what_they_see(server: ServerProcess) -> None:
    seen = drive("pictures", server.port)
    assert all(seen["frames"])
    blue, green, red = seen["sky"]
    assert blue > green > red
    assert {1, 2, 11, 14} <= set(seen["tags"])
    assert seen["ahead_tag"] == 14
    # From the camera at x = 18 m to the rear of the car at 28 m.
    assert seen["ahead_metres"] == pytest.approx(28.0 - 2.09 - 18.0, abs=0.3)
    assert seen["near_tag"] == 1
    assert min(seen["looks"].values()) > 4.0


def test_collisions_stop_a_car_at_cars_and_houses(server: ServerProcess) -> None:
    seen = drive("contacts", server.port)
    assert seen["car"] == "vehicle.audi.tt"
    assert seen["impulse"] < -1000.0
    assert seen["house"] == "static.building"
    assert abs(seen["gap"]) < 0.2
    assert seen["speed"] < 0.5


def test_sensors_measure_what_the_car_does(server: ServerProcess) -> None:
    seen = drive("senses", server.port)
    assert seen["felt"] == pytest.approx([4.0 - 0.15, 9.81], abs=0.2)
    assert seen["latitude"][0] == pytest.approx(seen["latitude"][1], abs=1e-6)
    assert seen["longitude"][0] == pytest.approx(seen["longitude"][1], abs=1e-6)
    count, farthest = seen["lidar"]
    assert count > 500
    assert farthest <= 30.0
    kind, distance = seen["obstacle"]
    assert kind == "vehicle.audi.tt"
    assert distance == pytest.approx(30.0 - 2.09 - 18.4, abs=0.2)
    assert seen["crossed"]


def test_one_approach_of_a_junction_is_green_at_a_time(server: ServerProcess) -> None:
    seen = drive("lights", server.port)
    for states in seen["states"]:
        assert sum(state != "Red" for state in states) <= 1
    assert {state for states in seen["states"] for state in states} == {"Red", "Yellow", "Green"}
    assert all("Green" in column for column in zip(*seen["states"], strict=True))
    assert seen["at_light"]
    assert seen["affected"] == 1
    assert seen["frozen"][0] == seen["frozen"][1]
    assert seen["speed_limit"] == 30.0


def test_the_traffic_manager_drives_thirty_cars_inside_their_lanes(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAFFIC_PORT", str(free_port()))
    seen = drive("traffic", server.port)
    assert seen["cars"] == seen["alive"] == 30
    assert seen["moved"] >= 25
    assert seen["worst"] < LANE_HALF


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_traffic_manager_drives_for_ten_simulated_minutes(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAFFIC_PORT", str(free_port()))
    monkeypatch.setenv("TICKS", "12000")
    seen = drive("traffic", server.port, limit=850.0)
    assert seen["alive"] == seen["moved"] == 30
    assert seen["worst"] < LANE_HALF


def test_lanes_without_a_road_mark_do_not_end_the_clients_process(tmp_path: Path) -> None:
    path = tmp_path / "bare.xodr"
    path.write_text(re.sub(r"<roadMark[^>]*>", "", towns.oval()))
    with server_process("--map", str(path)) as server:
        assert set(drive("crossing", server.port)["kinds"]) == {"NONE"}


def test_worlds_are_loaded_generated_and_refused_by_name() -> None:
    with server_process() as server:
        seen = drive("worlds", server.port)
    assert seen["ids"] == sorted(set(seen["ids"]))
    assert seen["names"] == ["Carla/Maps/oval", "Carla/Maps/OpenDriveMap"]
    assert "nowhere" in seen["errors"][0]
    assert "cast_ray" in seen["errors"][1]
    assert "km long in all" in seen["errors"][2]


def test_a_client_that_dies_leaves_no_actors_and_no_synchronous_mode() -> None:
    with server_process() as server:
        left = drive("die", server.port)
        raw = RawClient(server.port)
        settings = raw.value("get_episode_settings")
        assert raw.value("get_actors_by_id", [left["car"]]) == []
        assert settings[0] is False
        raw.close()


def test_the_conformance_suite_passes(server: ServerProcess) -> None:
    from worker.conformance import run_conformance, table

    results = run_conformance("127.0.0.1", server.port, limit=100.0)
    assert results
    assert all(result.passed for result in results), table(results)


def test_the_conformance_suite_names_what_a_dead_server_fails() -> None:
    from worker.conformance import run_conformance

    results = run_conformance("127.0.0.1", free_port(), limit=60.0)
    assert [(result.name, result.passed) for result in results] == [("connect", False)]
    assert "nothing listens on" in results[0].detail


def test_an_owned_server_ends_with_its_parents_pipe() -> None:
    with server_process() as server:
        assert server.process.stdin is not None
        server.process.stdin.close()
        assert server.process.wait(timeout=60.0) == 0
        server.process.stdin = None
