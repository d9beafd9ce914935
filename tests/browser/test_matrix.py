"""A matrix from the form to the comparison, in a real browser: filled in, started, watched, compared, halted."""

import pytest
from playwright.sync_api import Page, expect

from tests.web.scripted import ScriptedWorker

pytestmark = pytest.mark.browser
DRAWN = """() => (document.querySelector('#chart-return .plot')?.data ?? [])
  .filter((trace) => trace.meta.role === 'compared').map((trace) => trace.name)"""


@pytest.mark.timeout(600)
def test_a_matrix_is_previewed_started_watched_compared_and_halted(
    page: Page, worker: ScriptedWorker
) -> None:
    page.goto("/runs/new?from=quickstart")
    expect(page.locator("#start")).to_have_text("Start run")
    page.locator("#group-matrix > summary").click()
    page.get_by_label("Seeds", exact=True).fill("0-x")
    expect(page.locator("#seeds-error")).to_contain_text("write numbers and spans")
    page.get_by_label("Seeds", exact=True).fill("0-1")
    page.get_by_label("DDPG").check()
    expect(page.locator("#start")).to_have_text("Start 4 runs")
    expect(page.locator("#summary")).to_contain_text("2 variants, 2 seeds")
    page.get_by_label("Name").fill("tricks")
    page.locator("#start").click()
    page.wait_for_url("**/groups/*")
    address = page.url
    expect(page.locator("#group-head")).to_contain_text("running")
    page.wait_for_function(f"() => ({DRAWN})().length === 2", timeout=120_000)
    assert sorted(name.split()[0] for name in page.evaluate(DRAWN)) == ["DDPG", "TD3"]
    page.get_by_role("link", name="Compare in full").click()
    expect(page.get_by_role("heading", name="TD3 beside DDPG")).to_be_visible()
    page.goto(address)
    page.get_by_role("button", name="Halt all").click()
    page.locator("#ask").get_by_role("button", name="Halt 4").click()
    expect(page.locator("#group-head")).to_contain_text("4 halted", timeout=120_000)
    expect(page.get_by_role("button", name="Resume all")).to_be_visible()
