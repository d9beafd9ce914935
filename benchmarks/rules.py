"""Do the rules cry wolf? Runs that learn and runs broken on purpose, through the real loop and engine.

    python benchmarks/rules.py                     every case that is not in the results file yet
    python benchmarks/rules.py --tasks pendulum --seeds 3
    python benchmarks/rules.py --docs docs/rules.md    only rewrite the table in the docs

Each case is a process of its own and one line of the results file, so a broken-off benchmark goes on
where it stopped. The last line printed is JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

from backend.analysis.compare import wilson

RESULTS = Path(__file__).parent / "results" / "rules.jsonl"
BEGIN, END = "<!-- wolf table: benchmarks/rules.py -->", "<!-- end of wolf table -->"
HEALTHY = "none"
FAULTS = ("learning-rate", "flipped-reward", "no-discount", "saturated")

# preset, overrides, seeds that must learn
TASKS: dict[str, tuple[str, dict[str, Any], int]] = {
    "quickstart": ("quickstart", {"total_steps": 15_000, "evaluation_episodes": 10}, 10),
    "pendulum": (
        "quickstart",
        {
            "environment": "gymnasium:Pendulum-v1",
            "total_steps": 12_000,
            "evaluation_interval": 2_000,
            "evaluation_episodes": 5,
            "evaluation_screening": 0,
        },
        10,
    ),
    "mountain-car": (
        "quickstart",
        {
            "environment": "gymnasium:MountainCarContinuous-v0",
            "total_steps": 30_000,
            "learning_starts": 10_000,
            "hold_decisions": 50,
            "evaluation_interval": 5_000,
            "evaluation_episodes": 5,
            "evaluation_screening": 0,
        },
        3,
    ),
    "vision": ("vision-small", {"total_steps": 16_000, "evaluation_episodes": 10}, 3),
}
LEAK = {
    "critic_input": "same",
    "total_steps": 5_000,
    "learning_starts": 1_000,
    "evaluation_interval": 0,
}


def cases(tasks: list[str], seeds: int | None) -> Iterator[tuple[str, str, int]]:
    """(task, fault, seed): the seeds that must learn first, then one run per fault."""
    for task in tasks:
        for seed in range(TASKS[task][2] if seeds is None else seeds):
            yield task, HEALTHY, seed
    for task in tasks:
        if task == "vision":
            yield task, "leak", 0
        elif task != "mountain-car":
            yield from ((task, fault, 0) for fault in FAULTS)


def run_case(task: str, fault: str, seed: int) -> dict[str, Any]:
    """Train one case in this process and judge it."""
    import torch

    from backend.gates.engine import GateEngine
    from backend.runs.config import parse_config
    from worker.agents import Exploration, NonFinite
    from worker.progress import Progress
    from worker.replay import ReplayBuffer
    from worker.training import Training
    from worker.vitals import Vitals

    preset, overrides, _ = TASKS[task]
    config = parse_config(preset, {**overrides, **_overrides_of(fault), "seed": seed})
    torch.set_num_threads(1)
    engine, began = GateEngine.for_config(config), time.process_time()
    with _environment(config) as env, tempfile.TemporaryDirectory() as folder:
        broken_env = _FlippedReward(env) if fault == "flipped-reward" else env
        agent = _agent(config, env, fault)
        ledger = _Ledger(engine)
        training = Training(
            config,
            broken_env,
            agent,
            ReplayBuffer(config.buffer_size, env.observation_space, agent.action_dim, seed),
            Exploration(config, agent.action_dim),
            Progress(),
            ledger,
            _NoCommands(),
            _NoSaver(),
            Vitals(env, Path(folder)),
        )
        try:
            training.run()
        except NonFinite as error:
            ledger.log({"learner/critic_loss": float("nan")}, training.progress.step, 0)
            ledger.event("critical", "non-finite", str(error))
    judgement = engine.evaluate(training.progress.step, final=True)
    return {
        "task": task,
        "fault": fault,
        "seed": seed,
        "steps": training.progress.step,
        "cpu_seconds": round(time.process_time() - began),
        "verdict": judgement.verdict.value,
        "verdicts": [[turn.step, turn.verdict.value] for turn in engine.judge.history],
        "improved": engine.judge.returns.improved,
        "evaluations": [round(value, 1) for value in ledger.evaluations],
        "rules": {
            rule.name: [rule.first_warning, rule.first_critical]
            for rule in judgement.rules
            if rule.first_warning is not None or rule.first_critical is not None
        },
    }


def _overrides_of(fault: str) -> dict[str, Any]:
    return {
        "learning-rate": {"actor_learning_rate": 0.1, "critic_learning_rate": 0.1},
        "no-discount": {"gamma": 1.0},
        "leak": LEAK,
    }.get(fault, {})


@contextmanager
def _environment(config: Any) -> Iterator[Any]:
    from worker.environment import SimulatorAddress, make_environment
    from worker.probe import free_port
    from worker.simulators import EMBEDDED, start_server

    with ExitStack() as stack:
        address = None
        if config.is_carla:
            log = Path(tempfile.mkdtemp()) / "simulator.log"
            server = start_server(EMBEDDED, log)
            stack.callback(server.kill)
            address = SimulatorAddress(server.host, server.port, free_port())
        env = make_environment(config, address)
        stack.callback(env.close)
        yield env


def _agent(config: Any, env: Any, fault: str) -> Any:
    import torch

    from worker.agents import TD3, make_agent

    class Leaking(TD3):
        """The founding fault: the critic's state input is the actor's own features, not held fixed."""

        def _update_actor(self, observations: Mapping[str, torch.Tensor]) -> None:
            from worker.agents.diagnostics import ActorTrace

            features = self.actor.encode(observations)
            actions = self.actor.act(features, observations)
            q = self.critic.value1(self.critic.join(features, observations), actions)
            loss = -q.mean()
            norms = self.actor_optimiser.step(loss)
            self._actor_trace = ActorTrace(
                loss.detach(), q.detach(), actions.detach(), norms, features.detach()
            )

    if fault == "leak":
        return Leaking(config, env.observation_space, env.action_space)
    agent = make_agent(config, env.observation_space, env.action_space)
    if fault == "saturated":
        with torch.no_grad():
            agent.actor.head.biases[-1].fill_(20.0)
        agent.target_actor.load_state_dict(agent.actor.state_dict())
    return agent


class _FlippedReward:
    """The learner is given -reward; what the episode really returned is logged as it was."""

    def __init__(self, env: Any) -> None:
        self.env = env

    def __getattr__(self, name: str) -> Any:
        return getattr(self.env, name)

    def step(self, action: Any) -> Any:
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, -float(reward), terminated, truncated, info


class _Ledger:
    """A journal without a database: every thousand points go to the engine."""

    fenced = False
    activity = ""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.evaluations: list[float] = []
        self._points: list[tuple[str, int, int, float, float]] = []

    def log(self, values: Mapping[str, float], step: int, episode: int) -> None:
        self._points.extend((name, step, episode, 0.0, value) for name, value in values.items())
        if "evaluation/return_mean" in values:
            self.evaluations.append(values["evaluation/return_mean"])
        if len(self._points) > 1_000:
            self.engine.observe(self._points)
            self.engine.evaluate(0)
            self._points = []

    def reached(self, progress: Any, updates: int, rate: float) -> None:
        self.step = progress.step

    def demands(self) -> list[Any]:
        return []

    def event(self, level: str, kind: str, message: str) -> None:
        if level == "critical":
            say(f"{kind}: {message}", sys.stderr)

    def checkpoint(self, *_: Any) -> None:
        """Nothing is kept: the benchmark wants verdicts."""


class _NoCommands:
    stop_requested = False

    def poll(self) -> None:
        return None


class _NoSaver:
    def save(self, *_: Any) -> None:
        return None

    def save_evidence(self, *_: Any) -> str:
        return "not kept"


def say(text: str, where: TextIO = sys.stdout) -> None:
    where.write(f"{text}\n")
    where.flush()


def stored() -> list[dict[str, Any]]:
    return (
        [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    )


def reference_cases() -> list[dict[str, Any]]:
    """The three real dead runs, where their logs are at hand."""
    from backend.gates.replay import judge_series
    from backend.rules.presets import PRESETS
    from backend.rules.rule import RunFacts
    from backend.tensorboard.importer import read_log

    folder = os.environ.get("PITWALL_REFERENCE_LOGS")
    found = []
    for path in sorted(Path(folder).iterdir()) if folder else []:
        log = read_log(path)
        facts = RunFacts(log.learning_starts, 5_000, native=False)
        judge = judge_series(log.series, facts, PRESETS["behavioural"])
        found.append(
            {
                "task": f"real log {path.name}",
                "fault": "leak",
                "seed": 0,
                "improved": judge.returns.improved,
                "verdicts": [[turn.step, turn.verdict.value] for turn in judge.history],
                "rules": {
                    rule.name: [rule.first_warning, rule.first_critical]
                    for rule in judge.results()
                    if rule.state.alerts or rule.first_warning
                },
            }
        )
    return found


def table(results: list[dict[str, Any]]) -> str:
    """Markdown: per rule, broken runs caught and learning runs left alone; then every run."""
    well = [case for case in results if case["fault"] == HEALTHY]
    broken = [case for case in results if case["fault"] != HEALTHY]
    lines = [
        f"{len(well)} runs that learn, {len(broken)} broken on purpose or found dead. Sensitivity: share of "
        "broken runs the rule calls critical; specificity: share of learning runs it never does, with 95 % "
        "Wilson intervals; false warnings: learning runs it warned on at some step.",
        "",
        "| Rule | Sensitivity | Specificity | False warnings |",
        "| --- | --- | --- | --- |",
        _row("**verdict NO-GO**", *(_no_goes(group) for group in (broken, well)), 0, broken, well),
    ]
    for rule in sorted({name for case in results for name in case["rules"]}):
        caught, cried = (
            sum(case["rules"].get(rule, [None, None])[1] is not None for case in group)
            for group in (broken, well)
        )
        warned = sum(case["rules"].get(rule, [None, None])[0] is not None for case in well)
        lines.append(_row(f"`{rule}`", caught, cried, warned, broken, well))
    lines += ["", "| Task | Fault | Seed | Verdicts | Learnt |", "| --- | --- | --- | --- | --- |"]
    lines += [_run(case) for case in results]
    return "\n".join(lines)


def _no_goes(group: list[dict[str, Any]]) -> int:
    return sum(any(verdict == "no-go" for _, verdict in case["verdicts"]) for case in group)


def _row(
    name: str, caught: int, cried: int, warned: int, broken: list[Any], well: list[Any]
) -> str:
    return (
        f"| {name} | {_share(caught, len(broken))} | {_share(len(well) - cried, len(well))} "
        f"| {warned} of {len(well)} |"
    )


def _share(hits: int, of: int) -> str:
    estimate = wilson(hits, of)
    return f"{hits}/{of} ({100 * estimate.low:.0f}-{100 * estimate.high:.0f} %)" if of else "none"


def _run(case: dict[str, Any]) -> str:
    turns: list[str] = []
    for step, verdict in case["verdicts"]:
        if not turns or not turns[-1].startswith(verdict):
            turns.append(f"{verdict} {step:,}")
    learnt = "yes" if case["improved"] else "no"
    return f"| {case['task']} | {case['fault']} | {case['seed']} | {', '.join(turns)} | {learnt} |"


def write_docs(path: Path, text: str) -> None:
    """Replace what stands between the marks."""
    before, _, rest = path.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="*", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--case", nargs=3, metavar=("TASK", "FAULT", "SEED"))
    parser.add_argument("--docs", type=Path)
    given = parser.parse_args()
    if given.case:
        task, fault, seed = given.case
        say(json.dumps(run_case(task, fault, int(seed))))
        return
    if not given.docs:
        train_missing(given.tasks, given.seeds)
    results = [*reference_cases(), *stored()]
    text = table(results)
    say(text)
    if given.docs:
        write_docs(given.docs, text)
    well = [case for case in results if case["fault"] == HEALTHY]
    broken = [case for case in results if case["fault"] != HEALTHY]
    summary = {
        "name": "rules: broken runs caught over false NO-GOs",
        "ratio": _no_goes(broken) / max(1, len(broken)),
        "unit": "share of broken runs NO-GO",
        "false_no_goes": _no_goes(well),
        "learning_runs": len(well),
    }
    say(json.dumps(summary))


def train_missing(tasks: list[str], seeds: int | None) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    done = {(case["task"], case["fault"], case["seed"]) for case in stored()}
    for case in cases(tasks, seeds):
        if case in done:
            continue
        say(f"training {case}", sys.stderr)
        command = [sys.executable, __file__, "--case", *map(str, case)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        with RESULTS.open("a") as file:
            file.write(output.splitlines()[-1] + "\n")


if __name__ == "__main__":
    main()
