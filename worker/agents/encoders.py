"""Image encoders: stacked gray frames to features."""

import torch
import torch.nn.functional as F
from torch import nn

from backend.runs.config import RunConfig
from worker.agents.layers import Convolution, Dense, normalisation

FRAME_SIZE = 84
BLOCK = 4
LEAK = 0.01


def space_to_depth(frames: torch.Tensor) -> torch.Tensor:
    """Stacked frames [B, S, H, W] uint8 to [B, H/4, W/4, S*16] float in [-1, 1].

    A convolution 8x8 with stride 4 on the frames is one of 2x2 with stride 1 on this, which is faster.
    Four neighbouring pixels move as one 32-bit word. Channels are ordered stack, row, column.
    """
    batch, stack, height, width = frames.shape
    words = frames.view(torch.int32)
    blocks = words.view(batch, stack, height // BLOCK, BLOCK, width // BLOCK)
    pixels = blocks.permute(0, 2, 4, 1, 3).contiguous().view(torch.uint8)
    depth = pixels.view(batch, height // BLOCK, width // BLOCK, stack * BLOCK * BLOCK)
    scaled = depth.to(torch.float32)
    return scaled.mul_(1 / 127.5).sub_(1)


class NatureEncoder(nn.Module):
    """The convolutions of Mnih et al. 2015 with LayerNorm over each layer's whole output and LeakyReLU.

    [B, S, 84, 84] uint8 to [B, 512]. Layer norms and the columns of `dense` are in (H, W, C) order.
    """

    features = 512

    def __init__(self, stack: int, layer_norm: bool, generator: torch.Generator) -> None:
        super().__init__()
        self.convolution1 = Convolution(stack * BLOCK * BLOCK, 32, 2, 1, generator)
        self.norm1 = normalisation(layer_norm, 20, 20, 32)
        self.convolution2 = Convolution(32, 64, 4, 2, generator)
        self.norm2 = normalisation(layer_norm, 9, 9, 64)
        self.convolution3 = Convolution(64, 64, 3, 1, generator)
        self.norm3 = normalisation(layer_norm, 7, 7, 64)
        self.dense = Dense(7 * 7 * 64, self.features, generator)
        self.norm4 = normalisation(layer_norm, self.features)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        hidden = space_to_depth(frames)
        hidden = _leaky(self.norm1(self.convolution1(hidden)))
        hidden = _leaky(self.norm2(self.convolution2(hidden)))
        hidden = _leaky(self.norm3(self.convolution3(hidden)))
        return _leaky(self.norm4(self.dense(hidden.flatten(1))))


class SmallEncoder(nn.Module):
    """A CPU-sized encoder of the road ahead: rows 36 to 83, below the sky.

    [B, S, 84, 84] uint8 to [B, 128] in [-1, 1].
    """

    features = 128
    first_row = 36

    def __init__(self, stack: int, layer_norm: bool, generator: torch.Generator) -> None:
        super().__init__()
        self.convolution1 = Convolution(stack * BLOCK * BLOCK, 16, 2, 1, generator)
        self.convolution2 = Convolution(16, 32, 3, 2, generator)
        self.convolution3 = Convolution(32, 32, 3, 2, generator, padding=1)
        self.dense = Dense(3 * 5 * 32, self.features, generator)
        self.norm = normalisation(layer_norm, self.features)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        hidden = space_to_depth(frames[:, :, self.first_row :])
        hidden = F.relu(self.convolution1(hidden))
        hidden = F.relu(self.convolution2(hidden))
        hidden = F.relu(self.convolution3(hidden))
        return torch.tanh(self.norm(self.dense(hidden.flatten(1))))


def _leaky(hidden: torch.Tensor) -> torch.Tensor:
    return F.leaky_relu_(hidden, LEAK)


def make_encoder(config: RunConfig, generator: torch.Generator) -> NatureEncoder | SmallEncoder:
    """A new encoder of the configured kind."""
    kind = NatureEncoder if config.encoder == "nature" else SmallEncoder
    return kind(config.frame_stack, config.encoder_layer_norm, generator)
