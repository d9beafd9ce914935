"""Seeds and variants in one request: one group, all of its runs or none, stopped together."""

import pytest
from fastapi.testclient import TestClient

from backend.database import Database
from tests.web.scripted import NOW, ScriptedTrainer, fleet

MATRIX = {
    "name": "tricks",
    "preset": "quickstart",
    "config": {"total_steps": 5000},
    "seeds": [0, 1, 2],
    "variants": {"td3": {}, "ddpg": {"algorithm": "ddpg"}},
}


def test_seeds_and_variants_start_one_group(api: TestClient) -> None:
    response = api.post("/api/v1/runs", json=MATRIX)
    assert response.status_code == 201, response.text
    group = response.json()
    assert api.get(response.headers["Location"]).json() == group
    assert group["name"] == "tricks"
    assert group["plan"]["seeds"] == [0, 1, 2]
    assert [run["name"] for run in group["runs"]][:3] == [
        "tricks / td3 / seed 0",
        "tricks / ddpg / seed 0",
        "tricks / td3 / seed 1",
    ]
    assert {run["group_id"] for run in group["runs"]} == {group["id"]}
    ddpg = [run for run in group["runs"] if run["variant"] == "ddpg"]
    configs = [api.get(f"/api/v1/runs/{run['id']}").json()["config"] for run in ddpg]
    assert [config["seed"] for config in configs] == [0, 1, 2]
    assert {(c["algorithm"], c["policy_delay"], c["total_steps"]) for c in configs} == {
        ("ddpg", 1, 5000)
    }
    listed = api.get("/api/v1/runs", params={"group": group["id"]}).json()
    assert len(listed) == 6
    assert [found["id"] for found in api.get("/api/v1/groups").json()] == [group["id"]]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"variants": {"td3": {}, "odd": {"gamma": 7}}}, "variants.odd.gamma"),
        ({"variants": {"td3": {}, "odd": {"halt_on": ["nope"]}}}, "variants.odd.halt_on"),
        (
            {
                "config": {"halt_on": ["collapse"]},
                "variants": {"td3": {}, "odd": {"rules": "founding"}},
            },
            "variants.odd.halt_on",
        ),
        ({"config": {"gamma": 7}}, "gamma"),
        ({"config": {"halt_on": ["nope"]}}, "halt_on"),
        ({"seeds": [0, 0]}, "seeds"),
        ({"seeds": []}, "seeds"),
        ({"seeds": [True]}, "seeds.0"),
        ({"variants": {}}, "variants"),
        ({"variants": {"td3": 1}}, "variants.td3"),
    ],
)
def test_one_wrong_value_creates_none_of_them(
    api: TestClient, change: dict[str, object], field: str
) -> None:
    response = api.post("/api/v1/runs", json={**MATRIX, **change})
    assert response.status_code == 422
    assert field in response.json()["fields"]
    assert api.get("/api/v1/runs").json() == []
    assert api.get("/api/v1/groups").json() == []


def test_a_group_is_halted_resumed_and_cancelled_together(
    api: TestClient, database: Database
) -> None:
    group = api.post("/api/v1/runs", json=MATRIX).json()
    address = f"/api/v1/groups/{group['id']}"
    with database.write() as session:
        fleet.register_worker(session, "w1", "here", 1, 1, NOW)
        fleet.register_simulator(session, "127.0.0.1", 2000, NOW, "w1")
    assert ScriptedTrainer(database, group["runs"][0]["id"]).claim(NOW)
    halted = api.post(f"{address}/halt").json()
    assert [run["state"] for run in halted] == ["running", *["halted"] * 5]
    assert halted[0]["desired"] == "halt"
    assert len(api.post(f"{address}/resume").json()) == 5
    assert len(api.post(f"{address}/cancel").json()) == 6
    refused = api.post(f"{address}/resume")
    assert refused.status_code == 409
    assert "can resume now" in refused.json()["detail"]


def test_a_group_that_does_not_exist_is_404(api: TestClient) -> None:
    assert api.get("/api/v1/groups/9").status_code == 404
    assert api.post("/api/v1/groups/9/halt").status_code == 404
    assert api.get("/api/v1/groups/0").status_code == 422
