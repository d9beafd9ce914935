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

TINY = 1e-30  # so that no gradient at all has a share of 0
DIMENSIONS = ("steering", "throttle")
PARTS = ("", "_head", "_encoder")

STATISTICS = ("mean", "std", "min", "max")

# Few large operations, for each has its price: a device vector or scalar with its values' names, "" of what
# nobody wants; and one value for each sample, [B], with the name of each of its statistics.
Column = tuple[Sequence[str], torch.Tensor]
Row = tuple[Mapping[str, str], torch.Tensor]


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

    def metrics(self) -> list[Column]:
        """By catalogue name."""
        rows = [
            *(_all(f"learner/q{n}", q) for n, q in enumerate(self.q, 1)),
            _all("learner/target_q", self.targets),
            _all("learner/reward", self.batch.rewards),
            *(_mean(f"learner/td_error_q{n}", e) for n, e in enumerate(self.errors.abs(), 1)),
            _mean("learner/done_ratio", self.batch.terminations),
            *_feature_norm("critic", self.features),
        ]
        return [
            (["learner/critic_loss"], self.loss),
            *_statistics(rows),
            (["learner/critic_dead_units"], _dead_percent(self.hidden)),
            *_norms("critic", self.norms),
        ]

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

    def metrics(self) -> list[Column]:
        """By catalogue name."""
        rows = [
            _all("learner/actor_q", self.q),
            *(
                _row(f"actions/policy_{dimension}", column, ("mean", "std"))
                for dimension, column in zip(DIMENSIONS, self.actions.T, strict=False)
            ),
            *_feature_norm("actor", self.features),
        ]
        return [
            (["learner/actor_loss"], self.loss),
            *_statistics(rows),
            (["learner/actor_dead_units"], _dead_percent(self.hidden)),
            *_norms("actor", self.norms),
        ]

    def evidence(self) -> dict[str, NDArray[Any]]:
        tensors = {"actor_loss": self.loss, "actor_gradient_norm": self.norms.total}
        return {name: value.cpu().numpy() for name, value in tensors.items()}


@torch.no_grad()
def read(
    network: str, trace: CriticTrace | ActorTrace | None, parameters: ParameterVector
) -> dict[str, float]:
    """All metrics of a network, "actor" or "critic", and its last trace, fetched from the device at once."""
    if trace is None:
        return {}
    mean, squares = f"learner/{network}_parameter_mean", f"sum of squares of {network}"
    values = parameters.values
    # In two passes of memory, where std takes four; float32 sums of millions are right to some 1e-4.
    columns = [([mean], values.mean()), ([squares], torch.dot(values, values)), *trace.metrics()]
    fetched = _fetched(columns)
    variance = fetched.pop(squares) / values.numel() - fetched[mean] ** 2
    std = {f"learner/{network}_parameter_std": math.sqrt(max(variance, 0.0))}
    return {**fetched, **std, **_clipped(network, fetched)}


def _fetched(columns: Sequence[Column]) -> dict[str, float]:
    names = [name for named, _ in columns for name in named]
    values: Sequence[float] = torch.cat([column.reshape(-1) for _, column in columns]).tolist()
    return {name: value for name, value in zip(names, values, strict=True) if name}


def _clipped(network: str, fetched: Mapping[str, float]) -> dict[str, float]:
    """Norms after clipping and the head's share: cheaper to work out here than on the device."""
    before = f"gradients/{network}{{}}_norm_before_clip"
    norms = {part: fetched[before.format(part)] for part in PARTS if before.format(part) in fetched}
    factor = fetched[f"gradients/{network}_clip_ratio"]
    found = {
        f"gradients/{network}{part}_norm_after_clip": norm * factor for part, norm in norms.items()
    }
    if network == "actor" and "_encoder" in norms:
        found["gradients/policy_head_share"] = norms["_head"] / max(norms[""], TINY)
    return found


def _dead_percent(hidden: Sequence[torch.Tensor]) -> torch.Tensor:
    """Share of hidden units that are 0 for the whole batch: they get no gradient."""
    peaks = torch.cat([layer.amax(1) for layer in hidden], 1)
    return 100 * (peaks <= 0).mean(dtype=torch.float32)


def _all(name: str, row: torch.Tensor) -> Row:
    return _row(name, row, STATISTICS)


def _row(name: str, row: torch.Tensor, statistics: Sequence[str]) -> Row:
    return {statistic: f"{name}_{statistic}" for statistic in statistics}, row


def _mean(name: str, row: torch.Tensor) -> Row:
    return {"mean": name}, row


def _statistics(rows: Sequence[Row]) -> list[Column]:
    values = torch.stack([row for _, row in rows])
    std, mean = torch.std_mean(values, 1, correction=0)
    found = (mean, std, *torch.aminmax(values, dim=1))
    return [
        ([names.get(statistic, "") for names, _ in rows], column)
        for statistic, column in zip(STATISTICS, found, strict=True)
    ]


def _norms(network: str, norms: GradientNorms) -> list[Column]:
    parts = zip(PARTS, (norms.total, norms.head, norms.encoder), strict=True)
    return [
        ([f"gradients/{network}_clip_ratio"], norms.factor),
        *(
            ([f"gradients/{network}{part}_norm_before_clip"], norm)
            for part, norm in parts
            if norm is not None
        ),
    ]


def _feature_norm(network: str, features: torch.Tensor | None) -> list[Row]:
    if features is None:
        return []
    return [_mean(f"features/{network}_norm", torch.linalg.vector_norm(features, dim=1))]
