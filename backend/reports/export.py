"""Reports out: evidence read from the database, and each format by name."""

import csv
import json
import time
from base64 import b64encode
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict
from io import BytesIO, StringIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from sqlalchemy.orm import Session

from backend.analysis.quarters import ESTIMATORS, variance_collapse
from backend.errors import InvalidConfig
from backend.gates.facts import facts_of
from backend.gates.presets import load_preset
from backend.gates.replay import document, judging, outcome
from backend.gates.service import current
from backend.gates.storable import storable
from backend.gates.stored import preset_of, rule_series
from backend.metrics.catalog import describe
from backend.reports.behaviour import endings_of, shares_of
from backend.reports.document import Report
from backend.reports.evidence import Evidence
from backend.reports.html import page
from backend.reports.latex import latex
from backend.reports.markdown import markdown
from backend.reports.paper import paper_sections
from backend.reports.plots import FORMATS as PICTURE_FORMATS
from backend.reports.plots import render
from backend.reports.summary import executive_summary
from backend.runs.service import get_run

FORMATS = ("md", "html", "tex")


def evidence_of(session: Session, run_id: int, preset: str | None = None) -> Evidence:
    """Everything a report may say about a stored run.

    Raises:
        NotFound: the run or the preset does not exist.
    """
    return outcome(gathering(session, run_id, preset))


def gathering(
    session: Session, run_id: int, preset: str | None = None
) -> Generator[float, None, Evidence]:
    """The same a little at a time: yields the share of it that is done, judging being nearly all.

    Raises:
        NotFound: the run or the preset does not exist.
    """
    run = get_run(session, run_id)
    rules = load_preset(session, preset or preset_of(session, run))
    yield 0.0
    series, facts = rule_series(session, run_id, rules), facts_of(run)
    config = run.config if facts.native else {}
    accepted = {
        word.rule: f"accepted by {word.person} at step {word.step:,}: {word.reason}"
        for word in current(session, run_id, time.time()).accepted
    }
    judge = yield from judging(series, facts, rules)
    return Evidence(run.name, series, facts, judge, config, accepted)


def report_of(evidence: Evidence) -> Report:
    """The executive summary, and after it the paragraphs for a paper."""
    report = executive_summary(evidence)
    report.sections.extend(paper_sections(evidence))
    return report


def export(evidence: Evidence, form: str) -> str:
    """The report as `md`, `html` or `tex`; HTML holds its pictures, the others name files.

    Raises:
        InvalidConfig: there is no such format.
        ReportIncomplete: a sentence lacks a figure.
    """
    return write(report_of(evidence), form, lambda name: _embedded(evidence, name))


def _embedded(evidence: Evidence, name: str) -> str:
    return f"data:image/png;base64,{b64encode(render(evidence, name, 'png')).decode('ascii')}"


def write(report: Report, form: str, locate: Callable[[str], str] = "{}.png".format) -> str:
    """Any report as `md`, `html` or `tex`; `locate` is where a page finds its pictures.

    Raises:
        InvalidConfig: there is no such format.
    """
    if form not in FORMATS:
        raise InvalidConfig(
            {
                "format": f"'{form}' is no format: choose from {', '.join([*FORMATS, 'json', 'csv', 'zip'])}"
            }
        )
    if form == "html":
        return page(report, locate)
    return markdown(report) if form == "md" else latex(report)


def bundle(evidence: Evidence) -> bytes:
    """A ZIP of the report in every format with its pictures as PDF, PNG and SVG: what a paper takes.

    Raises:
        ReportIncomplete: a sentence lacks a figure.
    """
    report = report_of(evidence)
    target = BytesIO()
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for form in FORMATS:
            archive.writestr(f"report.{form}", write(report, form))
        archive.writestr("report.json", json.dumps(report_document(evidence)))
        archive.writestr("metrics.csv", csv_text(evidence))
        for form in PICTURE_FORMATS:
            for name, content in pictures(evidence, form):
                archive.writestr(name, content)
    return target.getvalue()


def exported(evidence: Evidence, form: str) -> bytes:
    """The report in any format as the bytes of its file.

    Raises:
        InvalidConfig: there is no such format.
        ReportIncomplete: a sentence lacks a figure.
    """
    if form == "zip":
        return bundle(evidence)
    if form == "csv":
        return csv_text(evidence).encode()
    if form == "json":
        return json.dumps(report_document(evidence)).encode()
    return export(evidence, form).encode()


def pictures(evidence: Evidence, form: str) -> Iterator[tuple[str, bytes]]:
    """(file name, content) of every picture the report names."""
    for picture in report_of(evidence).pictures():
        yield f"{picture.name}.{form}", render(evidence, picture.name, form)


def csv_text(evidence: Evidence) -> str:
    """The summary of every metric, one a line."""
    target = StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(["metric", "n", "mean", "population_std", "min", "max", "trend_percent"])
    for name, one in evidence.summaries.items():
        writer.writerow([name, one.n, one.mean, one.std, one.min, one.max, one.trend_percent])
    return target.getvalue()


def report_document(evidence: Evidence) -> dict[str, Any]:
    """The report's numbers as JSON: quarters, a summary of every metric, phases, verdict."""
    phases = evidence.phases
    found = {
        "run": evidence.run,
        "last_step": evidence.last_step,
        "planned_steps": evidence.planned_steps,
        "steps_per_second": evidence.steps_per_second,
        "quarters": [quarter.document() for quarter in evidence.quarters],
        "metrics": {
            name: {**asdict(summary), "aliases": list(describe(name).aliases)}
            for name, summary in evidence.summaries.items()
        },
        "phases": None
        if phases is None
        else {
            "exploration": phases.exploration.document(),
            "learning": phases.learning.document(),
            "astride": list(phases.astride),
        },
        "variance_collapse": variance_collapse(evidence.quarters) if evidence.quarters else None,
        "components": [asdict(part) for part in shares_of(evidence)],
        "terminations": endings_of(evidence),
        "estimators": ESTIMATORS,
        "verdict": document(evidence.judge, evidence.last_step),
    }
    cleaned: dict[str, Any] = storable(found)
    return cleaned
