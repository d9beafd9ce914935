"""The learner against stable-baselines3 doing the same work, interleaved in one run, on two CPU threads or a GPU.

    pip install stable-baselines3==2.9.2
    python -m benchmarks.learner [--rounds 8] [--threads 2] [--device cuda [--tf32]]

The task is domain-sized: four 84x84 frames and the 53-vector, NatureCNN with LayerNorm, 256-256 heads,
batch 256. Ours clips gradients and reads every metric, on a CPU at each update, on a GPU as often as the
training loop does; SB3 does neither. Both compute in float32, or with --tf32 both in TF32. Each claim is a
line of JSON; the last line holds them all.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from backend.runs.config import RunConfig
from backend.runs.parsing import parse_config
from benchmarks.sb3_peer import NatureExtractor, add, make_peer
from worker.agents import TD3, Exploration, make_agent, prepare_torch
from worker.agents.encoders import BLOCK, NatureEncoder, centred
from worker.checkpointing import (
    Capture,
    CheckpointInfo,
    TrainerState,
    capture_checkpoint,
    capture_rng,
    write_checkpoint,
)
from worker.kept import KeptMemory
from worker.preflight import learner_memory
from worker.replay import Batch, ReplayBuffer
from worker.training import DIAGNOSTICS_EVERY

TRANSITIONS = 2000
EPISODE = 200
OBSERVATIONS = spaces.Dict(
    {
        "vector": spaces.Box(-np.inf, np.inf, (53,), np.float32),
        "image": spaces.Box(0, 255, (4, 84, 84), np.uint8),
    }
)
ACTIONS = spaces.Box(-1, 1, (2,), np.float32)

Claim = dict[str, Any]
Observation = dict[str, NDArray[Any]]

UPDATES_BAR = {"cpu": 1.4, "cuda": 2}
# Updates in a round, and between two readings of all metrics.
UPDATES = {"cpu": 2, "cuda": DIAGNOSTICS_EVERY}
READS_EVERY = {"cpu": 1, "cuda": DIAGNOSTICS_EVERY}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=list(UPDATES_BAR), default="cpu")
    parser.add_argument("--tf32", action="store_true")
    options = parser.parse_args()
    chosen = {"device": options.device, "torch_threads": options.threads, "tf32": options.tf32}
    config = parse_config("paper", chosen)
    prepare_torch(config)
    claims = [gpu_memory(config)] if config.device == "cuda" else []
    ours = make_agent(config, OBSERVATIONS, ACTIONS)
    replay = ReplayBuffer(TRANSITIONS + 4096, OBSERVATIONS, 2, pinned=ours.device.type == "cuda")
    peer = make_peer(config, OBSERVATIONS, ACTIONS, TRANSITIONS)
    fill(replay, peer)
    claims += [
        updates(ours, replay, peer, options.rounds),
        gradients(ours.device),
        sampling(replay, peer, options.rounds),
        memory(replay),
        acting(ours, peer, options.rounds),
        acting_while_learning(ours, replay, options.rounds),
        monitoring(ours, replay, options.rounds),
        quickstart_update(options.rounds),
        *checkpoints(config, options.rounds),
    ]
    if ours.device.type == "cuda":
        claims.append(recording(ours, replay, options.rounds))
    say({"name": "learner", "claims": claims})


def fill(replay: ReplayBuffer, peer: Any) -> None:
    """The same made-up episodes into both buffers."""
    draw = np.random.default_rng(0)
    frames = draw.integers(0, 256, (4, 84, 84), dtype=np.uint8)
    at: Observation = {
        "vector": draw.normal(size=53).astype(np.float32),
        "image": frames[[0, 0, 0, 0]],
    }
    for step in range(TRANSITIONS):
        newest = draw.integers(0, 256, (1, 84, 84), dtype=np.uint8)
        vector = draw.normal(size=53).astype(np.float32)
        then = {"vector": vector, "image": np.concatenate([at["image"][1:], newest])}
        action = draw.uniform(-1, 1, 2).astype(np.float32)
        last = step % EPISODE == EPISODE - 1
        replay.add(at, action, float(draw.normal()), then, False, last)
        add(peer, at, action, 0.0, then)
        at = {**then, "image": then["image"][[3, 3, 3, 3]]} if last else then


def updates(ours: TD3, replay: ReplayBuffer, peer: Any, rounds: int) -> Claim:
    """Sampling, clipping and reading every metric are in ours."""
    device, size = ours.device.type, ours.config.batch_size

    def learn() -> None:
        for number in range(1, UPDATES[device] + 1):
            ours.update(replay.sample(size))
            if number % READS_EVERY[device] == 0:
                ours.diagnostics()

    ratio = race(learn, lambda: peer.train(UPDATES[device], size), rounds)
    return say(
        {
            "name": "updates per second against SB3",
            "ratio": ratio,
            "unit": "x",
            "bar": UPDATES_BAR[device],
            "update_ms": 1e3 * min(clock(learn) for _ in range(rounds)) / UPDATES[device],
        }
    )


def gradients(device: torch.device) -> Claim:
    """Largest relative difference of a parameter's gradient from the plain NCHW network's."""
    draw = torch.Generator().manual_seed(0)
    encoder, plain = NatureEncoder(4, True, draw), NatureExtractor(OBSERVATIONS)
    copy_weights(encoder, plain)
    frames = torch.randint(0, 256, (32, 4, 84, 84), dtype=torch.uint8, generator=draw).to(device)
    direction = torch.randn(32, 512, generator=draw).to(device)
    encoder, plain = encoder.to(device), plain.to(device)
    ours = gradient(encoder, encoder(centred(frames)) * direction)
    theirs = gradient(plain, plain.cnn(frames / 127.5 - 1) * direction)
    # our gradients, laid out as the plain network lays out its weights
    for parameter, slope in zip(encoder.parameters(), ours, strict=True):
        parameter.data = slope
    copy_weights(encoder, plain)
    worst = max(
        ((found - expected).norm() / expected.norm()).item()
        for found, expected in zip(plain.parameters(), theirs, strict=True)
    )
    return say(
        {"name": "gradients against plain NCHW", "ratio": worst, "unit": "relative", "bar": 1e-4}
    )


def gradient(network: torch.nn.Module, output: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return torch.autograd.grad(output.sum(), list(network.parameters()))


@torch.no_grad()
def copy_weights(encoder: NatureEncoder, plain: NatureExtractor) -> None:
    """Our layout, rows and columns before channels, into torch.nn's."""
    ours: Any = encoder
    layers: list[Any] = list(plain.cnn)
    first = ours.convolution1.weight.view(32, 2, 2, 4, BLOCK, BLOCK)
    layers[0].weight.copy_(first.permute(0, 3, 1, 4, 2, 5).reshape(32, 4, 8, 8))
    layers[3].weight.copy_(ours.convolution2.weight.permute(0, 3, 1, 2))
    layers[6].weight.copy_(ours.convolution3.weight.permute(0, 3, 1, 2))
    columns = ours.dense.weight.view(512, 7, 7, 64).permute(0, 3, 1, 2)
    layers[10].weight.copy_(columns.reshape(512, -1))
    layers[11].load_state_dict(ours.norm4.state_dict())
    for index, name in (
        (0, "convolution1"),
        (3, "convolution2"),
        (6, "convolution3"),
        (10, "dense"),
    ):
        layers[index].bias.copy_(getattr(ours, name).bias)
    for index, name in ((1, "norm1"), (4, "norm2"), (7, "norm3")):
        norm = getattr(ours, name)
        layers[index].weight.copy_(norm.weight.permute(2, 0, 1))
        layers[index].bias.copy_(norm.bias.permute(2, 0, 1))


