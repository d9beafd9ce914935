"""Errors are problem JSON for programs and pages for people, and always say what to do."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from backend.settings import Settings
from backend.web.app import create_app
from tests.web.conftest import BASE, TOKEN


def test_a_browser_gets_a_page_and_a_script_a_problem(browser: TestClient) -> None:
    html = browser.get("/runs/99")
    assert html.status_code == 404
    assert html.headers["Content-Type"].startswith("text/html")
    assert "there is no run 99" in html.text
    json = browser.get("/runs/99", headers={"Accept": "*/*"})
    assert json.headers["Content-Type"] == "application/problem+json"
    assert json.json() == {
        "type": "about:blank",
        "title": "Not found",
        "status": 404,
        "detail": "there is no run 99",
        "instance": "/runs/99",
    }


def test_the_api_answers_json_even_to_a_browser(browser: TestClient) -> None:
    response = browser.get("/api/v1/runs/99")
    assert response.headers["Content-Type"] == "application/problem+json"


def test_an_unknown_page_says_where_to_go(browser: TestClient) -> None:
    response = browser.get("/nowhere")
    assert response.status_code == 404
    assert "There is nothing at /nowhere" in response.text


def test_what_is_named_in_an_error_is_escaped(browser: TestClient) -> None:
    html = browser.get("/<script>alert(1)</script>").text
    assert "<script>alert" not in html


def test_a_database_that_is_away_is_503_and_the_page_says_training_goes_on(tmp_path: Path) -> None:
    missing = f"sqlite:///{tmp_path / 'no' / 'folder' / 'pitwall.db'}"
    app = create_app(Settings(data=tmp_path, database_url=missing, token=TOKEN))
    client = TestClient(app, base_url=BASE, headers={"Authorization": f"Bearer {TOKEN}"})
    response = client.get("/healthz")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    page = client.get("/", headers={"Accept": "text/html"})
    assert page.status_code == 503
    assert "Training goes on" in page.text
    app.state.database.close()


def test_a_fault_of_ours_is_500_without_its_insides(browser: TestClient) -> None:
    client = TestClient(browser.app, base_url=BASE, raise_server_exceptions=False)
    client.cookies = browser.cookies

    def broken() -> None:
        raise RuntimeError("secret detail")

    browser.app.state.settings = None  # type: ignore[attr-defined]
    response = client.get("/settings")
    assert response.status_code == 500
    assert response.json()["title"] == "Internal error"
    assert "secret detail" not in response.text


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_too_large_for_its_address_is_413(api: TestClient, chunked: bool) -> None:
    body = b'{"preset": "quickstart", "name": "' + b"a" * 1_100_000 + b'"}'
    content = iter([body[:500_000], body[500_000:]]) if chunked else body
    response = api.post("/api/v1/runs", content=content)
    assert response.status_code == 413
    assert "1.1 MB are more than the 1 MB" in response.json()["detail"]
    assert api.get("/api/v1/runs").json() == []


def test_a_long_value_is_named_shortened(api: TestClient) -> None:
    response = api.post("/api/v1/runs", json={"preset": "quickstart", "name": "a" * 500_000})
    assert response.status_code == 422
    assert len(response.content) < 2_000


@pytest.mark.parametrize(
    "body", ['{"preset":"\\ud800"}', '{"preset":"quickstart","config":{"halt_on":["\\ud800"]}}']
)
def test_half_of_a_surrogate_pair_is_refused_by_name(api: TestClient, body: str) -> None:
    response = api.post("/api/v1/runs", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert "\\ud800" in response.json()["detail"]
