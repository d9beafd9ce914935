"""What a configuration will take: memory, updates, evaluations, checkpoints, and time as measured before."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.runs.config import RunConfig
from backend.runs.models import Run
from backend.runs.states import RunState
from backend.web import formats

VECTOR, ACTION, FRAME = 53, 2, 84 * 84
FLOAT, FLAGS = 4, 12


def replay_bytes(config: RunConfig) -> int:
    """Bytes of a full replay buffer, which keeps each observation and each frame once."""
    transition = FLOAT * (VECTOR + ACTION + 1) + FLAGS
    return config.buffer_size * (transition + (FRAME if config.uses_images else 0))


def measured_speed(session: Session, preset: str) -> float | None:
    """Steps a second of the last run of the preset that reached its end, evaluations included."""
    query = (
        select(Run)
        .where(Run.preset == preset, Run.state == RunState.FINISHED, Run.attempt == 1)
        .order_by(Run.id.desc())
        .limit(1)
    )
    run = session.scalars(query).first()
    if run is None or run.started_at is None or run.ended_at is None:
        return None
    return run.step / max(1.0, run.ended_at - run.started_at)


def estimate(config: RunConfig, speed: float | None) -> dict[str, str]:
    """What the form says a run will take, by name."""
    learning = config.total_steps - config.learning_starts
    found = {
        "Replay buffer": f"{formats.size(replay_bytes(config))} when full",
        "Exploring": f"{formats.whole(config.learning_starts)} steps",
        "Updates": formats.whole(learning * config.updates_per_step),
        "Evaluations": _evaluations(config),
        "Checkpoints": f"every {formats.whole(config.checkpoint_interval)} steps, "
        f"{config.checkpoints_kept} kept",
    }
    if speed:
        found["Time"] = f"{formats.duration(config.total_steps / speed)} at the last run's speed"
    return found


def _evaluations(config: RunConfig) -> str:
    if not config.evaluation_interval:
        return "none"
    count = config.total_steps // config.evaluation_interval
    return f"{formats.whole(count)} of up to {config.evaluation_episodes} episodes"
