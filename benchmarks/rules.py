"""Do the rules cry wolf? Runs that learn and runs broken on purpose, through the real loop and engine.

    python -m benchmarks.rules                     every case that is not in the results file yet
    python -m benchmarks.rules --tasks pendulum --seeds 3
    python -m benchmarks.rules --rejudge           judge kept runs again, after a rule changed
    python -m benchmarks.rules --docs docs/rules.md    only rewrite the table in the docs

Each case is a process of its own and one line of the results file, so a broken-off benchmark goes on
where it stopped. The last line printed is JSON.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from backend.analysis.compare import wilson
from backend.gates.replay import judge_series
from backend.rules.presets import PRESETS
from backend.rules.rule import RunFacts
from backend.tensorboard.importer import read_log
from benchmarks.broken_runs import FAULTS, HEALTHY, TASKS, rejudge_case, run_case

RESULTS = Path(__file__).parent / "results" / "rules.jsonl"
POINTS = RESULTS.with_name("points")
BEGIN, END = "<!-- wolf table: benchmarks/rules.py -->", "<!-- end of wolf table -->"


def cases(tasks: list[str], seeds: int | None) -> Iterator[tuple[str, str, int]]:
    """(task, fault, seed): the seeds that must learn first, then one run per fault."""
    for task in tasks:
        for seed in range(TASKS[task][2] if seeds is None else seeds):
            yield task, HEALTHY, seed
    for task in tasks:
        if task == "vision":
            yield task, "leak", 0
        else:
            yield from ((task, fault, 0) for fault in FAULTS)


def say(text: str, where: TextIO = sys.stdout) -> None:
    where.write(f"{text}\n")
    where.flush()


def stored() -> list[dict[str, Any]]:
    return (
        [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    )


def reference_cases() -> list[dict[str, Any]]:
    """The three real dead runs, where their logs are at hand."""
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
                "steps": judge.step,
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


def sorted_out(results: list[dict[str, Any]]) -> tuple[list[Any], list[Any], list[Any]]:
    """Runs that learn, runs that are broken, and faulty runs that learnt all the same."""
    faulty = [case for case in results if case["fault"] != HEALTHY]
    return (
        [case for case in results if case["fault"] == HEALTHY],
        [case for case in faulty if not case["improved"]],
        [case for case in faulty if case["improved"]],
    )


def table(results: list[dict[str, Any]]) -> str:
    """Markdown: per rule, broken runs caught and learning runs left alone; then every run."""
    well, broken, unharmed = sorted_out(results)
    lines = [
        f"{len(well)} runs that learn, {len(broken)} broken on purpose or found dead, {len(unharmed)} that "
        "learnt in spite of a fault and count on neither side. Sensitivity: share of "
        "broken runs the rule calls critical; specificity: share of learning runs it never does, with 95 % "
        "Wilson intervals; false warnings: learning runs it warned on at some step.",
        "",
        "| Rule | Sensitivity | Specificity | False warnings |",
        "| --- | --- | --- | --- |",
        _row("**verdict NO-GO**", _no_goes(broken), _no_goes(well), 0, broken, well),
    ]
    for rule in sorted({name for case in results for name in case["rules"]}):
        caught, cried = (
            sum(case["rules"].get(rule, [None, None])[1] is not None for case in group)
            for group in (broken, well)
        )
        warned = sum(case["rules"].get(rule, [None, None])[0] is not None for case in well)
        lines.append(_row(f"`{rule}`", caught, cried, warned, broken, well))
    lines += [
        "",
        "| Task | Fault | Seed | Steps | Verdicts | Learnt |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
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
    cells = (
        case["task"],
        case["fault"],
        case["seed"],
        f"{case.get('steps', 0):,}",
        ", ".join(turns),
        learnt,
    )
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def write_docs(path: Path, text: str) -> None:
    """Replace what stands between the marks."""
    before, _, rest = path.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="*", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--most", type=int, help="train at most this many cases, then stop")
    parser.add_argument("--case", nargs=3, metavar=("TASK", "FAULT", "SEED"))
    parser.add_argument("--docs", type=Path)
    parser.add_argument(
        "--rejudge",
        action="store_true",
        help="judge the runs kept here again by the rules as they are",
    )
    given = parser.parse_args()
    if given.case:
        task, fault, seed = given.case
        POINTS.mkdir(parents=True, exist_ok=True)
        say(json.dumps(run_case(task, fault, int(seed), points_of(task, fault, int(seed)))))
        return
    if given.rejudge:
        rejudge()
    elif not given.docs:
        train_missing(given.tasks, given.seeds, given.most)
    results = [*reference_cases(), *stored()]
    text = table(results)
    say(text)
    if given.docs:
        write_docs(given.docs, text)
    well, broken, _ = sorted_out(results)
    summary = {
        "name": "rules: broken runs caught over false NO-GOs",
        "ratio": _no_goes(broken) / max(1, len(broken)),
        "unit": "share of broken runs NO-GO",
        "false_no_goes": _no_goes(well),
        "learning_runs": len(well),
    }
    say(json.dumps(summary))


def points_of(task: str, fault: str, seed: int) -> Path:
    """Where everything a case logged is kept, for `--rejudge`; left out of the repository."""
    return POINTS / f"{task}-{fault}-{seed}.npz"


def rejudge() -> None:
    lines = []
    for case in stored():
        path = points_of(case["task"], case["fault"], case["seed"])
        if path.exists():
            case |= rejudge_case(case["task"], case["fault"], case["seed"], path)
        lines.append(json.dumps(case) + "\n")
    RESULTS.write_text("".join(lines))


def train_missing(tasks: list[str], seeds: int | None, most: int | None) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    done = {(case["task"], case["fault"], case["seed"]) for case in stored()}
    missing = [case for case in cases(tasks, seeds) if case not in done]
    for case in missing[:most]:
        say(f"training {case}", sys.stderr)
        command = [sys.executable, "-m", "benchmarks.rules", "--case", *map(str, case)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        with RESULTS.open("a") as file:
            file.write(output.splitlines()[-1] + "\n")


if __name__ == "__main__":
    main()
