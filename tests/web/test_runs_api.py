"""Runs over HTTP: created, listed, read, acted on, refused."""

from fastapi.testclient import TestClient

from backend.database import Database
from tests.web.scripted import NOW, claimed_run, saved_checkpoint


def start(api: TestClient, **body: object) -> int:
    response = api.post("/api/v1/runs", json={"preset": "quickstart", **body})
    assert response.status_code == 201, response.text
    return int(response.json()["id"])


def test_a_run_is_created_queued_and_found_where_it_says(api: TestClient) -> None:
    body = {"name": "first", "preset": "quickstart", "config": {"seed": 3, "total_steps": 5000}}
    response = api.post("/api/v1/runs", json=body)
    assert response.status_code == 201
    run = response.json()
    assert run["state"] == "queued"
    assert run["step"] == 0
    assert run["total_steps"] == 5000
    assert run["config"]["seed"] == 3
    assert run["verdict"] == "too-early"
    assert run["actions"] == ["halt", "cancel"]
    assert api.get(response.headers["Location"]).json() == run
    assert [found["id"] for found in api.get("/api/v1/runs").json()] == [run["id"]]


def test_a_run_without_a_name_is_named(api: TestClient) -> None:
    run_id = start(api)
    assert api.get(f"/api/v1/runs/{run_id}").json()["name"] == f"quickstart-{run_id}"


def test_a_wrong_value_is_422_with_field_value_and_remedy_and_creates_nothing(
    api: TestClient,
) -> None:
    body = {"preset": "quickstart", "config": {"learning_starts": 99_999, "total_steps": 10_000}}
    response = api.post("/api/v1/runs", json=body)
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == 422
    assert problem["instance"] == "/api/v1/runs"
    assert "lower it or lengthen the run" in problem["fields"]["learning_starts"]
    assert api.get("/api/v1/runs").json() == []


def test_unknown_presets_keys_and_bodies_are_422_by_name(api: TestClient) -> None:
    cases: list[tuple[object, str]] = [
        ({"preset": "nope"}, "preset"),
        ({"preset": "quickstart", "config": {"lr": 1}}, "lr"),
        ({"preset": "quickstart", "config": {"gamma": "NaN"}}, "gamma"),
        ({"preset": "quickstart", "config": {"hidden_sizes": [0]}}, "hidden_sizes.0"),
        ({"preset": "quickstart", "confg": {}}, "confg"),
        ({"preset": 7}, "preset"),
        ({"preset": "quickstart", "name": "x" * 121}, "name"),
        ({}, "preset"),
        ({"preset": "quickstart", "config": {"halt_on": ["nope"]}}, "halt_on"),
        ([], "body"),
    ]
    for body, field in cases:
        response = api.post("/api/v1/runs", json=body)
        assert response.status_code == 422, body
        assert field in response.json()["fields"], response.json()
    headers = {"Content-Type": "application/json"}
    torn = api.post("/api/v1/runs", content=b"{", headers=headers)
    assert torn.status_code == 422
    assert "send a JSON object" in torn.json()["fields"]["body"]


def test_runs_are_listed_newest_first_and_narrowed_by_state(api: TestClient) -> None:
    first, second = start(api), start(api)
    api.post(f"/api/v1/runs/{first}/halt")
    assert [run["id"] for run in api.get("/api/v1/runs").json()] == [second, first]
    halted = api.get("/api/v1/runs", params={"state": "halted"}).json()
    assert [run["id"] for run in halted] == [first]
    both = api.get("/api/v1/runs?state=halted&state=queued&limit=1").json()
    assert [run["id"] for run in both] == [second]
    assert api.get("/api/v1/runs?state=nope").status_code == 422
    assert api.get("/api/v1/runs?limit=0").status_code == 422


def test_what_does_not_exist_is_404(api: TestClient) -> None:
    for path in (
        "/runs/9",
        "/runs/9/gates",
        "/runs/9/events",
        "/runs/9/checkpoints",
        "/runs/9/segments",
        "/runs/9/commands",
        "/runs/9/stream",
        "/nope",
    ):
        response = api.get(f"/api/v1{path}")
        assert response.status_code == 404, path
        assert response.headers["Content-Type"] == "application/problem+json"
    for action in ("halt", "resume", "cancel", "checkpoint"):
        assert api.post(f"/api/v1/runs/9/{action}").status_code == 404
    assert api.post("/api/v1/runs/9/rollback", json={"checkpoint_id": 1}).status_code == 404


def test_numbers_no_row_can_have_are_422_and_not_a_database_error(api: TestClient) -> None:
    for number in (0, -1, 2**31, 10**30, "x"):
        assert api.get(f"/api/v1/runs/{number}").status_code == 422


def test_a_wrong_method_is_405_as_a_problem(api: TestClient) -> None:
    response = api.delete("/api/v1/runs")
    assert response.status_code == 405
    assert response.json()["title"] == "Method Not Allowed"
    assert response.headers["Allow"]


