"""The pictures of a report, and the report as files that others can use."""

import json
import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from fastapi.testclient import TestClient

from backend.database import Database
from backend.errors import NotFound
from backend.reports.export import bundle, exported, pictures, report_document, report_of
from backend.reports.plots import plots_of, render
from tests.gates.test_stored import dying, stored_run
from tests.reports.test_report import evidence, full
from tests.rules.scripted import explored
from tests.web.conftest import api, app, browser, settings, stranger

__all__ = ["api", "app", "browser", "settings", "stranger"]


def test_only_what_was_logged_is_drawn_and_each_picture_says_of_what() -> None:
    bare = evidence(explored().episodes([20.0] * 12))
    assert [plot.name for plot in plots_of(bare)] == ["returns"]
    (plot,) = plots_of(bare)
    assert plot.caption(bare).startswith("Episode returns of run_1: episode/return, steps ")
    with pytest.raises(NotFound, match="there are returns"):
        render(bare, "q-values", "pdf")


@pytest.mark.parametrize(
    ("form", "magic"), [("pdf", b"%PDF"), ("png", b"\x89PNG"), ("svg", b"<?xml")]
)
def test_a_picture_is_the_same_file_each_time(form: str, magic: bytes) -> None:
    drawn = render(full(), "returns", form)
    assert drawn.startswith(magic)
    assert drawn == render(full(), "returns", form)


def test_everything_is_in_one_archive() -> None:
    with ZipFile(BytesIO(bundle(full()))) as archive:
        names = set(archive.namelist())
        assert {"report.md", "report.tex", "report.html", "report.json", "metrics.csv"} <= names
        assert {"returns.pdf", "returns.png", "returns.svg"} <= names
        assert b"episode/return" in archive.read("metrics.csv")
        assert json.loads(archive.read("report.json"))["run"] == "run_1"


def test_a_page_that_stands_alone_asks_nobody_for_its_pictures() -> None:
    text = exported(full(), "html").decode()
    assert 'src="data:image/png;base64,' in text
    assert "http" not in text.replace("http-equiv", "")


def test_what_stands_out_is_a_finding_with_its_numbers() -> None:
    titles = [
        section.title for section in report_of(evidence(explored().episodes([20.0] * 40))).sections
    ]
    assert titles[:2] == ["TL;DR", "Findings"]


def test_json_holds_the_estimators_and_the_collapse_of_the_spread() -> None:
    found = report_document(full())
    assert found["estimators"]["std"] == "population standard deviation"
    assert "variance_collapse" in found


def test_the_report_is_a_page_with_its_downloads(browser: TestClient, database: Database) -> None:
    with database.write() as session:
        run_id = stored_run(session, dying()).id
    page = browser.get(f"/runs/{run_id}/report").text
    assert page.count("<h1") == 1  # the run's name; the report is a part of its page
    assert 'class="figure"' in page
    assert f"/runs/{run_id}/report/figures/returns.png" in page
    # The page begins before the report is written, and says how far that is.
    assert page.index("judging every step again") < page.index('<article class="card')
    assert browser.get(f"/runs/{run_id}/report?preset=none").status_code == 404
    assert browser.get(f"/runs/{run_id}/report/figures/returns.pdf").content.startswith(b"%PDF")
    assert browser.get(f"/runs/{run_id}/report/figures/luck.png").status_code == 404
    for form in ("md", "tex", "html", "json", "csv", "zip"):
        answer = browser.get(f"/runs/{run_id}/report.{form}")
        assert answer.status_code == 200, form
        assert f"report-run-{run_id}.{form}" in answer.headers["content-disposition"]
    assert browser.get(f"/runs/{run_id}/report.docx").status_code == 422


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
@pytest.mark.parametrize("illustrated", [True, False])
def test_the_latex_compiles_with_and_without_its_pictures(
    tmp_path: Path, illustrated: bool
) -> None:
    (tmp_path / "report.tex").write_bytes(exported(full(), "tex"))
    if illustrated:
        for name, content in pictures(full(), "pdf"):
            (tmp_path / name).write_bytes(content)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2_000:]
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
