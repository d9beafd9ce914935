"""The verdict's own pages: one rule with its evidence, a person's word on it, and thresholds tried on the run."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from backend.errors import IllegalTransition, InvalidConfig, NotFound
from backend.gates import service
from backend.gates.choice import choices, choose_rules
from backend.gates.facts import facts_of
from backend.gates.presets import draft_preset, load_preset, save_preset, saved_presets
from backend.gates.stored import backtest_run, preset_of
from backend.metrics.store import list_metrics
from backend.rules.presets import PRESETS, RulePreset
from backend.runs.service import get_run
from backend.web.api.runs import RunId
from backend.web.context import Now, Reading, Writing
from backend.web.pages.checkpoints import Posted
from backend.web.rule_charts import evidence_charts
from backend.web.rule_forms import ACTIONS, KINDS, EditorForm, draft, form_of, posted_form
from backend.web.scenes import read_run
from backend.web.templates import fragment, page

router = APIRouter(prefix="/runs/{run_id}/gates")
HOUR = 3600.0
PERSON_COOKIE = "person"


def _base(name: str) -> RulePreset:
    return PRESETS.get(name, PRESETS["behavioural"])


def _run_context(session: Session, run_id: int, now: float) -> dict[str, Any]:
    return {**read_run(session, {"run": str(run_id)}, now), "scene": "gates"}


@router.get("/thresholds")
def edit(
    request: Request,
    run_id: RunId,
    session: Reading,
    now: Now,
    preset: Annotated[str, Query(max_length=64)] = "",
    saved: bool = False,
) -> Response:
    """The editor, filled from a preset: the run's own unless another is named."""
    chosen = load_preset(session, preset or preset_of(session, get_run(session, run_id)))
    base = _base(_base_name(session, chosen))
    form = form_of(chosen, base)
    form = replace(form, person=_person(request))
    done = chosen.label if saved else ""
    return _editor(request, session, run_id, now, form, chosen, saved=done)


def _base_name(session: Session, preset: RulePreset) -> str:
    if preset.name in PRESETS:
        return preset.name
    rows = (row for row in saved_presets(session) if row.name == preset.name)
    return next((row.base for row in rows if row.version == preset.version), "behavioural")


def _editor(
    request: Request,
    session: Session,
    run_id: int,
    now: float,
    form: EditorForm,
    tried: RulePreset | None,
    *,
    saved: str = "",
    status: int = 200,
    problems: Mapping[str, str] | None = None,
) -> Response:
    context = _run_context(session, run_id, now)
    more = {
        "form": form,
        "own_label": load_preset(session, preset_of(session, context["run"])).label,
        "choices": choices(session, run_id),
        "choice_problems": problems or {},
        "actions": ACTIONS,
        "kinds": KINDS,
        "presets": [*PRESETS, *(f"{p.name}@{p.version}" for p in saved_presets(session))],
        "metrics": list_metrics(session, run_id),
        "saved": saved,
        **_backtested(session, run_id, tried),
    }
    return page(request, "thresholds.html", {**context, **more}, status)


def _backtested(session: Session, run_id: int, tried: RulePreset | None) -> dict[str, Any]:
    """What the run's own preset says of it beside what the tried one would have said."""
    run = get_run(session, run_id)
    own = backtest_run(session, run_id, load_preset(session, preset_of(session, run)))
    return {"run": run, "own": own, "tried": tried and backtest_run(session, run_id, tried)}


def _tried(posted: Mapping[str, str]) -> tuple[EditorForm, RulePreset | None]:
    base = _base(posted.get("base", ""))
    try:
        return posted_form(posted, base), draft_preset(draft(posted, base))
    except InvalidConfig as error:
        return posted_form(posted, base, error.fields), None


@router.post("/try")
def try_thresholds(run_id: RunId, posted: Posted, session: Reading) -> JSONResponse:
    """The backtest of the form as it stands, for the script that keeps it live."""
    form, preset = _tried(posted)
    context = {**_backtested(session, run_id, preset), "form": form}
    html = fragment("_backtest.html", context)
    return JSONResponse({"fields": form.problems, "fragments": {"backtest": html}})


@router.post("/thresholds")
def save_thresholds(
    request: Request, run_id: RunId, posted: Posted, session: Writing, now: Now
) -> Response:
    """Try without a script, save as the next version of a named preset, or judge the run by that too."""
    form, preset = _tried(posted)
    if posted.get("do") not in ("save", "use") or preset is None:
        status = 200 if preset else 422
        return _editor(request, session, run_id, now, form, preset, status=status)
    try:
        values = {**draft(posted, _base(form.base)), "name": form.name.strip()}
        with session.begin_nested():  # saved and used, or neither
            kept = save_preset(session, values, form.person.strip(), now)
            if posted.get("do") == "use":
                choose_rules(session, run_id, kept.label, form.person, now)
    except InvalidConfig as error:
        form = posted_form(posted, _base(form.base), error.fields)
        return _editor(request, session, run_id, now, form, preset, status=422)
    address = f"/runs/{run_id}/gates/thresholds?preset={kept.label}&saved=true"
    return _remember(RedirectResponse(address, 303), form.person)


