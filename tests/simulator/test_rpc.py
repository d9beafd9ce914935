"""Requests the real client would never send, and consumers that do not read."""

import math
import socket
import struct
import time

import msgpack
import pytest

from tests.simulator.conftest import RawClient, ServerProcess, server_process
from worker.simulator.protocol import EPISODE, HEADER, Stream

DESCRIPTION = [1, "vehicle.tesla.model3", []]
PLACE = [[16.0, -238.25, 0.0], [0.0, 0.0, 0.0]]


def test_an_unknown_call_is_answered_with_its_name(raw: RawClient) -> None:
    error, result = raw.call("cast_ray", [0.0, 0.0, 0.0])
    assert "cast_ray" in error
    assert result is None


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("set_actor_transform", [1]),
        ("get_actors_by_id", [7]),
        ("set_weather_parameters", [[0.0] * 3]),
        ("set_episode_settings", [[True, False, [True, -1.0]]]),
        ("set_episode_settings", [[True, False, [True, math.nan]]]),
        ("spawn_actor", [[1, "vehicle.unknown", []], PLACE]),
        ("spawn_actor", [DESCRIPTION, [[math.inf, 0.0, 0.0], [0.0, 0.0, 0.0]]]),
        ("spawn_actor", [[1, "sensor.camera.rgb", [["fov", 3, "0"]]], PLACE]),
        ("spawn_actor", [[1, "sensor.camera.rgb", [["image_size_x", 2, "abc"]]], PLACE]),
        ("spawn_actor_with_parent", [DESCRIPTION, PLACE, 999_999]),
        ("destroy_actor", [999_999]),
        ("load_new_episode", ["nowhere"]),
        ("copy_opendrive_to_file", ["<OpenDRIVE/>", []]),
        ("copy_opendrive_to_file", ["not xml", []]),
        ("copy_opendrive_to_file", [5, 5]),
        ("spawn_actor", [DESCRIPTION, [[1e300, 0.0, 0.0], [0.0, 0.0, 0.0]]]),
        ("get_sensor_token", [2**40]),
        ("load_new_episode", [5, True, 1]),
    ],
)
def test_a_malformed_request_is_refused_and_the_server_goes_on(
    raw: RawClient, method: str, arguments: list[object]
) -> None:
    error, result = raw.call(method, *arguments)
    assert error is None
    is_void = result[0][0] is True
    assert is_void or result[0][0] == 0
    assert isinstance(result[0][1][0], str)
    assert raw.value("version") == "0.9.16"


def test_a_control_that_is_not_finite_never_reaches_the_world(raw: RawClient) -> None:
    car = raw.value("spawn_actor", DESCRIPTION, PLACE)[0]
    raw.call("apply_control_to_vehicle", car, [math.nan, 0.0, 0.0, False, False, False, 0])
    _, result = raw.call("apply_control_to_vehicle", car, [9.0, -9.0, 0.0, False, False, False, 99])
    assert result == [[False]]
    raw.value("tick_cue")
    raw.value("destroy_actor", car)


def test_a_batch_answers_each_command_for_itself(raw: RawClient) -> None:
    good = [
        0,
        [DESCRIPTION, PLACE, [False], 0, "", [[[2, [0, [1.0, 0, 0, False, False, False, 0]]]]]],
    ]
    commands = [[good], [good], [[1, [999_999]]], [[99, [1]]], [[10, [1, [0, 0, 0]]]]]
    error, answers = raw.call("apply_batch", commands, False)
    assert error is None
    assert [answer[0][0] for answer in answers] == [1, 0, 0, 0, 0]
    raw.value("destroy_actor", answers[0][0][1])


@pytest.mark.parametrize("garbage", [b"\xc1" * 40, b"GET / HTTP/1.1\r\n\r\n", b"\x93\x05\x01\x02"])
def test_what_is_no_request_at_all_ends_only_its_own_connection(
    server: ServerProcess, raw: RawClient, garbage: bytes
) -> None:
    stranger = socket.create_connection(("127.0.0.1", server.port), timeout=60.0)
    stranger.sendall(garbage)
    assert stranger.recv(1024) == b""
    stranger.close()
    assert raw.value("version") == "0.9.16"


def test_pipelined_requests_are_executed_in_the_order_they_came(raw: RawClient) -> None:
    car = raw.value("spawn_actor", DESCRIPTION, PLACE)[0]
    control = [1.0, 0.0, 0.0, False, False, False, 0]
    batch = [[0, 100, "apply_control_to_vehicle", [[True], car, control]]]
    batch += [[0, 101 + i, "tick_cue", [[False]]] for i in range(3)]
    raw.connection.sendall(b"".join(msgpack.packb(each) for each in batch))
    results = [raw.read()[1] for _ in batch]
    frames = [result[0][1] for result in results[1:]]
    assert frames == list(range(frames[0], frames[0] + 3))
    raw.value("destroy_actor", car)


