"""What a reward's probes said the last time a run with the same reward started."""

import re
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.runs.config import RunConfig
from backend.runs.models import Run
from backend.runs.states import RunState

OBSERVED = "reward_probes"
EARNED = re.compile(r"(\w+) (-?[\d,.]+)(?:,|\s)")
LOOKED_AT = 50


@dataclass(frozen=True)
class Probes:
    """`earned`: the return of ten scripted seconds by drive; `refusal`: why a run was not let start."""

    run: Run
    earned: dict[str, float]
    refusal: str = ""


def probes_of(session: Session, config: RunConfig) -> Probes | None:
    """Of the newest run that was probed with this reward; None when there is none, or nothing to probe."""
    if not config.is_carla:
        return None
    query = (
        select(Run)
        .where(Run.reward_fingerprint == config.reward_fingerprint)
        .order_by(Run.id.desc())
        .limit(LOOKED_AT)
    )
    for run in session.scalars(query):
        if OBSERVED in run.observed:
            return Probes(run, earned_of(str(run.observed[OBSERVED])))
        if run.state == RunState.FAILED and "fails its probes" in run.state_reason:
            return Probes(run, {}, run.state_reason)
    return None


def earned_of(text: str) -> dict[str, float]:
    """`good 212, crawl 40 in ten scripted seconds` by drive, best first as it was written."""
    found = EARNED.findall(text)
    return {name: float(number.replace(",", "").rstrip(".")) for name, number in found}
