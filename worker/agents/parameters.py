"""All parameters of a network as one vector, so that clipping, Adam and Polyak averaging are one kernel each."""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import nn


class ParameterVector:
    """Makes a module's parameters views of one contiguous vector, and collects their gradient in another.

    `values` and `gradient` are [P]; parameters lie in the order of `module.parameters()`.
    """

    def __init__(self, module: nn.Module) -> None:
        self.parameters: Sequence[nn.Parameter] = list(module.parameters())
        self._spans = _spans(module)
        self.values = torch.cat([parameter.detach().flatten() for parameter in self.parameters])
        pieces = torch.split(self.values, [parameter.numel() for parameter in self.parameters])
        for parameter, piece in zip(self.parameters, pieces, strict=True):
            parameter.data = piece.view_as(parameter)

    @cached_property
    def gradient(self) -> torch.Tensor:
        return torch.zeros_like(self.values)

    def differentiate(self, loss: torch.Tensor) -> None:
        """Write d loss / d parameters into `gradient`."""
        gradients = torch.autograd.grad(loss, self.parameters)
        torch.cat([gradient.reshape(-1) for gradient in gradients], out=self.gradient)

    def gradient_of(self, child: str) -> torch.Tensor | None:
        """The part of `gradient` that belongs to the child module, or None if there is no such child."""
        span = self._spans.get(child)
        return None if span is None else self.gradient[span]

    def follow(self, source: "ParameterVector", tau: float) -> None:
        """Polyak averaging: values <- (1 - tau) values + tau source."""
        self.values.lerp_(source.values, tau)


def _spans(module: nn.Module) -> dict[str, slice]:
    spans, start = {}, 0
    for name, child in module.named_children():
        size = sum(parameter.numel() for parameter in child.parameters())
        if size:
            spans[name] = slice(start, start + size)
        start += size
    return spans
