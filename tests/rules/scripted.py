"""Runs written by hand: points as a trainer would log them, for rules to judge."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from backend.rules.behavioural import Parameters
from backend.rules.custom import CustomSpec
from backend.rules.moment import Point, Timeline
from backend.rules.presets import PRESETS
from backend.rules.rule import Flip, RuleResult, RunFacts
from backend.rules.verdict import Judge

FACTS = RunFacts(
    learning_starts=1_000,
    total_steps=100_000,
    native=True,
    has_encoder=True,
    gamma=0.99,
    updates_per_step=1.0,
    actor_learning_rate=3e-4,
    critic_learning_rate=3e-4,
    max_episode_ticks=1_000,
)


@dataclass
class Script:
    """Writes points; every call goes on where the last one ended."""

    points: list[Point] = field(default_factory=list)
    step: int = 0
    episode: int = 0

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self.points.extend((name, step, self.episode, float(step), v) for name, v in values.items())

    def episodes(self, returns: Iterable[float], length: int = 50, **values: float) -> "Script":
        for value in returns:
            self.step += length
            told = {"return": value, "length": length, **values}
            self.log(self.step, {f"episode/{name}": v for name, v in told.items()})
            self.episode += 1
        return self

    def samples(self, values: Sequence[Mapping[str, float]], start: int = 1_100) -> "Script":
        """Learner samples every 100 steps from `start`."""
        for index, sample in enumerate(values):
            self.log(start + 100 * index, sample)
        return self


def explored(mean: float = 100.0, spread: float = 10.0) -> Script:
    """Twenty exploration episodes of 50 decisions around `mean`, up to step 1,000."""
    return Script().episodes(mean + spread * (-1) ** index for index in range(20))


def judged(
    script: Script,
    facts: RunFacts = FACTS,
    preset: str = "behavioural",
    parameters: Parameters | None = None,
    custom: Sequence[CustomSpec] = (),
) -> tuple[Judge, list[Flip]]:
    edited = replace(PRESETS[preset], parameters=parameters or {}, custom=tuple(custom))
    judge = Judge(edited, facts)
    timeline = Timeline(edited.watched)
    timeline.add(script.points)
    return judge, [flip for moment in timeline.take() for flip in judge.advance(moment)]


def result(judge: Judge, rule: str) -> RuleResult:
    return next(found for found in judge.results() if found.name == rule)


def healthy(step: int) -> dict[str, float]:
    """A learner sample of an agent with an encoder in which nothing is wrong."""
    return {
        "learner/critic_loss": 1.0,
        "learner/q1_mean": 10.0,
        "learner/q1_std": 4.0,
        "learner/actor_q_mean": 11.0,
        "learner/reward_min": -5.0,
        "learner/reward_max": 5.0,
        "learner/updates_per_step": 1.0,
        "learner/actor_learning_rate": 3e-4,
        "learner/critic_learning_rate": 3e-4,
        "gradients/actor_norm_before_clip": 0.5 + 0.01 * (step % 7),
        "gradients/actor_head_norm_before_clip": 0.4,
        "gradients/actor_encoder_norm_before_clip": 0.3,
        "actions/policy_steering_mean": 0.1,
        "actions/policy_steering_std": 0.4,
        "actions/policy_throttle_mean": 0.5,
        "actions/policy_throttle_std": 0.3,
        "features/actor_norm": 20.0,
        "features/critic_norm": 20.0,
        "system/disk_free_bytes": 1e12,
    }


def healthy_samples(count: int, **changed: float) -> list[dict[str, float]]:
    """`count` healthy samples; `changed` overrides by metric name with `__` for `/`."""
    overrides = {name.replace("__", "/"): value for name, value in changed.items()}
    return [{**healthy(index), **overrides} for index in range(count)]
