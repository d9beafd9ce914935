"""A rule's page, a person's word on it, and thresholds tried on a run and saved."""

import pytest
from fastapi.testclient import TestClient

from backend.database import Database
from backend.gates.engine import GateEngine
from backend.gates.presets import load_preset
from backend.gates.service import save_judgement
from backend.rules.rule import RuleAction
from tests.gates.test_stored import config, stored_run
from tests.rules.scripted import explored, healthy_samples

NOW = 1_000_000.0
STRICT = {"base": "behavioural", "p.transition.steps": "200", "p.transition.episodes": "4"}
OWN = {
    "c.0.name": "q-high",
    "c.0.kind": "threshold",
    "c.0.metric": "learner/q1_mean",
    "c.0.limit": "5",
    "c.0.level": "critical",
    "c.0.action": "halt",
}


@pytest.fixture
def run_id(database: Database) -> int:
    """A run whose returns dropped a moment ago: its transition rule warns."""
    points = explored().episodes([20.0] * 15).samples(healthy_samples(5)).points
    engine = GateEngine.for_config(config())
    engine.observe(points)
    with database.write() as session:
        run = stored_run(session, points)
        run.step = 1_500
        save_judgement(session, run.id, run.segment_id, engine.evaluate(0, final=True), NOW)
        return run.id


def test_a_rule_has_a_page_with_its_evidence_and_its_charts(
    browser: TestClient, run_id: int
) -> None:
    page = browser.get(f"/runs/{run_id}/gates/transition").text
    assert "Transition to learning" in page
    assert 'chart="return"' in page
    assert "reference mean" in page
    assert "Accept or acknowledge" in page
    assert browser.get(f"/runs/{run_id}/gates/luck").status_code == 404


def test_a_condition_is_accepted_on_the_page_with_reason_and_end(
    browser: TestClient, api: TestClient, run_id: int
) -> None:
    address = f"/runs/{run_id}/gates/transition/word"
    refused = browser.post(address, data={"do": "accept", "person": "Ada", "steps": "-3"})
    assert refused.status_code == 422
    assert 'value="Ada"' in refused.text
    assert "give a number above 0" in refused.text
    given = {"do": "accept", "person": "Ada", "reason": "fresh policy", "steps": "5,000"}
    assert browser.post(address, data=given).status_code == 303
    (accepted,) = api.get(f"/api/v1/runs/{run_id}/gates").json()["accepted"]
    assert (accepted["person"], accepted["expires_step"]) == ("Ada", 6_500)
    assert accepted["evidence"]["reference_mean"] > 0
    assert "accepted by Ada" in browser.get(f"/runs/{run_id}/gates").text
    assert "fresh policy" in browser.get(f"/runs/{run_id}/gates/transition").text
    assert 'value="Ada"' in browser.get(address).text


def test_an_acknowledgement_is_kept_and_excuses_nothing(api: TestClient, run_id: int) -> None:
    address = f"/api/v1/runs/{run_id}/gates"
    answer = api.post(f"{address}/transition/acknowledge", json={"person": "Ada"})
    assert (answer.status_code, answer.json()["kind"]) == (201, "acknowledged")
    assert api.get(address).json()["accepted"] == []
    quiet = api.post(f"{address}/non_finite/acknowledge", json={"person": "Ada"})
    assert quiet.status_code == 409
    assert "nothing to acknowledge" in quiet.json()["detail"]


def test_thresholds_are_tried_before_they_are_saved(browser: TestClient, run_id: int) -> None:
    tried = browser.post(f"/runs/{run_id}/gates/try", data={**STRICT, **OWN}).json()
    html = tried["fragments"]["backtest"]
    assert tried["fields"] == {}
    assert "q-high" in html
    assert "different" in html
    assert "<strong>NO-GO</strong>" in html
    wrong = browser.post(f"/runs/{run_id}/gates/try", data={"p.transition.steps": "soon"}).json()
    assert list(wrong["fields"]) == ["parameters.transition.steps"]
    assert "transition steps</strong>: must be a number" in wrong["fragments"]["backtest"]
    assert "soon" in wrong["fragments"]["backtest"]