def subscribe(port: int, stream: int, receive_buffer: int = 0) -> socket.socket:
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(60.0)
    connection.connect(("127.0.0.1", port + 1))
    connection.sendall(struct.pack("<I", stream))
    return connection


def read_message(connection: socket.socket) -> bytes:
    (length,) = struct.unpack("<I", read_exactly(connection, 4))
    return read_exactly(connection, length)


def read_exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        assert part, "the server closed the stream"
        data += part
    return data


def test_a_new_observer_gets_the_present_state_at_once(
    server: ServerProcess, raw: RawClient
) -> None:
    stream = subscribe(server.port, 1)
    kind, _frame, seconds, *_ = HEADER.unpack(read_message(stream)[: HEADER.size])
    assert kind == Stream.WORLD
    assert seconds >= 0.0
    stream.close()


def test_a_new_episode_has_a_stream_of_its_own_and_the_old_one_tells_of_it() -> None:
    with server_process() as server:
        raw = RawClient(server.port)

        def state_stream() -> int:
            _, [token] = raw.value("get_episode_info")
            return int(struct.unpack("<I", token[:4])[0])

        first = state_stream()
        watching = subscribe(server.port, first)
        before = episode_of(read_message(watching))
        error, _ = raw.call("load_new_episode", "oval", True, 0)
        assert error is None
        second = state_stream()
        assert second != first
        fresh = subscribe(server.port, second)
        assert episode_of(read_message(fresh)) == before + 1
        while (told := episode_of(read_message(watching))) == before:
            pass
        assert told == before + 1
        for connection in (watching, fresh):
            connection.close()
        raw.close()


def episode_of(state: bytes) -> int:
    return int(EPISODE.unpack_from(state, HEADER.size)[0])


def camera_stream(raw: RawClient, width: int, height: int) -> int:
    """The stream of a new camera on a new car in a synchronous world."""
    raw.value("set_episode_settings", [True, False, [True, 0.05]])
    car = raw.value("spawn_actor", DESCRIPTION, PLACE)[0]
    size = [["image_size_x", 2, str(width)], ["image_size_y", 2, str(height)]]
    camera = raw.value("spawn_actor_with_parent", [1, "sensor.camera.rgb", size], PLACE, car, 0, "")
    (number,) = struct.unpack("<I", camera[5][:4])
    return int(number)


def frame_of(message: bytes) -> int:
    return int(HEADER.unpack(message[: HEADER.size])[1])


def test_who_comes_back_to_a_camera_gets_the_image_that_went_to_nobody() -> None:
    with server_process() as server:
        raw = RawClient(server.port)
        number = camera_stream(raw, 84, 84)
        watching = subscribe(server.port, number)
        time.sleep(0.2)
        raw.value("tick_cue")
        first = frame_of(read_message(watching))
        watching.close()
        time.sleep(0.2)
        raw.value("tick_cue")
        back = subscribe(server.port, number)
        assert frame_of(read_message(back)) == first + 1
        again = subscribe(server.port, number)
        assert frame_of(read_message(again)) == first + 1
        raw.value("tick_cue")
        assert frame_of(read_message(back)) == frame_of(read_message(again)) == first + 2
        for connection in (back, again):
            connection.close()
        raw.close()


def test_a_client_that_does_not_read_its_answers_is_dropped_and_the_others_go_on() -> None:
    with server_process() as server:
        deaf = socket.create_connection(("127.0.0.1", server.port), timeout=30.0)
        asking = msgpack.packb([0, 1, "get_map_data", [[False]]])
        with pytest.raises((ConnectionError, TimeoutError)):
            for _ in range(100_000):
                deaf.sendall(asking * 100)
        deaf.close()
        raw = RawClient(server.port)
        assert raw.value("version") == "0.9.16"
        raw.close()


def test_a_camera_that_nobody_reads_does_not_hold_up_the_world() -> None:
    with server_process() as server:
        raw = RawClient(server.port)
        number = camera_stream(raw, 640, 480)
        deaf = subscribe(server.port, number, receive_buffer=4096)
        time.sleep(0.2)
        for _ in range(40):
            raw.value("tick_cue")
        # 40 pictures of 1.2 MB are more than is kept for anyone: the reader is cut off in the middle.
        deaf.settimeout(2.0)
        with pytest.raises((AssertionError, ConnectionError, TimeoutError)):
            for _ in range(40):
                read_message(deaf)
        deaf.close()
        assert raw.value("version") == "0.9.16"
        raw.close()


def test_two_clients_may_not_register_one_traffic_manager(server: ServerProcess) -> None:
    first, second = RawClient(server.port), RawClient(server.port)
    assert first.value("add_traffic_manager_running", ["127.0.0.1", 4321]) is True
    assert second.value("add_traffic_manager_running", ["127.0.0.1", 4321]) is False
    first.close()
    time.sleep(0.2)
    assert second.value("is_traffic_manager_running", 4321) is False
    second.close()
