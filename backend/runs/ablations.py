"""Known ablations: what each takes away of the learner, as overrides of a configuration. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.runs.config import RunConfig
from backend.runs.contradictions import DDPG_TRICKS, contradictions
from backend.runs.unread import effective


@dataclass(frozen=True)
class Ablation:
    """One thing taken away: its name for people, why one would, and the values it sets."""

    title: str
    summary: str
    overrides: Mapping[str, Any]


ABLATIONS: dict[str, Ablation] = {
    "no-twin-critics": Ablation("One critic", "without clipped double Q", {"twin_critics": False}),
    "no-policy-delay": Ablation(
        "No policy delay", "the actor learns at every update", {"policy_delay": 1}
    ),
    "no-target-smoothing": Ablation(
        "No target smoothing",
        "no noise on the target policy's action",
        {"target_policy_noise": 0.0},
    ),
    "ddpg": Ablation("DDPG", "all three tricks of TD3 off", {"algorithm": "ddpg", **DDPG_TRICKS}),
    "no-layer-norm": Ablation(
        "No LayerNorm",
        "neither in the encoder nor in the heads",
        {"encoder_layer_norm": False, "head_layer_norm": False},
    ),
    "no-gradient-clip": Ablation(
        "No gradient clip",
        "gradients of actor and critics as they come",
        {"actor_max_grad_norm": 0.0, "critic_max_grad_norm": 0.0},
    ),
    "shared-encoder": Ablation(
        "Shared encoder", "actor and critic see through the critic's", {"shared_encoder": True}
    ),
    "gamma-0.95": Ablation("Discount 0.95", "a shorter horizon", {"gamma": 0.95}),
}


def changes(ablation: Ablation, config: Mapping[str, Any]) -> bool:
    """Whether it takes anything away of this whole configuration that is there and is read."""
    ablated = RunConfig.model_validate({**config, **ablation.overrides})
    if contradictions(ablated):
        return False
    return effective(ablated) != effective(RunConfig.model_validate(dict(config)))
