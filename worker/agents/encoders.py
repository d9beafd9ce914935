"""Image encoders: stacked gray frames to features."""

import torch
import torch.nn.functional as F
from torch import nn

from backend.runs.config import RunConfig
from worker.agents.layers import Convolution, Dense, normalisation
from worker.replay.batch import Observations

FRAME_SIZE = 84
BLOCK = 4
PIXEL_RANGE = 127.5
LEAK = 0.01


def space_to_depth(frames: torch.Tensor) -> torch.Tensor:
    """Stacked frames [B, S, H, W] uint8 to [B, H/4, W/4, S*16] float, centred: -127.5 to 127.5.

    A convolution 8x8 with stride 4 on the frames is one of 2x2 with stride 1 on this, which is faster.
    Channels are ordered stack, row, column.
    """
    batch, stack, height, width = frames.shape
    rows, columns = height // BLOCK, width // BLOCK
    if torch.jit.is_tracing():  # type: ignore[attr-defined,no-untyped-call]
        # TorchScript knows no reinterpretation of memory
        pixels = frames.reshape(batch, stack, rows, BLOCK, columns, BLOCK).permute(0, 2, 4, 1, 3, 5)
    else:
        # four neighbouring pixels move as one 32-bit word
        words = frames.view(torch.int32).view(batch, stack, rows, BLOCK, columns)
        pixels = words.permute(0, 2, 4, 1, 3).contiguous().view(torch.uint8)
    blocks = pixels.reshape(batch, rows, columns, stack * BLOCK * BLOCK)
    return blocks.to(torch.float32).sub_(PIXEL_RANGE)


class FirstConvolution(Convolution):
    """The convolution on centred pixels; scaling its weight to [-1, 1] is cheaper than the pixels."""

    @property
    def kernel(self) -> torch.Tensor:
        return self.weight * (1 / PIXEL_RANGE)


class NatureEncoder(nn.Module):
    """The convolutions of Mnih et al. 2015 with LayerNorm over each layer's whole output and LeakyReLU.

    [B, 21, 21, S*16] (`space_to_depth`) to [B, 512]. Layer norms and the columns of `dense` are in (H, W, C) order.
    """

    features = 512
    outputs = 20 * 20 * 32 + 9 * 9 * 64 + 7 * 7 * 64 + features  # numbers a sample's layers give
    first_row = 0

    def __init__(self, stack: int, layer_norm: bool, generator: torch.Generator) -> None:
        super().__init__()
        self.convolution1 = FirstConvolution(stack * BLOCK * BLOCK, 32, 2, 1, generator)
        self.norm1 = normalisation(layer_norm, 20, 20, 32)
        self.convolution2 = Convolution(32, 64, 4, 2, generator)
        self.norm2 = normalisation(layer_norm, 9, 9, 64)
        self.convolution3 = Convolution(64, 64, 3, 1, generator)
        self.norm3 = normalisation(layer_norm, 7, 7, 64)
        self.dense = Dense(7 * 7 * 64, self.features, generator)
        self.norm4 = normalisation(layer_norm, self.features)

    def forward(self, blocks: torch.Tensor) -> torch.Tensor:
        hidden = _leaky(self.norm1(self.convolution1(blocks)))
        hidden = _leaky(self.norm2(self.convolution2(hidden)))
        hidden = _leaky(self.norm3(self.convolution3(hidden)))
        return _leaky(self.norm4(self.dense(hidden.flatten(1))))


class SmallEncoder(nn.Module):
    """A CPU-sized encoder of the road ahead: rows 36 to 83, below the sky.

    [B, 12, 21, S*16] (`space_to_depth` of these rows) to [B, 128] in [-1, 1].
    """

    features = 128
    outputs = 11 * 20 * 16 + 5 * 9 * 32 + 3 * 5 * 32 + features
    first_row = 36

    def __init__(self, stack: int, layer_norm: bool, generator: torch.Generator) -> None:
        super().__init__()
        self.convolution1 = FirstConvolution(stack * BLOCK * BLOCK, 16, 2, 1, generator)
        self.convolution2 = Convolution(16, 32, 3, 2, generator)
        self.convolution3 = Convolution(32, 32, 3, 2, generator, padding=1)
        self.dense = Dense(3 * 5 * 32, self.features, generator)
        self.norm = normalisation(layer_norm, self.features)

    def forward(self, blocks: torch.Tensor) -> torch.Tensor:
        hidden = F.relu(self.convolution1(blocks))
        hidden = F.relu(self.convolution2(hidden))
        hidden = F.relu(self.convolution3(hidden))
        return torch.tanh(self.norm(self.dense(hidden.flatten(1))))


def _leaky(hidden: torch.Tensor) -> torch.Tensor:
    return F.leaky_relu_(hidden, LEAK)


ENCODERS: dict[str, type[NatureEncoder | SmallEncoder]] = {
    "nature": NatureEncoder,
    "small": SmallEncoder,
}


def make_encoder(config: RunConfig, generator: torch.Generator) -> NatureEncoder | SmallEncoder:
    """A new encoder of the configured kind."""
    kind = ENCODERS[config.encoder]
    return kind(config.frame_stack, config.encoder_layer_norm, generator)


def prepare(config: RunConfig, observations: Observations) -> Observations:
    """Observations with the image as encoders read it, so that it is done once for all networks."""
    if not config.uses_images:
        return observations
    frames = observations["image"][:, :, ENCODERS[config.encoder].first_row :]
    return {**observations, "image": space_to_depth(frames)}
