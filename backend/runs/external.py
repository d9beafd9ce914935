"""Runs of users' own trainers, which report over HTTP: no worker claims, reaps or restarts them.

The trainer makes the run's token itself, so that asking again after a lost answer finds the same run.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.checkpoints.kinds import CheckpointKind
from backend.checkpoints.models import Checkpoint
from backend.errors import FencedOff, InvalidConfig
from backend.runs import attempts
from backend.runs.events import Level, add_event
from backend.runs.models import Run, Segment
from backend.runs.service import lock_run
from backend.runs.states import EXTERNAL, Desired, RunState

COUNTS = ("learning_starts", "total_steps")
MOST_STEPS = 2**31 - 1
MOST_CONFIG = 262_144


def create_external(
    session: Session, name: str, config: Mapping[str, Any], token: str, host: str, now: float
) -> Run:
    """A run that trains already, on `host`; the run of the token where there is one.

    Any config will do. `learning_starts` and `total_steps` tell the rules and the charts what they
    mean elsewhere; `rules` and `halt_on` choose the preset and the rules whose critical state halts.

    Raises:
        InvalidConfig: a count that is none, or a config too large to show.
    """
    known = select(Run).where(Run.preset == EXTERNAL, Run.token == token)
    if (run := session.scalars(known).first()) is not None:
        return run
    _check(config)
    told = {**config, "source": "client"}
    run = Run(
        name=name.strip(),
        preset=EXTERNAL,
        config=told,
        config_hash=hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest(),
        state=RunState.RUNNING,
        desired=Desired.RUN,
        total_steps=config.get("total_steps", 0),
        token=token,
        attempt=1,
        activity="training",
        worker=f"own trainer on {host or 'an unnamed host'}"[:120],
        heartbeat_at=now,
        created_at=now,
        started_at=now,
    )
    session.add(run)
    session.flush()
    segment = Segment(run_id=run.id, number=1, created_at=now)
    session.add(segment)
    session.flush()
    run.segment_id, run.name = segment.id, run.name or f"{EXTERNAL}-{run.id}"
    add_event(session, run.id, Level.INFO, "created", f"Created by an {run.worker}", now)
    return run


def _check(config: Mapping[str, Any]) -> None:
    wrong = {
        name: f"must be a whole number from 0 to {MOST_STEPS:,}, got {config[name]!r}"
        for name in COUNTS
        if name in config and not _is_count(config[name])
    }
    try:
        size = len(json.dumps(config, allow_nan=False))
    except ValueError:
        wrong["config"] = "holds NaN or an infinity, which JSON has no number for: leave it out"
    else:
        if size > MOST_CONFIG:
            wrong["config"] = f"has {size:,} characters: keep it below {MOST_CONFIG:,}"
    if wrong:
        raise InvalidConfig(wrong)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_STEPS


def held(session: Session, run_id: int, token: str) -> Run:
    """The run's row, locked, for the trainer that made it; also when the run has ended meanwhile.

    Raises:
        FencedOff: the token is not this run's, or no own trainer made it.
    """
    run = lock_run(session, run_id)
    if run.preset != EXTERNAL or run.token != token:
        raise FencedOff(f"this token is not that of an own trainer's run {run_id}")
    return run


def report(session: Session, run: Run, step: int, episode: int, now: float) -> None:
    """A sign of life, and how far the trainer is; speed is the mean since it began."""
    run.heartbeat_at = now
    run.step, run.episode = max(run.step, step), max(run.episode, episode)
    run.total_steps = max(run.total_steps, run.step)
    if RunState(run.state).is_active and run.started_at is not None:
        run.steps_per_second = run.step / max(1.0, now - run.started_at)
    session.flush()


def register_checkpoint(
    session: Session,
    run: Run,
    kind: CheckpointKind,
    path: str,
    size: int,
    sha256: str,
    step: int,
    now: float,
) -> Checkpoint:
    """Note files the trainer keeps itself; Pitwall never opens them. Again, the row that is there."""
    same = select(Checkpoint).where(
        Checkpoint.run_id == run.id,
        Checkpoint.path == path,
        Checkpoint.sha256 == sha256,
        Checkpoint.step == step,
    )
    if (known := session.scalars(same).first()) is not None:
        return known
    return attempts.record_checkpoint(
        session,
        run.id,
        run.token,
        kind,
        step=step,
        episode=run.episode,
        updates=run.updates,
        path=Path(path),
        size=size,
        sha256=sha256,
        now=now,
        is_best=kind is CheckpointKind.BEST,
    )


def end(session: Session, run: Run, state: RunState, reason: str, now: float) -> Run:
    """The trainer says how it ended; the first word stands.

    Raises:
        FencedOff: the run had ended otherwise before.
    """
    if state is RunState.FINISHED:
        through = run.total_steps and run.step >= run.total_steps
        words = attempts.PLAN_DONE if through else f"the trainer ended at step {run.step:,}"
        return attempts.finish(session, run.id, run.token, now, words)
    close = {
        RunState.HALTED: attempts.halt,
        RunState.CANCELLED: attempts.cancel,
        RunState.FAILED: attempts.fail,
    }[state]
    return close(session, run.id, run.token, reason or "its trainer said so", now)


def end_silent(session: Session, now: float, ttl: float) -> None:
    """Grant a stop where the trainer can no longer hear it. Silence alone ends nothing: it may come back."""
    active = [state for state in RunState if state.is_active]
    asked = select(Run).where(
        Run.preset == EXTERNAL,
        Run.state.in_(active),
        Run.desired != Desired.RUN,
        Run.heartbeat_at < now - ttl,
    )
    for run in session.scalars(asked).all():
        state = RunState.HALTED if run.desired == Desired.HALT else RunState.CANCELLED
        end(session, run, state, f"{run.state_reason}; its trainer is silent", now)
