"""The README's pictures of a real quickstart: `pitwall up`, the button, minutes of training, halt, roll back.

Part of `make screenshots`; alone: `python -m tests.browser.quickstart [STEPS]`.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.conftest import ARGUMENTS
from tests.browser.screenshots import DOCS, SHOWN, SIZES, TARGET, THEMES, settle, show
from tests.environment.conftest import free_port

STEPS = 11_000  # by then two evaluations in a row have reached the goal
PATIENCE = 900_000  # ms


@contextmanager
def up(data: Path) -> Iterator[str]:
    """The product as people start it; its sign-in link."""
    command = [str(Path(sys.executable).with_name("pitwall")), "up", "--data", str(data)]
    environment = {**os.environ, "PITWALL_PORT": str(free_port()), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+/login\?\S+", process.stdout.readline())
            assert found, "pitwall up printed no link"
            yield found[0]
        finally:
            process.terminate()


def shoot(page: Page, name: str, theme: str) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.evaluate("scrollTo(0, 0)")
    settle(page)
    page.screenshot(path=TARGET / f"{name}-{theme}-{SHOWN}.png")


def reach(page: Page, steps: int) -> None:
    """Wait until the run's page says that it came so far."""
    far = re.compile("|".join(rf"\b{k},\d{{3}} /" for k in range(steps // 1000, 30)))
    expect(page.locator("#run-progress")).to_contain_text(far, timeout=PATIENCE)


def take(page: Page, link: str, steps: int) -> None:
    page.goto(link)
    page.get_by_role("link", name="Start the quickstart").click()
    page.get_by_role("button", name="Start run").click()
    page.wait_for_url(re.compile(r"/runs/\d+$"))
    reach(page, steps)
    for theme in THEMES:
        shoot(page, "quickstart", theme)
    page.keyboard.press("h")
    page.locator("#ask").get_by_role("button", name="Halt").click()
    expect(page.locator("#run-head")).to_contain_text("halted", timeout=PATIENCE)
    page.get_by_role("link", name="Roll back…").click()
    page.locator("#checkpoint-table tbody tr").last.get_by_role("link", name="Roll back").click()
    page.locator("#ask").get_by_role("button", name="Roll back to").click()
    expect(page.locator("#run-head")).to_contain_text("driving", timeout=PATIENCE)
    page.wait_for_timeout(8000)
    shoot(page, "quickstart-rolled-back", "light")


def main(steps: int = STEPS) -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    path = shutil.which("chromium") or shutil.which("google-chrome")
    viewport = {"width": SHOWN, "height": SIZES[SHOWN]}
    with (
        tempfile.TemporaryDirectory() as folder,
        up(Path(folder)) as link,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        page = browser.new_page(viewport=viewport)  # type: ignore[arg-type]
        page.set_default_timeout(60_000)
        take(page, link, steps)
        browser.close()
    show([("quickstart", theme) for theme in THEMES] + [("quickstart-rolled-back", "light")])
    sys.stdout.write(f"the pictures lie in {DOCS}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else STEPS)
