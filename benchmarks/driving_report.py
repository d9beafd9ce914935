"""Writes docs/results.md and its picture from the runs `benchmarks.learning_to_drive` kept.

python -m benchmarks.driving_report
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backend.runs.parsing import parse_config
from benchmarks.driving_records import Record, stored
from benchmarks.driving_studies import STUDIES, Study

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, PICTURE = DOCS / "results.md", DOCS / "driving-curves.png"

HEAD = """# What learnt to drive here, and what did not

`make learn` trains these runs through the product (`pitwall train`: loop, simulator and `carla` client, recorder,
rules, checkpoints) and writes this page from what its database says: `benchmarks/results/driving.jsonl`. No figure
on it is typed by hand. A run that is trained again, or longer (`--minutes 0`), replaces its rows.

Success is a route completed without collision. An evaluation drives 20 episodes without noise, from a jittered
start; if fewer than four of the first five succeed, the other fifteen are not driven. **Learnt** means two
evaluations in a row, of all 20 episodes, with at least 80 % success; the time counts from the first step to the
end of the second, evaluations included. Intervals are 95 % Wilson. The best checkpoint is then driven over 20
episodes beside its baselines on the same starts; "constant image" replaces every picture by plain gray: a policy
that steers by sight must fail there. Code called earlier gave the actor its turn on the minibatch the critics had just
learnt from, and did not begin every episode with the traffic lights at the start of their cycle.

![Success over steps](driving-curves.png)
"""


def page(records: list[Record]) -> str:
    parts = [HEAD]
    for study in STUDIES.values():
        parts += list(_study(study, [r for r in records if r.study == study.name]))
    return "\n".join(parts)


def _study(study: Study, records: list[Record]) -> Iterator[str]:
    yield f"## {study.title}\n"
    changed = ", ".join(f"`{k}={v}`" for k, v in study.overrides.items())
    yield f"Preset `{study.preset}`{', ' + changed if changed else ''}.\n"
    if not records:
        yield "Not run yet.\n"
        return
    yield "| seed | learnt at step | after | best evaluation | last evaluation | steps | updates | training time | verdict | ended |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for record in records:
        yield _run(record)
    yield ""
    for record in records:
        if record.trials:
            yield from _trials(study, record)
    yield from _limits(study, records)


def _run(record: Record) -> str:
    learnt = "not" if record.learnt_step is None else f"{record.learnt_step:,}"
    after = "" if record.learnt_seconds is None else f"{record.learnt_seconds:,.0f} s"
    best = max(record.evaluations, key=lambda row: (row[2], row[4]), default=None)
    last = record.evaluations[-1] if record.evaluations else None
    return (
        f"| {record.seed} | {learnt} | {after} | {_evaluation(best)} | {_evaluation(last)} "
        f"| {record.step:,} of {record.total_steps:,} | {record.updates:,} | {record.seconds / 60:.1f} min "
        f"| {record.verdict.upper().replace('-', ' ')} | {record.state} |"
    )


def _evaluation(row: list[float] | None) -> str:
    if row is None:
        return "none"
    step, _, success, episodes, _, route = row
    return f"{success:.0%} of {episodes:.0f}, {route:.0f} % of the route, at {step:,.0f}"


def _trials(study: Study, record: Record) -> Iterator[str]:
    yield f"Seed {record.seed}, over the same starts:\n"
    yield "| policy | episodes | success (95 % interval) | route | return | mean speed |"
    yield "|---|---|---|---|---|---|"
    for name, trial in record.trials.items():
        yield _trial(name if name != "best" else "**its best checkpoint**", trial)
    step, _, success, episodes, returned, route = record.evaluations[0]
    if not step:
        yield f"| untrained | {episodes:.0f} | {success:.0%} | {route:.0f} % | {returned:,.0f} | |"
    yield ""


def _trial(name: str, trial: dict[str, Any]) -> str:
    low, high = trial["success_interval"]
    means = trial["means"]
    return (
        f"| {name} | {trial['episodes']} | {trial['success_rate']:.0%} ({low:.0%} to {high:.0%}) "
        f"| {means['route_percent']:.0f} % | {trial['return_mean']:,.0f} | {means['mean_speed']:.1f} m/s |"
    )


def _limits(study: Study, records: list[Record]) -> Iterator[str]:
    machines = sorted({record.machine for record in records})
    said = [f"Machine: {', '.join(machines)}, shared with other work. {_code(records)}"]
    if any(record.step < record.total_steps for record in records):
        said.append(f"Runs were ended after {study.minutes:g} minutes, not because they were done.")
    if len(records) < len(study.seeds):
        said.append(f"{len(records)} of {len(study.seeds)} seeds were run.")
    if any(record.learnt_step is None for record in records):
        episodes = parse_config(study.preset).evaluation_episodes
        said.append(
            f"Not learnt means that two evaluations of {episodes} in a row were not reached by then."
        )
    yield " ".join([*said, study.limits]).rstrip() + "\n"


def _code(records: list[Record]) -> str:
    versions = sorted({record.code or "earlier" for record in records})
    return f"Code: {', '.join(versions)}."


def draw(records: list[Record]) -> None:
    """Success and route completed over steps, a panel a study, a line a seed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    studies = [s for s in STUDIES.values() if any(r.study == s.name for r in records)]
    rows = max(1, -(-len(studies) // 3))
    figure, panels = pyplot.subplots(
        rows, 3, figsize=(12, 2.9 * rows), constrained_layout=True, squeeze=False
    )
    for panel in panels.flat[len(studies) :]:
        panel.set_visible(False)
    for panel, study in zip(panels.flat, studies, strict=False):
        for record in (r for r in records if r.study == study.name):
            steps = [row[0] for row in record.evaluations]
            success = [100 * row[2] for row in record.evaluations]
            (line,) = panel.plot(
                steps, success, marker="o", markersize=3, label=f"seed {record.seed}"
            )
            route = [row[5] for row in record.evaluations]
            panel.plot(steps, route, linestyle=":", linewidth=1, color=line.get_color())
        panel.set_title(study.title, fontsize=9)
        panel.set_ylim(-3, 103)
        panel.grid(alpha=0.25)
        panel.set_xlabel("decisions", fontsize=8)
        panel.set_ylabel("success (dotted: route), %", fontsize=8)
        panel.legend(frameon=False, fontsize=7, loc="lower right")
    figure.savefig(PICTURE, dpi=100)


def main() -> None:
    records = stored()
    draw(records)
    PAGE.write_text(page(records))
    print(f"{PAGE} from {len(records)} runs")


if __name__ == "__main__":
    main()
