"""Groups of seeds compared over HTTP."""

import pytest
from fastapi.testclient import TestClient

from backend.database import Database
from backend.runs.models import Run
from backend.runs.parsing import parse_config
from tests.reports.test_comparison import evaluated

DDPG = parse_config("quickstart", {"algorithm": "ddpg"}).model_dump(mode="json")


@pytest.fixture
def runs(database: Database) -> dict[str, list[int]]:
    with database.write() as session:
        td3 = [evaluated(session, f"td3-{i}", [0.0, 50.0, 100.0 + i], 1.0) for i in range(4)]
        ddpg = [evaluated(session, f"ddpg-{i}", [0.0, 10.0, 20.0 + i]) for i in range(4)]
        for number in ddpg:
            session.get_one(Run, number).config = DDPG
    return {"runs": [*td3, *ddpg]}


def test_td3_and_ddpg_are_compared_with_every_estimator_named(
    api: TestClient, runs: dict[str, list[int]]
) -> None:
    found = api.get("/api/v1/compare/statistics", params=runs).json()
    assert [group["name"] for group in found["groups"]] == ["TD3", "DDPG"]
    assert found["groups"][0]["iqm"]["estimator"] == "interquartile mean"
    assert found["groups"][0]["success"]["interval"] == "95 % Wilson score"
    assert found["pairs"][0]["probability_of_improvement"]["value"] == 1
    assert found["pairs"][0]["mann_whitney"]["p"] == pytest.approx(2 / 70)


def test_a_waived_difference_of_rewards_stands_on_the_figure(
    api: TestClient, database: Database, runs: dict[str, list[int]]
) -> None:
    with database.write() as session:
        session.get_one(Run, runs["runs"][0]).reward_fingerprint = "another"
    refused = api.get("/api/v1/compare/curves", params=runs)
    assert refused.status_code == 409
    assert "rewarded differently" in refused.json()["detail"]
    drawn = api.get("/api/v1/compare/curves", params={**runs, "waive": True}).json()
    assert [trace["name"] for trace in drawn["data"] if trace["showlegend"]] == [
        "TD3 (n = 4)",
        "DDPG (n = 4)",
    ]
    assert "Waived: the runs were rewarded differently" in drawn["layout"]["annotations"][0]["text"]


def test_the_comparison_is_a_latex_table(api: TestClient, runs: dict[str, list[int]]) -> None:
    text = api.get("/api/v1/compare/table.tex", params={**runs, "by": "algorithm"}).text
    assert "TD3 against DDPG" in text
    assert text.count("\\begin{tabular") == 2


def test_an_unknown_grouping_is_refused_with_a_remedy(
    api: TestClient, runs: dict[str, list[int]]
) -> None:
    answer = api.get("/api/v1/compare/statistics", params={**runs, "by": "colour"})
    assert answer.status_code == 422
    assert "'colour' is no configuration key of these runs" in answer.text
