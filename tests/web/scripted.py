"""A scripted trainer: writes to the database what the real one writes, without learning anything."""

import hashlib
import math
import random
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from backend.database import Database
from backend.gates.engine import GateEngine
from backend.gates.service import save_judgement
from backend.metrics import store
from backend.metrics.catalog import COMPONENTS
from backend.metrics.columns import Point
from backend.runs import attempts, service
from backend.runs.commands import complete_command, take_command
from backend.runs.config import RunConfig
from backend.runs.models import Run
from backend.runs.parsing import parse_config
from backend.runs.states import CommandKind, CommandState, Desired, RunState
from backend.workers import service as fleet

NOW = 1_000_000.0
WORKER = "w1"
EPISODE = 50
SAMPLE = 100


def claimed_run(
    database: Database, *, simulator_port: int = 2000, now: float = NOW, **config: Any
) -> tuple[int, str]:
    """A run that trains, and the fencing token of its attempt."""
    with database.write() as session:
        fleet.register_worker(session, WORKER, "host", 1, 1, now)
        fleet.register_simulator(
            session, "127.0.0.1", simulator_port, now, WORKER, "0.9.16", embedded=True
        )
        run = service.create_run(session, "", "quickstart", parse_config("quickstart", config), now)
        claim = attempts.claim(session, run.id, WORKER, now)
        assert claim is not None
        attempts.mark_running(session, run.id, claim.token, now)
        return run.id, claim.token


