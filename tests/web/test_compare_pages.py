"""Runs side by side: seeds together with a band, statistics named, different rewards refused."""

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend.database import Database
from backend.runs.models import Run
from tests.web.scripted import NOW, ScriptedTrainer, fleet

MATRIX = {
    "name": "tricks",
    "preset": "quickstart",
    "config": {"total_steps": 5000, "learning_starts": 200, "evaluation_interval": 500},
    "seeds": [0, 1, 2],
    "variants": {"td3": {}, "ddpg": {"algorithm": "ddpg"}},
}


@pytest.fixture
def group(api: TestClient, database: Database) -> dict[str, Any]:
    """Three seeds of TD3 and of DDPG, five of them trained a while."""
    found: dict[str, Any] = api.post("/api/v1/runs", json=MATRIX).json()
    with database.write() as session:
        fleet.register_worker(session, "w1", "here", 1, 6, NOW)
        for port in range(2000, 2012, 2):
            fleet.register_simulator(session, "127.0.0.1", port, NOW, "w1")
    for place, run in enumerate(found["runs"][:5]):
        trainer = ScriptedTrainer(database, run["id"])
        assert trainer.claim(NOW + 1000 * place)
        trainer.advance(1000 + 100 * place, NOW + 1000 * place + 10, 10)
    return found


def chart(api: TestClient, name: str, **query: object) -> dict[str, Any]:
    response = api.get(f"/api/v1/compare/charts/{name}", params=query)  # type: ignore[arg-type]
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def roles(figure: dict[str, Any]) -> list[tuple[str, int]]:
    return [(trace["meta"]["role"], trace["meta"]["slot"]) for trace in figure["data"]]


def test_seeds_are_one_line_with_a_band_and_its_estimator(
    api: TestClient, group: dict[str, Any]
) -> None:
    figure = chart(api, "return", group=group["id"])
    assert roles(figure) == [
        ("low", 0), ("high", 0), *[("member", 0)] * 3, ("compared", 0),
        ("low", 1), ("high", 1), *[("member", 1)] * 2, ("compared", 1),
    ]  # fmt: skip
    assert [t["name"] for t in figure["data"] if t["showlegend"]] == ["TD3 (n=3)", "DDPG (n=2)"]
    assert "interquartile mean" in figure["layout"]["meta"]["estimator"]
    mean = chart(api, "return", group=group["id"], centre="mean")
    assert mean["layout"]["meta"]["estimator"].startswith("mean over runs")


def test_each_run_can_stand_by_itself_and_runs_be_grouped_by_any_key(
    api: TestClient, group: dict[str, Any]
) -> None:
    alone = chart(api, "return", group=group["id"], by="run")
    assert roles(alone) == [("compared", slot) for slot in range(5)]
    by_seed = chart(api, "return", group=group["id"], by="seed")
    names = [trace["name"] for trace in by_seed["data"] if trace["showlegend"]]
    assert names == ["seed=0 (n=2)", "seed=1 (n=2)", "seed=2"]
    assert api.get(f"/api/v1/compare/charts/return?group={group['id']}&by=lr").status_code == 422


def test_time_counts_from_each_runs_start(api: TestClient, group: dict[str, Any]) -> None:
    """Runs of different hours lie upon each other, not beside."""
    figure = chart(api, "return", group=group["id"], by="run", x="time", start=0, end=60)
    assert figure["layout"]["xaxis"]["tickformat"] == "%H:%M:%S"
    assert len(figure["data"]) == 5


def test_the_page_tells_statistics_the_table_of_both_algorithms_and_what_differs(
    browser: TestClient, group: dict[str, Any]
) -> None:
    html = browser.get(f"/compare?group={group['id']}").text
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))
    assert "TD3 3 runs" in text
    assert "Return of evaluations at step 1,000" in text
    assert "TD3 against DDPG" in text
    assert "TD3 beside DDPG" in text
    assert "Mann-Whitney, two-sided, exact" in text
    assert "Fewer than five seeds" in text
    assert "Left out, not evaluated yet: tricks / ddpg / seed 2" in text
    assert "policy_delay 2 1" in text
    link = re.search(r'href="(/api/v1/compare/table.tex[^"]+)"', html)
    assert link


def test_returns_of_different_rewards_are_refused_unless_waived(
    browser: TestClient, api: TestClient, group: dict[str, Any], database: Database
) -> None:
    with database.write() as session:
        session.get_one(Run, group["runs"][0]["id"]).reward_fingerprint = "another"
    address = f"/compare?group={group['id']}"
    html = browser.get(address).text
    assert "Returns are not compared." in html
    assert 'id="chart-return"' not in html
    assert 'id="chart-success-rate"' in html
    refused = api.get(f"/api/v1/compare/charts/return?group={group['id']}")
    assert refused.status_code == 409
    waived = browser.get(f"{address}&waive=1").text
    assert "Waived: rewards differ." in waived
    assert 'id="chart-return"' in waived
    assert "the runs were rewarded differently" in waived


def test_a_comparison_of_nothing_teaches_and_of_what_is_not_there_is_404(
    browser: TestClient, api: TestClient
) -> None:
    assert "Nothing to compare yet" in browser.get("/compare").text
    assert browser.get("/compare?group=9").status_code == 404
    assert api.get("/api/v1/compare/charts/return").status_code == 422


def test_a_groups_page_shows_every_cell_and_what_can_be_asked_of_all(
    browser: TestClient, group: dict[str, Any]
) -> None:
    html = browser.get(f"/groups/{group['id']}").text
    assert html.count('<th scope="col">seed') == 3
    assert "algorithm=ddpg" in html
    assert "5 running · 1 queued" in html
    assert "Halt 6 runs?" in html
    assert "Resume" not in html
    response = browser.post(f"/groups/{group['id']}/halt")
    assert (response.status_code, response.headers["Location"]) == (303, f"/groups/{group['id']}")
    assert "halting" in browser.get(f"/groups/{group['id']}").text
    assert browser.get("/groups/77").status_code == 404
    runs = browser.get(f"/?group={group['id']}").text
    assert runs.count('type="checkbox" name="runs"') == 6
    assert f'href="/groups/{group["id"]}">tricks</a>' in runs