def test_a_queued_run_halts_resumes_and_is_cancelled(api: TestClient) -> None:
    run_id = start(api)
    assert api.post(f"/api/v1/runs/{run_id}/halt").json()["state"] == "halted"
    assert api.post(f"/api/v1/runs/{run_id}/resume").json()["state"] == "queued"
    assert api.post(f"/api/v1/runs/{run_id}/cancel").json()["state"] == "cancelled"
    kinds = [event["kind"] for event in api.get(f"/api/v1/runs/{run_id}/events").json()]
    assert kinds == ["created", "halt", "resume", "cancel"]


def test_the_second_to_act_is_told_why_not(api: TestClient) -> None:
    run_id = start(api)
    api.post(f"/api/v1/runs/{run_id}/cancel")
    response = api.post(f"/api/v1/runs/{run_id}/halt")
    assert response.status_code == 409
    assert response.json()["detail"] == (
        f"run {run_id} is cancelled, it cannot halt now: possible is nothing"
    )


def test_halting_a_running_run_is_asked_and_leaves_no_second_button(
    api: TestClient, database: Database
) -> None:
    run_id, _ = claimed_run(database)
    run = api.post(f"/api/v1/runs/{run_id}/halt").json()
    assert run["state"] == "running"
    assert run["desired"] == "halt"
    assert run["actions"] == []


def test_a_checkpoint_is_asked_of_the_trainer(api: TestClient, database: Database) -> None:
    run_id, _ = claimed_run(database)
    response = api.post(f"/api/v1/runs/{run_id}/checkpoint")
    assert response.status_code == 202
    assert response.json()["state"] == "pending"
    assert api.get(f"/api/v1/runs/{run_id}/commands").json() == [response.json()]


def test_checkpoints_are_listed_pinned_and_rolled_back_to(
    api: TestClient, database: Database
) -> None:
    run_id, token = claimed_run(database)
    checkpoint_id = saved_checkpoint(database, run_id, token, step=500)
    (checkpoint,) = api.get(f"/api/v1/runs/{run_id}/checkpoints").json()
    assert checkpoint["id"] == checkpoint_id
    assert checkpoint["step"] == 500
    assert checkpoint["kind"] == "interval"
    assert checkpoint["bytes"] == 2_100_000
    assert len(checkpoint["sha256"]) == 64
    assert "path" not in checkpoint
    address = f"/api/v1/runs/{run_id}/checkpoints/{checkpoint_id}/pin"
    assert api.post(address, json={"pinned": True}).json()["pinned"] is True
    run = api.post(f"/api/v1/runs/{run_id}/rollback", json={"checkpoint_id": checkpoint_id})
    assert run.status_code == 200
    (command,) = api.get(f"/api/v1/runs/{run_id}/commands").json()
    assert command["kind"] == "rollback"
    assert command["argument"] == {"checkpoint_id": checkpoint_id}


def test_rolling_back_to_another_runs_checkpoint_is_404_and_names_the_choices(
    api: TestClient, database: Database
) -> None:
    first, token = claimed_run(database)
    foreign = saved_checkpoint(database, first, token, step=500)
    second, _ = claimed_run(database, simulator_port=2004)
    response = api.post(f"/api/v1/runs/{second}/rollback", json={"checkpoint_id": foreign})
    assert response.status_code == 404
    assert "none (it has none)" in response.json()["detail"]
    for body in ({}, {"checkpoint_id": "x"}, {"checkpoint_id": 2**40}, {"checkpoint": 1}):
        assert api.post(f"/api/v1/runs/{second}/rollback", json=body).status_code == 422


def test_segments_and_events_are_read(api: TestClient, database: Database) -> None:
    run_id, _ = claimed_run(database)
    run = api.get(f"/api/v1/runs/{run_id}").json()
    (segment,) = api.get(f"/api/v1/runs/{run_id}/segments").json()
    assert run["segment"] == segment["number"] == 1
    assert segment["id"] == run["segment_id"]
    events = api.get(f"/api/v1/runs/{run_id}/events").json()
    newer = api.get(f"/api/v1/runs/{run_id}/events", params={"after": events[0]["id"]}).json()
    assert newer == events[1:]
    last = api.get(f"/api/v1/runs/{run_id}/events", params={"limit": 1}).json()
    assert last == events[-1:]


def test_workers_and_simulators_say_what_they_train(api: TestClient, database: Database) -> None:
    run_id, _ = claimed_run(database)
    (worker,) = api.get("/api/v1/workers").json()
    assert worker["name"] == "w1"
    assert worker["runs"] == [run_id]
    assert worker["heartbeat_at"] == NOW
    (simulator,) = api.get("/api/v1/simulators").json()
    assert simulator["leased_run_id"] == run_id


def test_health_needs_no_token_and_the_openapi_page_describes_all(
    stranger: TestClient, api: TestClient
) -> None:
    assert stranger.get("/healthz").json() == {"status": "ok"}
    paths = api.get("/api/v1/openapi.json").json()["paths"]
    for action in ("halt", "resume", "cancel", "checkpoint", "rollback"):
        assert "post" in paths[f"/api/v1/runs/{{run_id}}/{action}"]
    assert not any(path.startswith("/runs") for path in paths)
