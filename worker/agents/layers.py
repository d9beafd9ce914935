"""Layers in the memory order that is fast on CPUs: channels last, weights and LayerNorm in the same order."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def tracing() -> bool:
    """Whether TorchScript is recording: it knows fewer operations, and takes sizes for constants."""
    recording: bool = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
    return recording


def uniform(*shape: int, fan_in: int, generator: torch.Generator) -> nn.Parameter:
    """U(-1/sqrt(fan_in), 1/sqrt(fan_in)), what torch.nn.Linear and Conv2d start from."""
    bound = 1 / math.sqrt(fan_in)
    return nn.Parameter(torch.empty(*shape).uniform_(-bound, bound, generator=generator))


class Convolution(nn.Module):
    """2-D convolution on [B, H, W, C]; `weight` is [out, kernel, kernel, in], contiguous.

    oneDNN's channels-last kernels are several times faster here than NCHW, most of all in the gradient of
    the first layer's weight.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        stride: int,
        generator: torch.Generator,
        padding: int = 0,
    ) -> None:
        super().__init__()
        fan_in = channels_in * kernel * kernel
        self.weight = uniform(
            channels_out, kernel, kernel, channels_in, fan_in=fan_in, generator=generator
        )
        self.bias = uniform(channels_out, fan_in=fan_in, generator=generator)
        self._stride = stride
        self._padding = padding

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return convolve(images, self.weight, self.bias, self._stride, self._padding)


def convolve(
    images: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor, stride: int, padding: int = 0
) -> torch.Tensor:
    """[B, H, W, C] with [out, kernel, kernel, C] to [B, H', W', out]."""
    strides = (stride, stride)
    if not images.is_cuda and not tracing() and _folds(images, kernel, stride, padding):
        # Columns stepped over together lie side by side already. As channels of one column they are the same
        # to the product, and less work for oneDNN to find, most of all in the gradient of the images.
        images, kernel = _folded(images, stride), _folded(kernel, stride)
        strides = (stride, 1)
    channels_first = images.permute(0, 3, 1, 2), kernel.permute(0, 3, 1, 2)
    return F.conv2d(*channels_first, bias, strides, padding).permute(0, 2, 3, 1)


def _folds(images: torch.Tensor, kernel: torch.Tensor, stride: int, padding: int) -> bool:
    return padding == 0 and images.shape[2] % stride == kernel.shape[2] % stride == 0


def _folded(pixels: torch.Tensor, columns: int) -> torch.Tensor:
    """[B, H, W, C] to [B, H, W/columns, columns*C]."""
    return pixels.reshape(len(pixels), pixels.shape[1], -1, columns * pixels.shape[3])


class Dense(nn.Module):
    """Linear layer; `weight` is [out, in]."""

    def __init__(self, width_in: int, width_out: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = uniform(width_out, width_in, fan_in=width_in, generator=generator)
        self.bias = uniform(width_out, fan_in=width_in, generator=generator)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if tracing() or inputs.device.type != "cpu" or len(inputs) == 1:
            return F.linear(inputs, self.weight, self.bias)
        # A batch as the pixels of one image, convolved 1x1: oneDNN's product. The one behind F.linear,
        # MKL's, takes twice as long on a processor that is not Intel's.
        image = inputs[None, None].permute(0, 3, 1, 2)
        out = F.conv2d(image, self.weight[:, :, None, None], self.bias)
        return out.permute(0, 2, 3, 1)[0, 0]


def normalisation(enabled: bool, *shape: int) -> nn.Module:
    """LayerNorm over `shape`, or nothing where the configuration leaves it out."""
    return nn.LayerNorm(shape) if enabled else nn.Identity()
