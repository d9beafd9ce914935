"""What is not finite, from the environment, the learner or the policy: never learnt from, always with evidence."""

from typing import Any

import gymnasium
import numpy as np
import pytest
import safetensors.numpy

from tests.training.conftest import EVALUATED, HALT, MakeLab
from worker.agents import NonFiniteTransition
from worker.agents.trail import Trail
from worker.training import Outcome


class SpoiltEvaluation(gymnasium.Wrapper[Any, Any, Any, Any]):
    """The environment, whose evaluations see something that is not finite, or too large for a network."""

    def __init__(self, env: gymnasium.Env[Any, Any], spoilt: float) -> None:
        super().__init__(env)
        self._spoilt, self._evaluates = spoilt, False

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self._evaluates = bool(options)
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        assert np.isfinite(action).all()
        observation, *rest = self.env.step(action)
        if self._evaluates:
            observation["vector"][:] = self._spoilt
        return observation, *rest  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("spoilt", "metric", "words"),
    [
        (np.nan, "episode/return", "the environment gave a reward or an observation"),
        (3e38, "actions/policy_steering_mean", "the policy gave an action that is not finite"),
    ],
)
def test_an_evaluation_of_what_is_not_finite_halts_with_evidence_and_is_no_best(
    make_lab: MakeLab, spoilt: float, metric: str, words: str
) -> None:
    lab = make_lab(**EVALUATED, head_layer_norm=False)
    with lab.attempt() as training:
        training.env = SpoiltEvaluation(training.env, spoilt)
        training.assessment._env = training.env
        end = training.run()
    assert end.outcome is Outcome.HALTED
    assert words in end.reason
    assert "the evaluated episode with seed" in end.reason
    assert "best" not in lab.checkpoint_kinds()
    assert np.isnan(lab.values(metric)[-1][1])
    folder = lab.settings.checkpoints_folder / f"run-{lab.run_id:06d}"
    assert list(folder.glob("non-finite-*.safetensors"))


class Glitch(gymnasium.Wrapper[Any, Any, Any, Any]):
    """The environment, whose 30th step returns something that is not finite."""

    def __init__(self, env: gymnasium.Env[Any, Any], reward: float, observed: float) -> None:
        super().__init__(env)
        self._reward, self._observed, self._steps = reward, observed, 0

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._steps += 1
        if self._steps == 30:
            observation["vector"][0], reward = self._observed, self._reward
        return observation, reward, terminated, truncated, info


@pytest.mark.parametrize(
    ("reward", "observed"), [(np.nan, 0.0), (-np.inf, 0.0), (1e300, 0.0), (1.0, np.nan)]
)
def test_what_an_environment_gives_that_is_not_finite_never_reaches_the_buffer(
    make_lab: MakeLab, reward: float, observed: float
) -> None:
    lab = make_lab()
    with lab.attempt() as training:
        training.env = Glitch(training.env, reward, observed)
        end = training.run()
        assert len(training.replay) == training.progress.step == 29
        for name in ("reward", "vector"):
            assert np.isfinite(training.replay._arrays[name]).all()
    assert end.outcome is Outcome.HALTED
    assert (
        "the environment gave a reward or an observation that is not finite at step 30"
        in end.reason
    )
    folder = lab.settings.checkpoints_folder / f"run-{lab.run_id:06d}"
    (evidence,) = folder.glob("non-finite-*.safetensors")
    assert set(safetensors.numpy.load_file(evidence)) == {
        "action",
        "reward",
        "observation",
        "next_vector",
    }


def test_the_evidence_of_one_attempt_does_not_replace_that_of_another(make_lab: MakeLab) -> None:
    lab = make_lab()
    with lab.attempt() as training:
        first, second = (
            training.saver.save_evidence("non-finite-000000030", {"reward": np.array(value)})
            for value in (1.0, 2.0)
        )
    assert safetensors.numpy.load_file(first)["reward"] == 1.0
    assert safetensors.numpy.load_file(second)["reward"] == 2.0


def test_a_halt_waits_for_updates_whose_outcome_is_not_known(make_lab: MakeLab) -> None:
    lab = make_lab()
    with lab.attempt(at_101=HALT) as training:
        training.agent._trail = Trail(training.agent._broken, lag=2)  # as on a GPU
        while training.progress.step < 100:
            if training.progress.episode is None:
                training._between_episodes()
            training._act()
        training.replay._arrays["reward"][:] = np.nan
        end = training.run()
    assert (end.outcome, training.progress.step) == (Outcome.HALTED, 101)
    assert "not finite" in end.reason


def test_an_episode_that_begins_with_a_nan_is_refused(make_lab: MakeLab) -> None:
    class Blind(gymnasium.Wrapper[Any, Any, Any, Any]):
        def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
            observation, info = self.env.reset(**options)
            observation["vector"][0] = np.nan
            return observation, info

    lab = make_lab()
    with lab.attempt() as training:
        training.env = Blind(training.env)
        with pytest.raises(NonFiniteTransition, match="at the start of the episode with seed"):
            training._between_episodes()
        assert len(training.replay) == 0
