"""What each page shows: one reading of the database, the page's template, and the parts kept live."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.charts.figures import CHARTS, chart_groups
from backend.checkpoints.models import Checkpoint, Evaluation
from backend.checkpoints.service import list_checkpoints
from backend.gates import service as gates
from backend.gates.passages import standing
from backend.ladders.service import ladder_of_run
from backend.metrics.store import last_steps, latest
from backend.notify.queue import latest_deliveries
from backend.runs.commands import open_commands
from backend.runs.evaluations import list_evaluations
from backend.runs.events import list_events
from backend.runs.models import Run
from backend.runs.service import get_run, list_runs, list_segments
from backend.runs.states import RunState
from backend.web.compared import glance, read_comparison
from backend.web.episodes import last_episodes
from backend.web.forms import text
from backend.web.grouping import group_lines, read_group
from backend.web.judgements import worst_first
from backend.web.ladders import gate_card, read_ladder, read_ladders
from backend.web.lineage import current_lineage
from backend.web.playback import read_playback
from backend.web.scatter import episode_scatter
from backend.web.segment_tree import Tree, draw_tree
from backend.web.sight import read_sight
from backend.web.sparklines import sparklines
from backend.web.templates import fragment
from backend.web.timeline import Stretch, timelines
from backend.web.views import view_of
from backend.workers.service import list_simulators, list_workers

Context = dict[str, Any]
Query = Mapping[str, str]
OBSERVED_METRICS = {
    f"learner/{name}": name
    for name in ("updates_per_step", "actor_learning_rate", "critic_learning_rate")
}
MOST_FLIPS, SHOWN_FLIPS = 5_000, 100
EPISODE_CHARTS = ("return", "terminations", "component-shares", "route", "episode-length")
SORTS = {"new": "Newest first", "name": "By name", "progress": "Most progress"}


@dataclass(frozen=True)
class Scene:
    """A page: how its context is read, which elements are kept live, and what more belongs to it.

    `charts`: new points are sent; `sight`: the trainer's last picture and trace are shown; `recordings`:
    what was recorded of its evaluations is. `glance`: where reading it all is dear, what differs once
    it is worth it.
    """

    name: str
    template: str
    read: Callable[[Session, Query, float], Context]
    live: Mapping[str, str] = field(default_factory=dict)
    charts: bool = False
    sight: bool = False
    recordings: bool = False
    glance: Callable[[Session, Query], Hashable] | None = None

    def context(self, session: Session, query: Query, now: float, snapshots: Path) -> Context:
        """Everything the template needs."""
        context = {**self.read(session, query, now), "scene": self.name}
        if self.sight:
            context["sight"] = read_sight(snapshots, context["run"])
        if self.recordings:
            name = query.get("recording", "")
            context["playback"] = read_playback(snapshots, context["run"], name)
        return context

    def fragments(
        self, session: Session, query: Query, now: float, snapshots: Path
    ) -> dict[str, str]:
        """{element id: HTML} of every live part."""
        context = self.context(session, query, now, snapshots)
        return {element: fragment(name, context) for element, name in self.live.items()}


def _fleet(session: Session, now: float) -> Context:
    simulators = list_simulators(session)
    active = [state for state in RunState if state.is_active]
    busy = session.scalar(select(func.count()).select_from(Run).where(Run.state.in_(active)))
    queued = session.scalar(
        select(func.count()).select_from(Run).where(Run.state == RunState.QUEUED)
    )
    return {
        "workers": len(list_workers(session)),
        "busy": busy,
        "simulators": len(simulators),
        "leased": sum(s.leased_run_id is not None for s in simulators),
        "unfit": sum(bool(s.problem) for s in simulators),
        "queued": queued,
    }


def _group_of(query: Query) -> int | None:
    number = query.get("group", "")
    return int(number) if number.isdigit() and len(number) < 10 else None


def read_runs(session: Session, query: Query, now: float) -> Context:
    """The table of runs: filtered and sorted as the address says, those in need first."""
    state, name, sort = (query.get(key, "") for key in ("state", "q", "sort"))
    states = [RunState(state)] if state in set(RunState) else []
    views = [
        view_of(session, run, now) for run in list_runs(session, states, group_id=_group_of(query))
    ]
    views = [view for view in views if name.lower() in view.run.name.lower()]
    if sort == "name":
        views.sort(key=lambda view: view.run.name.lower())
    elif sort == "progress":
        views.sort(key=lambda view: view.share, reverse=True)
    views.sort(key=lambda view: not view.needs_attention)
    ids = [view.run.id for view in views]
    return {
        "runs": views,
        "fleet": _fleet(session, now),
        "sparks": sparklines(session, ids),
        "checkpoints": _last_checkpoints(session, ids),
        "attention": sum(view.needs_attention for view in views),
        "groups": group_lines(session, [view.run for view in views]),
        "filtered": bool(states or name or _group_of(query)),
        "group": query.get("group", ""),
        "q": name,
        "state": state,
        "sort": sort if sort in SORTS else "new",
        "sorts": SORTS,
    }


def _last_checkpoints(session: Session, ids: list[int]) -> dict[int, Checkpoint | None]:
    newest = (
        select(func.max(Checkpoint.id))
        .where(Checkpoint.run_id.in_(ids), Checkpoint.deleted_at.is_(None))
        .group_by(Checkpoint.run_id)
    )
    rows = session.scalars(select(Checkpoint).where(Checkpoint.id.in_(newest))).all()
    return {**dict.fromkeys(ids), **{row.run_id: row for row in rows}}


def read_workers(session: Session, query: Query, now: float) -> Context:
    """Workers, what each trains, and the simulators."""
    active = list_runs(session, [state for state in RunState if state.is_active])
    return {
        "workers": list_workers(session),
        "simulators": list_simulators(session),
        "active": active,
        "names": {run.id: run.name for run in active},
        "fleet": _fleet(session, now),
    }


def read_run(session: Session, query: Query, now: float) -> Context:
    """What every page of a run has: its row, its segment, its rules, and counts for the tabs."""
    run = get_run(session, int(query["run"]))
    current = gates.current(session, run.id, now)
    rules = worst_first(current.rules)
    segments = list_segments(session, run.id)
    lineage = current_lineage(segments, run.segment_id)
    return {
        "view": view_of(session, run, now),
        "run": run,
        "rules": rules,
        "titles": {rule.rule: rule.title for rule in rules},
        "accepted": {acceptance.rule: acceptance for acceptance in current.accepted},
        "segments": segments,
        "segment": lineage[-1] if lineage else None,
        "pending": open_commands(session, run.id),
        "attention": sum(rule.state in ("critical", "warning") for rule in rules),
        "checkpoint_count": session.scalar(
            select(func.count())
            .select_from(Checkpoint)
            .where(Checkpoint.run_id == run.id, Checkpoint.deleted_at.is_(None))
        ),
    }


def read_notifications(session: Session, query: Query, now: float) -> Context:
    """What was sent lately, and what could not be."""
    return {"deliveries": latest_deliveries(session)}


_GATES: dict[str, Callable[[Session, Run], Any]] = {
    "step_gates": lambda session, run: [gate_card(view) for view in standing(session, run)],
    "ladder": lambda session, run: ladder_of_run(session, run.id),
}


def _with(**readers: Callable[[Session, Run], Any]) -> Callable[[Session, Query, float], Context]:
    def read(session: Session, query: Query, now: float) -> Context:
        context = read_run(session, query, now)
        run = context["run"]
        return {**context, **{name: reader(session, run) for name, reader in readers.items()}}

    return read


def _timelines(session: Session, run: Run) -> dict[str, list[Stretch]]:
    rules = gates.current(session, run.id, now=0.0).rules
    states = [(rule.rule, rule.state) for rule in rules]
    flips = gates.flips(session, run.id, MOST_FLIPS)
    return timelines(flips, run.step, [("verdict", run.verdict), *states])


def _events(limit: int) -> Callable[[Session, Run], Any]:
    return lambda session, run: list(reversed(list_events(session, run.id, limit=limit)))


def _observed(session: Session, run: Run) -> dict[str, str]:
    """What the trainer saw of its configuration, by key: told at its start, or measured since."""
    points = latest(session, run.id, list(OBSERVED_METRICS))
    measured = {OBSERVED_METRICS[name]: point[4] for name, point in points.items()}
    return {name: text(value) for name, value in {**run.observed, **measured}.items()}


def _segment_numbers(session: Session, run: Run) -> dict[int, int]:
    return {segment.id: segment.number for segment in list_segments(session, run.id)}


def _evaluations(session: Session, run: Run) -> dict[int, Evaluation]:
    """The newest evaluation somebody asked for, by checkpoint."""
    newest_last = reversed(list_evaluations(session, run.id))
    return {evaluation.checkpoint_id: evaluation for evaluation in newest_last}


def _tree(session: Session, run: Run) -> Tree:
    segments = list_segments(session, run.id)
    ends = last_steps(session, [segment.id for segment in segments])
    return draw_tree(run, segments, list_checkpoints(session, run.id), ends)


_HEAD = {
    "run-head": "_run_head.html",
    "run-progress": "_run_progress.html",
    "verdict": "_verdict.html",
    "tabs": "_tabs.html",
}

RUN_SCENES = {
    "charts": Scene(
        "charts",
        "run.html",
        _with(
            events=_events(8),
            chart_groups=lambda session, run: chart_groups(session, run.id),
            **_GATES,
        ),
        {
            **_HEAD,
            "gate-strip": "_gate_strip.html",
            "rules": "_rules.html",
            "sight": "_sight.html",
            "events": "_events.html",
            "preflight": "_preflight.html",
            "chart-groups": "_charts.html",
        },
        charts=True,
        sight=True,
    ),
    "gates": Scene(
        "gates",
        "gates.html",
        _with(
            flips=lambda session, run: gates.flips(session, run.id, SHOWN_FLIPS),
            timelines=_timelines,
            **_GATES,
        ),
        {**_HEAD, "gate-steps": "_gate_steps.html", "gate-table": "_gates.html"},
    ),
    "checkpoints": Scene(
        "checkpoints",
        "checkpoints.html",
        _with(
            checkpoints=lambda session, run: list_checkpoints(session, run.id),
            segment_numbers=_segment_numbers,
            evaluations=_evaluations,
            tree=_tree,
        ),
        {**_HEAD, "segment-tree": "_segment_tree.html", "checkpoint-table": "_checkpoints.html"},
    ),
    "episodes": Scene(
        "episodes",
        "episodes.html",
        _with(
            episodes=last_episodes,
            scatter=episode_scatter,
            charts=lambda session, run: [CHARTS[name] for name in EPISODE_CHARTS],
        ),
        {
            **_HEAD,
            "newest-recording": "_recordings.html",
            "episode-scatter": "_scatter.html",
            "episode-table": "_episodes.html",
        },
        charts=True,
        recordings=True,
    ),
    "log": Scene("log", "log.html", _with(events=_events(500)), {**_HEAD, "log": "_log.html"}),
    "report": Scene("report", "report.html", read_run, _HEAD),
    "config": Scene("config", "config.html", _with(observed=_observed), _HEAD),
}

FLEET_SCENES = {
    "runs": Scene("runs", "runs.html", read_runs, {"fleet": "_fleet.html", "runs": "_runs.html"}),
    "workers": Scene("workers", "workers.html", read_workers, {"workers": "_workers.html"}),
    "ladders": Scene("ladders", "ladders.html", read_ladders, {"ladders": "_ladders.html"}),
    "ladder": Scene(
        "ladder",
        "ladder.html",
        read_ladder,
        {
            "ladder-head": "_ladder_head.html",
            "ladder-decision": "_ladder_decision.html",
            "ladder-stages": "_ladder_stages.html",
        },
    ),
    "notifications": Scene(
        "notifications", "settings.html", read_notifications, {"deliveries": "_notifications.html"}
    ),
    "compare": Scene(
        "compare",
        "compare.html",
        read_comparison,
        {"comparison": "_comparison.html", "comparison-statistics": "_statistics.html"},
        glance=glance,
    ),
    "group": Scene(
        "group",
        "group.html",
        read_group,
        {"group-head": "_group_head.html", "group-runs": "_group_runs.html"},
    ),
}
