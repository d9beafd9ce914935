"""What a configuration will take: memory, disk, updates, evaluations, and time as measured before."""

import math
from itertools import pairwise

from sqlalchemy.orm import Session

from backend.runs.config import RunConfig
from backend.runs.room import kept_checkpoints, transitions_held
from backend.web import formats
from backend.web.pace import Pace
from backend.workers.service import list_workers

VECTOR, ACTION, FRAME = 53, 2, 84 * 84
FLOAT, FLAGS, QUEUE = 4, 12, 16
# Weights, targets and Adam's two moments: about this many bytes a parameter, in memory and in a checkpoint.
STATE_BYTES = 16
NATURE_PARAMETERS, SMALL_PARAMETERS = 1_700_000, 250_000
# Torch, carla and Python themselves.
TRAINER_BYTES = 450_000_000


def replay_bytes(config: RunConfig) -> int:
    """Bytes of memory a full replay buffer takes; frames lie in a file (`frames_bytes`)."""
    return config.buffer_size * (FLOAT * (VECTOR + ACTION + 1) + FLAGS + QUEUE)


def frames_bytes(config: RunConfig) -> int:
    """Bytes of disk for the buffer's frames, each kept once."""
    return config.buffer_size * FRAME if config.uses_images else 0


def network_bytes(config: RunConfig) -> int:
    """Bytes of all networks and optimisers, to about a third."""
    widths = [VECTOR + (512 if config.uses_images else 0), *config.hidden_sizes, 1]
    head = sum((a + 1) * b for a, b in pairwise(widths))
    encoder = NATURE_PARAMETERS if config.encoder == "nature" else SMALL_PARAMETERS
    critics = 2 if config.twin_critics else 1
    eyes = config.uses_images + (config.uses_images and config.critic_input == "same")
    return STATE_BYTES * (head * (1 + critics) + encoder * eyes)


def disk_bytes(config: RunConfig) -> int:
    """Bytes of disk a run takes at most: frames in use, and what its checkpoints hold of buffer and networks."""
    buffer = replay_bytes(config) + frames_bytes(config)
    saved = transitions_held(config) * buffer // config.buffer_size
    return frames_bytes(config) + saved + kept_checkpoints(config) * network_bytes(config)


def estimate(config: RunConfig, pace: Pace | None) -> dict[str, str]:
    """What the form says a run will take, by name."""
    learning = config.total_steps - config.learning_starts
    memory = TRAINER_BYTES + replay_bytes(config) + 2 * network_bytes(config)
    return {
        "Time": _time(config, pace),
        "Memory": f"about {formats.size(memory)}, {formats.size(replay_bytes(config))} of it replay",
        "Disk": f"about {formats.size(disk_bytes(config))}",
        "Exploring": f"{formats.whole(config.learning_starts)} steps",
        "Updates": formats.whole(learning * config.updates_per_step),
        "Evaluations": _evaluations(config),
        "Checkpoints": f"every {formats.whole(config.checkpoint_interval)} steps, "
        f"{config.checkpoints_kept} kept",
    }


def _time(config: RunConfig, pace: Pace | None) -> str:
    seconds = pace.seconds(config.model_dump()) if pace else None
    if pace is None or seconds is None:
        return "known after the first run of this kind"
    return f"about {formats.duration(seconds)}, as fast as {pace.source}"


def _evaluations(config: RunConfig) -> str:
    if not config.evaluation_interval:
        return "none"
    count = config.total_steps // config.evaluation_interval
    return f"{formats.whole(count)} of up to {config.evaluation_episodes} episodes"


def slots(session: Session) -> int:
    """Runs the fleet trains at a time."""
    return sum(worker.slots for worker in list_workers(session) if not worker.draining)


def together(runs: int, at_a_time: int, seconds: float | None) -> float | None:
    """Seconds until the last of equal runs ends, `at_a_time` of them beside each other."""
    return None if seconds is None or not at_a_time else math.ceil(runs / at_a_time) * seconds
