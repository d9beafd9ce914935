"""Runs stored before a key of the configuration existed: they are what they were, with its default."""

import json
from collections.abc import Collection

import pytest
from sqlalchemy import text

from backend.analysis.grouping import group_configs
from backend.database import Database
from backend.errors import InvalidConfig
from backend.runs import service
from backend.runs.attempts import Claim
from backend.runs.parsing import parse_config
from tests.runs.conftest import new_run, saved
from tests.runs.test_forks import fork

YOUNGER = ("vehicle_ahead", "reward_following")


def age(database: Database, run_id: int, younger: Collection[str] = YOUNGER) -> None:
    """As if it had been stored by a Pitwall without these keys; the preset of today sets one of them."""
    with database.write() as session:
        values = session.execute(
            text("SELECT config FROM runs WHERE id = :id"), {"id": run_id}
        ).scalar_one()
        values = json.loads(values) if isinstance(values, str) else values
        left = {name: value for name, value in values.items() if name not in younger}
        session.execute(
            text("UPDATE runs SET config = :config WHERE id = :id"),
            {"id": run_id, "config": json.dumps(left)},
        )


@pytest.fixture
def driving(database: Database, running: Claim) -> Claim:
    """Among vehicles, by the reward that knew of none."""
    config = parse_config("quickstart", {"traffic": True, "reward_following": False})
    with database.write() as session:
        service.get_run(session, running.run_id).config = config.model_dump(mode="json")
    return running


def test_a_key_younger_than_a_run_has_its_default_and_not_the_presets_value(
    database: Database, driving: Claim
) -> None:
    age(database, driving.run_id)
    with database.read() as session:
        run = service.get_run(session, driving.run_id)
        assert run.preset == "quickstart"
        assert (run.config["vehicle_ahead"], run.config["reward_following"]) == (False, False)


def test_no_rule_takes_a_run_back_that_is_older_than_rules_that_could(
    database: Database, running: Claim
) -> None:
    age(database, running.run_id, {"rollback_on"})
    with database.read() as session:
        assert service.get_run(session, running.run_id).config["rollback_on"] == []


@pytest.mark.parametrize("changes", [{"vehicle_ahead": True}, {"reward_following": True}])
def test_a_fork_of_an_older_run_cannot_change_what_its_weights_and_replay_stand_on(
    database: Database, driving: Claim, changes: dict[str, object]
) -> None:
    with database.write() as session:
        checkpoint = saved(session, driving, 50)
    age(database, driving.run_id)
    (name,) = changes
    with pytest.raises(InvalidConfig, match=f"{name} is False in the checkpoint"):
        fork(database, driving, checkpoint.id, **changes)


def test_seeds_of_one_configuration_stay_one_group_whenever_they_were_stored(
    database: Database, driving: Claim
) -> None:
    with database.write() as session:
        run = new_run(session)
        run.config = {**service.get_run(session, driving.run_id).config, "seed": 1}
        younger = run.id
    age(database, driving.run_id)
    with database.read() as session:
        configs = {n: service.get_run(session, n).config for n in (driving.run_id, younger)}
    assert len(group_configs(configs)) == 1


def test_what_another_trainer_told_of_itself_gets_no_keys_of_ours(
    database: Database, running: Claim
) -> None:
    with database.write() as session:
        service.get_run(session, running.run_id).config = {"source": "client", "lr": 0.1}
    with database.read() as session:
        config = service.get_run(session, running.run_id).config
    assert config == {"source": "client", "lr": 0.1}
