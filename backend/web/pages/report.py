"""The report of a run: a page to read and print, and the same as files."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup

from backend.reports.export import evidence_of, exported, report_of
from backend.reports.html import fragment
from backend.reports.plots import render
from backend.web.api.runs import RunId
from backend.web.context import Now, Reading
from backend.web.scenes import read_run
from backend.web.templates import page

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
    """The report as a page; hovering a figure shows run, metric, window and estimator."""
    context = read_run(session, {"run": str(run_id)}, now)
    report = report_of(evidence_of(session, run_id, preset or None))
    address = f"/runs/{run_id}/report/figures"
    content = fragment(report, lambda name: f"{address}/{name}.png")
    more = {
        "report": Markup(content),
        "pictures": list(report.pictures()),
        "address": address,
        "scene": "report",
    }
    return page(request, "report.html", {**context, **more})


@router.get("/report/figures/{name}.{form}")
def figure(run_id: RunId, name: str, form: str, session: Reading) -> Response:
    """One picture as pdf, png or svg."""
    content = render(evidence_of(session, run_id), name, form)
    return Response(content, media_type=TYPES[form])


@router.get("/report.{form}")
def download(run_id: RunId, form: str, session: Reading) -> Response:
    """The report as md, html, tex, json, csv, or a zip of all with the pictures."""
    evidence = evidence_of(session, run_id)
    content = exported(evidence, form)
    name = f"report-run-{run_id}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=TYPES[form], headers=headers)
