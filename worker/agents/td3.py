"""TD3: twin delayed deep deterministic policy gradient (Fujimoto et al. 2018, arXiv 1802.09477)."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import nn

from backend.runs.config import RunConfig
from worker.agents.diagnostics import ActorTrace, CriticTrace, read
from worker.agents.encoders import prepare
from worker.agents.errors import NonFiniteUpdate
from worker.agents.gradients import Optimiser
from worker.agents.graphs import ORDINARY_CALLS, recorded
from worker.agents.networks import Actor, Body, Critic
from worker.agents.parameters import Copy, ParameterVector, fresh
from worker.agents.policy import Policy
from worker.agents.trail import Footprint, Trail
from worker.replay.batch import Batch, Observations

# Updates on their way to a GPU beside the one it works on.
LAG = 2


class TD3:
    """Actor, twin critics, their targets and optimisers.

    Actor and critics own their encoders. The actor climbs Q1 of the critics' own features of the state,
    held fixed, so its encoder learns through the action alone and cannot paint features the critics like.
    With `shared_encoder` the actor's is a copy of the critics', renewed at each update, and the actor's
    loss does not reach it.

    A loss or gradient that is not finite stops the device before that network's weights or moments change, and
    nothing changes after it. `update` raises NonFiniteUpdate `lag` updates later: at once on a
    CPU, where there is nothing to wait for; on a GPU when the device is done with that update anyway.

    Attributes:
        updates: critic updates so far, with one that was refused.
        action_dim: A.
        settling: updates before one takes the time it will take: a GPU's are recorded first.
    """

    def __init__(
        self,
        config: RunConfig,
        observation_space: spaces.Dict,
        action_space: spaces.Box,
        lag: int | None = None,
    ) -> None:
        self.config = config
        self.device = torch.device(resolve_device(config.device))
        self.action_dim = int(np.prod(action_space.shape))
        self.updates = 0
        seeded = torch.Generator().manual_seed(config.seed)
        self.actor = Actor(config, observation_space, self.action_dim, seeded).to(self.device)
        self.critic = Critic(config, observation_space, self.action_dim, seeded).to(self.device)
        if config.shared_encoder:
            _encoder_of(self.actor).load_state_dict(_encoder_of(self.critic).state_dict())
        self.target_actor = _frozen_copy(self.actor)
        self.target_critic = _frozen_copy(self.critic)
        self._broken = torch.zeros((), device=self.device)
        self.actor_optimiser = Optimiser(
            self.actor, config.actor_learning_rate, config.actor_max_grad_norm, self._broken
        )
        self.critic_optimiser = Optimiser(
            self.critic, config.critic_learning_rate, config.critic_max_grad_norm, self._broken
        )
        self._target_actor_vector = ParameterVector(self.target_actor)
        self._target_critic_vector = ParameterVector(self.target_critic)
        self._noise = torch.Generator(self.device).manual_seed(config.seed)
        on_gpu = self.device.type == "cuda"
        self.settling = 1 + config.policy_delay * (ORDINARY_CALLS + 1) * on_gpu
        self._trail = Trail(self._broken, LAG * on_gpu if lag is None else lag)
        self._whole_step = recorded(self._step, self._noise)
        self._half_step = recorded(partial(self._step, actor_moves=False), self._noise)
        self._policy = Policy(self.config, self.actor, self.device)
        self._batch: Batch | None = None
        self._critic_trace: CriticTrace | None = None
        self._actor_trace: ActorTrace | None = None
        self._actor_metrics: dict[str, float] = {}

    def act(self, observation: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """The policy's action [A] in [-1, 1] without noise."""
        return self._policy(observation)

    def update(self, batch: Batch) -> None:
        """One step of Algorithm 1: the critics, and after every `policy_delay`-th of theirs actor and targets.

        These take their turn at the start of the next update and on its minibatch: with the critics they would
        have had, and these critics' features of the minibatch are worked out once for both.

        Raises:
            NonFiniteUpdate: of this update or, on a GPU, of the one `lag` updates ago.
        """
        self.updates += 1
        noise = self._noise.get_state()
        step = self._whole_step if self._actor_moves(self.updates) else self._half_step
        self._keep(step(self._on_device(batch)))
        self._refuse(self._trail.leave(Footprint(self.updates, batch, noise)))

    def _actor_moves(self, update: int) -> bool:
        return update > 1 and (update - 1) % self.config.policy_delay == 0

    def _keep(self, traces: tuple[CriticTrace, ActorTrace | None]) -> None:
        self._critic_trace, actor = traces
        self._actor_trace = actor or self._actor_trace
        if actor is not None or self.config.shared_encoder:
            self._actor_metrics = {}

    def _on_device(self, batch: Batch) -> Batch:
        """The batch where the networks are; on a GPU always in the same memory, which graphs read."""
        if self.device.type == "cpu":
            return batch
        if self._batch is None or len(self._batch) != len(batch):
            self._batch = batch.to(self.device)
        else:
            self._batch.fill(batch)
        return self._batch

    def _step(
        self, batch: Batch, actor_moves: bool = True
    ) -> tuple[CriticTrace, ActorTrace | None]:
        """What an update is for the device."""
        batch = self._prepared(batch, actor_moves)
        features = self.critic.encode(batch.observations)
        state = self.critic.join(features, batch.observations)
        actor = None
        if actor_moves:
            actor = self._update_actor(batch.observations, _detached(features), state.detach())
            self._follow()
        return self._update_critic(batch, features, state), actor

    def _prepared(self, batch: Batch, actor_moves: bool) -> Batch:
        """Images as encoders read them, where one will."""
        observations = batch.observations
        if actor_moves or self.critic.encoder is not None:
            observations = prepare(self.config, observations)
        next_observations = prepare(self.config, batch.next_observations)
        return replace(
            batch, observations=observations, next_observations=next_observations, frames=None
        )

    def _update_actor(
        self, observations: Observations, features: torch.Tensor | None, state: torch.Tensor
    ) -> ActorTrace:
        """One step up Q1 of the critics' features and state, both held fixed."""
        if not self.config.shared_encoder:
            features = self.actor.encode(observations)
        return self._climb(observations, features, state)

    def _climb(
        self, observations: Observations, features: torch.Tensor | None, state: torch.Tensor
    ) -> ActorTrace:
        """One step up Q1 at `state`, of actions chosen by the actor's `features`."""
        actions = self.actor.act(features, observations)
        q = self.critic.value1(state, actions)
        # the deterministic policy gradient of Algorithm 1, with d Q1 / d theta through the action only
        loss = -q.mean()
        norms = self.actor_optimiser.step(loss)
        return ActorTrace(
            loss.detach(),
            q.detach(),
            actions.detach(),
            norms,
            _detached(features),
            self.actor.head.activations,
        )

    def _follow(self) -> None:
        """Targets follow, the last two lines of Algorithm 1."""
        tau, going = self.config.tau, self._broken == 0
        self._target_critic_vector.follow(self.critic_optimiser.vector, tau, going)
        self._target_actor_vector.follow(self.actor_optimiser.vector, tau, going)

    def _update_critic(
        self, batch: Batch, features: torch.Tensor | None, state: torch.Tensor
    ) -> CriticTrace:
        targets = self._targets(batch)
        q = self.critic.value(state, batch.actions)
        errors = q - targets
        # the critics' loss of Algorithm 1, summed over the critics
        loss = errors.square().mean(1).sum()
        norms = self.critic_optimiser.step(loss)
        if self.config.shared_encoder:
            self.actor_optimiser.vector.take(self.critic_optimiser.vector, "encoder")
        return CriticTrace(
            loss.detach(),
            q.detach(),
            targets,
            errors.detach(),
            norms,
            _detached(features),
            batch,
            self.critic.head.activations,
        )

    @torch.no_grad()
    def _targets(self, batch: Batch) -> torch.Tensor:
        """y [B], equations 10 and 14: clipped double Q at a smoothed target action."""
        config = self.config
        actions = self.target_actor(batch.next_observations)
        if config.target_policy_noise:
            noise = torch.empty_like(actions).normal_(
                0, config.target_policy_noise, generator=self._noise
            )
            actions = actions.add_(
                noise.clamp_(-config.target_noise_clip, config.target_noise_clip)
            ).clamp_(-1, 1)
        q = self.target_critic(batch.next_observations, actions).amin(0)
        # only a terminal state is worth nothing: a truncated episode bootstraps
        continues = 1 - batch.terminations
        targets: torch.Tensor = batch.rewards * config.reward_scale + config.gamma * continues * q
        return targets

    def diagnostics(self) -> dict[str, float]:
        """Catalogue names to values of the last update; waits for the device.

        Raises:
            NonFiniteUpdate: if an update so far was not finite.
        """
        self.confirm()
        # nothing has changed in an actor that has not moved since
        self._actor_metrics = self._actor_metrics or read(
            "actor", self._actor_trace, self.actor_optimiser.vector
        )
        return {
            "learner/updates": float(self.updates),
            "learner/actor_learning_rate": self.actor_optimiser.learning_rate,
            "learner/critic_learning_rate": self.critic_optimiser.learning_rate,
            **read("critic", self._critic_trace, self.critic_optimiser.vector),
            **self._actor_metrics,
        }

    def confirm(self) -> None:
        """Wait until the device has done every update.

        Raises:
            NonFiniteUpdate: one of them was not finite.
        """
        self._refuse(self._trail.wait())

    def _refuse(self, broken: Footprint | None) -> None:
        if broken is None:
            return
        if broken.update != self.updates:
            self._repeat(broken)
        assert self._critic_trace is not None
        network = "actor" if self._critic_trace.finite else "critic"
        evidence = broken.batch.arrays()
        evidence.update(self._critic_trace.evidence())
        if network == "actor":
            assert self._actor_trace is not None
            evidence.update(self._actor_trace.evidence())
        raise NonFiniteUpdate(network, broken.update, evidence)

    def _repeat(self, broken: Footprint) -> None:
        """Stand where an update before the last left us; nothing has changed since, nor does it now."""
        self.updates = broken.update
        self._noise.set_state(broken.noise)
        moves = self._actor_moves(broken.update)
        self._keep(self._step(broken.batch.to(self.device), moves))

    def state_dict(self, copy: Copy = fresh) -> dict[str, Any]:
        """Everything `update` depends on, copied by `copy`, a few large vectors under names of their own."""
        networks = {
            name: vector.named(copy(name, vector.values))
            for name, vector in self._vectors().items()
        }
        return {
            "updates": self.updates,
            "noise": self._noise.get_state(),
            **networks,
            "actor_optimiser": self.actor_optimiser.state_dict("actor_", copy),
            "critic_optimiser": self.critic_optimiser.state_dict("critic_", copy),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict()` was taken; exactly, if that was on a CPU and this is one."""
        self.updates = int(state["updates"])
        self._set_noise(state["noise"])
        for name, network in self._networks().items():
            network.load_state_dict(state[name])
        self.actor_optimiser.load_state_dict(state["actor_optimiser"])
        self.critic_optimiser.load_state_dict(state["critic_optimiser"])
        self._trail.clear()
        self._critic_trace = self._actor_trace = None
        self._actor_metrics = {}

    def _set_noise(self, state: torch.Tensor) -> None:
        if len(state) == len(self._noise.get_state()):
            self._noise.set_state(state)
        else:  # of a GPU's generator on a CPU or the other way round: no run is bit for bit across these
            self._noise.manual_seed(self.config.seed + self.updates)

    def _vectors(self) -> dict[str, ParameterVector]:
        return {
            "actor": self.actor_optimiser.vector,
            "critic": self.critic_optimiser.vector,
            "target_actor": self._target_actor_vector,
            "target_critic": self._target_critic_vector,
        }

    def _networks(self) -> dict[str, nn.Module]:
        return {
            "actor": self.actor,
            "critic": self.critic,
            "target_actor": self.target_actor,
            "target_critic": self.target_critic,
        }


def resolve_device(name: str) -> str:
    """`auto` is a GPU where there is one."""
    if name != "auto":
        return name
    return "cuda" if torch.cuda.is_available() else "cpu"


def _encoder_of(network: Body) -> nn.Module:
    assert network.encoder is not None, "the configuration refuses to share what is not there"
    return network.encoder


def _frozen_copy(network: nn.Module) -> Any:
    return copy.deepcopy(network).requires_grad_(False)


def _detached(features: torch.Tensor | None) -> torch.Tensor | None:
    return None if features is None else features.detach()
