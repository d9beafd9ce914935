"""The pages about ladders: all of them, one of them live, and the form that starts one."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from backend.errors import InvalidConfig
from backend.ladders import service
from backend.ladders.parse import parse_plan
from backend.ladders.presets import PLANS
from backend.web.api.ladders import LadderId
from backend.web.context import Now, Reading, Writing
from backend.web.scenes import FLEET_SCENES
from backend.web.templates import page
from backend.yaml_text import read_yaml

router = APIRouter(prefix="/ladders")
Person = Annotated[str, Form(max_length=120)]
Reason = Annotated[str, Form(max_length=2000)]
Yaml = Annotated[str, Form()]


@router.get("")
def ladders(request: Request, session: Reading, now: Now) -> Response:
    scene = FLEET_SCENES["ladders"]
    return page(request, scene.template, scene.read(session, {}, now))


def _form(request: Request, text: str, person: str, problems: dict[str, str]) -> Response:
    context = {"plans": PLANS, "text": text, "person": person, "problems": problems}
    return page(request, "new_ladder.html", context, 422 if problems else 200)


@router.get("/new")
def new(
    request: Request, source: Annotated[str, Query(alias="from", max_length=40)] = "quickstart"
) -> Response:
    """`from` names the plan to start from."""
    return _form(request, PLANS.get(source, PLANS["quickstart"]), "", {})


@router.post("")
def start(
    request: Request, session: Writing, now: Now, plan: Yaml = "", person: Person = ""
) -> Response:
    """303 to the new ladder, or 422 with the text as it was and what to mend."""
    try:
        parsed = parse_plan(session, read_yaml(plan))
    except InvalidConfig as error:
        return _form(request, plan, person, error.fields)
    ladder = service.start_ladder(session, parsed, person, now)
    return RedirectResponse(f"/ladders/{ladder.id}", 303)


@router.get("/{ladder_id}")
def ladder(request: Request, ladder_id: LadderId, session: Reading, now: Now) -> Response:
    scene = FLEET_SCENES["ladder"]
    return page(request, scene.template, scene.read(session, {"ladder": str(ladder_id)}, now))


@router.post("/{ladder_id}/accept")
def accept(
    ladder_id: LadderId, session: Writing, now: Now, person: Person = "", reason: Reason = ""
) -> Response:
    service.accept(session, ladder_id, person, reason, now)
    return RedirectResponse(f"/ladders/{ladder_id}", 303)


@router.post("/{ladder_id}/stop")
def stop(
    ladder_id: LadderId, session: Writing, now: Now, person: Person = "", reason: Reason = ""
) -> Response:
    service.stop_ladder(session, ladder_id, person, reason, now)
    return RedirectResponse(f"/ladders/{ladder_id}", 303)
