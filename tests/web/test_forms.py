"""The new-run form says what RunConfig says, and gives back what was typed."""

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from backend.database import Database
from backend.runs.config import RunConfig, parse_config
from backend.runs.presets import PRESETS
from backend.web import forms
from tests.web.scripted import claimed_run


def test_every_field_of_the_configuration_has_one_input_in_a_known_group() -> None:
    shown = [field.name for _, _, fields, _ in forms.groups("paper", {}, {}) for field in fields]
    assert sorted(shown) == sorted(RunConfig.model_fields)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_form_sent_as_it_came_is_the_preset(preset: str) -> None:
    assert forms.overrides(preset, forms.preset_values(preset)) == {}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "seed": st.integers(0, 2**31 - 1),
            "gamma": st.floats(0, 1),
            "actor_learning_rate": st.floats(1e-9, 10),
            "traffic": st.booleans(),
            "scenario": st.sampled_from([0, 1, 2]),
            "hidden_sizes": st.lists(st.integers(1, 8192), min_size=1, max_size=8),
            "routes": st.lists(st.sampled_from(["left", "right", "4-17"]), min_size=1, max_size=3),
        },
    )
)
def test_what_a_form_shows_is_read_back_as_the_same_configuration(
    values: dict[str, object],
) -> None:
    config = parse_config("quickstart", values)
    shown = {name: forms.text(value) for name, value in config.model_dump(mode="json").items()}
    assert parse_config("quickstart", forms.overrides("quickstart", shown)) == config


def test_the_form_shows_the_sb3_default_and_what_was_changed() -> None:
    groups = forms.groups("quickstart", {"tau": "0.01"}, {"tau": "too odd"})
    learner = {f.name: f for name, _, fields, _ in groups if name == "learner" for f in fields}
    assert learner["tau"].sb3 == "0.005"
    assert learner["tau"].changed
    assert learner["tau"].error == "too odd"
    assert not learner["gamma"].changed
    assert [name for name, _, _, is_open in groups if is_open] == ["run", "learner"]


def test_starting_from_the_form_leads_to_the_run(browser: TestClient) -> None:
    response = browser.post("/runs", data={"preset": "quickstart", "name": "mine", "seed": "7"})
    assert response.status_code == 303
    run = browser.get("/api/v1" + response.headers["Location"]).json()
    assert run["name"] == "mine"
    assert run["config"]["seed"] == 7
    assert run["config"]["total_steps"] == PRESETS["quickstart"].overrides["total_steps"]


def test_a_ticked_box_is_on_and_an_unticked_one_off(browser: TestClient) -> None:
    for sent, expected in ((["off", "on"], True), (["off"], False)):
        data = {"preset": "quickstart", "twin_critics": sent}
        response = browser.post("/runs", data=data)
        run = browser.get("/api/v1" + response.headers["Location"]).json()
        assert run["config"]["twin_critics"] is expected


def test_a_wrong_form_comes_back_with_its_values_and_creates_nothing(browser: TestClient) -> None:
    data = {"preset": "paper", "name": "<b>odd</b>", "gamma": "1.5", "hidden_sizes": "64, x"}
    response = browser.post("/runs", data=data)
    assert response.status_code == 422
    assert 'value="1.5"' in response.text
    assert 'value="64, x"' in response.text
    assert "&lt;b&gt;odd&lt;/b&gt;" in response.text
    assert "<b>odd" not in response.text
    assert response.text.count('aria-invalid="true"') == 2
    assert "less than or equal to 1" in response.text
    assert browser.get("/api/v1/runs").json() == []


def test_an_unknown_field_or_preset_is_named(browser: TestClient) -> None:
    unknown = browser.post("/runs", data={"preset": "quickstart", "lr": "1"})
    assert unknown.status_code == 422
    assert "is not a configuration key" in unknown.text
    assert browser.post("/runs", data={"preset": "nope"}).status_code == 422


def test_the_form_is_checked_while_it_is_filled_in(browser: TestClient) -> None:
    data = {"preset": "quickstart", "learning_starts": "50000", "seed": "4"}
    answer = browser.post("/runs/check", data=data).json()
    assert list(answer["fields"]) == ["learning_starts"]
    assert "seed" in answer["fragments"]["summary"]
    assert "1 value to mend" in answer["fragments"]["summary"]
    good = browser.post("/runs/check", data={"preset": "quickstart"}).json()
    assert good["fields"] == {}
    assert browser.get("/api/v1/runs").json() == []


def test_a_run_is_cloned_with_its_values(browser: TestClient, database: Database) -> None:
    run_id, _ = claimed_run(database, seed=41, gamma=0.9)
    html = browser.get(f"/runs/new?from={run_id}").text
    assert 'name="seed" value="41"' in html
    assert 'name="gamma" value="0.9"' in html
    assert browser.get("/runs/new?from=999").status_code == 404
