"""One gradient step: norms by module, clipping, the finite check, Adam."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.optim.adam import adam

from worker.agents.parameters import Copy, ParameterVector, fresh

EPSILON = 1e-6  # of torch.nn.utils.clip_grad_norm_
BETAS, DIVISOR_FLOOR = (0.9, 0.999), 1e-8  # Adam's, as its paper and Stable-Baselines3 have them


@dataclass(frozen=True)
class GradientNorms:
    """L2 norms before clipping and the factor clipping put on the gradient, as device scalars.

    `encoder` is None for a network without one.
    """

    encoder: torch.Tensor | None
    head: torch.Tensor
    total: torch.Tensor
    factor: torch.Tensor


class Optimiser:
    """Adam on a network's parameter vector with clipping by global norm; `max_norm` 0 does not clip.

    It calls the function behind torch.optim.Adam: the class imports PyTorch's compiler when it is made,
    which holds up every start and resume for a second and is never used.

    A step whose loss or gradient is not finite leaves weights and moments untouched: Adam's kernel reads
    `found_inf` on the device, so nothing waits for the device to find out.

    Attributes:
        learning_rate: the step size.
        broken: device scalar, 1 once any step was not finite; later steps are skipped too. Optimisers given
            the same one stop together.
    """

    def __init__(
        self,
        network: nn.Module,
        learning_rate: float,
        max_norm: float,
        broken: torch.Tensor,
    ) -> None:
        self.vector = ParameterVector(network)
        self.learning_rate = learning_rate
        self._max_norm = max_norm
        values = self.vector.values
        self.broken = broken
        self._moments = {
            "step": torch.zeros((), device=values.device),
            "exp_avg": torch.zeros_like(values),
            "exp_avg_sq": torch.zeros_like(values),
        }

    def step(self, loss: torch.Tensor) -> GradientNorms:
        """Descend `loss` once."""
        self.vector.differentiate(loss)
        norms = self._norms()
        if self._max_norm:
            self.vector.gradient.mul_(norms.factor)
        finite = torch.isfinite(norms.total + loss.detach())
        torch.maximum(self.broken, 1 - finite.float(), out=self.broken)
        self._descend()
        return norms

    def _descend(self) -> None:
        """Kingma and Ba (2015), algorithm 1, in one kernel."""
        adam(
            [self.vector.values],
            [self.vector.gradient],
            [self._moments["exp_avg"]],
            [self._moments["exp_avg_sq"]],
            [],
            [self._moments["step"]],
            fused=True,
            found_inf=self.broken,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=self.learning_rate,
            weight_decay=0.0,
            eps=DIVISOR_FLOOR,
            maximize=False,
        )

    def _norms(self) -> GradientNorms:
        head = _norm(self.vector.gradient_of("head"))
        part = self.vector.gradient_of("encoder")
        encoder = None if part is None else _norm(part)
        total = head if encoder is None else torch.hypot(encoder, head)
        if not self._max_norm:
            return GradientNorms(encoder, head, total, torch.ones_like(total))
        return GradientNorms(
            encoder, head, total, torch.clamp(self._max_norm / (total + EPSILON), max=1)
        )

    def state_dict(self, prefix: str = "", copy: Copy = fresh) -> dict[str, torch.Tensor]:
        """Adam's moments as vectors in the order of the parameters, and its step count.

        `copy` is given a name beginning with `prefix` for each.
        """
        return {name: copy(prefix + name, value) for name, value in self._moments.items()}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        for name, value in self._moments.items():
            value.copy_(state[name])
        self.broken.zero_()


def _norm(gradient: torch.Tensor | None) -> torch.Tensor:
    assert gradient is not None, "every network has a head"
    norm: torch.Tensor = torch.linalg.vector_norm(gradient)
    return norm