def test_edited_thresholds_become_a_named_preset_in_versions(
    browser: TestClient, database: Database, run_id: int
) -> None:
    address = f"/runs/{run_id}/gates/thresholds"
    named = {**STRICT, **OWN, "a.transition": "halt", "do": "save", "name": "strict"}
    for version in (1, 2):
        answer = browser.post(address, data={**named, "person": "Ada"})
        assert answer.headers["location"].startswith(f"{address}?preset=strict@{version}")
    page = browser.get(answer.headers["location"]).text
    assert "Saved as strict@2" in page
    assert 'value="q-high"' in page
    with database.read() as session:
        preset = load_preset(session, "strict")
    assert preset.parameters == {"transition": {"steps": 200, "episodes": 4}}
    assert preset.actions == {"transition": RuleAction.HALT}
    assert preset.custom[0].limit == 5
    refused = browser.post(address, data={**named, "name": "Not a name"})
    assert refused.status_code == 422
    assert 'value="200"' in refused.text


def test_thresholds_are_tried_over_the_api_too(api: TestClient, run_id: int) -> None:
    address = f"/api/v1/runs/{run_id}/gates/backtest"
    body = {"parameters": {"transition": {"steps": 200, "episodes": 4}}}
    found = api.post(address, json=body).json()
    assert found["verdict"] == "no-go"
    assert found["rules"]["transition"]["critical"] > found["rules"]["transition"]["warning"]
    assert api.post(address, json={"parameters": {"luck": {}}}).status_code == 422


def test_a_run_is_judged_by_thresholds_of_its_page_from_now_on(
    browser: TestClient, api: TestClient, run_id: int
) -> None:
    address = f"/runs/{run_id}/gates/thresholds"
    used = {**STRICT, **OWN, "c.0.better": "lower", "do": "use", "name": "strict"}
    refused = browser.post(address, data=used)
    assert refused.status_code == 422
    assert "say who changes the rules" in refused.text
    assert [p["version"] for p in api.get("/api/v1/rules").json() if p["name"] == "strict"] == []
    page = browser.get(browser.post(address, data={**used, "person": "Ada"}).headers["location"])
    assert "This run is judged by it from now on" in page.text
    assert "by the word of Ada" in page.text
    judged = api.get(f"/api/v1/runs/{run_id}/gates").json()
    assert (judged["verdict"], judged["judged_by"]) == ("no-go", "strict@1")
    assert judged["flips"][0]["preset"] == "strict"
    assert "strict@1" in browser.get(f"/runs/{run_id}/gates").text
    back = {"preset": "behavioural", "person": "Bo"}
    assert browser.post(f"/runs/{run_id}/gates/rules", data=back).status_code == 303
    assert api.get(f"/api/v1/runs/{run_id}").json()["verdict"] == "conditional-go"
    again = browser.post(f"/runs/{run_id}/gates/rules", data=back)
    assert again.status_code == 422
    assert "by behavioural already" in again.text
    kept = browser.get(f"{address}?preset=strict@1").text
    assert "<option selected>lower</option>" in kept


def test_the_api_shows_every_word_and_which_of_them_count(api: TestClient, run_id: int) -> None:
    address = f"/api/v1/runs/{run_id}/gates"
    for reason, end in (("a while", 1_600), ("a moment", 1_501)):
        body = {"person": "Ada", "reason": reason, "expires_step": end}
        assert api.post(f"{address}/transition/accept", json=body).status_code == 201
    told = api.get(address).json()
    assert [(w["reason"], w["counts"]) for w in told["words"]] == [
        ("a moment", True),
        ("a while", False),
    ]
    assert [word["reason"] for word in told["accepted"]] == ["a moment"]
    wrong = {"person": " ", "reason": "", "expires_step": 1_500, "expires_at": 5}
    refused = api.post(f"{address}/transition/accept", json=wrong)
    assert refused.status_code == 422
    assert refused.json()["fields"].keys() == {"person", "reason", "expires_step", "expires_at"}
    gate = api.post(f"{address}/steps/10000/accept", json={"person": "Ada", "reason": "x", **wrong})
    assert (gate.status_code, list(gate.json()["fields"])) == (422, ["expires_step", "expires_at"])


def test_presets_are_saved_and_read_over_the_api(api: TestClient) -> None:
    body = {"name": "strict", "parameters": {"transition": {"steps": 200}}, "person": "Ada"}
    assert api.post("/api/v1/rules", json=body).json()["version"] == 1
    assert api.get("/api/v1/rules/strict@1").json()["parameters"] == body["parameters"]
    refused = api.post("/api/v1/rules", json={**body, "parameters": {"luck": {}}})
    assert refused.status_code == 422
    assert "'luck' is no rule of strict" in refused.json()["fields"]["parameters.luck"]
    assert api.get("/api/v1/rules/nobody").status_code == 404
