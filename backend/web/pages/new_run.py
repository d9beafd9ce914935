"""The form that starts a run: shown, checked while it is filled in, and sent."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from backend.errors import InvalidConfig
from backend.gates.admission import check_rules
from backend.runs.config import parse_config
from backend.runs.presets import PRESETS
from backend.runs.service import create_run, get_run
from backend.web import forms
from backend.web.context import Now, Reading, Writing
from backend.web.estimates import estimate, measured_speed
from backend.web.templates import fragment, page

router = APIRouter()
Values = Mapping[str, str]


async def _posted(request: Request) -> dict[str, str]:
    """The last value of each input: an unticked box leaves only the hidden `off` before it."""
    form: FormData = await request.form()
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}


Posted = Annotated[dict[str, str], Depends(_posted)]


def _split(form: Values) -> tuple[str, str, dict[str, str]]:
    values = dict(form)
    return values.pop("preset", "quickstart"), values.pop("name", ""), values


def _summary(session: Session, preset: str, values: Values) -> dict[str, object]:
    """The form as it stands: its groups, what is changed, what is wrong, what it will take."""
    problems, takes = {}, {}
    try:
        config = parse_config(preset, forms.overrides(preset, values))
        check_rules(session, config)
        takes = estimate(config, measured_speed(session, preset))
    except InvalidConfig as error:
        problems = error.fields
    groups = forms.groups(preset, values, problems)
    changes = [field for _, _, fields, _ in groups for field in fields if field.changed]
    return {"groups": groups, "changes": changes, "problems": problems, "estimate": takes}


def _form(
    request: Request, session: Session, preset: str, name: str, values: Values, status: int = 200
) -> HTMLResponse:
    known = {"presets": PRESETS, "preset_name": preset, "name": name}
    return page(request, "new.html", {**known, **_summary(session, preset, values)}, status)


def _clone(session: Session, run_id: int) -> tuple[str, str, dict[str, str]]:
    run = get_run(session, run_id)
    return run.preset, "", {name: forms.text(value) for name, value in run.config.items()}


@router.get("/runs/new")
def show(
    request: Request,
    session: Reading,
    source: Annotated[str, Query(alias="from", max_length=40)] = "quickstart",
) -> Response:
    """`from` is a preset's name or the number of a run to clone."""
    if source.isdigit():
        preset, name, values = _clone(session, int(source[:9]))
    else:
        preset, name, values = source if source in PRESETS else "quickstart", "", {}
    return _form(request, session, preset, name, values)


@router.post("/runs/check")
def check(posted: Posted, session: Reading) -> JSONResponse:
    """What is wrong with the form as it stands, by field, and the summary beside it."""
    preset, _, values = _split(posted)
    context = _summary(session, preset, values)
    summary = fragment("_summary.html", context)
    return JSONResponse({"fields": context["problems"], "fragments": {"summary": summary}})


@router.post("/runs")
def start(request: Request, posted: Posted, session: Writing, now: Now) -> Response:
    """303 to the new run, or 422 with the form as it was and what to mend."""
    preset, name, values = _split(posted)
    try:
        config = parse_config(preset, forms.overrides(preset, values))
        check_rules(session, config)
    except InvalidConfig:
        return _form(request, session, preset, name, values, 422)
    run = create_run(session, name[:120], preset, config, now)
    return RedirectResponse(f"/runs/{run.id}", 303)
