"""The page of a group of runs, and what can be asked of all of them without a script."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from backend.charts.specs import CHARTS
from backend.runs import groups
from backend.runs.states import Action
from backend.web.api.groups import GroupId
from backend.web.context import Now, Reading, Writing
from backend.web.scenes import FLEET_SCENES
from backend.web.templates import page

router = APIRouter(prefix="/groups/{group_id}")


@router.get("")
def show(request: Request, group_id: GroupId, session: Reading, now: Now) -> Response:
    scene = FLEET_SCENES["group"]
    context = scene.read(session, {"group": str(group_id)}, now)
    charts = [CHARTS[name] for name in context["chart_names"]]
    return page(request, scene.template, {**context, "charts": charts})


def _route(action: Action) -> None:
    def act(group_id: GroupId, session: Writing, now: Now) -> Response:
        groups.act_on_all(session, group_id, action, now)
        return RedirectResponse(f"/groups/{group_id}", 303)

    router.add_api_route(f"/{action}", act, methods=["POST"], name=f"{action}_all")


for _action in groups.REQUESTS:
    _route(_action)
