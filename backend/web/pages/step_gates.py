"""The form that gives a run other gates at steps, and the acceptance of one that waits."""

from typing import Annotated

import yaml
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from backend.errors import InvalidConfig, NotFound
from backend.gates.passages import accept_gate, edit_gates, gates_of
from backend.gates.plan import documents
from backend.rules.gate import MEASURES
from backend.runs.service import get_run
from backend.web.api.runs import RunId
from backend.web.api.schemas import RowId
from backend.web.context import Now, Reading, Writing
from backend.web.scenes import read_run
from backend.web.templates import page
from backend.yaml_text import read_yaml

router = APIRouter(prefix="/runs/{run_id}/gates")
Text = Annotated[str, Form(max_length=200_000)]
Person = Annotated[str, Form(max_length=120)]


def _form(
    request: Request,
    session: Reading,
    run_id: int,
    now: float,
    values: dict[str, str],
    problems: dict[str, str],
) -> Response:
    known = read_run(session, {"run": str(run_id)}, now)
    more = {"scene": "gates", "measures": MEASURES, "problems": problems, **values}
    return page(request, "edit_gates.html", {**known, **more}, 422 if problems else 200)


@router.get("/edit")
def edit(request: Request, run_id: RunId, session: Reading, now: Now) -> Response:
    gates, against, _ = gates_of(session, get_run(session, run_id))
    text = yaml.safe_dump(documents(gates), sort_keys=False, allow_unicode=True, width=100)
    values = {"text": text, "against": str(against or ""), "person": ""}
    return _form(request, session, run_id, now, values, {})


@router.post("/edit")
def save(
    request: Request,
    run_id: RunId,
    session: Writing,
    now: Now,
    gates: Text = "",
    against: Annotated[str, Form(max_length=12)] = "",
    person: Person = "",
) -> Response:
    """303 to the gates page, or 422 with the text as it was and what to mend."""
    try:
        wanted = read_yaml(gates)
        if wanted is not None and not isinstance(wanted, list | str):
            raise InvalidConfig({"gates": "is no list: begin each gate with `- at: STEP`"})
        edit_gates(session, run_id, wanted or [], person.strip(), now, _number(against))
    except (InvalidConfig, NotFound) as error:
        fields = error.fields if isinstance(error, InvalidConfig) else {"against": str(error)}
        values = {"text": gates, "against": against, "person": person}
        return _form(request, session, run_id, now, values, fields)
    return RedirectResponse(f"/runs/{run_id}/gates", 303)


def _number(text: str) -> int | None:
    if not text.strip():
        return None
    if not text.strip().isdigit():
        raise InvalidConfig({"against": f"'{text}' is no run's number: leave it empty or give one"})
    return int(text)


@router.post("/steps/{at}/accept")
def accept(
    run_id: RunId,
    at: RowId,
    session: Writing,
    now: Now,
    person: Person = "",
    reason: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    accept_gate(session, run_id, at, person, reason, now)
    return RedirectResponse(f"/runs/{run_id}/gates", 303)
