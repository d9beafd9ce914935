"""Does our TD3 learn as well as stable-baselines3's, hyper-parameters equal? Five seeds a task, curves and intervals.

    python -m benchmarks.learning                     every case that is not in the results file yet
    python -m benchmarks.learning --case pendulum sb3 3
    python -m benchmarks.learning --docs              only draw the picture and rewrite the README's table

Ours trains through the product: `pitwall train` with its loop, recorder, rules and checkpoints. Both are
evaluated without noise on the same episodes. Each case is one line of the results file, so a broken-off
benchmark goes on where it stopped. The last line printed is JSON.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backend.analysis.compare import interquartile_mean
from backend.database import Database
from backend.metrics.store import read_points
from backend.runs.config import RunConfig
from backend.runs.parsing import parse_config
from backend.runs.service import list_runs

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results" / "learning.jsonl"
PICTURE = ROOT / "docs" / "learning-curves.png"
README = ROOT / "README.md"
BEGIN, END = "<!-- returns: benchmarks/learning.py -->", "<!-- end of returns -->"
LEARNERS = {"pitwall": "Pitwall", "sb3": "stable-baselines3"}
SEEDS = 5
RESAMPLES = 10_000

# What both learners are given; SB3 clips no gradient and normalises no layer.
EQUAL: dict[str, Any] = {
    "hidden_sizes": [64, 64],
    "head_layer_norm": False,
    "actor_learning_rate": 1e-3,
    "critic_learning_rate": 1e-3,
    "actor_max_grad_norm": 0,
    "critic_max_grad_norm": 0,
    "batch_size": 128,
    "learning_starts": 1_000,
    "reward_scale": 1,
    "exploration": "uniform",
    "noise_initial": 0.1,
    "noise_final": 0.1,
    "random_reference_episodes": 0,
    "evaluation_episodes": 10,
}


@dataclass(frozen=True)
class Task:
    """An environment and how long it is trained."""

    title: str
    steps: int
    interval: int


TASKS = {
    "pendulum": Task("Pendulum-v1", 8_000, 1_000),
    "inverted-pendulum": Task("InvertedPendulum-v5", 30_000, 5_000),
}


def configured(task: Task, seed: int) -> dict[str, Any]:
    return {
        **EQUAL,
        "environment": f"gymnasium:{task.title}",
        "total_steps": task.steps,
        "evaluation_interval": task.interval,
        "seed": seed,
    }


def train_ours(task: Task, seed: int) -> dict[str, list[float]]:
    """One run of the product in a folder of its own; its evaluations as its database has them."""
    chosen = configured(task, seed)
    settings = [
        part for name, value in chosen.items() for part in ("--set", f"{name}={json.dumps(value)}")
    ]
    with tempfile.TemporaryDirectory(prefix="pitwall-") as folder:
        command = [sys.executable, "-m", "backend.cli", "train", "--preset", "quickstart"]
        subprocess.run(
            [*command, "--data", folder, "--json", *settings],
            check=True, stdout=sys.stderr, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        database = Database(f"sqlite:///{folder}/pitwall.db")
        with database.read() as session:
            run = list_runs(session)[0]
            points = read_points(session, run.id, "evaluation/return_mean")
        database.close()
    return {"steps": points.step.tolist(), "returns": points.value.tolist()}


def train_theirs(task: Task, seed: int) -> dict[str, list[float]]:
    """SB3's TD3 on the same task, evaluated on the episodes ours is."""
    import torch
    from stable_baselines3 import TD3
    from stable_baselines3.common.noise import NormalActionNoise

    from worker.environment.gymnasium_env import GymnasiumEnv
    from worker.evaluation import evaluate
    from worker.seeding import Stream, episode_seed

    torch.set_num_threads(1)
    config = parse_config("quickstart", configured(task, seed))
    model = TD3("MlpPolicy", task.title, seed=seed, device="cpu", **hyper_parameters(config))
    model.action_noise = NormalActionNoise(np.zeros(1), np.full(1, config.noise_final))
    seeds = [
        episode_seed(seed, Stream.EVALUATION, number)
        for number in range(config.evaluation_episodes)
    ]

    def act(observation: Any) -> Any:
        return model.predict(observation["vector"], deterministic=True)[0] / scale

    curve: dict[str, list[float]] = {"steps": [], "returns": []}
    with closing(GymnasiumEnv(task.title)) as env:
        scale = float(model.action_space.high[0])
        for step in range(0, task.steps + 1, task.interval):
            if step:
                model.learn(task.interval, reset_num_timesteps=False)
            curve["steps"].append(step)
            curve["returns"].append(evaluate(env, act, seeds).return_mean)
    return curve


def hyper_parameters(config: RunConfig) -> dict[str, Any]:
    """Our configuration in SB3's words."""
    return {
        "learning_rate": config.critic_learning_rate,
        "buffer_size": config.buffer_size,
        "learning_starts": config.learning_starts,
        "batch_size": config.batch_size,
        "tau": config.tau,
        "gamma": config.gamma,
        "train_freq": 1,
        "gradient_steps": 1,
        "policy_delay": config.policy_delay,
        "target_policy_noise": config.target_policy_noise,
        "target_noise_clip": config.target_noise_clip,
        "policy_kwargs": {"net_arch": list(config.hidden_sizes)},
    }


