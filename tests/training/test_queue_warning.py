"""A run among vehicles is told what its reward makes of a queue, before it trains."""

import pytest

from backend.runs.events import Level, list_events
from backend.runs.service import get_run
from tests.training.conftest import MakeLab
from worker.environment import SimulatorAddress

REMEDY = "Turn reward_following on, or train without traffic"


@pytest.mark.parametrize("follows", [True, False])
def test_a_reward_that_teaches_collisions_is_warned_of_and_not_refused(
    make_lab: MakeLab, simulator: SimulatorAddress, follows: bool
) -> None:
    among_vehicles = {"environment": "carla", "traffic": True, "max_episode_ticks": 40}
    lab = make_lab(**among_vehicles, reward_following=follows)
    lab.register(simulator)
    with lab.attempt():
        pass
    with lab.database.read() as session:
        told = str(get_run(session, lab.run_id).observed["queue_probe"])
        warnings = [
            event.message
            for event in list_events(session, lab.run_id)
            if event.level == Level.WARNING and event.kind == "preflight"
        ]
    assert told.startswith("half a minute in a queue ")
    assert ("teaches collisions" in told) is not follows
    assert warnings == ([] if follows else [f"Reward: {told}. {REMEDY}"])
