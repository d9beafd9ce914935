"""Every page in a real browser: keys, themes, no script, narrow screens, lost streams, axe."""

import re
import time
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from backend.database import Database
from backend.runs.groups import create_group
from backend.runs.matrix import expand
from backend.runs.parsing import parse_config
from backend.runs.service import create_run
from tests.browser.test_main_job import points_drawn, wait_for_points
from tests.ladders.conftest import Climb, two_stages
from tests.web.scripted import NOW, ScriptedTrainer, fleet
from tests.web.server import TOKEN, ServerProcess

pytestmark = pytest.mark.browser
PAGES = (
    "/",
    "/runs/new",
    "/runs/import",
    "/runs/1",
    "/runs/1/gates",
    "/runs/1/checkpoints",
    "/runs/1/episodes",
    "/runs/1/log",
    "/runs/1/config",
    "/runs/1/checkpoints/1/rollback",
    "/runs/1/checkpoints/1/evaluate",
    "/runs/1/checkpoints/1/fork",
    "/runs/1/report",
    "/runs/2/gates/over_estimation",
    "/runs/2/gates/over_estimation/word",
    "/runs/2/gates/stall",
    "/runs/2/gates/thresholds",
    "/runs/2/delete",
    "/compare",
    "/compare?runs=1,2",
    "/compare?group=1",
    "/groups/1",
    "/workers",
    "/ladders",
    "/ladders/1",
    "/ladders/new",
    "/runs/1/gates/edit",
    "/settings",
    "/nowhere",
)


@pytest.fixture(scope="module", autouse=True)
def trainers(stored: Database) -> list[ScriptedTrainer]:
    """Two runs: one that has learnt, one whose policy died; nobody moves them on but the tests."""
    now = time.time()
    with stored.write() as session:
        fleet.register_worker(session, "w1", "here", 1, 2, now)
        for port in (2000, 2004):
            fleet.register_simulator(session, "127.0.0.1", port, now, "w1", "0.9.16", embedded=True)
        for name in ("learns", "dies"):
            create_run(session, name, "quickstart", parse_config("quickstart"), now)
    found = []
    for number in (1, 2):
        trainer = ScriptedTrainer(stored, number)
        assert trainer.claim(now)
        trainer.advance(2500, now)
        trainer.save("interval", now)
        trainer.health = float(number == 1)
        trainer.advance(2500, now)
        found.append(trainer)
    with stored.write() as session:
        cells = expand("quickstart", {}, [0, 1], {"td3": {}, "ddpg": {"algorithm": "ddpg"}})
        create_group(session, "tricks", "quickstart", cells, {"variants": {}}, now)
    climb = Climb(stored, two_stages())
    climb.finish("conditional")
    climb.advance()
    return found


def beat(trainer: ScriptedTrainer, steps: int = 50) -> None:
    trainer.advance(steps, time.time())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_and_no_page_is_too_wide(
    page: Page, trainers: list[ScriptedTrainer], theme: str
) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    for path in PAGES:
        page.goto(path)
        # The structure is the same in both themes: the second time only colours are looked at.
        rules = ["color-contrast"] if theme == "dark" else ["wcag2a", "wcag2aa", "best-practice"]
        kind = "rule" if theme == "dark" else "tag"
        options = {"resultTypes": ["violations"], "runOnly": {"type": kind, "values": rules}}
        found = Axe().run(page, options=options).response["violations"]
        serious = [
            (v["id"], [node["target"] for node in v["nodes"]][:3])
            for v in found
            if v["impact"] in ("serious", "critical")
        ]
        assert serious == [], f"{path} in {theme}: {serious}"
        if theme == "light":
            fits_from_a_telephone_to_a_wide_screen(page, path)


