"""Image encoders: stacked gray frames to features."""

import torch
import torch.nn.functional as F
from torch import nn

from backend.runs.config import RunConfig
from worker.agents.layers import Convolution, Dense, convolve, normalisation, tracing
from worker.replay.batch import Observations

FRAME_SIZE = 84
BLOCK = 4
PIXEL_RANGE = 127.5
LEAK = 0.01
CACHED = 64  # samples whose pixels, as floats, stay in a processor's cache


def centred(frames: torch.Tensor) -> torch.Tensor:
    """Stacked frames [B, S, H, W] uint8 as `FirstConvolution` reads them: float, -127.5 to 127.5."""
    return space_to_depth(frames) if _in_blocks(frames) else interleaved(frames)


def _in_blocks(samples: torch.Tensor) -> bool:
    """Whether the first convolution is faster on blocks of pixels: on a GPU, and for one sample."""
    return not tracing() and (samples.is_cuda or len(samples) == 1)


def interleaved(frames: torch.Tensor) -> torch.Tensor:
    """[B, S, H, W] to [B, H, W, S], centred."""
    if tracing():
        return frames.permute(0, 2, 3, 1).to(torch.float32).sub(PIXEL_RANGE)
    batch, stack, height, width = frames.shape
    images = torch.empty(batch, height, width, stack)
    pieces = zip(torch.split(images, CACHED), torch.split(frames, CACHED), strict=True)
    for some, theirs in pieces:
        for channel in range(stack):
            some[..., channel] = theirs[:, channel]
        some.sub_(PIXEL_RANGE)
    return images


def space_to_depth(frames: torch.Tensor) -> torch.Tensor:
    """[B, S, H, W] to [B, H/4, W/4, S*16], centred; a block's numbers are ordered stack, row, column."""
    batch, stack, height, width = frames.shape
    rows, columns = height // BLOCK, width // BLOCK
    # four neighbouring pixels move as one 32-bit word
    words = frames.view(torch.int32).view(batch, stack, rows, BLOCK, columns)
    pixels = words.permute(0, 2, 4, 1, 3).contiguous().view(torch.uint8)
    blocks = pixels.reshape(batch, rows, columns, stack * BLOCK * BLOCK)
    return blocks.to(torch.float32).sub_(PIXEL_RANGE)


class FirstConvolution(Convolution):
    """A convolution 8x8 with stride 4 on what `centred` gives; scaling its weight is cheaper than the pixels.

    `weight` is [out, 2, 2, S*16]: on blocks of 4x4 pixels that convolution is one of 2x2 with stride 1.
    """

    def __init__(self, stack: int, channels_out: int, generator: torch.Generator) -> None:
        super().__init__(stack * BLOCK * BLOCK, channels_out, 2, 1, generator)
        self._stack = stack

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.on_blocks(pixels) if _in_blocks(pixels) else self.on_images(pixels)

    def on_blocks(self, blocks: torch.Tensor) -> torch.Tensor:
        """Of `space_to_depth`."""
        return convolve(blocks, self._kernel, self.bias, 1)

    def on_images(self, images: torch.Tensor) -> torch.Tensor:
        """Of `interleaved`; the columns of a block lie beside each other again."""
        size = 2 * BLOCK
        blocks = self._kernel.view(-1, 2, 2, self._stack, BLOCK, BLOCK)
        kernel = blocks.permute(0, 1, 4, 2, 5, 3).reshape(-1, size, size, self._stack)
        return convolve(images, kernel, self.bias, BLOCK)

    @property
    def _kernel(self) -> torch.Tensor:
        return self.weight * (1 / PIXEL_RANGE)


class NatureEncoder(nn.Module):
    """The convolutions of Mnih et al. 2015 with LayerNorm over each layer's whole output and LeakyReLU.

    `centred` frames of 84x84 to [B, 512]. Layer norms and the columns of `dense` are in (H, W, C) order.
    """

    features = 512
    outputs = 20 * 20 * 32 + 9 * 9 * 64 + 7 * 7 * 64 + features  # numbers a sample's layers give
    first_row = 0

    def __init__(self, stack: int, layer_norm: bool, generator: torch.Generator) -> None:
        super().__init__()
        self.convolution1 = FirstConvolution(stack, 32, generator)
        self.norm1 = normalisation(layer_norm, 20, 20, 32)
        self.convolution2 = Convolution(32, 64, 4, 2, generator)
        self.norm2 = normalisation(layer_norm, 9, 9, 64)
        self.convolution3 = Convolution(64, 64, 3, 1, generator)
        self.norm3 = normalisation(layer_norm, 7, 7, 64)
        self.dense = Dense(7 * 7 * 64, self.features, generator)
        self.norm4 = normalisation(layer_norm, self.features)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        hidden = _leaky(self.norm1(self.convolution1(pixels)))
        hidden = _leaky(self.norm2(self.convolution2(hidden)))
        hidden = _leaky(self.norm3(self.convolution3(hidden)))
        return _leaky(self.norm4(self.dense(hidden.flatten(1))))


class SmallEncoder(nn.Module):
    """A CPU-sized encoder of the road ahead: rows 36 to 83, below the sky.

    `centred` frames of these rows to [B, 128] in [-1, 1].
    """

    features = 128
    outputs = 11 * 20 * 16 + 5 * 9 * 32 + 3 * 5 * 32 + features
    first_row = 36

    def __init__(self, stack: int, layer_norm: bool, generator: torch.Generator) -> None:
        super().__init__()
        self.convolution1 = FirstConvolution(stack, 16, generator)
        self.convolution2 = Convolution(16, 32, 3, 2, generator)
        self.convolution3 = Convolution(32, 32, 3, 2, generator, padding=1)
        self.dense = Dense(3 * 5 * 32, self.features, generator)
        self.norm = normalisation(layer_norm, self.features)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        hidden = F.relu(self.convolution1(pixels))
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
    return {**observations, "image": centred(frames)}