def saved_checkpoint(
    database: Database, run_id: int, token: str, *, step: int, now: float = NOW, **values: Any
) -> int:
    """A checkpoint's row at `step`; there are no files behind it."""
    with database.write() as session:
        checkpoint = attempts.record_checkpoint(
            session,
            run_id,
            token,
            values.pop("kind", "interval"),
            step=step,
            episode=values.pop("episode", step // EPISODE),
            updates=step,
            path=Path(f"/checkpoints/{run_id}/{step}"),
            size=2_100_000,
            sha256=hashlib.sha256(f"{run_id} {step}".encode()).hexdigest(),
            now=now,
            **values,
        )
        return checkpoint.id


class ScriptedTrainer:
    """One run's trainer, moved on by hand. `health` is 1 while it learns and 0 while the policy dies."""

    def __init__(self, database: Database, run_id: int, worker: str = WORKER) -> None:
        self.database = database
        self.run_id = run_id
        self.worker = worker
        self.health = 1.0
        self.skill = 0.0
        self.points: list[Point] = []
        self.random = random.Random(run_id)
        self.step = self.episode = 0
        self.token = ""
        with database.read() as session:
            self.config = RunConfig.model_validate(service.get_run(session, run_id).config)

    def claim(self, now: float) -> bool:
        """Take the run from the queue; continues at the checkpoint it is to start from."""
        with self.database.write() as session:
            claim = attempts.claim(session, self.run_id, self.worker, now)
            if claim is None:
                return False
            run = attempts.mark_running(session, self.run_id, claim.token, now)
            self.token, self.segment_id = claim.token, claim.segment_id
            self.step, self.episode = run.step, run.episode
        self.points = [point for point in self.points if point[1] <= self.step]
        self.engine = GateEngine.for_config(self.config)
        self.engine.warm_up(self.points)
        return True

    def advance(self, decisions: int, now: float, seconds: float = 1.0) -> None:
        """Write `decisions` steps that took `seconds` up to `now`, and judge them."""
        fresh: list[Point] = []
        for index in range(decisions):
            self.step += 1
            at = now - seconds * (1 - (index + 1) / decisions)
            for metric, value in self._values().items():
                fresh.append((metric, self.step, self.episode, at, value))
        self.points += fresh
        self.engine.observe(fresh)
        judgement = self.engine.evaluate(self.step, now=now)
        learned = max(0, self.step - self.config.learning_starts)
        with self.database.write() as session:
            attempts.record_progress(
                session,
                self.run_id,
                self.token,
                self.step,
                self.episode,
                learned,
                decisions / seconds,
                now,
            )
            store.append(session, self.segment_id, fresh)
            save_judgement(session, self.run_id, self.segment_id, judgement, now)

    def save(self, kind: str, now: float, **values: Any) -> int:
        return saved_checkpoint(
            self.database,
            self.run_id,
            self.token,
            step=self.step,
            episode=self.episode,
            kind=kind,
            now=now,
            **values,
        )

    def obey(self, now: float) -> bool:
        """Do what people ask, as the trainer does at a step boundary; False when the run has ended."""
        with self.database.write() as session:
            run = service.get_run(session, self.run_id)
            desired, command = run.desired, take_command(session, self.run_id)
            asked = (command.id, command.kind, dict(command.argument)) if command else None
        if asked:
            return self._execute(*asked, now)
        if desired == Desired.RUN:
            return True
        if desired == Desired.HALT:
            self.save("halt", now)
        with self.database.write() as session:
            end = attempts.halt if desired == Desired.HALT else attempts.cancel
            end(session, self.run_id, self.token, f"{desired} asked by a person", now)
        return False

    def _execute(self, command_id: int, kind: str, argument: Mapping[str, Any], now: float) -> bool:
        self.save("rollback" if kind == CommandKind.ROLLBACK else "manual", now)
        with self.database.write() as session:
            complete_command(session, command_id, CommandState.DONE, "", now)
            if kind != CommandKind.ROLLBACK:
                return True
            target = argument["checkpoint_id"]
            attempts.requeue(session, self.run_id, self.token, "rollback", now, target)
        return False

    def _values(self) -> dict[str, float]:
        values = {"progress/speed": 8.0 * self._level() + self.random.random()}
        if self.step % 25 == 0:
            values["progress/steps_per_second"] = 95 + 10 * self.random.random()
        if self.step % EPISODE == 0:
            self.episode += 1
            values |= self._episode()
        if self.step % SAMPLE == 0 and self.step > self.config.learning_starts:
            values |= self._sample()
        if self.config.evaluation_interval and self.step % self.config.evaluation_interval == 0:
            values |= self._evaluation()
        return values

    def _level(self) -> float:
        """How well the policy drives, from 0 to 1: random, then learning, or dying."""
        if self.step <= self.config.learning_starts:
            return 0.35
        self.skill += ((1.0 if self.health > 0.5 else -0.6) - self.skill) / 1500
        return max(0.02, 0.35 + 0.6 * self.skill)

    def _episode(self) -> dict[str, float]:
        total = 500 * self._level() + self.random.gauss(0, 14)
        shares = (0.30, 0.22, 0.05, 0.03, 0.40)
        parts = {f"episode/{name}": total * s for name, s in zip(COMPONENTS, shares, strict=True)}
        return {
            "episode/return": sum(parts.values()),
            **{f"{name}_percent": percent for name, percent in _percents(parts).items()},
            "episode/length": EPISODE,
            "episode/success": float(self._level() > 0.8),
            "episode/route_percent": min(100.0, 105 * self._level()),
            "episode/mean_speed": 8.3 * self._level(),
            "episode/termination": 0.0 if self._level() > 0.8 else 1.0,
            "episode/checksum_error": 0.0,
            "episode/zero_speed_ticks": 3.0,
            **parts,
        }

    def _sample(self) -> dict[str, float]:
        level, noise = self._level(), 1 + 0.1 * self.random.gauss(0, 1)
        leak = 1.0 if self.health > 0.5 else 4.0
        q = 40 * level
        return {
            "learner/critic_loss": 12 * noise * noise * (1.2 - level),
            "learner/actor_loss": -q * leak,
            "learner/td_error_q1": 2.2 * abs(noise),
            "learner/td_error_q2": 2.1 * abs(noise),
            "learner/q1_mean": q,
            "learner/q1_std": 9.0,
            "learner/q2_mean": q * 0.98,
            "learner/target_q_mean": q * 0.99,
            "learner/actor_q_mean": q * leak * 1.05,
            "learner/exploration_noise": 0.1 + 0.2 * math.exp(-0.00025 * self.step),
            "learner/updates_per_step": 1.0,
            "learner/actor_learning_rate": self.config.actor_learning_rate,
            "learner/critic_learning_rate": self.config.critic_learning_rate,
            "learner/reward_min": -20.0,
            "learner/reward_max": 110.0,
            "gradients/actor_norm_before_clip": 0.4 * abs(noise),
            "gradients/actor_norm_after_clip": min(1.0, 0.4 * abs(noise)),
            "gradients/actor_head_norm_before_clip": 0.4 * abs(noise),
            "gradients/critic_norm_before_clip": 30 * abs(noise),
            "gradients/critic_norm_after_clip": 10.0,
            "actions/policy_steering_mean": 0.05,
            "actions/policy_steering_std": 0.35,
            "actions/policy_throttle_mean": 0.5,
            "actions/policy_throttle_std": 0.3,
            "features/actor_norm": 20 * abs(noise),
            "features/critic_norm": 22 * abs(noise),
            "system/tick_ms": 1.2 * abs(noise),
            "system/update_ms": 3.1 * abs(noise),
            "system/cpu_percent": 98 + self.random.random(),
            "system/ram_bytes": 4.1e8,
            "system/disk_free_bytes": 1e12,
        }

    def _evaluation(self) -> dict[str, float]:
        level = self._level()
        return {
            "evaluation/return_mean": 520 * level + self.random.gauss(0, 3),
            "evaluation/return_std": 12.0,
            "evaluation/success_rate": float(level > 0.8),
            "evaluation/route_percent": min(100.0, 105 * level),
            "evaluation/length": 80.0,
            "evaluation/episodes": 20.0,
        }


class ScriptedWorker:
    """A worker whose trainers are scripted: claims what is queued, moves it on, obeys."""

    def __init__(self, database: Database, decisions: int = 40, interval: float = 0.2) -> None:
        self.database = database
        self.decisions = decisions
        self.interval = interval
        self.trainers: dict[int, ScriptedTrainer] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        now = time.time()
        with self.database.write() as session:
            fleet.register_worker(session, WORKER, "here", 1, 4, now)
            for port in range(2000, 2016, 4):
                fleet.register_simulator(
                    session, "127.0.0.1", port, now, WORKER, "0.9.16", embedded=True
                )
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._closed.wait(self.interval):
            self.visit(time.time())

    def visit(self, now: float) -> None:
        with self.database.write() as session:
            fleet.beat(session, WORKER, now)
            runs: dict[int, Run] = {run.id: run for run in service.list_runs(session)}
        for run_id, run in runs.items():
            if run.state == RunState.QUEUED:
                trainer = self.trainers.setdefault(run_id, ScriptedTrainer(self.database, run_id))
                trainer.claim(now)
            elif run_id in self.trainers and run.state == RunState.RUNNING:
                self._move_on(self.trainers[run_id], now)

    def _move_on(self, trainer: ScriptedTrainer, now: float) -> None:
        if not trainer.obey(now):
            return
        before = trainer.step
        trainer.advance(self.decisions, now, self.interval)
        interval = trainer.config.checkpoint_interval
        if trainer.step // interval > before // interval:
            trainer.save("interval", now)


def _percents(parts: dict[str, float]) -> dict[str, float]:
    """Each part's share of their absolute sum, in per cent."""
    whole = sum(abs(part) for part in parts.values()) or 1.0
    return {name: 100 * abs(part) / whole for name, part in parts.items()}
