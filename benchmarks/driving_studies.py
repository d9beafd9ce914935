"""What `make learn` trains: each study is a task and a learner, with the seeds it is repeated for."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Study:
    """Runs of one configuration. `minutes` ends a run by a halt, checkpoint written; 0 lets it finish.

    `limits` says in words what keeps the study from more than it reached. `elsewhere`: tasks the best policy
    is tried on and was not trained for, settings by a name for people.
    """

    name: str
    title: str
    preset: str
    steps: int
    seeds: tuple[int, ...] = (0,)
    overrides: dict[str, Any] = field(default_factory=dict)
    minutes: float = 12
    limits: str = ""
    elsewhere: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def sees(self) -> bool:
        """Whether the policy is given pictures."""
        return self.preset != "quickstart"

    def settings(self, seed: int) -> dict[str, Any]:
        return {**self.overrides, "total_steps": self.steps, "seed": seed}


THREE_ROUTES = {"routes": ["right", "straight", "left"]}
OVAL: dict[str, dict[str, Any]] = {"second town (oval)": {"town": "oval", "routes": ["0-6"]}}
ELSEWHERE = {"held-out routes (straight, left)": {"routes": ["straight", "left"]}, **OVAL}
# Of the same town, with two or three turns each: left left left, right right right, left right, right left.
UNSEEN = {"four held-out routes": {"routes": ["109-57", "73-111", "12-98", "53-26"]}}
# Others there, of one to four turns each: what a crossing can ask for, from many sides.
MANY_ROUTES = {
    "routes": [
        "right",
        "straight",
        "left",
        "101-88",
        "83-6",
        "115-20",
        "14-47",
        "20-97",
        "102-9",
        "17-79",
        "79-56",
    ]
}
# Who waits behind a queue at a red light needs more than 50 s.
TRAFFIC = {"traffic": True, "scenario": 0, "vehicle_ahead": True, "max_episode_ticks": 2000}
NATURE = {
    "encoder": "nature",
    "hidden_sizes": [256, 256],
    "actor_learning_rate": 3e-4,
    "critic_learning_rate": 3e-4,
}
PAPER_NETWORK = {**NATURE, "batch_size": 256, "device": "auto"}

STUDIES = {
    study.name: study
    for study in (
        Study("quickstart", "Numbers, one route", "quickstart", 20_000, (0, 1, 2), elsewhere=ELSEWHERE),
        Study("quickstart-ddpg", "Numbers, one route, DDPG", "quickstart", 15_000, overrides={"algorithm": "ddpg"}),
        Study("quickstart-traffic", "Numbers, one route, 20 vehicles", "quickstart", 25_000, (0, 1, 2), overrides=TRAFFIC, limits="Traffic is another in every episode, and evaluations swing with it."),
        Study("vision-small", "Pixels, one route", "vision-small", 25_000, (0, 1, 2), elsewhere=ELSEWHERE, minutes=10),
        Study("vision-ddpg", "Pixels, one route, DDPG", "vision-small", 15_000, overrides={"algorithm": "ddpg"}),
        Study("three-routes", "Pixels, three routes from one policy", "vision-small", 40_000, overrides={**NATURE, **THREE_ROUTES}, elsewhere={**UNSEEN, **OVAL}, minutes=30),
        Study("many-routes", "Pixels, eleven routes from one policy", "vision-small", 60_000, overrides={**NATURE, **MANY_ROUTES}, elsewhere={**UNSEEN, **OVAL}, minutes=30),
        Study("held-out", "Pixels, two routes, a third held out", "vision-small", 20_000, overrides={**NATURE, "routes": ["right", "left"]}, elsewhere={"held-out route (straight)": {"routes": ["straight"]}, **OVAL}, minutes=15),
        Study("symmetric", "Pixels, the critic sees only what the actor sees", "vision-small", 40_000, overrides={"critic_input": "same", "updates_per_step": 1}, minutes=25),
        Study("paper-network", "Pixels, NatureCNN", "vision-small", 15_000, (0, 1, 2), overrides=PAPER_NETWORK, minutes=6),
        Study("paper-network-tf32", "Pixels, NatureCNN in TF32", "vision-small", 15_000, (0, 1, 2), overrides={**PAPER_NETWORK, "tf32": True}, minutes=6),
        Study("paper-symmetric", "Pixels, NatureCNN, symmetric critic", "vision-small", 60_000, overrides={**PAPER_NETWORK, "critic_input": "same", "updates_per_step": 1}, minutes=6),
        Study("paper-three-routes", "Pixels, NatureCNN, three routes", "vision-small", 60_000, (0, 1), overrides={**PAPER_NETWORK, **THREE_ROUTES}, minutes=6),
        Study("vision-traffic", "Pixels, one route, 20 vehicles", "vision-small", 40_000, overrides=TRAFFIC, minutes=30, limits="Traffic is another in every episode, and evaluations swing with it."),
    )
}  # fmt: skip