def sampling(replay: ReplayBuffer, peer: Any, rounds: int) -> Claim:
    """Time of sample(256), ours over SB3's DictReplayBuffer."""
    ratio = race(lambda: peer.replay_buffer.sample(256), lambda: replay.sample(256), rounds * 10)
    return say(
        {"name": "sample(256) against SB3", "ratio": ratio, "unit": "of its time", "bar": 0.5}
    )


def memory(replay: ReplayBuffer) -> Claim:
    """Bytes a transition takes in episodes of 200 steps, the buffer full."""
    full = replay.bytes / replay.capacity
    return say({"name": "bytes per transition", "ratio": full, "unit": "bytes", "bar": 7500})


def acting(ours: TD3, peer: Any, rounds: int) -> Claim:
    """Time of one action, ours over SB3's predict."""
    observation: Observation = {
        "vector": np.zeros(53, np.float32),
        "image": np.zeros((4, 84, 84), np.uint8),
    }
    ratio = race(
        lambda: repeat(20, lambda: peer.predict(observation, deterministic=True)),
        lambda: repeat(20, lambda: ours.act(observation)),
        rounds,
    )
    return say(
        {"name": "act against SB3's predict", "ratio": ratio, "unit": "of its time", "bar": 1}
    )


def acting_while_learning(ours: TD3, replay: ReplayBuffer, rounds: int) -> Claim:
    """Milliseconds of one action after an update has filled the caches, 99th percentile."""
    observation: Observation = {
        "vector": np.zeros(53, np.float32),
        "image": np.zeros((4, 84, 84), np.uint8),
    }
    times = []
    for _ in range(rounds):
        ours.update(replay.sample(ours.config.batch_size))
        times += [clock(lambda: ours.act(observation)) for _ in range(10)]
    found = float(np.percentile(times, 99)) * 1e3
    return say({"name": "act while learning, p99", "ratio": found, "unit": "ms", "bar": 10})


