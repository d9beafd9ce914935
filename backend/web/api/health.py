"""Whether the API and its database answer."""

from fastapi import APIRouter
from sqlalchemy import text

from backend.web.context import Reading

router = APIRouter(tags=["health"])


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz")
def health(session: Reading) -> dict[str, str]:
    """200 when the database answers, 503 when it does not; needs no token."""
    session.execute(text("SELECT 1"))
    return {"status": "ok"}
