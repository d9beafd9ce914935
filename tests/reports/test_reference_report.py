"""The report on the founding document's own log prints the true figures, where it is wrong included."""

import os
from pathlib import Path

import pytest

from backend.gates.replay import judge_series
from backend.reports.evidence import Evidence
from backend.reports.export import export, report_document
from backend.rules.presets import PRESETS
from backend.rules.rule import RunFacts
from backend.tensorboard.importer import read_log

LOGS = os.environ.get("PITWALL_REFERENCE_LOGS", "")
pytestmark = pytest.mark.skipif(not LOGS, reason="PITWALL_REFERENCE_LOGS names no folder")


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    log = read_log(Path(LOGS) / "5k-run")
    facts = RunFacts(log.learning_starts, 5_000, native=False)
    judge = judge_series(log.series, facts, PRESETS["behavioural"])
    return Evidence("5k-run", log.series, facts, judge, {})


@pytest.mark.parametrize(
    "figure",
    [
        *(
            "154.71",
            "269.42",
            "393.47",
            "468.10",
            "78.54",
            "11.24",
            "76.26",
            "12.26",
            "75.67",
            "9.16",
        ),
        *("33.20", "14.07", "+145 %", "33.16", "14.08", "+144 %", "3.63", "2.40", "+232 %", "3.61"),
        *("2.35", "+227 %", "93.32", "129.81", "9.43", "621.32", "112.8", "314.2", "946.40"),
        *(
            "1138.80",
            "+501 %",
            "9.23",
            "1.02",
            "1.0000",
            "10.0000",
            "912.3",
            "57.2",
            "77.1",
            "10.8",
        ),
        *("17.2", "NO-GO since step 1,300"),
    ],
)
def test_the_report_prints_the_true_figure(evidence: Evidence, figure: str) -> None:
    assert figure in export(evidence, "md")


def test_the_json_report_holds_the_first_quarter_of_46_episodes(evidence: Evidence) -> None:
    quarter = report_document(evidence)["quarters"][0]
    assert (quarter["from"], quarter["to"], quarter["n"]) == (0, 46, 46)
    assert f"{quarter['mean']:.2f} {quarter['std']:.2f}" == "393.47 468.10"
