"""What people do to a run in a real browser: evaluate, fork, replay, by mouse, by keys alone and without a script."""

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from backend.database import Database
from backend.runs.parsing import parse_config
from backend.runs.service import create_run
from tests.browser.test_main_job import wait_for_points
from tests.web.recorded import record_evaluation
from tests.web.scripted import ScriptedTrainer, fleet
from tests.web.server import TOKEN, ServerProcess

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", autouse=True)
def trainer(stored: Database, data: Path) -> ScriptedTrainer:
    """A run under way with two checkpoints and a recorded evaluation; it obeys only when a test says so."""
    now = time.time()
    with stored.write() as session:
        fleet.register_worker(session, "w1", "here", 1, 2, now)
        fleet.register_simulator(session, "127.0.0.1", 2000, now, "w1", "0.9.16")
        create_run(session, "drives", "quickstart", parse_config("quickstart"), now)
    found = ScriptedTrainer(stored, 1)
    assert found.claim(now)
    for _ in range(2):
        found.advance(1500, now)
        found.save("interval", now)
    found.advance(500, now)
    record_evaluation(data / "snapshots", 1, 2000, 1_700_000_000)
    return found


def tab_to(page: Page, name: str, most: int = 120) -> None:
    """Press Tab until what has focus says `name`."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if name in page.evaluate("document.activeElement.innerText ?? ''"):
            return
    raise AssertionError(f"Tab never came to {name!r}")


def test_a_checkpoint_is_evaluated_from_a_dialog_and_the_wish_taken_back(page: Page) -> None:
    page.goto("/runs/1/checkpoints")
    row = page.locator("#checkpoint-table tbody tr").first
    row.get_by_role("link", name="Evaluate").click()
    dialog = page.locator("#ask")
    expect(dialog).to_contain_text("Evaluate the checkpoint at step 3,000?")
    dialog.get_by_label("Episodes").fill("7")
    dialog.get_by_role("button", name="Evaluate").click()
    expect(row).to_contain_text("waits for a free worker")
    row.get_by_role("button", name="Cancel").click()
    expect(row).to_contain_text("evaluation cancelled")


def test_a_fork_names_what_is_wrong_keeps_what_was_typed_and_starts(page: Page) -> None:
    page.goto("/runs/1/checkpoints")
    page.locator("#checkpoint-table tbody tr").last.get_by_role("link", name="Fork").click()
    dialog = page.locator("#ask")
    expect(dialog).to_contain_text("Fork from step 1,500?")
    expect(dialog.locator(".left-behind")).to_contain_text("2,000")
    page.get_by_label("Name").fill("gentler")
    page.get_by_label("Total steps").fill("1200")
    page.get_by_role("button", name="Start the fork").click()
    expect(page.locator("#problems")).to_contain_text("is not above the checkpoint")
    expect(page.locator("#problems")).to_be_focused()
    assert page.get_by_label("Name").input_value() == "gentler"
    page.get_by_label("Total steps").fill("9000")
    page.get_by_role("button", name="Start the fork").click()
    expect(page.locator("h1")).to_have_text("gentler")
    expect(page.locator("#run-head .badge").first).to_have_text("queued")
    expect(page.locator("#run-progress")).to_contain_text("1,500 / 9,000")


def test_a_film_plays_when_it_is_told_to_and_stands_still_otherwise(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto("/runs/1/episodes")
    film = page.locator("film-player").first
    picture = film.locator("img")
    expect(picture).to_have_attribute("src", re.compile(r"-poster\.webp$"))
    expect(film.get_by_role("button")).to_have_attribute("aria-pressed", "false")
    film.get_by_role("button").press("Enter")
    expect(picture).to_have_attribute("src", re.compile(r"-5\.webp#\d+$"))
    page.wait_for_function("() => document.querySelector('film-player img').naturalWidth > 0")
    film.get_by_role("button").click()
    expect(picture).to_have_attribute("src", re.compile(r"-poster\.webp$"))
    moving = "getComputedStyle(document.querySelector('.skeleton, main')).animationName"
    assert page.evaluate(moving) == "none"


def test_marks_and_the_chart_in_hand_live_in_the_address(page: Page) -> None:
    page.goto("/runs/1?overlays=gates&chart=td-error")
    wait_for_points(page, "td-error", 5)
    expect(page.locator("#chart-td-error")).to_be_focused()
    kinds = "[...new Set(document.querySelector('#chart-td-error .plot').layout.shapes.map((s) => s.name))]"
    assert set(page.evaluate(kinds)) <= {"overlay:verdict", "overlay:flip"}
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_label("Checkpoints", exact=True).check()
    page.wait_for_function(
        "() => document.querySelector('#chart-td-error .plot').layout.shapes.some((s) => s.name === 'overlay:checkpoint')"
    )
    assert "overlays=gates%2Ccheckpoints" in page.url
    assert not [url for url in asked if "/charts/" in url]
    page.keyboard.press("Escape")
    page.locator("#chart-q-values").focus()
    expect(page).to_have_url(re.compile("chart=q-values"))


def test_the_keyboard_alone_starts_halts_and_rolls_back(page: Page, stored: Database) -> None:
    page.goto("/runs/new?from=quickstart")
    tab_to(page, "Start run")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/runs/\d+$"))
    page.keyboard.press("h")
    expect(page.locator("#ask")).to_contain_text("Halt")
    page.keyboard.press("Enter")
    expect(page.locator("#run-head .badge").first).to_have_text("halted")
    page.goto("/runs/1/checkpoints")
    tab_to(page, "to step 3000")
    page.keyboard.press("Enter")
    expect(page.locator("#ask")).to_contain_text("Roll back to step 3,000?")
    tab_to(page, "Roll back to step", most=5)
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/1")
    expect(page.locator("#run-head")).to_contain_text("rollback asked")


def test_a_rollback_a_fork_and_a_film_need_no_script(
    chromium: Browser, server: ServerProcess
) -> None:
    context = chromium.new_context(base_url=server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/login?token={TOKEN}")
    page.goto("/runs/1/episodes")
    poster = page.locator("film-player a").first
    expect(poster).to_have_attribute("href", re.compile(r"/films/.*\.webp$"))
    page.goto("/runs/1/checkpoints")
    page.get_by_role("link", name="Fork… from step 1500").click()
    expect(page.locator(".left-behind")).to_contain_text("2,000")
    page.get_by_role("button", name="Start the fork").click()
    expect(page.locator("h1")).to_have_text("drives-fork")
    page.goto("/runs/1/checkpoints")
    page.get_by_role("link", name="Roll back… to step 1500").click()
    expect(page.get_by_role("heading", name="Roll back to step 1,500?")).to_be_visible()
    expect(page.locator(".left-behind")).to_contain_text("2,000")
    page.get_by_role("button", name="Roll back to step").click()
    expect(page.locator("#run-head")).to_contain_text("rollback asked")
    context.close()
