"""What a run measures between its training episodes: references at its start, its policy at intervals."""

from collections.abc import Callable
from typing import Any

import gymnasium

from backend.runs.config import RunConfig
from backend.runs.events import Level
from worker.agents import TD3, Exploration
from worker.baselines.pid_pursuit import PidPursuit
from worker.environment.carla_env import DrivingEnv
from worker.environment.starts import HELD_OUT, SECOND_TOWN
from worker.evaluation import Evaluation, Policy, evaluate
from worker.finiteness import refuse_transition
from worker.journal import Journal
from worker.progress import Progress
from worker.seeding import Stream, begin_episode, episode_seed
from worker.snapshots import Snapshots
from worker.vitals import Vitals

DRIVER = "PID and pure pursuit driver"


class Assessment:
    """Drives in the world that training uses and leaves it fit for the next episode.

    `attend` is called before every decision: it may write a checkpoint, for between training's episodes
    nothing of the learner moves, and it may raise StopRequested, which everything here lets through.
    """

    def __init__(
        self,
        config: RunConfig,
        env: gymnasium.Env[Any, Any],
        agent: TD3,
        progress: Progress,
        journal: Journal,
        attend: Callable[[], None],
        vitals: Vitals,
        snapshots: Snapshots,
    ) -> None:
        self._config = config
        self._env = env
        self._agent = agent
        self._progress = progress
        self._journal = journal
        self._attend = attend
        self._vitals = vitals
        self._snapshots = snapshots

    def measure_references(self) -> None:
        """Once a run, before anything is learnt: what the random policy and a scripted driver reach."""
        self._measure_random()
        self._measure_baseline()

    def _measure_random(self) -> None:
        """Returns of the exploring policy: the line every learner must leave."""
        config, progress = self._config, self._progress
        for number in range(progress.references, config.random_reference_episodes):
            self._journal.activity = (
                f"random reference {number + 1}/{config.random_reference_episodes}"
            )
            seed = episode_seed(config.seed, Stream.REFERENCE, number)
            explorer = Exploration(config.model_copy(update={"seed": seed}), self._agent.action_dim)
            begin_episode(self._env, seed)
            over = False
            while not over:
                self._attend()
                observation, reward, terminated, truncated, info = self._env.step(
                    explorer.explore()
                )
                refuse_transition("a random reference's step", observation, float(reward))
                over = terminated or truncated
            self._journal.log({"evaluation/random_return": info["episode"]["return"]}, 0, number)
            progress.references += 1

    def _measure_baseline(self) -> None:
        """What a scripted driver reaches on the evaluations' episodes: lines over the charts."""
        env, episodes = self._env.unwrapped, self._config.baseline_episodes
        if self._progress.baseline or not episodes or not isinstance(env, DrivingEnv):
            return
        measured = self._drive("baseline", PidPursuit.of(env), episodes)
        self._journal.log(measured.metrics("baseline"), *self._clock)
        self._journal.event(Level.INFO, "evaluation", describe(measured, DRIVER))
        self._progress.baseline = True

    def evaluate(self) -> Evaluation:
        """Evaluate the policy as it is, on the routes it trains on."""
        config = self._config
        recording = self._snapshots.evaluation(self._progress.step)
        evaluation = self._drive(
            "evaluation",
            self._agent.act,
            config.evaluation_episodes,
            config.evaluation_screening,
            watcher=recording,
        )
        self._snapshots.keep(recording)
        for record in evaluation.episodes:
            self._journal.log({"evaluation/episode_return": record["return"]}, *self._clock)
        self._journal.log(evaluation.metrics(), *self._clock)
        self._journal.event(Level.INFO, "evaluation", describe(evaluation))
        return evaluation

    def evaluate_elsewhere(self) -> None:
        """Does it generalise: routes of this town, and another town, that it never trained on."""
        env, config = self._env.unwrapped, self._config
        if not isinstance(env, DrivingEnv):
            return
        if config.held_out_routes:
            self._evaluate_on(HELD_OUT, "held-out routes", "held_out")
        if config.second_town:
            env.travel(abroad=True)
            self._evaluate_on(SECOND_TOWN, f"the second town, {config.second_town}", "second_town")
            env.travel(abroad=False)

    def _evaluate_on(self, routes: str, words: str, group: str) -> None:
        evaluation = self._drive(
            f"evaluation, {routes}",
            self._agent.act,
            self._config.elsewhere_episodes,
            routes=routes,
        )
        self._journal.log(evaluation.metrics(group), *self._clock)
        self._journal.event(Level.INFO, "evaluation", describe(evaluation, f"On {words}"))

    def _drive(
        self, words: str, policy: Policy, episodes: int, screening: int = 0, **options: Any
    ) -> Evaluation:
        """Drive the first of the evaluations' episodes without noise."""
        done = 0

        def on_episode(_: dict[str, float]) -> bool:
            nonlocal done
            done += 1
            self._journal.activity = f"{words} {done}/{episodes}"
            return True

        seed = self._config.seed
        seeds = [episode_seed(seed, Stream.EVALUATION, number) for number in range(episodes)]
        with self._vitals.paused():
            return evaluate(
                self._env,
                policy,
                seeds,
                screening,
                on_episode=on_episode,
                attend=self._attend,
                **options,
            )

    @property
    def _clock(self) -> tuple[int, int]:
        return self._progress.step, self._progress.episodes


def describe(evaluation: Evaluation, what: str = "Evaluation") -> str:
    """An evaluation in a sentence."""
    episodes = len(evaluation.episodes)
    words = f"{what} over {episodes} episodes: return {evaluation.return_mean:,.1f}"
    if evaluation.success_rate is None:
        return words
    low, high = evaluation.success_interval
    return f"{words}, success {evaluation.success_rate:.0%} (95 % interval {low:.0%} to {high:.0%})"
