"""The pages people see: server-rendered, whole without a script, live with one."""

from fastapi import APIRouter

from backend.web.pages import (
    actions,
    checkpoints,
    compare,
    deletion,
    fleet,
    group,
    imports,
    login,
    new_run,
    run,
    settings,
)

router = APIRouter(include_in_schema=False)
for module in (
    login,
    fleet,
    compare,
    group,
    new_run,
    imports,
    actions,
    checkpoints,
    deletion,
    run,
    settings,
):
    router.include_router(module.router)
