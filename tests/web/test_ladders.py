"""Ladders, gates at steps and notifications over HTTP: the API, and the pages' forms without a script."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend.database import Database
from backend.ladders.presets import PLANS
from backend.settings import Settings
from backend.web.app import create_app
from tests.ladders.conftest import Climb, two_stages
from tests.web.conftest import BASE, TOKEN


def waiting(database: Database) -> Climb:
    climb = Climb(database, two_stages())
    climb.finish("conditional")
    climb.advance()
    return climb


def test_a_plan_becomes_a_ladder_as_a_document_or_as_yaml(api: TestClient) -> None:
    for plan in (two_stages(), PLANS["quickstart"]):
        answer = api.post("/api/v1/ladders", json={"plan": plan, "person": "Ada"})
        assert answer.status_code == 201, answer.text
        ladder = answer.json()
        assert answer.headers["Location"] == f"/api/v1/ladders/{ladder['id']}"
        assert (ladder["state"], ladder["stages"][0]["state"]) == ("running", "running")
        assert ladder["stages"][0]["gates"][0]["outcome"] == "pending"
    assert [found["id"] for found in api.get("/api/v1/ladders").json()] == [2, 1]
    assert len(api.get("/api/v1/runs").json()) == 2


@pytest.mark.parametrize(
    ("plan", "field"),
    [("name: [", "plan"), (two_stages(config={}), "stages.1.config.total_steps"), ({}, "name")],
)
def test_a_wrong_plan_is_422_by_field_and_nothing_is_made(
    api: TestClient, plan: Any, field: str
) -> None:
    answer = api.post("/api/v1/ladders", json={"plan": plan})
    assert answer.status_code == 422
    assert field in answer.json()["fields"]
    assert api.get("/api/v1/ladders").json() == []
    assert api.get("/api/v1/runs").json() == []


def test_what_waits_is_accepted_by_a_named_person_and_then_stopped(
    api: TestClient, database: Database
) -> None:
    climb = waiting(database)
    path = f"/api/v1/ladders/{climb.id}"
    assert api.post(f"{path}/accept", json={}).status_code == 422
    accepted = api.post(f"{path}/accept", json={"person": "Ada", "reason": "fine"}).json()
    assert accepted["stages"][0]["accepted_by"] == "Ada"
    assert accepted["stages"][0]["gates"][0]["accepted_by"] == "Ada"
    assert api.post(f"{path}/accept", json={"person": "A", "reason": "b"}).status_code == 409
    stopped = api.post(f"{path}/stop", json={"person": "Ada", "reason": "enough"}).json()
    assert (stopped["state"], stopped["stages"][1]["state"]) == ("stopped", "stopped")
    assert api.get("/api/v1/ladders/9").status_code == 404


def test_the_pages_show_it_and_their_forms_act_without_a_script(
    browser: TestClient, database: Database
) -> None:
    climb = waiting(database)
    assert "waits for a person" in browser.get("/ladders").text
    shown = browser.get(f"/ladders/{climb.id}").text
    assert "Accept and go on" in shown
    assert "the return is conditional" in shown
    form = {"person": "Ada <b>", "reason": "fine & well"}
    answer = browser.post(f"/ladders/{climb.id}/accept", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/ladders/{climb.id}")
    shown = browser.get(f"/ladders/{climb.id}").text
    assert "Accepted by <strong>Ada &lt;b&gt;</strong>" in shown
    assert "Accept and go on" not in shown
    assert browser.post(f"/ladders/{climb.id}/stop", data={}).status_code == 303
    assert climb.ladder().state == "stopped"
    assert f"/ladders/{climb.id}" in browser.get(f"/runs/{climb.run(0).id}").text


def test_the_form_starts_a_plan_or_keeps_the_text_and_says_what_to_mend(
    browser: TestClient,
) -> None:
    assert "10K validation" in browser.get("/ladders/new?from=founding").text
    answer = browser.post("/ladders", data={"plan": "name: x\nstages: 3", "person": "Ada"})
    assert answer.status_code == 422
    assert "stages: 3" in answer.text
    assert 'value="Ada"' in answer.text
    answer = browser.post("/ladders", data={"plan": PLANS["quickstart"]})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/ladders/1")


def test_gates_of_a_run_are_edited_and_accepted_over_the_api(
    api: TestClient, database: Database
) -> None:
    run = waiting(database).run(0)
    path = f"/api/v1/runs/{run.id}/gates"
    (gate,) = api.get(path).json()["steps"]
    assert (gate["at"], gate["outcome"]) == (4000, "conditional")
    body = {"person": "Ada", "reason": "fine"}
    assert api.post(f"{path}/steps/4000/accept", json=body).status_code == 201
    assert api.get(path).json()["steps"][0]["accepted_by"] == "Ada"
    assert api.post(f"{path}/steps/77/accept", json=body).status_code == 404
    check = {"measure": "q_drift", "low": -5}
    wanted = [{"at": 9000, "checks": [check]}]
    (gate,) = api.put(f"{path}/steps", json={"gates": wanted, "person": "Ada"}).json()
    assert (gate["at"], gate["outcome"]) == (9000, "pending")
    assert gate["checks"][0]["wanted"] == "should be at least -5"
    wrong = api.put(f"{path}/steps", json={"gates": [{"at": 1, "checks": [{"measure": "x"}]}]})
    assert wrong.status_code == 422
    assert "gates.0.checks.0" in wrong.json()["fields"]


def test_gates_of_a_run_are_edited_on_their_page(browser: TestClient, database: Database) -> None:
    run = waiting(database).run(0)
    path = f"/runs/{run.id}/gates"
    assert "mean episode/return" in browser.get(f"{path}/edit").text
    text = "- at: 4000\n  checks:\n  - {measure: q_drift, low: 1}"
    saved = browser.post(f"{path}/edit", data={"gates": text, "against": "", "person": "Ada"})
    assert saved.status_code == 303
    assert "PENDING" in browser.get(path).text
    for form, words in (
        ({"gates": "- at: x"}, "gates.0.at"),
        ({"gates": "5"}, "is no list"),
        ({"gates": text, "against": "seven"}, "is no run"),
        ({"gates": text, "against": "99"}, "there is no run 99"),
    ):
        refused = browser.post(f"{path}/edit", data=form)
        assert refused.status_code == 422
        assert words in refused.text


def test_settings_show_where_news_goes_without_a_secret_and_send_a_test(
    database: Database, settings: Settings
) -> None:
    secret = "hook-secret-path"
    told = settings.model_copy(
        update={
            "webhook_url": type(settings.token)(f"http://127.0.0.1:9/{secret}"),
            "webhook_secret": type(settings.token)(secret),
        }
    )
    app = create_app(told)
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/html"}
    client = TestClient(app, base_url=BASE, headers=headers, follow_redirects=False)
    shown = client.get("/settings").text
    assert "http://127.0.0.1:9, signed" in shown
    assert secret not in shown
    assert client.post("/settings/notify/webhook/test").status_code == 303
    assert "Pitwall&#39;s test message" in client.get("/settings").text
    assert client.post("/settings/notify/slack/test").status_code == 404
    app.state.database.close()
