"""Evaluations where the policy never trained, on the real simulator: none is lost to a stop between."""

from typing import Any

from tests.training.conftest import Lab, MakeLab, Script
from worker.commands import Request, RequestKind
from worker.environment import SimulatorAddress
from worker.train import settle
from worker.training import Outcome

DRIVEN: dict[str, Any] = {
    "environment": "carla",
    "total_steps": 200,
    "learning_starts": 100,
    "max_episode_ticks": 40,
    "evaluation_interval": 150,
    "evaluation_episodes": 1,
    "evaluation_screening": 0,
    "baseline_episodes": 0,
    "held_out_routes": ["left"],
    "elsewhere_episodes": 2,
}
DRAIN = Request(RequestKind.DRAIN, "asked by a test")


class StopsElsewhere(Script):
    """A stop that comes while the held-out routes are driven at a step above 0."""

    @property
    def stop_requested(self) -> bool:
        return self.poll() is not None

    def poll(self) -> Request | None:
        training = self.training
        assert training is not None
        if training.progress.step and training.journal.activity.startswith("evaluation, held-out"):
            self.stop = DRAIN
        return self.stop


def driven(lab: Lab, simulator: SimulatorAddress, interrupted: bool) -> Outcome:
    lab.register(simulator)
    with lab.attempt() as training:
        if interrupted:
            training.commands = StopsElsewhere(training)
        end = training.run()
        token = training.journal._claim.token
    settle(lab.database, lab.run_id, token, end)
    return end.outcome


def test_a_stop_on_the_held_out_routes_leaves_them_to_the_next_attempt(
    make_lab: MakeLab, simulator: SimulatorAddress
) -> None:
    whole, parts = make_lab(**DRIVEN), make_lab(**DRIVEN)
    assert driven(whole, simulator, interrupted=False) is Outcome.FINISHED
    assert driven(parts, simulator, interrupted=True) is Outcome.DRAINED
    assert len(parts.values("held_out/return_mean")) == 1
    assert driven(parts, simulator, interrupted=False) is Outcome.FINISHED
    for name in ("held_out/return_mean", "evaluation/return_mean", "progress/reward"):
        assert parts.values(name) == whole.values(name), name
    assert len(whole.values("held_out/return_mean")) == 3
