"""Actor and critics: what they read of an observation, their encoders and heads."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from gymnasium import spaces
from torch import nn

from backend.runs.config import RunConfig
from worker.agents.encoders import NatureEncoder, SmallEncoder, make_encoder
from worker.agents.layers import uniform


class Heads(nn.Module):
    """`count` independent MLPs of equal shape, computed as one: [B, in] to [count, B, out].

    Hidden layers are affine, LayerNorm if wanted, ReLU. Weights are [count, in, out].
    `activations` are the hidden layers' of the last forward that was to be learnt from, [count, B, width].
    """

    def __init__(
        self, count: int, widths: Sequence[int], layer_norm: bool, generator: torch.Generator
    ) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.weights = nn.ParameterList(
            [uniform(count, a, b, fan_in=a, generator=generator) for a, b in pairs]
        )
        self.biases = nn.ParameterList(
            [uniform(count, 1, b, fan_in=a, generator=generator) for a, b in pairs]
        )
        normed = widths[1:-1] if layer_norm else []
        self.gains = nn.ParameterList([nn.Parameter(torch.ones(count, 1, b)) for b in normed])
        self.shifts = nn.ParameterList([nn.Parameter(torch.zeros(count, 1, b)) for b in normed])
        self.activations: tuple[torch.Tensor, ...] = ()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = inputs.expand(self.weights[0].shape[0], *inputs.shape)
        last = len(self.weights) - 1
        activations = []
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            hidden = torch.baddbmm(bias, hidden, weight)
            if layer < last:
                hidden = F.relu_(self._normalised(layer, hidden))
                activations.append(hidden.detach())
        if torch.is_grad_enabled():
            self.activations = tuple(activations)
        return hidden

    def first(self, inputs: torch.Tensor) -> torch.Tensor:
        """The first MLP alone with its parameters held fixed: [B, in] to [B, out]."""
        hidden = inputs
        last = len(self.weights) - 1
        for layer in range(last + 1):
            weight, bias = self.weights[layer][0].detach(), self.biases[layer][0].detach()
            hidden = torch.addmm(bias, hidden, weight)
            if layer < last:
                if self.gains:
                    gain = self.gains[layer][0, 0].detach()
                    shift = self.shifts[layer][0, 0].detach()
                    hidden = F.layer_norm(hidden, gain.shape, gain, shift)
                hidden = F.relu_(hidden)
        return hidden

    def _normalised(self, layer: int, hidden: torch.Tensor) -> torch.Tensor:
        if not self.gains:
            return hidden
        normed = F.layer_norm(hidden, hidden.shape[-1:])
        return torch.addcmul(self.shifts[layer], normed, self.gains[layer])


class Body(nn.Module):
    """The part of an observation a network reads, with images encoded by an encoder of its own."""

    def __init__(
        self,
        config: RunConfig,
        names: tuple[str, ...],
        space: spaces.Dict,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.encoder: NatureEncoder | SmallEncoder | None = None
        if "image" in names:
            self.encoder = make_encoder(config, generator)
        self.names = names
        self._flat_names = [name for name in names if name != "image"]
        self.width = sum(_size(space[name]) for name in self._flat_names)
        if self.encoder is not None:
            self.width += self.encoder.features

    def encode(self, observations: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        """Features [B, F] of the images; None without images."""
        return None if self.encoder is None else self.encoder(observations["image"])

    def join(
        self, features: torch.Tensor | None, observations: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        """Features and the rest of what is read, side by side: [B, width]."""
        parts = [observations[name] for name in self._flat_names]
        if features is not None:
            parts.insert(0, features)
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


class Actor(Body):
    """The policy: observation to action in [-1, 1]^A."""

    def __init__(
        self, config: RunConfig, space: spaces.Dict, action_dim: int, generator: torch.Generator
    ) -> None:
        super().__init__(config, _inputs(config, config.actor_input), space, generator)
        widths = [self.width, *config.hidden_sizes, action_dim]
        self.head = Heads(1, widths, config.head_layer_norm, generator)

    def forward(self, observations: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return self.act(self.encode(observations), observations)

    def act(
        self, features: torch.Tensor | None, observations: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        """Actions [B, A] from features already computed."""
        hidden: torch.Tensor = self.head(self.join(features, observations))
        return torch.tanh(hidden[0])


class Critic(Body):
    """One or two Q functions on one encoder: (observation, action) to [count, B]."""

    def __init__(
        self, config: RunConfig, space: spaces.Dict, action_dim: int, generator: torch.Generator
    ) -> None:
        seen = config.actor_input if config.critic_input == "same" else config.critic_input
        super().__init__(config, _inputs(config, seen), space, generator)
        widths = [self.width + action_dim, *config.hidden_sizes, 1]
        count = 2 if config.twin_critics else 1
        self.head = Heads(count, widths, config.head_layer_norm, generator)

    def forward(
        self, observations: Mapping[str, torch.Tensor], actions: torch.Tensor
    ) -> torch.Tensor:
        return self.value(self.join(self.encode(observations), observations), actions)

    def value(self, state: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Q [count, B] of a state already read and joined, [B, width]."""
        q: torch.Tensor = self.head(torch.cat([state, actions], 1))
        return q[..., 0]

    def value1(self, state: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Q1 [B] alone, its parameters held fixed: what the actor climbs."""
        return self.head.first(torch.cat([state, actions], 1))[:, 0]


def _inputs(config: RunConfig, seen: str) -> tuple[str, ...]:
    """Parts of the observation behind a value of `actor_input`."""
    if seen == "image":
        return ("image", "command")
    pictures = ("image",) if seen == "image+vector" else ()
    return (*pictures, "vector", *(("ahead",) if config.sees_vehicle_ahead else ()))


def _size(space: spaces.Space[object]) -> int:
    assert space.shape is not None
    size = 1
    for length in space.shape:
        size *= length
    return size
