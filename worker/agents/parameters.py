"""All parameters of a network as one vector, so that clipping, Adam and Polyak averaging are one kernel each."""

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import nn

Copy = Callable[[str, torch.Tensor], torch.Tensor]


def fresh(_name: str, tensor: torch.Tensor) -> torch.Tensor:
    """The plain way to copy: into new memory."""
    return tensor.detach().clone()


class ParameterVector:
    """Makes a module's parameters views of one contiguous vector, and collects their gradient in another.

    `values` and `gradient` are [P]; parameters lie in the order of `module.parameters()`.
    """

    def __init__(self, module: nn.Module) -> None:
        self._names, self.parameters = _named(module)
        self._spans = _spans(module)
        self.values = torch.cat([parameter.detach().flatten() for parameter in self.parameters])
        for parameter, piece in zip(self.parameters, self._pieces(self.values), strict=True):
            parameter.data = piece

    @cached_property
    def gradient(self) -> torch.Tensor:
        return torch.zeros_like(self.values)

    def differentiate(self, loss: torch.Tensor) -> None:
        """Write d loss / d parameters into `gradient`."""
        # a parameter the loss does not reach (a shared encoder, seen by the actor) gets zeros
        gradients = torch.autograd.grad(loss, self.parameters, materialize_grads=True)
        torch.cat([gradient.reshape(-1) for gradient in gradients], out=self.gradient)

    def gradient_of(self, child: str) -> torch.Tensor | None:
        """The part of `gradient` that belongs to the child module, or None if there is no such child."""
        span = self._spans.get(child)
        return None if span is None else self.gradient[span]

    def named(self, values: torch.Tensor) -> dict[str, torch.Tensor]:
        """Views of a vector like `values` under the names of the module's state dict."""
        return dict(zip(self._names, self._pieces(values), strict=True))

    def _pieces(self, values: torch.Tensor) -> list[torch.Tensor]:
        parts = torch.split(values, [parameter.numel() for parameter in self.parameters])
        return [part.view(p.shape) for part, p in zip(parts, self.parameters, strict=True)]

    def take(self, source: "ParameterVector", child: str) -> None:
        """Make the child module's values those of the equally named child of another network."""
        self.values[self._spans[child]] = source.values[source._spans[child]]

    def follow(self, source: "ParameterVector", tau: float, going: torch.Tensor) -> None:
        """Polyak averaging: values <- (1 - tau) values + tau source, where `going`, a bool on their device, is true.

        Chosen and not multiplied: 0 times a weight that is not finite is NaN.
        """
        self.values.lerp_(torch.where(going, source.values, self.values), tau)


def _named(module: nn.Module) -> tuple[Sequence[str], Sequence[nn.Parameter]]:
    names, parameters = zip(*module.named_parameters(), strict=True)
    return names, parameters


def _spans(module: nn.Module) -> dict[str, slice]:
    spans, start = {}, 0
    for name, child in module.named_children():
        size = sum(parameter.numel() for parameter in child.parameters())
        if size:
            spans[name] = slice(start, start + size)
        start += size
    return spans
