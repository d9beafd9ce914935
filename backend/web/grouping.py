"""Groups of runs as pages show them: variants by seeds, how far all are, what can be asked of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.runs.groups import REQUESTS, get_group, members
from backend.runs.models import Run, RunGroup
from backend.runs.states import Action, RunState
from backend.web.comparison import GROUP_CHARTS
from backend.web.estimates import slots
from backend.web.pace import Pace, expected, remaining
from backend.web.sparklines import sparklines
from backend.web.views import RunView


@dataclass(frozen=True)
class Totals:
    """A group as a whole: steps done and planned, runs by state, seconds until the last ends."""

    step: int
    total_steps: int
    states: Mapping[str, int]
    left: float | None

    @property
    def share(self) -> float:
        return min(1.0, self.step / max(1, self.total_steps))


def read_group(session: Session, query: Mapping[str, str], now: float) -> dict[str, Any]:
    """What the page of a group shows.

    Raises:
        NotFound: there is no such group.
    """
    number = query.get("group", "")
    group = get_group(session, int(number) if number.isdigit() else 0)
    runs = members(session, group.id)
    views = [RunView(run, now) for run in runs]
    return {
        "group": group,
        "views": views,
        "cells": {(view.run.variant, view.run.config["seed"]): view for view in views},
        "variants": list(dict.fromkeys(run.variant for run in runs)),
        "seeds": list(dict.fromkeys(run.config["seed"] for run in runs)),
        "totals": totals(session, runs, now),
        "actions": legal(views),
        "sparks": sparklines(session, [run.id for run in runs]),
        "attention": sum(view.needs_attention for view in views),
        "chart_names": GROUP_CHARTS,
    }


def totals(session: Session, runs: Sequence[Run], now: float) -> Totals:
    return Totals(
        sum(run.step for run in runs),
        sum(run.total_steps for run in runs),
        Counter(run.state for run in runs),
        _left(session, runs, now),
    )


def _left(session: Session, runs: Sequence[Run], now: float) -> float | None:
    """Seconds until the last has ended: what is left of all of them, shared by the fleet's slots."""
    at_a_time = slots(session)
    waiting = [run for run in runs if not RunState(run.state).is_over]
    if not waiting or not at_a_time:
        return None
    paces: dict[str, Pace | None] = {}  # seeds of one variant are expected to be equally fast
    found = []
    for run in waiting:
        if run.state == RunState.RUNNING:
            found.append(remaining(session, run, now))
            continue
        if run.variant not in paces:
            paces[run.variant] = expected(session, run.config, now)
        pace = paces[run.variant]
        found.append(pace.seconds(run.config, run.step) if pace else None)
    known = [seconds for seconds in found if seconds is not None]
    if len(known) < len(found):
        return None
    return max(max(known), sum(known) / min(at_a_time, len(known)))


def legal(views: Sequence[RunView]) -> dict[Action, int]:
    """How many runs each action would reach; only those that reach one."""
    counts = {action: sum(action in view.actions for view in views) for action in REQUESTS}
    return {action: count for action, count in counts.items() if count}


def group_lines(session: Session, runs: Sequence[Run]) -> dict[int, str]:
    """The names of the groups that these runs belong to, by id."""
    ids = {run.group_id for run in runs if run.group_id}
    found = session.scalars(select(RunGroup).where(RunGroup.id.in_(ids)))
    return {group.id: group.name for group in found}
