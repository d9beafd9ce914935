"""Fast layouts compute what the plain networks compute."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import nn
from torch.nn import functional

from tests.agents.samples import ACTION, VECTOR, agent, batch, config, space
from worker.agents.encoders import (
    FirstConvolution,
    NatureEncoder,
    SmallEncoder,
    interleaved,
    prepare,
    space_to_depth,
)
from worker.agents.layers import Convolution
from worker.agents.networks import Actor, Critic, Heads

TOLERANCE = 1e-4  # relative, of gradients; what the benchmark's bar says


def plain_head(heads: Heads, number: int) -> nn.Sequential:
    """One of the stacked MLPs as torch.nn layers."""
    layers: list[nn.Module] = []
    for layer, (weights, biases) in enumerate(zip(heads.weights, heads.biases, strict=True)):
        linear = nn.Linear(*weights.shape[1:])
        linear.weight.data, linear.bias.data = weights[number].T.clone(), biases[number, 0].clone()
        layers.append(linear)
        if layer < len(heads.weights) - 1:
            if heads.gains:
                norm = nn.LayerNorm(weights.shape[2])
                norm.weight.data = heads.gains[layer][number, 0].clone()
                norm.bias.data = heads.shifts[layer][number, 0].clone()
                layers.append(norm)
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


def plain_convolution(weight: torch.Tensor, bias: torch.Tensor, stride: int) -> nn.Conv2d:
    """From [out, k, k, in] to torch.nn's [out, in, k, k]."""
    layer = nn.Conv2d(weight.shape[3], weight.shape[0], weight.shape[1], stride)
    layer.weight.data, layer.bias.data = weight.permute(0, 3, 1, 2).contiguous(), bias.clone()
    return layer


def plain_first(weight: torch.Tensor, bias: torch.Tensor, stack: int) -> nn.Conv2d:
    """The 2x2 convolution on 4x4 blocks as the 8x8 one with stride 4 on frames."""
    layer = nn.Conv2d(stack, weight.shape[0], 8, 4)
    blocks = weight.view(-1, 2, 2, stack, 4, 4)  # out, block row, block column, frame, row, column
    layer.weight.data = blocks.permute(0, 3, 1, 4, 2, 5).reshape(-1, stack, 8, 8).clone()
    layer.bias.data = bias.clone()
    return layer


def plain_norm(norm: nn.Module) -> nn.Module:
    """LayerNorm over [H, W, C] as one over [C, H, W]."""
    assert isinstance(norm, nn.LayerNorm)
    height, width, channels = norm.normalized_shape
    plain = nn.LayerNorm((channels, height, width))
    plain.weight.data = norm.weight.permute(2, 0, 1).contiguous()
    plain.bias.data = norm.bias.permute(2, 0, 1).contiguous()
    return plain


def plain_nature(encoder: NatureEncoder, stack: int) -> nn.Sequential:
    """The encoder as the textbook writes it: NCHW, torch.nn layers, frames scaled to [-1, 1]."""
    dense = nn.Linear(3136, 512)
    columns = encoder.dense.weight.view(512, 7, 7, 64).permute(0, 3, 1, 2)
    dense.weight.data, dense.bias.data = (
        columns.reshape(512, -1).clone(),
        encoder.dense.bias.clone(),
    )
    first, second, third = encoder.convolution1, encoder.convolution2, encoder.convolution3
    return nn.Sequential(
        plain_first(first.weight, first.bias, stack),
        plain_norm(encoder.norm1), nn.LeakyReLU(0.01),
        plain_convolution(second.weight, second.bias, 2),
        plain_norm(encoder.norm2), nn.LeakyReLU(0.01),
        plain_convolution(third.weight, third.bias, 1),
        plain_norm(encoder.norm3), nn.LeakyReLU(0.01),
        nn.Flatten(), dense,
        encoder.norm4, nn.LeakyReLU(0.01),
    )  # fmt: skip


