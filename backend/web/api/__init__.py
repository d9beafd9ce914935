"""The JSON API under /api/v1, complete and described by OpenAPI, and the health check."""

from fastapi import APIRouter

from backend.web import stream
from backend.web.api import (
    checkpoints,
    compare,
    events,
    external,
    gates,
    groups,
    health,
    imports,
    ladders,
    metrics,
    recordings,
    rules,
    runs,
    series,
    snapshots,
    workers,
)

router = APIRouter()
router.include_router(health.router)
for module in (
    runs,
    groups,
    external,
    imports,
    checkpoints,
    metrics,
    series,
    snapshots,
    recordings,
    compare,
    gates,
    rules,
    ladders,
    events,
    workers,
    stream,
):
    router.include_router(module.router, prefix="/api/v1")