def monitoring(ours: TD3, replay: ReplayBuffer, rounds: int) -> Claim:
    """Reading all metrics as a share of the updates between two readings, the draw of their batches not counted.

    Where every update is read, those with the actor's turn and without count alike.
    """
    every = READS_EVERY[ours.device.type]

    def learn(batches: Sequence[Batch]) -> None:
        for batch in batches:
            ours.update(batch)

    def both() -> tuple[float, float]:
        batches = [replay.sample(ours.config.batch_size) for _ in range(every)]
        return clock(lambda: learn(batches)), clock(ours.diagnostics)

    kinds = range(ours.config.policy_delay)
    pairs = [[both() for _ in kinds] for _ in range(rounds)]
    # by kind of update, the least disturbed of each counts
    updates, readings = np.array(pairs).min(axis=0).sum(axis=0)
    times = "update" if every == 1 else f"{every} updates"
    return say(
        {
            "name": f"monitoring every {times}",
            "ratio": readings / updates,
            "unit": "of their time",
            "bar": 0.01,
        }
    )


def quickstart_update(rounds: int) -> Claim:
    """Milliseconds of a quickstart update on one thread: absolute, for the record."""
    config = parse_config("quickstart")
    space = spaces.Dict({"vector": OBSERVATIONS["vector"]})
    agent, replay = make_agent(config, space, ACTIONS), ReplayBuffer(1000, space, 2)
    draw = np.random.default_rng(0)
    for _ in range(500):
        at, then = ({"vector": draw.normal(size=53).astype(np.float32)} for _ in range(2))
        replay.add(at, draw.uniform(-1, 1, 2).astype(np.float32), 0.0, then, False, True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    times = [
        clock(lambda: repeat(100, lambda: agent.update(replay.sample(128)))) for _ in range(rounds)
    ]
    torch.set_num_threads(threads)
    return say({"name": "quickstart update", "ratio": min(times) * 10, "unit": "ms"})


def recording(ours: TD3, replay: ReplayBuffer, rounds: int) -> Claim:
    """Time of an update launched kernel by kernel over that of its CUDA graph."""
    plain = make_agent(ours.config, OBSERVATIONS, ACTIONS)
    plain._whole_step, plain._half_step = plain._step, partial(plain._step, actor_moves=False)
    batch = replay.sample(ours.config.batch_size)
    ratio = race(
        lambda: repeat(10, lambda: ours.update(batch)),
        lambda: repeat(10, lambda: plain.update(batch)),
        rounds,
    )
    return say({"name": "CUDA graphs against launching each kernel", "ratio": ratio, "unit": "x"})


def gpu_memory(config: RunConfig) -> Claim:
    """What a learner takes of an otherwise unused GPU, of what the pre-flight reckons with."""
    agent, replay = make_agent(config, OBSERVATIONS, ACTIONS), ReplayBuffer(1000, OBSERVATIONS, 2)
    drive(replay, EPISODE)
    repeat(2 * agent.settling, lambda: agent.update(replay.sample(config.batch_size)))
    agent.diagnostics()
    taken, reckoned = torch.cuda.max_memory_reserved(), learner_memory(config, OBSERVATIONS, 2)
    name, gigabytes = "GPU memory against the pre-flight's reckoning", taken / 1e9
    return say({"name": name, "ratio": taken / reckoned, "unit": "", "bar": 1, "gb": gigabytes})


def checkpoints(config: RunConfig, rounds: int) -> list[Claim]:
    """Milliseconds training pauses for a checkpoint, and until 10,000 new image transitions are durable.

    The whole learner is in it: networks, targets and both optimisers.
    """
    agent, exploration, memory = (
        make_agent(config, OBSERVATIONS, ACTIONS),
        Exploration(config, 2),
        KeptMemory(),
    )
    pauses, work, times = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        replay = ReplayBuffer(30_000, OBSERVATIONS, 2, folder=Path(folder))
        for _ in range(max(3, rounds)):
            drive(replay, 10_000)
            began, worked = time.perf_counter(), time.thread_time()
            moment = captured(Path(folder), agent, exploration, replay, memory)
            pauses.append(time.perf_counter() - began)
            work.append(time.thread_time() - worked)
            write_checkpoint(moment)
            times.append(time.perf_counter() - began)
    # the first capture takes its memory from the system
    return [
        say(
            {
                **milliseconds("pause of training per checkpoint", pauses[1:], 15),
                "cpu_ms": 1e3 * min(work[1:]),  # what a machine without other work would wait
            }
        ),
        say(milliseconds("10k new transitions durable", times[1:], 250)),
    ]


def milliseconds(name: str, seconds: list[float], bar: float) -> Claim:
    least, median = 1e3 * min(seconds), 1e3 * float(np.median(seconds))
    return {"name": name, "ratio": least, "median": median, "unit": "ms", "bar": bar}


def captured(
    folder: Path, agent: TD3, exploration: Exploration, replay: ReplayBuffer, memory: KeptMemory
) -> Capture:
    """As the loop's saver captures."""
    state = TrainerState(
        agent.state_dict(memory.tensor), exploration.state_dict(), {}, capture_rng()
    )
    info = CheckpointInfo(agent.config, "interval", 0, 0, agent.updates, OBSERVATIONS, 2)
    return capture_checkpoint(folder, state, replay, info, memory.array)


def drive(replay: ReplayBuffer, steps: int) -> None:
    draw = np.random.default_rng(1)
    image = draw.integers(0, 256, (4, 84, 84), dtype=np.uint8)
    at: Observation = {"vector": np.zeros(53, np.float32), "image": image}
    action = np.zeros(2, np.float32)
    for step in range(steps):
        then: Observation = {"vector": np.full(53, step, np.float32), "image": image}
        replay.add(at, action, 0.0, then, False, step % EPISODE == EPISODE - 1)
        at = then


def race(first: Callable[[], object], second: Callable[[], object], rounds: int) -> float:
    """Time of `second` over time of `first`, interleaved; the least disturbed of each counts."""
    first()
    second()
    pairs = [(clock(first), clock(second)) for _ in range(rounds)]
    return min(b for _, b in pairs) / min(a for a, _ in pairs)


def repeat(times: int, act: Callable[[], object]) -> None:
    for _ in range(times):
        act()


def clock(act: Callable[[], object]) -> float:
    wait_for_gpu()
    began = time.perf_counter()
    act()
    wait_for_gpu()
    return time.perf_counter() - began


def wait_for_gpu() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def say(claim: Claim) -> Claim:
    print(json.dumps(claim), flush=True)
    return claim


if __name__ == "__main__":
    main()
