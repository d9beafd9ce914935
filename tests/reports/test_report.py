"""Reports print what was measured, say where it came from, and refuse what was not."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.database import Database
from backend.errors import InvalidConfig
from backend.gates.replay import judge_series
from backend.metrics.columns import by_metric
from backend.reports.evidence import Evidence
from backend.reports.export import evidence_of, export, report_document, report_of
from backend.reports.figures import Figure, ReportIncomplete, Source, fill
from backend.reports.latex import escape
from backend.rules.presets import PRESETS
from backend.rules.rule import RunFacts
from tests.gates.test_stored import config, dying, stored_run
from tests.rules.scripted import FACTS, Script, explored, healthy_samples

SOURCE = Source("run", "episode/return", "whole run", "mean")


def evidence(script: Script, facts: RunFacts = FACTS, name: str = "run_1") -> Evidence:
    series = by_metric(sorted(script.points, key=lambda point: point[1]))
    judge = judge_series(series, facts, PRESETS["behavioural"])
    return Evidence(name, series, facts, judge, config().model_dump(mode="json"))


def full() -> Evidence:
    return evidence(explored().episodes([150.0] * 40).samples(healthy_samples(20)))


@pytest.mark.parametrize(
    ("value", "digits", "signed", "shown"),
    [
        (393.4668, 2, False, "393.47"),
        (1138.8, 2, False, "1138.80"),
        (5_000, 0, False, "5,000"),
        (231.6, 0, True, "+232"),
        (-0.001, 0, True, "0"),
    ],
)
def test_a_figure_prints_its_digits(value: float, digits: int, signed: bool, shown: str) -> None:
    assert Figure(value, digits, SOURCE, signed=signed).shown == shown


def test_a_placeholder_without_a_figure_refuses() -> None:
    with pytest.raises(ReportIncomplete, match=r"'\{gain\}' in"):
        fill("Returns rose by {gain}.", {"gain": None})


@pytest.mark.parametrize("text", ["Returns improved to [TO BE FILLED].", "TODO: say more", "TBD"])
def test_text_that_is_yet_to_be_written_refuses(text: str) -> None:
    with pytest.raises(ReportIncomplete, match="write it or take the sentence out"):
        fill(text, {})


def test_every_figure_of_the_markdown_has_its_footnote() -> None:
    text = export(full(), "md")
    used, defined = set(re.findall(r"\[\^(\d+)\](?!:)", text)), re.findall(r"\[\^(\d+)\]: ", text)
    assert used == set(defined)
    assert len(defined) == len(set(defined)) > 20
    assert "run_1 \N{MIDDLE DOT} learner/q1_mean \N{MIDDLE DOT} steps 1,100-3,000, n = 20" in text


def test_sections_stand_in_the_order_of_the_founding_document() -> None:
    titles = [section.title for section in report_of(full()).sections]
    assert titles == [
        "TL;DR",
        "Training dynamics",
        "Hyper-parameters against Stable-Baselines3",
        "Episode returns",
        "Q values and TD errors",
        "Critic loss",
        "Gradient norms",
        "Configured against observed",
        "Decision",
        "Next steps",
        "Methods",
        "Results",
    ]


def test_what_was_not_logged_is_not_claimed() -> None:
    titles = {section.title for section in report_of(evidence(Script().episodes([1.0]))).sections}
    assert not titles & {"Critic loss", "Gradient norms", "Q values and TD errors", "Next steps"}


def test_html_is_escaped_and_shows_sources_on_hover() -> None:
    text = export(evidence(explored(), name="<script>alert(1)</script>"), "html")
    assert "<script>" not in text
    assert '<span class="figure" title="&lt;script&gt;' in text


def test_latex_escapes_and_balances() -> None:
    text = export(evidence(explored().episodes([90.0] * 20), name="50%_&_{more}"), "tex")
    assert r"50\%\_\&\_\{more\}" in text
    plain = re.sub(r"\\[{}]", "", text)
    assert plain.count("{") == plain.count("}")
    for name in ("table", "tabularx", "itemize", "document"):
        assert text.count(f"\\begin{{{name}}}") == text.count(f"\\end{{{name}}}")


@given(st.text(st.characters(max_codepoint=0x2FFF), max_size=60))
def test_latex_has_no_special_character_left_bare(text: str) -> None:
    escaped = escape(text)
    assert not re.search(r"(?<!\\)[&%#_]", escaped)
    assert not set(escaped) & set("~^<>|")
    plain = re.sub(r"\\[{}]", "", escaped)
    assert plain.count("{") == plain.count("}")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="'docx' is no format"):
        export(full(), "docx")


def test_the_json_holds_quarters_metrics_phases_and_verdict() -> None:
    found = json.loads(json.dumps(report_document(full()), allow_nan=False))
    assert [q["n"] for q in found["quarters"]] == [15, 15, 15, 15]
    assert {"n", "mean", "std", "min", "max", "first5", "last5", "trend_percent"} <= set(
        found["metrics"]["learner/q1_mean"]
    )
    assert found["phases"]["learning"]["return_mean"] == 150
    assert found["verdict"]["verdict"] == "go"


def test_a_quarter_that_mixes_two_policies_is_named() -> None:
    text = export(evidence(explored().episodes([20.0] * 100)), "md")
    assert "Learning starts inside Q1, with episode 20: Q1 mixes two policies." in text


def test_next_steps_are_timed_by_the_measured_speed() -> None:
    assert "Measured 1.00" in export(full(), "md")


def test_a_stored_run_is_reported_from_the_database(database: Database) -> None:
    with database.write() as session:
        run = stored_run(session, dying(), "dead")
        text = export(evidence_of(session, run.id), "md")
    assert "# Executive summary: dead" in text
    assert "NO-GO since step 1,800" in text
    assert "TD3 (critic learning rate 0.0003" in text
