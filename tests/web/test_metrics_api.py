"""Metrics, series, figures and gates over HTTP."""

import json
import math
import time

import pytest
from fastapi.testclient import TestClient

from backend.charts.figures import CHARTS
from backend.database import Database
from backend.metrics import store
from backend.runs.attempts import requeue
from backend.runs.parsing import parse_config
from backend.runs.service import create_run
from backend.web.comparison import MOST_RUNS
from tests.web.scripted import NOW, ScriptedTrainer, claimed_run


@pytest.fixture
def trainer(database: Database) -> ScriptedTrainer:
    """A run of 1,500 steps whose policy then dies for 2,500 more."""
    run_id, token = claimed_run(database)
    with database.write() as session:
        requeue(session, run_id, token, "drain", NOW)
    trainer = ScriptedTrainer(database, run_id)
    assert trainer.claim(NOW)
    trainer.advance(1500, NOW)
    trainer.health = 0.0
    trainer.advance(2500, NOW + 1)
    return trainer


def test_metrics_say_what_they_mean_and_where_they_stand(
    api: TestClient, trainer: ScriptedTrainer
) -> None:
    metrics = {m["name"]: m for m in api.get(f"/api/v1/runs/{trainer.run_id}/metrics").json()}
    assert metrics["episode/return"]["title"] == "Return"
    assert metrics["episode/return"]["better"] == "higher"
    assert metrics["episode/return"]["last_step"] == 4000
    assert metrics["progress/speed"]["unit"] == "m/s"


def test_a_series_is_read_exactly_or_by_column(api: TestClient, trainer: ScriptedTrainer) -> None:
    address = f"/api/v1/runs/{trainer.run_id}/series"
    query = {"metric": "progress/speed", "start": 101, "end": 200}
    exact = api.get(address, params=query).json()
    assert exact["raw"]
    assert exact["curve"]["x"] == list(range(101, 201))
    summed = api.get(address, params={"metric": "progress/speed", "points": 10}).json()
    assert not summed["raw"]
    assert len(summed["curve"]["x"]) <= 10
    assert sum(summed["curve"]["count"]) == 4000
    for low, mean, high in zip(*(summed["curve"][k] for k in ("low", "mean", "high")), strict=True):
        assert low <= mean <= high


def test_a_series_without_points_is_empty_and_a_bad_range_is_422(
    api: TestClient, trainer: ScriptedTrainer
) -> None:
    address = f"/api/v1/runs/{trainer.run_id}/series"
    assert api.get(address, params={"metric": "no/such"}).json()["curve"]["x"] == []
    assert api.get(address).status_code == 422
    reversed_range = api.get(address, params={"metric": "a", "start": 5, "end": 1})
    assert reversed_range.status_code == 422
    assert "swap them" in reversed_range.json()["fields"]["start"]
    for wrong in ({"x": "year"}, {"points": 0}, {"points": 10**9}, {"start": "nan"}):
        assert api.get(address, params={"metric": "a", **wrong}).status_code == 422, wrong


def test_several_metrics_of_several_runs_come_in_one_answer(
    api: TestClient, trainer: ScriptedTrainer, database: Database
) -> None:
    with database.write() as session:
        other = create_run(session, "", "quickstart", parse_config("quickstart", {}), NOW).id
    runs, metrics = [trainer.run_id, other], ["progress/speed", "episode/return"]
    query = {"runs": runs, "metrics": metrics, "points": 50}
    found = api.get("/api/v1/series", params=query).json()
    assert [(s["run_id"], s["metric"]) for s in found] == [(r, m) for r in runs for m in metrics]
    one = {"metric": "progress/speed", "points": 50}
    assert found[0] == api.get(f"/api/v1/runs/{trainer.run_id}/series", params=one).json()
    assert found[2]["curve"]["x"] == []


def test_too_many_series_and_unknown_runs_are_refused(
    api: TestClient, trainer: ScriptedTrainer
) -> None:
    address = "/api/v1/series"
    unknown = api.get(address, params={"runs": 99, "metrics": "m"})
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "Run 99 does not exist")
    many = {"runs": [trainer.run_id] * 20, "metrics": [f"m{i}" for i in range(21)]}
    refused = api.get(address, params=many)
    assert refused.status_code == 422
    assert "ask for fewer" in refused.json()["fields"]["metrics"]
    assert api.get(address, params={"runs": trainer.run_id}).status_code == 422


def test_values_that_are_not_finite_reach_the_reader_as_null_not_as_broken_json(
    api: TestClient, trainer: ScriptedTrainer, database: Database
) -> None:
    metric = "learner/critic_loss"
    points = [(metric, 4001, 80, NOW + 2, math.nan), (metric, 4002, 80, NOW + 2, math.inf)]
    with database.write() as session:
        store.append(session, trainer.segment_id, points)
    query = {"metric": metric, "start": 4001}
    curve = json.loads(api.get(f"/api/v1/runs/{trainer.run_id}/series", params=query).text)["curve"]
    assert curve["mean"] == [None, None]
    assert curve["nonfinite"] == [1, 1]
    chart = api.get(f"/api/v1/runs/{trainer.run_id}/charts/critic-loss")
    json.loads(chart.text, parse_constant=pytest.fail)


