"""The training loop: act, step, store, learn, record, obey."""

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import gymnasium
import numpy as np
from safetensors import SafetensorError

from backend.checkpoints.files import CheckpointFiles
from backend.checkpoints.kinds import CheckpointKind
from backend.errors import CheckpointDamaged, CheckpointError
from backend.gates.engine import Request as Demand
from backend.rules.rule import RuleAction
from backend.rules.verdict import Verdict
from backend.runs import attempts
from backend.runs.config import RunConfig
from backend.runs.events import Level
from worker.agents import TD3, Exploration, NonFinite
from worker.assessment import Assessment
from worker.checkpointing import CheckpointInfo
from worker.commands import Commands, Request, RequestKind, StopRequested
from worker.coverage import replay_coverage
from worker.environment import SimulatorLost
from worker.evaluation import Evaluation
from worker.finiteness import refuse_action, refuse_transition
from worker.journal import DRIVING, Journal
from worker.progress import Episode, Progress
from worker.replay import ReplayBuffer
from worker.saving import Saver
from worker.seeding import Stream, begin_episode, episode_seed
from worker.snapshots import Snapshots
from worker.vitals import Vitals

DIAGNOSTICS_EVERY = 100
COVERAGE_EVERY = 1000
ANSWER_PATIENCE = 5.0
# A rule that flickers must not fill the disk: steps between a checkpoint and the next on an alert.
ALERT_INTERVAL = 1000

# What the configuration asks for and the loop measures; the page shows both.
OBSERVED = ("updates_per_step", "actor_learning_rate", "critic_learning_rate")


class Outcome(StrEnum):
    """Why the loop ended."""

    FINISHED = "finished"
    HALTED = "halted"
    CANCELLED = "cancelled"
    DRAINED = "drained"
    ROLLED_BACK = "rolled-back"
    FENCED = "fenced"


STOPS: dict[RequestKind, tuple[Outcome, CheckpointKind | None]] = {
    RequestKind.ROLLBACK: (Outcome.ROLLED_BACK, CheckpointKind.ROLLBACK),
    RequestKind.DRAIN: (Outcome.DRAINED, CheckpointKind.DRAIN),
    RequestKind.HALT: (Outcome.HALTED, CheckpointKind.HALT),
    RequestKind.CANCEL: (Outcome.CANCELLED, None),
    RequestKind.FENCED: (Outcome.FENCED, None),
}


@dataclass(frozen=True)
class End:
    """How the loop ended, and what asked for it."""

    outcome: Outcome
    reason: str
    request: Request | None = None


