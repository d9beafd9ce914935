"""Reports out: evidence read from the database, and each format by name."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from sqlalchemy.orm import Session

from backend.errors import InvalidConfig
from backend.gates.facts import facts_of
from backend.gates.presets import load_preset
from backend.gates.replay import document, judge_series
from backend.gates.storable import storable
from backend.gates.stored import preset_of, rule_series
from backend.metrics.catalog import describe
from backend.reports.document import Report
from backend.reports.evidence import Evidence
from backend.reports.html import page
from backend.reports.latex import latex
from backend.reports.markdown import markdown
from backend.reports.paper import paper_sections
from backend.reports.summary import executive_summary
from backend.runs.service import get_run

FORMATS: dict[str, Callable[[Report], str]] = {"md": markdown, "html": page, "tex": latex}


def evidence_of(session: Session, run_id: int, preset: str | None = None) -> Evidence:
    """Everything a report may say about a stored run.

    Raises:
        NotFound: the run or the preset does not exist.
    """
    run = get_run(session, run_id)
    rules = load_preset(session, preset or preset_of(run))
    series, facts = rule_series(session, run_id, rules), facts_of(run)
    config = run.config if facts.native else {}
    return Evidence(run.name, series, facts, judge_series(series, facts, rules), config)


def report_of(evidence: Evidence) -> Report:
    """The executive summary, and after it the paragraphs for a paper."""
    report = executive_summary(evidence)
    report.sections.extend(paper_sections(evidence))
    return report


def export(evidence: Evidence, form: str) -> str:
    """The report as `md`, `html` or `tex`.

    Raises:
        InvalidConfig: there is no such format.
        ReportIncomplete: a sentence lacks a figure.
    """
    return write(report_of(evidence), form)


def write(report: Report, form: str) -> str:
    """Any report as `md`, `html` or `tex`.

    Raises:
        InvalidConfig: there is no such format.
    """
    if form not in FORMATS:
        raise InvalidConfig(
            {"format": f"'{form}' is no format: choose from {', '.join([*FORMATS, 'json'])}"}
        )
    return FORMATS[form](report)


def report_document(evidence: Evidence) -> dict[str, Any]:
    """The report's numbers as JSON: quarters, a summary of every metric, phases, verdict."""
    phases = evidence.phases
    found = {
        "run": evidence.run,
        "last_step": evidence.last_step,
        "planned_steps": evidence.facts.total_steps,
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
        "verdict": document(evidence.judge, evidence.last_step),
    }
    cleaned: dict[str, Any] = storable(found)
    return cleaned
