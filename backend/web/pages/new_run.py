"""The form that starts a run or a matrix of runs: shown, checked while it is filled in, and sent."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from sqlalchemy.orm import Session

from backend.errors import InvalidConfig
from backend.gates.admission import admit_matrix, check_rules
from backend.runs.config import RunConfig
from backend.runs.groups import create_group
from backend.runs.matrix import Cell, idle_in_all
from backend.runs.parsing import parse_leniently
from backend.runs.presets import PRESETS
from backend.runs.service import create_run, get_run
from backend.web import forms, submission
from backend.web.context import Now, Reading, Writing
from backend.web.estimates import estimate, slots, together
from backend.web.pace import expected
from backend.web.probes import probes_of
from backend.web.submission import Submission
from backend.web.templates import fragment, page

router = APIRouter()


async def _posted(request: Request) -> Submission:
    form = await request.form()
    return Submission.of([(k, v) for k, v in form.multi_items() if isinstance(v, str)])


Posted = Annotated[Submission, Depends(_posted)]


def _idle(sent: Submission) -> dict[str, str]:
    """What the form changes and nothing would read, and why: a form cannot leave a field out."""
    overrides = forms.overrides(sent.preset, sent.values)
    return idle_in_all(sent.preset, overrides, sent.all_variants, sent.seed_numbers)


def _values(sent: Submission, idle: Mapping[str, str]) -> dict[str, Any]:
    """What the form changes and something reads."""
    changed = forms.overrides(sent.preset, sent.values)
    return {name: value for name, value in changed.items() if name not in idle}


def _config(session: Session, sent: Submission, values: Mapping[str, Any]) -> RunConfig:
    config = parse_leniently(sent.preset, values)
    check_rules(session, config)
    return config


def _cells(session: Session, sent: Submission, values: Mapping[str, Any]) -> list[Cell]:
    """The runs of the matrix that was asked for; none when one run was."""
    if not sent.is_matrix:
        return []
    return admit_matrix(session, sent.preset, values, sent.seed_numbers, sent.all_variants)


def _summary(session: Session, sent: Submission, now: float) -> dict[str, Any]:
    """The form as it stands: its groups, what is changed, what is wrong, what it will take."""
    problems: dict[str, str] = {}
    takes: dict[str, str] = {}
    matrix: dict[str, Any] | None = None
    probes = None
    idle: dict[str, str] = {}
    offered = forms.preset_config(sent.preset)
    try:
        idle = _idle(sent)
        values = _values(sent, idle)
        config = _config(session, sent, values)
        offered = config.model_dump(mode="json")
        pace = expected(session, offered, now)
        takes = estimate(config, pace)
        probes = probes_of(session, config)
        matrix = _matrix(
            session, _cells(session, sent, values), pace.seconds(offered) if pace else None
        )
    except InvalidConfig as error:
        problems = submission.readable(error.fields)
    groups = forms.groups(sent.preset, sent.values, problems)
    return {
        "groups": groups,
        "changes": [field for _, _, fields, _ in groups for field in fields if field.changed],
        "problems": problems,
        "idle": idle,
        "estimate": takes,
        "probes": probes,
        "matrix": matrix,
        "choices": submission.choices(offered, sent.ablations),
    }


def _matrix(
    session: Session, cells: Sequence[Cell], seconds: float | None
) -> dict[str, Any] | None:
    """How many runs, of what, and how long until the last has ended."""
    if not cells:
        return None
    at_a_time = slots(session)
    return {
        "runs": len(cells),
        "seeds": list(dict.fromkeys(cell.seed for cell in cells)),
        "variants": list(dict.fromkeys(cell.variant for cell in cells)),
        "slots": at_a_time,
        "seconds": together(len(cells), at_a_time, seconds),
    }


def _form(
    request: Request, session: Session, sent: Submission, now: float, status: int = 200
) -> HTMLResponse:
    known = {"presets": PRESETS, "sent": sent}
    return page(request, "new.html", {**known, **_summary(session, sent, now)}, status)


def _clone(session: Session, run_id: int) -> Submission:
    run = get_run(session, run_id)
    values: Mapping[str, Any] = run.config if run.is_native else {}
    preset = run.preset if run.preset in PRESETS else "quickstart"
    return Submission(preset, values={name: forms.text(value) for name, value in values.items()})


@router.get("/runs/new")
def show(
    request: Request,
    session: Reading,
    now: Now,
    source: Annotated[str, Query(alias="from", max_length=40)] = "quickstart",
) -> Response:
    """`from` is a preset's name or the number of a run to clone."""
    if source.isdigit():
        sent = _clone(session, int(source[:9]))
    else:
        sent = Submission(source if source in PRESETS else "quickstart")
    return _form(request, session, sent, now)


@router.post("/runs/check")
def check(sent: Posted, session: Reading, now: Now) -> JSONResponse:
    """What is wrong with the form as it stands, by field, and the parts that follow it."""
    context = _summary(session, sent, now)
    fragments = {
        "summary": fragment("_summary.html", context),
        "start": fragment("_start.html", context),
        "ablations": fragment("_ablations.html", context),
    }
    return JSONResponse({"fields": context["problems"], "fragments": fragments})


@router.post("/runs")
def start(request: Request, sent: Posted, session: Writing, now: Now) -> Response:
    """303 to the new run or group, or 422 with the form as it was and what to mend."""
    name = sent.name[:120]
    try:
        values = _values(sent, _idle(sent))
        config, cells = _config(session, sent, values), _cells(session, sent, values)
    except InvalidConfig:
        return _form(request, session, sent, now, 422)
    if not sent.is_matrix:
        run = create_run(session, name, sent.preset, config, now)
        return RedirectResponse(f"/runs/{run.id}", 303)
    plan = {
        "config": values,
        "seeds": sent.seed_numbers,
        "variants": sent.all_variants or {},
    }
    group = create_group(session, name, sent.preset, cells, plan, now)
    return RedirectResponse(f"/groups/{group.id}", 303)