def fits_from_a_telephone_to_a_wide_screen(page: Page, path: str) -> None:
    """Nothing scrolls sideways, nor does a table but a report's; the page is left as wide as it was."""
    for width in (1920, 320, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, f"{path} is {overflow} px wider than {width}"
        if width == 320:
            cut = page.evaluate(
                """[...document.querySelectorAll('.table-card, .table-card td')].filter((box) =>
                !box.closest('.report') && box.scrollWidth > box.clientWidth).map((box) => box.outerHTML.slice(0, 80))"""
            )
            assert cut == [], f"{path} at {width} px cuts {cut}"


def test_dark_and_light_follow_the_system_and_the_switch_is_remembered(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto("/")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.get_by_role("button", name="Switch between dark and light").click()
    light = page.evaluate(background)
    assert dark != light
    page.reload()
    assert page.evaluate(background) == light
    assert page.locator("html").get_attribute("data-theme") == "light"


def test_charts_follow_the_theme(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto("/runs/1")
    wait_for_points(page, "return", 5)
    ink = "document.querySelector('#chart-return .plot')._fullLayout.font.color"
    before = page.evaluate(ink)
    page.get_by_role("button", name="Switch between dark and light").click()
    page.wait_for_function(f"() => {ink} !== '{before}'")


def test_charts_follow_the_system_when_it_turns_dark_at_dusk(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.goto("/runs/1")
    wait_for_points(page, "return", 5)
    ink = "document.querySelector('#chart-return .plot')._fullLayout.font.color"
    before = page.evaluate(ink)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"() => {ink} !== '{before}'")


def test_state_verdict_gates_start_and_halt_work_without_a_script(
    chromium: Browser, server: ServerProcess
) -> None:
    context = chromium.new_context(base_url=server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("Access token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    page.goto("/runs/2")
    expect(page.locator("#verdict")).to_contain_text("NO-GO")
    expect(page.locator("#rules")).to_contain_text("CRITICAL")
    # Nothing is there that only a script could answer.
    expect(page.locator("[data-help]")).to_be_hidden()
    expect(page.locator("#chart-return")).to_be_hidden()
    page.goto("/runs/new")
    page.get_by_label("Name").fill("no script")
    page.get_by_role("button", name="Start run").click()
    expect(page.locator("h1")).to_have_text("no script")
    page.get_by_role("button", name="Halt").click()
    expect(page.locator("#run-head")).to_contain_text("halted")
    page.goto("/runs/1/checkpoints")
    page.get_by_role("link", name="Roll back… to step 2500").click()
    expect(page.get_by_role("heading", name="Roll back to step 2,500?")).to_be_visible()
    context.close()


def test_a_wrong_form_keeps_its_values_and_is_checked_while_typed(page: Page) -> None:
    page.goto("/runs/new?from=quickstart")
    page.locator("#seed").fill("12")
    page.get_by_label("Total steps").fill("10")
    expect(page.locator("#summary")).to_contain_text("1 value to mend")
    expect(page.locator("#learning_starts-error")).to_contain_text("lower it or lengthen the run")
    expect(page.locator("#summary")).to_contain_text("total steps")
    page.get_by_role("button", name="Start run").click()
    expect(page.locator("#problems")).to_be_focused()
    assert page.locator("#seed").input_value() == "12"
    assert page.get_by_label("Total steps").input_value() == "10"


def test_a_form_that_cannot_be_checked_says_so_and_keeps_what_was_typed(page: Page) -> None:
    page.goto("/runs/new?from=quickstart")
    page.context.set_offline(True)
    page.locator("#seed").fill("12")
    expect(page.locator("#summary")).to_contain_text("the dashboard does not answer")
    page.context.set_offline(False)
    page.get_by_label("Total steps").fill("40000")
    expect(page.locator("#summary")).to_contain_text("30000 → 40000")
    expect(page.locator("#summary")).to_contain_text("0 → 12")
    page.context.clear_cookies()
    page.locator("#seed").fill("13")
    expect(page.locator("#summary")).to_contain_text("you are signed out")


def test_a_toast_goes_away_where_motion_is_reduced(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto("/runs/1")
    page.keyboard.press("c")
    # A toast leaves when its animation has ended.
    expect(page.locator(".toast")).to_have_css("animation-name", "toast")


def test_a_telephone_shows_which_page_of_the_run_this_is(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 900})
    page.goto("/runs/1/report")
    expect(page.locator(".tabs [aria-current]")).to_be_in_viewport(ratio=0.9)


def test_a_filter_outlasts_what_the_stream_brings(
    page: Page, trainers: list[ScriptedTrainer]
) -> None:
    page.goto("/runs/1?filter=gradient")
    beat(trainers[0])
    expect(page.locator("#run-progress")).to_contain_text(f"{trainers[0].step:,}")
    expect(page.locator("#chart-critic-gradient")).to_be_visible()
    expect(page.locator("#group-reward")).to_be_hidden()


def test_a_lost_stream_is_marked_within_three_seconds_and_goes_on_by_itself(
    page: Page, trainers: list[ScriptedTrainer]
) -> None:
    page.goto("/runs/1")
    expect(page.locator("#liveness")).to_have_text("live")
    page.context.set_offline(True)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#liveness")).to_contain_text("not live since")
    page.context.set_offline(False)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#liveness")).to_have_text("live")
    back = "window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));"
    told = page.evaluate(f"{back} document.getElementById('liveness').textContent")
    assert told == "connecting", "a page that the browser kept shows old data as live"
    expect(page.locator("#liveness")).to_have_text("live")
    beat(trainers[0])
    step = f"{trainers[0].step:,}"
    expect(page.locator("#run-progress")).to_contain_text(step)


def test_eight_tabs_at_once_are_all_live(page: Page, trainers: list[ScriptedTrainer]) -> None:
    """A browser allows six connections: tabs that nobody looks at must not hold one."""
    tabs = [page, *(page.context.new_page() for _ in range(7))]
    for tab in tabs:
        tab.goto("/runs/1/log")
        # Headless tabs all count as visible; a hidden one says so itself.
        tab.evaluate(
            """Object.defineProperty(document, 'hidden', { get: () => window.away === true, configurable: true });
            window.away = true; document.dispatchEvent(new Event('visibilitychange'))"""
        )
    for tab in tabs:
        tab.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
        beat(trainers[0], 10)
        expect(tab.locator("#run-progress")).to_contain_text(f"{trainers[0].step:,}")
        tab.evaluate("window.away = true; document.dispatchEvent(new Event('visibilitychange'))")


def test_the_keyboard_alone_walks_charts_filters_and_asks_before_it_halts(page: Page) -> None:
    page.goto("/runs/1")
    wait_for_points(page, "return", 5)
    page.keyboard.press("j")
    expect(page.locator("#chart-return")).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator("#chart-components")).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator("#chart-return")).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#chart-filter")).to_be_focused()
    page.keyboard.type("gradient")
    expect(page.locator("#chart-return")).to_be_hidden()
    expect(page.locator("#chart-critic-gradient")).to_be_visible()
    assert "filter=gradient" in page.url
    page.locator("#chart-filter").blur()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("What the words say")
    page.keyboard.press("Escape")
    page.keyboard.press("h")
    expect(page.get_by_role("dialog")).to_contain_text("Halt learns?")
    page.keyboard.press("Escape")
    expect(page.locator("#run-head .badge").first).to_have_text("running")


def test_zoom_and_axis_live_in_the_address_and_are_shared_by_all_charts(page: Page) -> None:
    page.goto("/runs/1?from=1000&to=2000")
    wait_for_points(page, "return", 5)
    ranges = "[...document.querySelectorAll('.plot')].filter((p) => p.layout).map((p) => p.layout.xaxis.range)"
    assert all(found == [1000, 2000] for found in page.evaluate(ranges))
    page.keyboard.press("r")
    page.wait_for_function(
        "() => document.querySelector('#chart-return .plot').layout.xaxis.range[0] < 1000"
    )
    assert "from=" not in page.url
    page.locator("#chart-controls").get_by_text("episode", exact=True).click()
    expect(page).to_have_url(re.compile("x=episode"))
    page.wait_for_function(
        "() => document.querySelector('#chart-return .plot').data.find((t) => t.meta.role === 'mean').x.at(-1) < 500"
    )


def test_a_chart_grows_without_asking_for_the_whole_again(
    page: Page, trainers: list[ScriptedTrainer]
) -> None:
    asked: list[str] = []
    page.goto("/runs/1")
    before = wait_for_points(page, "return", 5)
    page.on("request", lambda request: asked.append(request.url))
    expect(page.locator("#liveness")).to_have_text("live")
    beat(trainers[0], 200)
    wait_for_points(page, "return", before)
    assert points_drawn(page, "return") == before + 4
    assert not [url for url in asked if "/charts/return" in url]


def test_the_second_of_two_people_is_told_why_not(page: Page, stored: Database) -> None:
    with stored.write() as session:
        run = create_run(session, "two people", "quickstart", parse_config("quickstart"), NOW)
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(f"/runs/{run.id}")
    page.get_by_role("button", name="Cancel").click()
    page.locator("#ask").get_by_role("button", name="Cancel the run").click()
    expect(page.locator("#run-head")).to_contain_text("cancelled")
    answer = other.evaluate(
        "async (id) => (await (await fetch(`/api/v1/runs/${id}/halt`, { method: 'POST' })).json()).detail",
        run.id,
    )
    assert answer == f"run {run.id} is cancelled, it cannot halt now: possible is nothing"
    expect(other.locator("#run-head")).to_contain_text("cancelled")
    expect(other.get_by_role("button", name=re.compile("^Halt"))).to_have_count(0)


def test_a_chart_shows_its_numbers_and_hands_them_out(page: Page) -> None:
    page.goto("/runs/2?smoothing=0.9")
    chart = page.locator("#chart-return")
    expect(chart).to_have_attribute("data-drawn", re.compile(r"\d"), timeout=60_000)
    expect(chart.locator(".legend")).to_contain_text("EMA, τ =")
    menu = chart.locator(".chart-menu")
    menu.locator("summary").click()
    menu.get_by_text("Table", exact=True).click()
    assert chart.locator(".chart-table tbody tr").count() > 50
    expect(chart.locator(".plot")).to_be_hidden()
    for item, ending in (
        ("CSV, as drawn", "csv"),
        ("CSV, every point", "csv"),
        ("SVG", "svg"),
        ("PNG", "png"),
    ):
        menu.locator("summary").click()
        with page.expect_download(timeout=60_000) as download:
            menu.get_by_text(item, exact=True).click()
        assert download.value.suggested_filename.endswith(ending)
        assert download.value.path().stat().st_size > 500
        if menu.get_attribute("open") is not None:
            menu.locator("summary").press("Escape")
    menu.locator("summary").click()
    menu.get_by_text("Log axis").click()
    page.wait_for_function(
        "() => document.querySelector('#chart-return .plot').layout.yaxis.type === 'log'"
    )


def test_charts_that_come_on_screen_together_come_in_one_request(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/runs/2")
    page.wait_for_selector("metric-chart[data-drawn]", timeout=60_000)
    charts = [url for url in asked if "/runs/2/charts" in url]
    assert len(charts) == 1
    assert charts[0].count("charts=") > 1


def test_a_log_is_sent_with_progress_and_what_is_wrong_with_it_is_said(
    page: Page, tmp_path: Path
) -> None:
    page.goto("/runs/import")
    damaged = tmp_path / "events.out.tfevents.1"
    damaged.write_bytes(b"no event file at all")
    page.set_input_files("#files", damaged)
    page.get_by_role("button", name="Import").click()
    expect(page.locator("#problem")).to_contain_text("nothing was imported", timeout=60_000)
    writer = EventFileWriter(str(tmp_path / "good"))
    summary = Summary(value=[Summary.Value(tag="train/critic_loss", simple_value=1.0)])
    writer.add_event(Event(step=1, wall_time=1.7e9, summary=summary))
    writer.close()
    page.set_input_files("#files", next((tmp_path / "good").iterdir()))
    page.get_by_role("button", name="Import").click()
    page.wait_for_url(re.compile(r"/runs/\d+$"), timeout=60_000)
    expect(page.locator("h1")).to_have_text("tensorboard")