def shuffled(network: nn.Module) -> None:
    """Make LayerNorm's ones and zeros different, so that a wrong order shows."""
    draw = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.data.add_(torch.randn(parameter.shape, generator=draw) * 0.02)


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return ((found - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("layer_norm", [True, False])
def test_stacked_heads_equal_separate_mlps_in_value_and_gradient(layer_norm: bool) -> None:
    heads = Heads(2, [7, 16, 12, 3], layer_norm, torch.Generator().manual_seed(0))
    shuffled(heads)
    plain = [plain_head(heads, number) for number in range(2)]
    inputs = torch.randn(9, 7, requires_grad=True)
    expected = torch.stack([head(inputs) for head in plain])
    torch.testing.assert_close(heads(inputs), expected)
    torch.testing.assert_close(heads.first(inputs), expected[0])
    weights = torch.randn(2, 9, 3)
    found = torch.autograd.grad((heads(inputs) * weights).sum(), [inputs, heads.weights[0]])
    slopes = torch.autograd.grad(
        (expected * weights).sum(), [inputs, *(head[0].weight for head in plain)]
    )
    torch.testing.assert_close(found[0], slopes[0])
    torch.testing.assert_close(found[1], torch.stack([slopes[1].T, slopes[2].T]))


def test_the_nature_encoder_equals_the_textbook_network_in_value_and_gradient() -> None:
    encoder = NatureEncoder(4, True, torch.Generator().manual_seed(0))
    shuffled(encoder)
    plain = plain_nature(encoder, 4)
    frames = batch(size=4, images=True, stack=4).observations["image"]
    scaled = frames.float() / 127.5 - 1
    found, expected = encoder(interleaved(frames)), plain(scaled)
    assert relative(found, expected) < 1e-5
    direction = torch.randn(expected.shape, generator=torch.Generator().manual_seed(2))
    ours = torch.autograd.grad((found * direction).sum(), [
        encoder.convolution2.weight, encoder.dense.weight, encoder.convolution1.bias
    ])  # fmt: skip
    theirs = torch.autograd.grad((expected * direction).sum(), [
        plain[3].weight, plain[10].weight, plain[0].bias
    ])  # fmt: skip
    assert relative(ours[0].permute(0, 3, 1, 2), theirs[0]) < TOLERANCE
    columns = ours[1].view(512, 7, 7, 64).permute(0, 3, 1, 2).reshape(512, -1)
    assert relative(columns, theirs[1]) < TOLERANCE
    assert relative(ours[2], theirs[2]) < TOLERANCE


def test_the_small_encoder_does_not_see_the_sky() -> None:
    learner = agent(actor_input="image", encoder="small")
    frames = batch(images=True).observations["image"]

    def encoder(frames: torch.Tensor) -> torch.Tensor:
        features = learner.actor.encode(prepare(learner.config, {"image": frames}))
        assert features is not None
        return features

    sky, road = frames.clone(), frames.clone()
    sky[:, :, :36] = 0
    road[:, :, 36:] = 0
    assert torch.equal(encoder(frames), encoder(sky))
    assert not torch.equal(encoder(frames), encoder(road))
    assert encoder(frames).abs().max() <= 1


@pytest.mark.parametrize("kind", [NatureEncoder, SmallEncoder])
def test_layer_norm_of_encoders_can_be_left_out(kind: type[NatureEncoder | SmallEncoder]) -> None:
    with_norm = kind(2, True, torch.Generator())
    without = kind(2, False, torch.Generator())
    assert any(isinstance(module, nn.LayerNorm) for module in with_norm.modules())
    assert not any(isinstance(module, nn.LayerNorm) for module in without.modules())


def test_frames_that_are_views_of_a_longer_stack_encode_alike() -> None:
    frames = batch(images=True, stack=3).observations["image"]
    view, copy = frames[:, 1:, 36:], frames[:, 1:, 36:].contiguous()
    for read in (interleaved, space_to_depth):
        assert torch.equal(read(view), read(copy))


def test_more_frames_than_are_read_at_a_time_are_read_alike() -> None:
    frames = batch(images=True, size=150, stack=3).observations["image"]
    expected = frames.permute(0, 2, 3, 1).float() - 127.5
    assert torch.equal(interleaved(frames), expected)


@pytest.mark.parametrize(
    ("size", "channels", "kernel", "stride", "padding"),
    [
        (20, 32, 4, 2, 0),
        (84, 3, 8, 4, 0),
        (9, 64, 3, 1, 0),
        (11, 16, 3, 2, 0),
        (21, 8, 4, 2, 0),
        (5, 8, 3, 2, 1),
    ],
)
def test_a_convolution_is_torchs_in_value_and_gradient(
    size: int, channels: int, kernel: int, stride: int, padding: int
) -> None:
    draw = torch.Generator().manual_seed(0)
    layer = Convolution(channels, 16, kernel, stride, draw, padding)
    images = torch.randn(3, size, size, channels, generator=draw, requires_grad=True)
    found = layer(images)
    expected = functional.conv2d(
        images.permute(0, 3, 1, 2), layer.weight.permute(0, 3, 1, 2), layer.bias, stride, padding
    ).permute(0, 2, 3, 1)
    assert relative(found, expected) < 1e-6
    slope = torch.randn(expected.shape, generator=draw)
    inputs = [images, *layer.parameters()]
    for ours, theirs in zip(
        torch.autograd.grad((found * slope).sum(), inputs),
        torch.autograd.grad((expected * slope).sum(), inputs),
        strict=True,
    ):
        assert relative(ours, theirs) < 1e-5


def test_the_first_convolution_of_blocks_is_that_of_images() -> None:
    layer = FirstConvolution(3, 16, torch.Generator().manual_seed(0))
    frames = batch(images=True, stack=3).observations["image"]
    blocks = layer.on_blocks(space_to_depth(frames))
    assert relative(layer.on_images(interleaved(frames)), blocks) < 1e-5


@pytest.mark.parametrize(
    ("actor_input", "critic_input", "actor_width", "critic_width"),
    [
        ("vector", "same", VECTOR, VECTOR),
        ("image", "same", 512 + 2, 512 + 2),
        ("image", "vector", 512 + 2, VECTOR),
        ("image+vector", "same", 512 + VECTOR, 512 + VECTOR),
    ],
)
def test_networks_read_what_the_configuration_says(
    actor_input: str, critic_input: str, actor_width: int, critic_width: int
) -> None:
    chosen = config(actor_input=actor_input, critic_input=critic_input)
    generator = torch.Generator()
    actor = Actor(chosen, space(chosen.uses_images), ACTION, generator)
    critic = Critic(chosen, space(chosen.uses_images), ACTION, generator)
    assert actor.head.weights[0].shape == (1, actor_width, 16)
    assert critic.head.weights[0].shape == (2, critic_width + ACTION, 16)
    sample = batch(images=chosen.uses_images)
    sample = replace(sample, observations=prepare(chosen, sample.observations))
    assert actor(sample.observations).shape == (8, ACTION)
    assert critic(sample.observations, sample.actions).shape == (2, 8)


@pytest.mark.parametrize(
    ("sight", "actor_width", "critic_width"),
    [
        ({}, VECTOR + 2, VECTOR + 2),
        ({"actor_input": "image", "critic_input": "vector"}, 512 + 2, VECTOR + 2),
        ({"actor_input": "image+vector"}, 512 + VECTOR + 2, 512 + VECTOR + 2),
    ],
    ids=["numbers", "privileged critic", "both"],
)
def test_the_vehicle_ahead_is_told_to_whoever_sees_the_numbers(
    sight: dict[str, str], actor_width: int, critic_width: int
) -> None:
    chosen = config(traffic=True, vehicle_ahead=True, **sight)
    shown = space(chosen.uses_images)
    shown["ahead"] = spaces.Box(-1, 1, (2,), np.float32)
    generator = torch.Generator()
    assert Actor(chosen, shown, ACTION, generator).width == actor_width
    assert Critic(chosen, shown, ACTION, generator).width == critic_width
    untold = chosen.model_copy(update={"vehicle_ahead": False})
    assert "ahead" not in Critic(untold, space(untold.uses_images), ACTION, generator).names


def test_actor_and_critic_own_their_encoders() -> None:
    learner = agent(actor_input="image", encoder="small")
    owned = [
        {parameter.data_ptr() for parameter in network.parameters()}
        for network in (
            learner.actor, learner.critic, learner.target_actor, learner.target_critic
        )
    ]  # fmt: skip
    assert all(a.isdisjoint(b) for a in owned for b in owned if a is not b)


def test_weights_start_as_torch_starts_linear_layers() -> None:
    heads = Heads(1, [400, 300, 1], False, torch.Generator().manual_seed(0))
    bound = 1 / 20
    assert heads.weights[0].abs().max() <= bound
    assert heads.weights[0].std().item() == pytest.approx(bound / 3**0.5, rel=0.02)
    assert heads.biases[0].abs().max() <= bound
