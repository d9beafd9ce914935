"""Named starting points for a run; each is a set of overrides of RunConfig's defaults."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Preset:
    """A preset's name for people, what it is for, and the values it sets."""

    title: str
    summary: str
    overrides: dict[str, Any]


QUICKSTART = Preset(
    "Quickstart",
    "A small policy on numbers learns the route on two CPU cores in about two minutes.",
    {
        "total_steps": 30_000,
        "hidden_sizes": [128, 128],
        "head_layer_norm": True,
        "batch_size": 128,
        "reward_scale": 0.1,
        "reward_following": True,
        "exploration": "held",
        "evaluation_interval": 1_000,
        "baseline_episodes": 5,
        "checkpoint_interval": 5_000,
    },
)

VISION_SMALL = Preset(
    "Vision, small",
    "84x84 camera frames, speed and route command; the critic alone sees the numbers. Minutes on a CPU.",
    {
        "total_steps": 60_000,
        "actor_input": "image",
        "critic_input": "vector",
        "encoder": "small",
        "hidden_sizes": [128],
        "head_layer_norm": True,
        "actor_learning_rate": 5e-4,
        "critic_learning_rate": 5e-4,
        "batch_size": 128,
        "gamma": 0.98,
        "tau": 0.01,
        "learning_starts": 3_000,
        "updates_per_step": 0.5,
        "buffer_size": 60_000,
        "reward_scale": 0.1,
        "reward_following": True,
        "exploration": "held",
        "noise_decay": 0.00015,
        "evaluation_interval": 2_000,
        "checkpoint_interval": 10_000,
    },
)

PAPER = Preset(
    "Paper",
    "The full visual task: 336x252 camera, 53-vector, NatureCNN with LayerNorm, 20 Hz, one million steps. Wants a GPU.",
    {
        "total_steps": 1_000_000,
        "device": "auto",
        "torch_threads": 2,
        "held_out_routes": ["straight", "left"],
        "traffic": True,
        "ticks_per_decision": 1,
        "random_start_probability": 0.0,
        "start_jitter": False,
        "actor_input": "image+vector",
        "camera_width": 336,
        "camera_height": 252,
        "reward_overspeed_slope": 0.0,
        "evaluation_interval": 10_000,
        "evaluation_screening": 0,
    },
)

PRESETS: dict[str, Preset] = {
    "quickstart": QUICKSTART,
    "vision-small": VISION_SMALL,
    "paper": PAPER,
}
