"""The main job in a browser: start a run, watch it, halt it, roll it back, see the faint branch."""

import re

import pytest
from playwright.sync_api import Page, expect

from backend.database import Database
from tests.web.scripted import ScriptedWorker

pytestmark = pytest.mark.browser


def points_drawn(page: Page, chart: str, role: str = "mean") -> int:
    """How many points the chart's trace of that role has; 0 while there is none."""
    return int(
        page.evaluate(
            """([chart, role]) => document.querySelector(`#chart-${chart} .plot`)?.data
              ?.find((trace) => trace.meta?.role === role)?.x.length ?? 0""",
            [chart, role],
        )
    )


def wait_for_points(page: Page, chart: str, more_than: int, role: str = "mean") -> int:
    page.wait_for_function(
        """([chart, role, least]) => (document.querySelector(`#chart-${chart} .plot`)?.data
          ?.find((trace) => trace.meta?.role === role)?.x.length ?? 0) > least""",
        arg=[chart, role, more_than],
    )
    return points_drawn(page, chart, role)


def start_run(page: Page, **values: str) -> int:
    """Fill in the form as a person does, and start."""
    page.goto("/runs/new?from=quickstart")
    page.evaluate("document.querySelectorAll('details').forEach((group) => { group.open = true })")
    for name, value in values.items():
        page.locator(f"#{name}").fill(value)
    page.get_by_role("button", name="Start run").click()
    page.wait_for_url(re.compile(r"/runs/\d+$"))
    return int(page.url.rsplit("/", 1)[1])


def test_a_run_is_started_watched_halted_and_rolled_back(
    page: Page, worker: ScriptedWorker, stored: Database
) -> None:
    # Slowly at first: a busy browser must still see the run before it is judged.
    worker.decisions = 1
    run_id = start_run(
        page, name="from the form", checkpoint_interval="500", evaluation_interval="500"
    )
    expect(page.locator("#run-head")).to_contain_text("running")
    expect(page.locator("#liveness")).to_have_text("live")
    expect(page.locator("#verdict")).to_contain_text("TOO EARLY")
    worker.decisions = 60

    drawn = wait_for_points(page, "return", 5)
    wait_for_points(page, "return", drawn)
    page.locator("#chart-component-shares").scroll_into_view_if_needed()
    shares = wait_for_points(page, "component-shares", 0, "share")
    wait_for_points(page, "component-shares", shares, "share")
    expect(page.locator("#verdict .verdict-word")).to_have_text("GO")
    expect(page).to_have_title(re.compile("^GO · running · from the form$"))
    expect(page.locator("#favicon")).to_have_attribute("href", re.compile("go.svg$"))
    expect(page.locator("#chart-q-values")).to_be_visible()

    worker.trainers[run_id].health = 0.0
    expect(page.locator("#card-over_estimation")).to_contain_text(re.compile("WARNING|CRITICAL"))
    expect(page.locator("#verdict .verdict-word")).to_have_text("NO-GO")
    expect(page).to_have_title(re.compile("^NO-GO"))

    page.keyboard.press("h")
    expect(page.locator("#ask")).to_contain_text("Halt from the form?")
    page.locator("#ask").get_by_role("button", name="Halt").click()
    expect(page.locator("#run-head .badge").first).to_have_text("halted")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Halt"))).to_have_count(0)

    worker.trainers[run_id].health = 1.0
    page.get_by_role("link", name="Roll back…").click()
    oldest = page.locator("#checkpoint-table tbody tr").last
    step = oldest.locator("th").inner_text().split()[0]
    oldest.get_by_role("link", name="Roll back").click()
    dialog = page.locator("#ask")
    expect(dialog).to_contain_text(f"Roll back to step {step}?")
    expect(dialog.locator("dd").first).not_to_have_text("0")
    expect(dialog).to_contain_text("drawn faint")
    dialog.get_by_role("button", name=f"Roll back to step {step}").click()
    page.wait_for_url(f"**/runs/{run_id}")
    expect(page.locator("#run-progress")).to_contain_text(f"from step {step}")
    assert wait_for_points(page, "return", 0, role="branch") > 0
    faint = page.evaluate(
        "document.querySelector('#chart-return .plot').data.find((t) => t.meta.role === 'branch').opacity"
    )
    assert faint < 0.5
