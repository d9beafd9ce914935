"""What the last update left behind, turned into catalogued metrics only when somebody reads them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray

from worker.agents.gradients import GradientNorms
from worker.agents.parameters import ParameterVector
from worker.replay.batch import Batch

STATISTICS = ("mean", "std", "min", "max")
TINY = 1e-30  # so that no gradient at all has a share of 0
DIMENSIONS = ("steering", "throttle")
PARTS = ("", "_head", "_encoder")
SQUARES = "sum of squares of "  # fetched, but no metric

Named = list[tuple[str, torch.Tensor]]


@dataclass(frozen=True)
class CriticTrace:
    """Of the last critic update: q and errors are [count, B], targets [B], features [B, F] or None.

    `hidden` are the head's activations by layer, [count, B, width].
    """

    loss: torch.Tensor
    q: torch.Tensor
    targets: torch.Tensor
    errors: torch.Tensor
    norms: GradientNorms
    features: torch.Tensor | None
    batch: Batch
    hidden: Sequence[torch.Tensor]

    @property
    def finite(self) -> bool:
        """Whether loss and gradient are; waits for the device."""
        return bool(torch.isfinite(self.loss + self.norms.total).item())

    def metrics(self) -> Named:
        """Device scalars by catalogue name."""
        count = len(self.q)
        numbers = range(1, count + 1)
        rows = torch.cat([self.q, self.targets[None], self.batch.rewards[None]])
        means = torch.cat([self.errors.abs(), self.batch.terminations[None]]).mean(1)
        found = [("learner/critic_loss", self.loss), ("learner/done_ratio", means[count])]
        found += _statistics([*(f"q{number}" for number in numbers), "target_q", "reward"], rows)
        found += [(f"learner/td_error_q{n}", means[n - 1]) for n in numbers]
        found.append(("learner/critic_dead_units", _dead_percent(self.hidden)))
        return found + _norms("critic", self.norms) + _feature_norm("critic", self.features)

    def evidence(self) -> dict[str, NDArray[Any]]:
        """What came of the batch."""
        tensors = {
            "critic_loss": self.loss,
            "critic_gradient_norm": self.norms.total,
            "q": self.q,
            "targets": self.targets,
        }
        return {name: value.cpu().numpy() for name, value in tensors.items()}


@dataclass(frozen=True)
class ActorTrace:
    """Of the last actor update: q is Q1(s, pi(s)) [B], actions pi(s) [B, A], features [B, F] or None.

    `hidden` are the head's activations by layer, [1, B, width].
    """

    loss: torch.Tensor
    q: torch.Tensor
    actions: torch.Tensor
    norms: GradientNorms
    features: torch.Tensor | None
    hidden: Sequence[torch.Tensor]

    def metrics(self) -> Named:
        """Device scalars by catalogue name."""
        found = [("learner/actor_loss", self.loss), *_statistics(["actor_q"], self.q[None])]
        for name, column in zip(DIMENSIONS, self.actions.T, strict=False):
            found.append((f"actions/policy_{name}_mean", column.mean()))
            found.append((f"actions/policy_{name}_std", column.std(correction=0)))
        found.append(("learner/actor_dead_units", _dead_percent(self.hidden)))
        return found + _norms("actor", self.norms) + _feature_norm("actor", self.features)

    def evidence(self) -> dict[str, NDArray[Any]]:
        tensors = {"actor_loss": self.loss, "actor_gradient_norm": self.norms.total}
        return {name: value.cpu().numpy() for name, value in tensors.items()}


@torch.no_grad()
def read(
    traces: Sequence[CriticTrace | ActorTrace | None], vectors: Mapping[str, ParameterVector]
) -> dict[str, float]:
    """All metrics of the traces and parameters there are, fetched from the device at once."""
    named = [pair for trace in traces if trace is not None for pair in trace.metrics()]
    if not named:
        return {}
    for network, vector in vectors.items():
        # In two passes of memory, where std takes four; weights have means far below their spread.
        named.append((f"learner/{network}_parameter_mean", vector.values.mean()))
        named.append((SQUARES + network, torch.dot(vector.values, vector.values)))
    values: Sequence[float] = torch.stack([value for _, value in named]).tolist()
    fetched = {name: value for (name, _), value in zip(named, values, strict=True)}
    for network, vector in vectors.items():
        fetched |= _derived(network, fetched, vector.values.numel())
    return {name: value for name, value in fetched.items() if not name.startswith(SQUARES)}


def _derived(network: str, fetched: Mapping[str, float], weights: int) -> dict[str, float]:
    """What follows from numbers already fetched, and is cheaper to work out here than on the device."""
    mean = fetched[f"learner/{network}_parameter_mean"]
    variance = fetched[SQUARES + network] / weights - mean * mean
    found = {f"learner/{network}_parameter_std": math.sqrt(max(variance, 0.0))}
    norms = {
        part: fetched[f"gradients/{network}{part}_norm_before_clip"]
        for part in PARTS
        if f"gradients/{network}{part}_norm_before_clip" in fetched
    }
    for part, norm in norms.items():
        factor = fetched[f"gradients/{network}_clip_ratio"]
        found[f"gradients/{network}{part}_norm_after_clip"] = norm * factor
    if network == "actor" and "_encoder" in norms:
        found["gradients/policy_head_share"] = norms["_head"] / max(norms[""], TINY)
    return found


def _dead_percent(hidden: Sequence[torch.Tensor]) -> torch.Tensor:
    """Share of hidden units that are 0 for the whole batch: they get no gradient."""
    peaks = torch.cat([layer.amax(1) for layer in hidden], 1)
    return 100 * (peaks <= 0).float().mean()


def _statistics(names: Sequence[str], rows: torch.Tensor) -> Named:
    """Of each row of [len(names), B]: few large operations, for each has its price."""
    found = (rows.mean(1), rows.std(1, correction=0), rows.amin(1), rows.amax(1))
    return [
        (f"learner/{name}_{statistic}", value)
        for statistic, column in zip(STATISTICS, found, strict=True)
        for name, value in zip(names, column, strict=True)
    ]


def _norms(network: str, norms: GradientNorms) -> Named:
    parts = zip(PARTS, (norms.total, norms.head, norms.encoder), strict=True)
    found = [(f"gradients/{network}_clip_ratio", norms.factor)]
    return found + [
        (f"gradients/{network}{part}_norm_before_clip", norm)
        for part, norm in parts
        if norm is not None
    ]


def _feature_norm(network: str, features: torch.Tensor | None) -> Named:
    if features is None:
        return []
    return [(f"features/{network}_norm", torch.linalg.vector_norm(features, dim=1).mean())]
