"""The report of a run: a page to read and print, and the same as files."""

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from markupsafe import Markup

from backend.reports.evidence import Evidence
from backend.reports.export import evidence_of, exported, gathering, report_of
from backend.reports.figures import ReportIncomplete
from backend.reports.html import fragment as html
from backend.reports.plots import render
from backend.web.api.runs import RunId
from backend.web.context import Now, Reading
from backend.web.scenes import read_run
from backend.web.templates import fragment, page
from backend.web.writing import PLACE, Recent, told

router = APIRouter(prefix="/runs/{run_id}")
TYPES = {
    "md": "text/markdown; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "tex": "application/x-tex; charset=utf-8",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "zip": "application/zip",
    "pdf": "application/pdf",
    "png": "image/png",
    "svg": "image/svg+xml",
}


@router.get("/report")
def show(request: Request, run_id: RunId, session: Reading, now: Now, preset: str = "") -> Response:
    """The report as a page; hovering a figure shows run, metric, window and estimator.

    Judging a long run again takes a while: the page comes at once and says how far that is, script or not.
    """
    context = read_run(session, {"run": str(run_id)}, now)
    gathered = gathering(session, run_id, preset or None)
    next(gathered)  # an unknown preset is refused before the page begins
    shown = page(request, "report.html", {**context, "scene": "report"})
    before, after = bytes(shown.body).decode().split(PLACE)

    def parts() -> Iterator[str]:
        yield before
        evidence = yield from told(gathered)
        _recent(request).put(run_id, evidence)
        yield fragment("_report.html", _written(run_id, evidence))
        yield after

    return StreamingResponse(parts(), media_type="text/html; charset=utf-8")


def _written(run_id: int, evidence: Evidence) -> dict[str, Any]:
    address = f"/runs/{run_id}/report/figures"
    try:
        report = report_of(evidence)
    except ReportIncomplete as error:
        return {"problem": str(error)}
    content = html(report, lambda name: f"{address}/{name}.png", level=2)
    pictures = list(report.pictures())
    return {"problem": "", "report": Markup(content), "pictures": pictures, "address": address}


@router.get("/report/figures/{name}.{form}")
def figure(request: Request, run_id: RunId, name: str, form: str, session: Reading) -> Response:
    """One picture as pdf, png or svg."""
    evidence = _recent(request).get(run_id) or evidence_of(session, run_id)
    return Response(render(evidence, name, form), media_type=TYPES[form])


def _recent(request: Request) -> Recent:
    recent: Recent = request.app.state.recent
    return recent


@router.get("/report.{form}")
def download(run_id: RunId, form: str, session: Reading) -> Response:
    """The report as md, html, tex, json, csv, or a zip of all with the pictures."""
    evidence = evidence_of(session, run_id)
    content = exported(evidence, form)
    name = f"report-run-{run_id}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=TYPES[form], headers=headers)