@router.post("/rules")
def judge_by(
    request: Request, run_id: RunId, posted: Posted, session: Writing, now: Now
) -> Response:
    """Judge the run by a preset that is there, from now on."""
    person, name = posted.get("person", "")[:120], posted.get("preset", "")[:64]
    try:
        choose_rules(session, run_id, name, person, now)
    except InvalidConfig as error:
        own = load_preset(session, preset_of(session, get_run(session, run_id)))
        form = replace(form_of(own, _base(_base_name(session, own))), person=person)
        return _editor(request, session, run_id, now, form, own, status=422, problems=error.fields)
    return _remember(RedirectResponse(f"/runs/{run_id}/gates/thresholds", 303), person)


@router.get("/{rule}")
def show_rule(request: Request, run_id: RunId, rule: str, session: Reading, now: Now) -> Response:
    """One rule: what it says and why, what it looked at, how it flipped, and what people said to it."""
    context = _run_context(session, run_id, now)
    run = context["run"]
    status = _found(context["rules"], rule, run_id)
    _, rules = load_preset(session, preset_of(session, run)).rules(facts_of(run))
    live = next((one for one in rules if one.name == rule), None)
    more = {
        "rule": status,
        "rule_charts": evidence_charts(rule, live, list_metrics(session, run_id)),
        "rule_flips": [f for f in service.flips(session, run_id, 5_000) if f.rule == rule],
        "words": [w for w in service.acceptances(session, run_id) if w.rule == rule],
        "in_force": {w.id for w in context["accepted"].values()},
    }
    return page(request, "rule.html", {**context, **more})


def _found(rules: list[Any], rule: str, run_id: int) -> Any:
    status = next((status for status in rules if status.rule == rule), None)
    if status is None:
        raise NotFound(f"Run {run_id} has no rule '{rule}'")
    return status


@router.get("/{rule}/word")
def ask_word(request: Request, run_id: RunId, rule: str, session: Reading, now: Now) -> Response:
    """The form in which a person accepts a condition or acknowledges an alert; a dialog with a script."""
    return _word_form(request, session, run_id, rule, now, {"person": _person(request)}, {})


def _word_form(
    request: Request,
    session: Session,
    run_id: int,
    rule: str,
    now: float,
    values: Mapping[str, str],
    problems: Mapping[str, str],
    status: int = 200,
) -> Response:
    context = _run_context(session, run_id, now)
    more = {
        "rule": _found(context["rules"], rule, run_id),
        "values": {"person": "", "reason": "", "steps": "", "hours": "", **values},
        "problems": problems,
    }
    return page(request, "word.html", {**context, **more}, status)


@router.post("/{rule}/word")
def give_word(
    request: Request, run_id: RunId, rule: str, posted: Posted, session: Writing, now: Now
) -> Response:
    """Accept or acknowledge; 422 with the form as it was where something is missing."""
    person, reason = posted.get("person", "")[:120], posted.get("reason", "")[:2000]
    try:
        if posted.get("do") == "acknowledge":
            service.acknowledge(session, run_id, rule, person, reason, now)
        else:
            step = get_run(session, run_id).step
            steps, hours = _positive(posted, "steps"), _positive(posted, "hours")
            service.accept(
                session,
                run_id,
                rule,
                person,
                reason,
                now,
                expires_step=None if steps is None else step + int(steps),
                expires_at=None if hours is None else now + HOUR * hours,
            )
    except InvalidConfig as error:
        return _word_form(request, session, run_id, rule, now, posted, error.fields, 422)
    except IllegalTransition as error:
        return _word_form(request, session, run_id, rule, now, posted, {"": str(error)}, 409)
    return _remember(RedirectResponse(f"/runs/{run_id}/gates/{quote(rule)}", 303), person)


def _positive(posted: Mapping[str, str], name: str) -> float | None:
    """A duration typed by a person; nothing typed is no limit.

    Raises:
        InvalidConfig: it is not a number above 0 that a calendar can hold.
    """
    text = posted.get(name, "").replace(",", "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1e9:
        raise InvalidConfig({name: f"{name} is '{text}': give a number above 0, or nothing"})
    return value


def _person(request: Request) -> str:
    return request.cookies.get(PERSON_COOKIE, "")[:120]


def _remember(response: Response, person: str) -> Response:
    """So that who accepts often types the name once."""
    if person.strip().isascii() and person.strip().replace(" ", "").isalnum():
        response.set_cookie(PERSON_COOKIE, person.strip(), max_age=31_536_000, samesite="lax")
    return response