def cases() -> Iterator[tuple[str, str, int]]:
    """(task, learner, seed), the two learners in turn, so that a disturbed machine disturbs both."""
    for task in TASKS:
        for seed in range(SEEDS):
            for learner in LEARNERS:
                yield task, learner, seed


def stored() -> list[dict[str, Any]]:
    return (
        [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    )


def run_case(task: str, learner: str, seed: int) -> None:
    """Train one case, unless its result is there, and keep what came of it."""
    if any((c["task"], c["learner"], c["seed"]) == (task, learner, seed) for c in stored()):
        return
    began = time.perf_counter()
    train = train_ours if learner == "pitwall" else train_theirs
    curve = train(TASKS[task], seed)
    seconds = round(time.perf_counter() - began, 1)
    case = {"task": task, "learner": learner, "seed": seed, "seconds": seconds, **curve}
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(case) + "\n")


@dataclass(frozen=True)
class Comparison:
    """Final returns of both learners on one task, and the interval of the difference of their IQMs."""

    task: str
    ours: list[float]
    theirs: list[float]
    difference: float
    low: float
    high: float

    @property
    def not_worse(self) -> bool:
        return self.high >= 0


def compare(task: str, results: list[dict[str, Any]]) -> Comparison:
    ours, theirs = (
        [case["returns"][-1] for case in results if (case["task"], case["learner"]) == (task, name)]
        for name in LEARNERS
    )
    draw = np.random.default_rng(0)
    drawn = [
        interquartile_mean(draw.choice(ours, len(ours)))
        - interquartile_mean(draw.choice(theirs, len(theirs)))
        for _ in range(RESAMPLES)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    difference = interquartile_mean(ours) - interquartile_mean(theirs)
    return Comparison(task, ours, theirs, difference, float(low), float(high))


def table(comparisons: list[Comparison]) -> str:
    lines = [
        "| task | steps | seeds | Pitwall, IQM | stable-baselines3, IQM | difference (95 % interval) |",
        "|---|---|---|---|---|---|",
    ]
    for found in comparisons:
        task = TASKS[found.task]
        ours, theirs = interquartile_mean(found.ours), interquartile_mean(found.theirs)
        lines.append(
            f"| {task.title} | {task.steps:,} | {len(found.ours)} + {len(found.theirs)} | {ours:,.1f} "
            f"| {theirs:,.1f} | {found.difference:+,.1f} ({found.low:+,.1f} to {found.high:+,.1f}) |"
        )
    return "\n".join(lines)


def draw_curves(results: list[dict[str, Any]]) -> None:
    """Every seed thin, the IQM over seeds thick."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(TASKS), figsize=(10, 3.6), constrained_layout=True)
    for panel, (name, task) in zip(panels, TASKS.items(), strict=True):
        for (learner, label), colour in zip(LEARNERS.items(), ("#0b6e99", "#d9730d"), strict=True):
            curves = [c for c in results if (c["task"], c["learner"]) == (name, learner)]
            planned = np.arange(0, task.steps + 1, task.interval)
            rows = [np.interp(planned, c["steps"], c["returns"]) for c in curves]
            for row in rows:
                panel.plot(planned, row, color=colour, linewidth=0.7, alpha=0.4)
            middle = [interquartile_mean([row[i] for row in rows]) for i in range(len(planned))]
            panel.plot(
                planned, middle, color=colour, linewidth=2.2, label=f"{label} ({len(rows)} seeds)"
            )
        panel.set_title(task.title)
        panel.set_xlabel("environment steps")
        panel.set_ylabel("evaluation return, 10 episodes")
        panel.grid(alpha=0.25)
        panel.legend(frameon=False)
    figure.savefig(PICTURE, dpi=110)


def write_readme(text: str) -> None:
    """Replace what stands between the marks."""
    before, _, rest = README.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", nargs=3, metavar=("TASK", "LEARNER", "SEED"))
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--minutes", type=float, default=0, help="begin no case after this long")
    given = parser.parse_args()
    if given.case:
        task, learner, seed = given.case
        run_case(task, learner, int(seed))
        return
    if not given.docs:
        until = time.monotonic() + 60 * given.minutes if given.minutes else math.inf
        for case in cases():
            if time.monotonic() < until:
                run_case(*case)
    report(stored(), docs=given.docs)


def report(results: list[dict[str, Any]], docs: bool) -> None:
    trained = {(case["task"], case["learner"]) for case in results}
    comparisons = [
        compare(task, results)
        for task in TASKS
        if all((task, learner) in trained for learner in LEARNERS)
    ]
    if not comparisons:
        raise SystemExit("no task has been trained by both learners yet")
    print(table(comparisons))
    if docs:
        draw_curves(results)
        write_readme(table(comparisons))
    summary = {
        "name": "final return against SB3's TD3",
        "ratio": sum(found.not_worse for found in comparisons) / len(comparisons),
        "unit": "share of tasks not worse",
        "tasks": {
            found.task: {"difference": found.difference, "low": found.low, "high": found.high}
            for found in comparisons
        },
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
