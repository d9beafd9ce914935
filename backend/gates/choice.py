"""The rules a run is judged by: those it began with, or others that people gave it since."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.errors import InvalidConfig
from backend.gates.admission import check_choice
from backend.gates.facts import facts_of
from backend.gates.models import RuleChoice
from backend.gates.presets import load_preset
from backend.gates.service import save_judgement, states_of
from backend.gates.stored import engine_of, preset_of, take_up
from backend.rules.presets import RulePreset
from backend.runs.config import DIVERGENCE
from backend.runs.events import Level, add_event
from backend.runs.models import Run
from backend.runs.service import get_run
from backend.runs.states import RunState


def choose_rules(session: Session, run_id: int, name: str, person: str, now: float) -> RulePreset:
    """Judge the run by another preset, or another version of one, from now on.

    A trainer that runs takes it up with its next flush and acts on what it says; a run without one is
    judged again at once, which asks for nothing. What was said before stays, under the rules that said it.

    Raises:
        NotFound: there is no such run or preset.
        InvalidConfig: nobody is named, the run is judged so already, or it halts or goes back by a rule
            that the preset lacks.
    """
    if not person.strip():
        raise InvalidConfig({"person": "'person' is empty: say who changes the rules"})
    run, preset = get_run(session, run_id), load_preset(session, name)
    if load_preset(session, preset_of(session, run)) == preset:
        raise InvalidConfig({"preset": f"run {run_id} is judged by {preset.label} already"})
    facts = facts_of(run)
    check_choice(session, preset.label, run.config.get("halt_on", ()), facts)
    chosen = [rule for rule in run.rollback_on if rule not in DIVERGENCE]
    check_choice(session, preset.label, chosen, facts, "rollback_on")
    session.add(
        RuleChoice(
            run_id=run_id, preset=preset.label, person=person.strip(), step=run.step, created_at=now
        )
    )
    told = f"{person.strip()} has the run judged by {preset.label} from step {run.step:,} on"
    add_event(session, run_id, Level.INFO, "rules", told, now, run.step)
    session.flush()
    if not RunState(run.state).is_active:
        _judge_again(session, run, preset, now)
    return preset


def _judge_again(session: Session, run: Run, preset: RulePreset, now: float) -> None:
    engine = engine_of(run, preset)
    take_up(session, run.id, engine, preset, before=states_of(session, run))
    judgement = engine.evaluate(run.step, final=True)
    save_judgement(session, run.id, run.segment_id, judgement, now)


def choices(session: Session, run_id: int) -> list[RuleChoice]:
    """Every change of the run's rules, newest first."""
    query = select(RuleChoice).where(RuleChoice.run_id == run_id).order_by(RuleChoice.id.desc())
    return list(session.scalars(query).all())
