"""Forks: a new run that starts from a checkpoint of another, with a configuration that may differ."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from backend.checkpoints.models import Checkpoint
from backend.checkpoints.service import get_checkpoint, pin
from backend.errors import IllegalTransition, InvalidConfig
from backend.runs.config import RunConfig
from backend.runs.events import Level, add_event
from backend.runs.models import Run
from backend.runs.service import create_run, get_run

# What networks, optimisers and stored transitions are made of: another value would not fit them.
FIXED_GROUPS = ("observation", "reward", "networks")
FIXED_FIELDS = (
    "algorithm",
    "environment",
    "ticks_per_decision",
    "twin_critics",
    "buffer_size",
    "reward_scale",
)
LEARNING_RATES = ("actor_learning_rate", "critic_learning_rate")


def is_fixed(name: str) -> bool:
    """Whether a fork must keep its source's value of a configuration key."""
    return name in FIXED_FIELDS or RunConfig.groups()[name] in FIXED_GROUPS


def incompatible(source: Mapping[str, Any], config: RunConfig, step: int) -> dict[str, str]:
    """Why a state saved at `step` with the configuration `source` cannot go on with `config`, by key."""
    values = config.model_dump(mode="json")
    problems = {
        name: f"{name} is {source[name]} in the checkpoint and cannot be {value} in a fork of it: "
        "start a new run instead"
        for name, value in values.items()
        if is_fixed(name) and source[name] != value
    }
    if config.total_steps <= step:
        problems["total_steps"] = (
            f"total_steps ({config.total_steps}) is not above the checkpoint's step ({step}): raise it"
        )
    return problems


def fork_run(
    session: Session, source_id: int, checkpoint_id: int, name: str, config: RunConfig, now: float
) -> Run:
    """A new run, queued, that starts where a checkpoint of another stands; the checkpoint is pinned.

    A factor that rollbacks put on the source's learning rates stays on equal ones.

    Raises:
        NotFound: no such checkpoint, or its files are gone.
        IllegalTransition: Pitwall does not hold the run's checkpoints.
        InvalidConfig: the state does not fit the configuration.
    """
    source, checkpoint = forkable(session, source_id, checkpoint_id)
    if problems := incompatible(source.config, config, checkpoint.step):
        raise InvalidConfig(problems)
    pin(session, source_id, checkpoint_id, True)
    name = name.strip() or f"{source.name}-fork"[:120]
    run = create_run(session, name, source.preset, config, now)
    run.resume_checkpoint_id, run.restart_reason = checkpoint.id, "fork"
    if not any(source.config[name] != getattr(config, name) for name in LEARNING_RATES):
        run.learning_rate_factor = source.learning_rate_factor
    run.step, run.episode, run.updates = checkpoint.step, checkpoint.episode, checkpoint.updates
    origin = (
        f"{source.name} (run {source_id}), checkpoint {checkpoint_id}, step {checkpoint.step:,}"
    )
    add_event(session, run.id, Level.INFO, "fork", f"Forked from {origin}", now, checkpoint.step)
    message = f"Forked at step {checkpoint.step:,} as {run.name} (run {run.id})"
    add_event(session, source_id, Level.INFO, "fork", message, now, source.step)
    return run


def forkable(session: Session, source_id: int, checkpoint_id: int) -> tuple[Run, Checkpoint]:
    """The run and its checkpoint, if a fork can start there; raises as `fork_run` does."""
    source = get_run(session, source_id)
    checkpoint = get_checkpoint(session, source_id, checkpoint_id)
    if not source.is_native:
        raise IllegalTransition(
            f"run {source_id} keeps its own checkpoints: Pitwall cannot start from them"
        )
    return source, checkpoint