class Training:
    """One attempt at a run, from wherever `progress` stands to the planned number of steps."""

    def __init__(
        self,
        config: RunConfig,
        env: gymnasium.Env[Any, Any],
        agent: TD3,
        replay: ReplayBuffer,
        exploration: Exploration,
        progress: Progress,
        journal: Journal,
        commands: Commands,
        saver: Saver,
        vitals: Vitals,
        snapshots: Snapshots,
    ) -> None:
        self.config = config
        self.env = env
        self.agent = agent
        self.replay = replay
        self.exploration = exploration
        self.progress = progress
        self.journal = journal
        self.commands = commands
        self.saver = saver
        self.vitals = vitals
        self.snapshots = snapshots
        self.assessment = Assessment(
            config, env, agent, progress, journal, self._attend, vitals, snapshots
        )
        self._saved_step = progress.step - ALERT_INTERVAL
        saver.told_damage = self._tell_damage

    def run(self) -> End:
        """Train until the plan is done or a stop is obeyed.

        Raises:
            SimulatorLost: after a checkpoint; the next attempt goes on from this step.
        """
        try:
            return self._train()
        except NonFinite as error:
            return self._diverged(error)
        except SimulatorLost as error:
            self.rescue(error)
            raise

    def _train(self) -> End:
        while self.progress.step < self.config.total_steps:
            if end := self._obey():
                return end
            if self.progress.episode is None:
                with suppress(StopRequested):
                    self._between_episodes()
                continue
            self._act()
            self._learn()
            self._report()
        return self._obey() or self._finish()

    def _obey(self) -> End | None:
        """Carry out what people and rules asked; the end, if it is one."""
        while request := self.commands.poll():
            if request.kind is not RequestKind.CHECKPOINT:
                return self._stop(request)
            self._save_beside(CheckpointKind.MANUAL, request=request)
        if self.journal.fenced:
            return End(Outcome.FENCED, "another attempt owns the run")
        return self._heed(self.journal.demands())

    def _attend(self) -> None:
        """Between the decisions of what is driven between episodes: write what is asked for.

        Raises:
            StopRequested: left for the loop to obey; the next attempt repeats the evaluation under way.
        """
        if self.commands.stop_requested:
            raise StopRequested
        if (request := self.commands.poll()) is None:
            return
        if request.kind is not RequestKind.CHECKPOINT:
            raise StopRequested
        self._save_beside(CheckpointKind.MANUAL, request=request)

    def _heed(self, demands: Sequence[Demand]) -> End | None:
        """What rules ask: a checkpoint, unless one was just written, and then perhaps an end."""
        ending = next((d for d in demands if d.action is not RuleAction.CHECKPOINT), None)
        due = self.progress.step >= self._saved_step + ALERT_INTERVAL
        if ending is None:
            if demands and due:
                self._save_beside(CheckpointKind.ALERT)
            return None
        rolls = ending.action is RuleAction.ROLLBACK
        # On a warning the verdict is not NO-GO: a checkpoint of now would be the one gone back to.
        if not rolls or self.journal.verdict == Verdict.NO_GO:
            self._save(CheckpointKind.ALERT)
        outcome = Outcome.ROLLED_BACK if rolls else Outcome.HALTED
        return End(outcome, f"{ending.kind} {ending.rule}: {ending.reason}")

    def _stop(self, request: Request) -> End:
        outcome, kind = STOPS[request.kind]
        if kind in (CheckpointKind.HALT, CheckpointKind.DRAIN):
            self.agent.confirm()  # a GPU's last updates: the next attempt would not hear that one broke
        if kind is not None:
            self._save(kind)
        return End(outcome, request.reason, request)

    def _between_episodes(self) -> None:
        """What needs the world for itself, then the next episode's start."""
        progress = self.progress
        if progress.step == 0 and not progress.episodes:
            self.assessment.measure_references()
        due = progress.elsewhere_due or progress.step >= progress.next_evaluation
        if self.config.evaluation_interval and due:
            self._evaluate()
        seed = episode_seed(self.config.seed, Stream.TRAINING, progress.episodes)
        began = time.perf_counter()
        observation = begin_episode(self.env, seed)
        self.vitals.reset_took(time.perf_counter() - began)
        self.exploration.reset()
        progress.episode = Episode(progress.episodes, seed, observation)
        self._activity(DRIVING)

    def _act(self) -> None:
        """One decision: choose, drive, store."""
        progress, episode = self.progress, self.progress.episode
        assert episode is not None
        action = self._choose(episode.observation)
        refuse_action(self._coming, action, episode.observation)
        observation, reward, terminated, truncated, info = self.env.step(action)
        before = {"action": action, "observation": episode.observation["vector"]}
        refuse_transition(self._coming, observation, float(reward), before)
        self.replay.add(
            episode.observation, action, float(reward), observation, terminated, truncated
        )
        progress.step += 1
        episode.actions.append(action)
        episode.rewards.append(float(reward))
        episode.observation = observation
        self.vitals.decision(action)
        self.snapshots.decision(progress.step, episode.number, observation, info)
        self.journal.log(step_values(float(reward), info), progress.step, episode.number)
        if terminated or truncated:
            summary = {f"episode/{name}": value for name, value in info["episode"].items()}
            self.journal.log(summary, progress.step, episode.number)
            progress.episodes += 1
            progress.episode = None

    def _choose(self, observation: Any) -> np.ndarray:
        if self.progress.step < self.config.learning_starts:
            return self.exploration.explore()
        return self.exploration.perturb(self.agent.act(observation), self.progress.step)

    def _learn(self) -> None:
        """The updates that are due after this decision; a fraction is carried to the next."""
        if self.progress.step < self.config.learning_starts:
            return
        self.progress.update_debt += self.config.updates_per_step
        while self.progress.update_debt >= 1:
            self.progress.update_debt -= 1
            with self.vitals.updating():
                self.agent.update(self.replay.sample(self.config.batch_size))

    def _report(self) -> None:
        """Samples of the learner and the machine, and the checkpoints that are due."""
        step = self.progress.step
        self.journal.reached(self.progress, self.agent.updates, self.vitals.rate)
        if step % DIAGNOSTICS_EVERY == 0:
            self._sample()
        due = step % self.config.checkpoint_interval == 0
        # Rules that take the run back need a way back to before the first update.
        due = due or (bool(self.config.rollback_on) and step + 1 == self.config.learning_starts)
        if due and step < self.config.total_steps:
            self._save_beside(CheckpointKind.INTERVAL)

    def _sample(self) -> None:
        learning = self.progress.step >= self.config.learning_starts + DIAGNOSTICS_EVERY
        values = {
            **self.vitals.sample(self.agent.updates, learning),
            **self.agent.diagnostics(),
            "learner/exploration_noise": self.exploration.sigma(self.progress.step),
            "progress/learning": float(self.agent.updates > 0),
            "progress/episode_steps": float(len(self.progress.episode.actions))
            if self.progress.episode
            else 0.0,
            "progress/buffer_size": float(len(self.replay)),
            "system/buffer_bytes": float(self.replay.bytes),
        }
        if self.config.is_carla and self.progress.step % COVERAGE_EVERY == 0:
            values |= replay_coverage(self.replay)
        if self.progress.step <= self.config.learning_starts:
            del values["learner/exploration_noise"]
        self.journal.observe(
            {name: values[f"learner/{name}"] for name in OBSERVED if f"learner/{name}" in values}
        )
        if tick_ms := values.get("system/tick_ms"):
            self.journal.simulator(tick_ms, self.config.town, self.vitals.npcs)
        self.journal.log(values, self.progress.step, self.progress.episodes)

    def _evaluate(self) -> None:
        """Evaluate the policy as it is; a stop between the two parts leaves the second to the next attempt."""
        progress, interval = self.progress, self.config.evaluation_interval
        if progress.elsewhere_due:
            self._evaluate_elsewhere()
            return
        evaluation = self.assessment.evaluate()
        progress.next_evaluation = progress.step + interval - progress.step % interval
        progress.elsewhere_due = evaluation.complete
        try:
            if evaluation.complete:
                self._evaluate_elsewhere()
        finally:  # a checkpoint any earlier would know of no evaluation that is still due
            self._keep_best(evaluation)

    def _evaluate_elsewhere(self) -> None:
        self.assessment.evaluate_elsewhere()
        self.progress.elsewhere_due = False

    def _keep_best(self, evaluation: Evaluation) -> None:
        score = (evaluation.success_rate or 0.0, evaluation.return_mean)
        best = self.progress.best
        if self.agent.updates and (best is None or score > best):
            self.progress.best = score
            self._save_beside(CheckpointKind.BEST, evaluation)

    def _finish(self) -> End:
        """The plan is done: a last evaluation and a last checkpoint."""
        self.agent.confirm()
        if self.config.evaluation_interval:
            try:
                self._evaluate()
            except StopRequested:
                return self._obey() or End(Outcome.DRAINED, "stopped during the last evaluation")
        self._save(CheckpointKind.FINAL)
        return End(Outcome.FINISHED, attempts.PLAN_DONE)

    def _save(self, kind: CheckpointKind) -> None:
        """Write a checkpoint before anything else happens; a full disk costs an alert, not the run."""
        self._activity("saving")
        try:
            info, files = self.saver.save(kind, self.progress)
        except CheckpointError as error:
            self.journal.event(Level.CRITICAL, "checkpoint", str(error))
        else:
            self.journal.checkpoint(info, files)
        finally:
            self._activity(DRIVING)

    def _save_beside(
        self,
        kind: CheckpointKind,
        evaluation: Evaluation | None = None,
        request: Request | None = None,
    ) -> None:
        """Write a checkpoint of this moment while training goes on; who asked for it hears when it is safe."""
        verdict = self.journal.verdict

        def written(info: CheckpointInfo, result: CheckpointFiles | CheckpointError) -> None:
            safe = not isinstance(result, CheckpointError)
            if isinstance(result, CheckpointError):
                self.journal.event(Level.CRITICAL, "checkpoint", str(result))
            else:
                self.journal.checkpoint(info, result, evaluation, verdict)
            if request is not None:
                self.journal.flush(timeout=ANSWER_PATIENCE)  # who asked finds it listed
                self.commands.answer(request, ok=safe, result=f"step {info.step:,}")

        self._saved_step = self.progress.step
        self.saver.begin(kind, self.progress, written)

    def _tell_damage(self, error: CheckpointDamaged) -> None:
        words = f"A file of this run has changed on the disk since it was written, look after the disk: {error}"
        self.journal.event(Level.CRITICAL, "checkpoint", words)

    def _diverged(self, error: NonFinite) -> End:
        """Stop as the rules ask, with the evidence saved; nothing that is not finite reached a weight."""
        name = f"non-finite-{self.progress.step:09d}"
        try:
            path = str(self.saver.save_evidence(name, error.evidence))
        except (OSError, SafetensorError) as problem:  # a full disk must not hide what happened
            path = f"could not be written ({problem})"
        self.journal.log({error.metric: math.nan}, *self._clock)
        self.journal.event(Level.CRITICAL, "non-finite", f"{error} Evidence: {path}")
        # Judged before the checkpoint is entered: it must not count as one from before the trouble.
        self.journal.conclude(ANSWER_PATIENCE)
        if end := self._heed(self.journal.demands()):
            return End(end.outcome, f"{end.reason} {error}")
        self._save(CheckpointKind.ALERT)
        return End(Outcome.HALTED, str(error))

    def rescue(self, error: SimulatorLost) -> None:
        """The world is gone but everything learnt is here: the next attempt goes on from this step.

        Any thread may call it while the loop is held in a tick: between its decisions nothing changes.
        """
        self.journal.event(Level.CRITICAL, "simulator", str(error))
        self._save(CheckpointKind.DRAIN)

    @property
    def _coming(self) -> str:
        return f"step {self.progress.step + 1:,}"

    @property
    def _clock(self) -> tuple[int, int]:
        return self.progress.step, self.progress.episodes

    def _activity(self, words: str) -> None:
        self.journal.activity = words


def step_values(reward: float, info: dict[str, Any]) -> dict[str, float]:
    """What one decision logs: its reward, the components of it, and the speed after it."""
    values = {f"reward/{name}": value for name, value in info.get("components", {}).items()}
    values["progress/reward"] = reward
    if "speed" in info:
        values["progress/speed"] = info["speed"]
    return values
