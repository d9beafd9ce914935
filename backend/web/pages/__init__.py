"""The pages people see: server-rendered, whole without a script, live with one."""

from fastapi import APIRouter

from backend.web.pages import (
    actions,
    checkpoints,
    compare,
    deletion,
    fleet,
    gates,
    group,
    imports,
    ladders,
    login,
    new_run,
    report,
    run,
    settings,
    step_gates,
)

router = APIRouter(include_in_schema=False)
for module in (
    login,
    fleet,
    compare,
    group,
    ladders,
    new_run,
    imports,
    actions,
    checkpoints,
    step_gates,
    deletion,
    run,
    gates,
    report,
    settings,
):
    router.include_router(module.router)