@pytest.mark.parametrize("chart", ["return", "q-values", "critic-gradient", "terminations"])
def test_charts_are_figures_plotly_draws(
    api: TestClient, trainer: ScriptedTrainer, chart: str
) -> None:
    for query in ("", "?x=episode&smoothing=0.9", "?x=time&points=50", "?start=1000&end=2000"):
        response = api.get(f"/api/v1/runs/{trainer.run_id}/charts/{chart}{query}")
        assert response.status_code == 200, response.text
        drawn = response.json()
        assert drawn["data"]
        assert all(trace["meta"]["metric"] for trace in drawn["data"])


def test_a_page_of_charts_comes_in_one_answer(api: TestClient, trainer: ScriptedTrainer) -> None:
    address = f"/api/v1/runs/{trainer.run_id}/charts"
    names, view = ["return", "q-values", "terminations"], "points=100&smoothing=0.9"
    page = api.get(f"{address}?{view}", params={"charts": names, "points": 100, "smoothing": 0.9})
    assert list(page.json()) == names
    for name in names:
        assert page.json()[name] == api.get(f"{address}/{name}?{view}").json()
    assert api.get(address, params={"charts": ["return", "nope"]}).status_code == 404


def test_every_chart_answers_for_a_run_without_points(api: TestClient, database: Database) -> None:
    run_id, _ = claimed_run(database)
    for chart in CHARTS:
        assert api.get(f"/api/v1/runs/{run_id}/charts/{chart}").json()["data"] == []
    unknown = api.get(f"/api/v1/runs/{run_id}/charts/nope")
    assert unknown.status_code == 404
    assert "choose one of return" in unknown.json()["detail"]


def test_a_rolled_back_run_has_its_faint_branch(
    api: TestClient, trainer: ScriptedTrainer, database: Database
) -> None:
    now = time.time()
    checkpoint = trainer.save("manual", now)
    trainer.advance(500, now)
    answer = api.post(f"/api/v1/runs/{trainer.run_id}/rollback", json={"checkpoint_id": checkpoint})
    assert answer.status_code == 200
    assert not trainer.obey(now)
    assert trainer.claim(now)
    run = api.get(f"/api/v1/runs/{trainer.run_id}").json()
    assert (run["step"], run["segment"]) == (4000, 3)
    figure = api.get(f"/api/v1/runs/{trainer.run_id}/charts/return").json()
    (branch,) = [trace for trace in figure["data"] if trace["meta"]["role"] == "branch"]
    assert branch["opacity"] < 0.5
    query = {"metric": "episode/return", "branches": True}
    series = api.get(f"/api/v1/runs/{trainer.run_id}/series", params=query).json()
    assert series["curve"]["x"][-1] == 4000
    assert series["branches"][0]["curve"]["x"][-1] == 4500


def test_gates_give_verdict_rules_worst_first_and_flips_newest_first(
    api: TestClient, trainer: ScriptedTrainer
) -> None:
    gates = api.get(f"/api/v1/runs/{trainer.run_id}/gates").json()
    run = api.get(f"/api/v1/runs/{trainer.run_id}").json()
    assert gates["verdict"] == run["verdict"] == "no-go"
    assert gates["sentence"] == run["verdict_sentence"]
    assert gates["rules"][0]["state"] == "critical"
    assert gates["rules"][0]["reason"]
    ranks = [{"critical": 0, "warning": 1}.get(rule["state"], 2) for rule in gates["rules"]]
    assert ranks == sorted(ranks)
    ids = [flip["id"] for flip in gates["flips"]]
    assert ids == sorted(ids, reverse=True)
    assert api.get(f"/api/v1/runs/{trainer.run_id}/gates?flips=1").json()["flips"] == [
        gates["flips"][0]
    ]


def test_only_a_warning_can_be_accepted_and_only_with_name_and_reason(
    api: TestClient, trainer: ScriptedTrainer
) -> None:
    address = f"/api/v1/runs/{trainer.run_id}/gates"
    rules = {rule["rule"]: rule["state"] for rule in api.get(address).json()["rules"]}
    fine = next(rule for rule, state in rules.items() if state == "ok")
    body = {"person": "Ada", "reason": "known sensor fault"}
    assert api.post(f"{address}/{fine}/accept", json=body).status_code == 409
    assert api.post(f"{address}/nope/accept", json=body).status_code == 404
    nobody = api.post(f"{address}/{fine}/accept", json={"person": " ", "reason": ""})
    assert nobody.status_code == 422
    assert set(nobody.json()["fields"]) == {"person", "reason"}


def test_several_runs_share_one_chart(api: TestClient, trainer: ScriptedTrainer) -> None:
    address = "/api/v1/compare/charts/return"
    drawn = api.get(f"{address}?runs={trainer.run_id}").json()
    assert [trace["meta"]["role"] for trace in drawn["data"]] == ["compared"]
    zoomed = api.get(f"{address}?runs={trainer.run_id}&start=1000&end=2000&smoothing=0").json()
    assert len(zoomed["data"][0]["x"]["bdata"]) < len(drawn["data"][0]["x"]["bdata"])
    assert api.get(address).status_code == 422
    assert api.get(f"{address}?runs=99").status_code == 404
    assert api.get(address + "?" + "&".join(["runs=1"] * (MOST_RUNS + 1))).status_code == 422
