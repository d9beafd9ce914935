"""The new-run form says what RunConfig says, and gives back what was typed."""

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from backend.database import Database
from backend.gates.engine import GateEngine
from backend.runs.config import RunConfig
from backend.runs.parsing import parse_config
from backend.runs.presets import PRESETS
from backend.runs.service import get_run
from backend.web import forms
from tests.web.scripted import NOW, ScriptedTrainer, claimed_run


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
            "ticks_per_decision": st.sampled_from([1, 2, 4]),
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
    assert "must be at most 1" in response.text
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


MATRIX = {"preset": "quickstart", "seeds": "0-2", "ablations": ["ddpg", "no-policy-delay"]}


def test_seeds_and_ablations_start_a_group(browser: TestClient) -> None:
    own = {"variants": "short: gamma=0.9 hidden_sizes=[64,64]"}
    response = browser.post("/runs", data={**MATRIX, **own, "name": "tricks", "tau": "0.01"})
    assert response.status_code == 303, response.text
    group = browser.get("/api/v1" + response.headers["Location"]).json()
    assert group["name"] == "tricks"
    assert [run["variant"] for run in group["runs"]] == [
        "baseline",
        "ddpg",
        "no-policy-delay",
        "short",
    ] * 3
    short = browser.get(f"/api/v1/runs/{group['runs'][-1]['id']}").json()["config"]
    assert (short["gamma"], short["hidden_sizes"], short["seed"]) == (0.9, [64, 64], 2)
    assert short["tau"] == 0.01


def test_a_seed_beside_seeds_is_left_out_and_the_form_says_so(browser: TestClient) -> None:
    sent = {**MATRIX, "seed": "41"}
    assert (
        "seeds are given" in browser.post("/runs/check", data=sent).json()["fragments"]["summary"]
    )
    assert browser.post("/runs", data=sent).status_code == 303


def test_the_form_says_how_many_runs_and_how_long(browser: TestClient, database: Database) -> None:
    trainer = ScriptedTrainer(database, claimed_run(database)[0])
    claim_and_train(trainer)
    summary = browser.post("/runs/check", data=MATRIX).json()["fragments"]
    assert "Start 9 runs" in summary["start"]
    assert "3 variants, 3 seeds" in summary["summary"]
    assert "until the last has ended, 1 at a time" in summary["summary"]
    assert "as fast as quickstart-1" in summary["summary"]
    assert (
        "Start run"
        in browser.post("/runs/check", data={"preset": "paper"}).json()["fragments"]["start"]
    )


def claim_and_train(trainer: ScriptedTrainer) -> None:
    with trainer.database.read() as session:
        run = get_run(session, trainer.run_id)
        trainer.token, trainer.segment_id = run.token, run.segment_id or 0
    trainer.engine = GateEngine.for_config(trainer.config)
    trainer.advance(2_000, NOW + 20, 20)


def test_what_nothing_reads_is_said_and_left_as_the_preset_has_it(browser: TestClient) -> None:
    data = {"preset": "quickstart", "encoder_layer_norm": "off", "tau": "0.02"}
    found = browser.post("/runs/check", data=data).json()
    assert found["fields"] == {}
    assert "Nothing reads these" in found["fragments"]["summary"]
    assert "actor input is vector" in found["fragments"]["summary"]
    assert browser.post("/runs", data=data, follow_redirects=False).status_code == 303
    config = browser.get("/api/v1/runs/1").json()["config"]
    assert (config["encoder_layer_norm"], config["tau"]) == (True, 0.02)


def test_what_only_a_variant_reads_is_kept_for_it(browser: TestClient) -> None:
    data = {"preset": "quickstart", "scenario": "2", "variants": "busy: traffic=true"}
    assert browser.post("/runs", data=data, follow_redirects=False).status_code == 303
    runs = [browser.get(f"/api/v1/runs/{number}").json()["config"] for number in (1, 2)]
    assert [(run["traffic"], run["scenario"]) for run in runs] == [(False, 2), (True, 2)]


@pytest.mark.parametrize(
    ("sent", "field", "words"),
    [
        ({"seeds": "0-x"}, "seeds", "write numbers and spans"),
        ({"seeds": "4-1"}, "seeds", "write numbers and spans"),
        ({"seeds": "0-4000000000"}, "seeds", "write numbers and spans"),
        ({"seeds": "1 1"}, "seeds", "drop one"),
        ({"ablations": ["nope"]}, "ablations", "choose from"),
        ({"variants": "short gamma=0.9"}, "variants", "write NAME: key=value"),
        ({"variants": "short: gamma=9"}, "variants.short.gamma", "short: "),
        ({"variants": "baseline: gamma=0.9"}, "variants", "rename one"),
        (
            {"ablations": ["shared-encoder"]},
            "variants.shared-encoder.shared_encoder",
            "needs a critic that sees the actor's pictures",
        ),
    ],
)
def test_a_wrong_matrix_is_named_kept_and_creates_nothing(
    browser: TestClient, sent: dict[str, object], field: str, words: str
) -> None:
    data = {"preset": "quickstart", **sent}
    assert words in browser.post("/runs/check", data=data).json()["fields"][field]
    response = browser.post("/runs", data=data)
    assert response.status_code == 422
    for text in (value for value in sent.values() if isinstance(value, str)):
        assert text in response.text
    assert browser.get("/api/v1/runs").json() == []


def test_an_ablation_that_takes_nothing_away_cannot_be_ticked(browser: TestClient) -> None:
    html = browser.get("/runs/new?from=quickstart").text
    assert 'value="no-twin-critics">' in html
    sent = {"preset": "quickstart", "twin_critics": "off"}
    offered = browser.post("/runs/check", data=sent).json()["fragments"]["ablations"]
    assert 'value="no-twin-critics" disabled>' in offered


def test_the_form_shows_what_the_same_rewards_probes_earned(
    browser: TestClient, database: Database
) -> None:
    run_id, _ = claimed_run(database)
    assert "No run has tried this reward yet" in browser.get("/runs/new").text
    with database.write() as session:
        earned = "good 1,212, crawl 40, stand -12 in ten scripted seconds"
        get_run(session, run_id).observed = {"reward_probes": earned}
    html = browser.get("/runs/new").text
    assert "1,212" in html
    assert "good driving must earn most" in html
    other = {"preset": "quickstart", "reward_goal": "5"}
    summary = browser.post("/runs/check", data=other).json()["fragments"]["summary"]
    assert "No run has tried this reward yet" in summary
