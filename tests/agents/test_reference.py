"""Every metric of an update against the same update worked out in float64 from its definition."""

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.agents.samples import agent, batch
from worker.agents import TD3
from worker.agents.encoders import prepare
from worker.agents.networks import Body
from worker.replay import Batch

VISION = {"actor_input": "image", "encoder": "small"}
TASKS: list[dict[str, Any]] = [
    {},
    {"policy_delay": 3, "head_layer_norm": True, "reward_scale": 0.3, "critic_max_grad_norm": 0.0},
    {"algorithm": "ddpg", "critic_max_grad_norm": 0.5, "actor_max_grad_norm": 0.001},
    {"target_policy_noise": 0.6, "target_noise_clip": 0.3, "tau": 0.3},
    VISION,
    {**VISION, "critic_input": "vector", "head_layer_norm": True, "policy_delay": 1},
    {**VISION, "shared_encoder": True},
]
Metrics = dict[str, float]


def widened(network: Any) -> Any:
    return copy.deepcopy(network).double().requires_grad_(True)


def described(name: str, values: NDArray[np.float64], *wanted: str) -> Metrics:
    found = {
        "mean": values.sum() / values.size,
        "std": np.sqrt(np.square(values - values.mean()).sum() / values.size),
        "min": values.min(),
        "max": values.max(),
    }
    return {f"{name}_{which}": float(found[which]) for which in wanted or found}


def norms(name: str, network: Body, loss: torch.Tensor, largest: float) -> Metrics:
    """Of the gradient of `loss`, whole and by module, before and after clipping as PyTorch clips."""
    named = dict(network.named_parameters())
    gradients = torch.autograd.grad(loss, list(named.values()), materialize_grads=True)
    squares = {"_head": 0.0, "_encoder": 0.0}
    for parameter, gradient in zip(named, gradients, strict=True):
        squares["_encoder" if parameter.startswith("encoder") else "_head"] += float(
            gradient.square().sum()
        )
    parts = {"": sum(squares.values()), **squares}
    if network.encoder is None:
        del parts["_encoder"]
    total = np.sqrt(parts[""])
    ratio = min(1.0, largest / (total + 1e-6)) if largest else 1.0
    found = {f"gradients/{name}_clip_ratio": ratio}
    for part, square in parts.items():
        found[f"gradients/{name}{part}_norm_before_clip"] = np.sqrt(square)
        found[f"gradients/{name}{part}_norm_after_clip"] = ratio * np.sqrt(square)
    if name == "actor" and network.encoder is not None:
        found["gradients/policy_head_share"] = np.sqrt(parts["_head"]) / total
    return found


def features(name: str, encoded: torch.Tensor | None) -> Metrics:
    if encoded is None:
        return {}
    lengths = np.sqrt(np.square(encoded.detach().numpy()).sum(axis=1))
    return {f"features/{name}_norm": float(lengths.mean())}


def dead(name: str, network: Any) -> Metrics:
    fired = torch.cat([(layer > 0).any(1) for layer in network.head.activations], 1)
    return {f"learner/{name}_dead_units": 100 * (1 - float(fired.double().mean()))}


def weights(name: str, values: torch.Tensor) -> Metrics:
    return described(f"learner/{name}_parameter", values.double().numpy(), "mean", "std")


def wide(learner: TD3, observations: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: v.double() for name, v in prepare(learner.config, observations).items()}


def of_the_actor(learner: TD3, sample: Batch) -> Metrics:
    """Its turn, before it takes it."""
    config, actor, critic = learner.config, widened(learner.actor), widened(learner.critic)
    seen = wide(learner, dict(sample.observations))
    encoded = (critic if config.shared_encoder else actor).encode(seen)
    actions = actor.act(encoded.detach() if config.shared_encoder else encoded, seen)
    q = critic(seen, actions)[0]
    found = {"learner/actor_loss": -q.mean().item()}
    found |= described("learner/actor_q", q.detach().numpy())
    for column, dimension in enumerate(("steering", "throttle")):
        policy = actions[:, column].detach().numpy()
        found |= described(f"actions/policy_{dimension}", policy, "mean", "std")
    found |= features("actor", encoded) | dead("actor", actor)
    return found | norms("actor", actor, -q.mean(), config.actor_max_grad_norm)


def of_the_critics(learner: TD3, sample: Batch) -> Callable[[], Metrics]:
    """The critics before the update; their targets, which follow in it, once it is done."""
    config, critic = learner.config, widened(learner.critic)
    noise = learner._noise.get_state()

    def targets() -> torch.Tensor:
        actor, target = widened(learner.target_actor), widened(learner.target_critic)
        seen = wide(learner, dict(sample.next_observations))
        actions = actor(seen)
        if config.target_policy_noise:
            drawn = torch.empty(actions.shape).normal_(
                0, config.target_policy_noise, generator=torch.Generator().set_state(noise)
            )
            clip = config.target_noise_clip
            actions = (actions + drawn.double().clamp(-clip, clip)).clamp(-1, 1)
        q = target(seen, actions)
        smaller = q[0] if len(q) == 1 else torch.minimum(q[0], q[1])
        goes_on = (sample.terminations == 0).double()
        worth = config.reward_scale * sample.rewards.double() + config.gamma * goes_on * smaller
        return worth.detach()

    def metrics() -> Metrics:
        y = targets()
        seen = wide(learner, dict(sample.observations))
        q = critic(seen, sample.actions.double())
        loss = torch.stack([((each - y) ** 2).mean() for each in q]).sum()
        found = {"learner/critic_loss": loss.item()}
        for number, each in enumerate(q.detach(), 1):
            found |= described(f"learner/q{number}", each.numpy())
            found[f"learner/td_error_q{number}"] = float((each - y).abs().mean())
        found |= described("learner/target_q", y.numpy())
        found |= described("learner/reward", sample.rewards.double().numpy())
        found["learner/done_ratio"] = float((sample.terminations == 1).double().mean())
        found |= features("critic", critic.encode(seen)) | dead("critic", critic)
        return found | norms("critic", critic, loss, config.critic_max_grad_norm)

    return metrics


@pytest.mark.parametrize("task", TASKS, ids=str)
def test_every_metric_is_what_its_name_says(task: dict[str, Any]) -> None:
    learner = agent(**task)
    delay = learner.config.policy_delay
    actor: Metrics = {}
    for number in range(1, 2 * delay + 3):
        ended = torch.arange(48) % 3 == 0
        sample = dataclasses.replace(
            batch(size=48, images="encoder" in task, seed=number), terminations=ended.float()
        )
        if number > 1 and (number - 1) % delay == 0:
            actor = of_the_actor(learner, sample)
        critics = of_the_critics(learner, sample)
        learner.update(sample)
        wanted = critics() | actor | weights("critic", learner.critic_optimiser.vector.values)
        if actor:
            wanted |= weights("actor", learner.actor_optimiser.vector.values)
        seen = learner.diagnostics()
        wanted |= {name: seen[name] for name in seen if name.endswith(("updates", "rate"))}
        assert set(seen) == set(wanted)
        for name, value in wanted.items():
            assert seen[name] == pytest.approx(value, rel=3e-4, abs=1e-6), (number, name)
