"""`make screenshots`: every page in both themes and three widths, from a scripted worker's runs.

All of them go to build/screenshots, to be looked at; those of the middle width, made small, to
docs/screenshots. Arguments are names of pages and widths: only these are taken then.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, TimeoutError, sync_playwright

from backend.checkpoints.service import list_checkpoints
from backend.database import Database
from backend.models import Base
from backend.runs.groups import create_group, members
from backend.runs.matrix import expand
from backend.runs.parsing import parse_config
from backend.runs.service import create_run, request_halt, request_rollback
from tests.browser.conftest import ARGUMENTS
from tests.ladders.conftest import Climb
from tests.web.recorded import record_evaluation
from tests.web.scripted import WORKER, ScriptedTrainer, fleet
from tests.web.server import TOKEN, ServerProcess

ROOT = Path(__file__).parents[2]
TARGET = ROOT / "build" / "screenshots"
DOCS = ROOT / "docs" / "screenshots"
PAGES = {
    "login": "/login",
    "runs": "/",
    "new-run": "/runs/new?from=vision-small",
    "new-matrix": "/runs/new?from=1",
    "group": "/groups/1",
    "run": "/runs/1",
    "run-no-go": "/runs/2",
    "run-rolled-back": "/runs/3",
    "run-queued": "/runs/4",
    "gates": "/runs/2/gates",
    "rule": "/runs/2/gates/over_estimation",
    "thresholds": "/runs/2/gates/thresholds",
    "word": "/runs/2/gates/transition/word",
    "checkpoints": "/runs/3/checkpoints",
    "rollback": "/runs/1/checkpoints/1/rollback",
    "fork": "/runs/1/checkpoints/1/fork",
    "evaluate": "/runs/1/checkpoints/1/evaluate",
    "episodes": "/runs/1/episodes",
    "log": "/runs/2/log",
    "config": "/runs/3/config",
    "compare": "/compare?runs=1,2,3",
    "compare-seeds": "/compare?group=1",
    "edit-gates": "/runs/2/gates/edit",
    "report": "/runs/1/report",
    "ladders": "/ladders",
    "ladder": "/ladders/1",
    "new-ladder": "/ladders/new",
    "import": "/runs/import",
    "delete": "/runs/3/delete",
    "workers": "/workers",
    "settings": "/settings",
    "nothing": "/nowhere",
}
THEMES = ("light", "dark")
SIZES = {320: 900, 1280: 900, 1920: 1080}
SHOWN = 1280
TALLEST = 2600
COLOURS = 128
SETTLED = """() => [...document.querySelectorAll("metric-chart")].every((chart) => {
  const box = chart.getBoundingClientRect();
  return box.top > innerHeight || !chart.checkVisibility() || chart.dataset.drawn || chart.querySelector(".plot-message");
})"""
RETURN = {"measure": "mean episode/return", "low": 300}
LADDER = {
    "name": "From a straight road to traffic",
    "stages": [
        {
            "name": "a straight road",
            "preset": "quickstart",
            "config": {"total_steps": 8000},
            "gates": [{"at": 8000, "extend_to": 12_000, "checks": [RETURN]}],
        },
        {
            "name": "the whole town",
            "start": "continue",
            "config": {"total_steps": 40_000},
            "gates": [{"at": 40_000, "checks": [RETURN]}],
        },
        {
            "name": "with traffic",
            "preset": "quickstart",
            "config": {"total_steps": 100_000, "traffic": True},
            "gates": "rules",
        },
    ],
}
MATRIX = {"td3": {}, "ddpg": {"algorithm": "ddpg"}}


def trained(
    database: Database,
    name: str,
    steps: int,
    now: float,
    dies_at: int | None = None,
    **config: object,
) -> ScriptedTrainer:
    """A run written up to `steps`, as if the hour before `now` had been spent on it."""
    begun, chunk = now - 3600.0, 200
    with database.write() as session:
        run = create_run(session, name, "quickstart", parse_config("quickstart", config), begun)
    trainer = ScriptedTrainer(database, run.id)
    trainer.claim(begun)
    for done in range(chunk, steps + 1, chunk):
        trainer.health = 1.0 if dies_at is None or done < dies_at else 0.0
        at = begun + 3600 * done / steps
        trainer.advance(chunk, at, 3600 * chunk / steps)
        if done % 5000 == 0:
            trainer.save(
                "interval", at, evaluation_return=470.0 + done / 1000, evaluation_success=0.9
            )
    return trainer


def list_checkpoints_of(database: Database, run_id: int) -> list[int]:
    with database.read() as session:
        return [checkpoint.id for checkpoint in list_checkpoints(session, run_id)]


def scripted_runs(database: Database, now: float) -> list[ScriptedTrainer]:
    """One run that learns, one that dies, one rolled back, one queued."""
    with database.write() as session:
        fleet.register_worker(session, WORKER, "gpu-1.lab", 4711, 8, now)
        for port in (2000, 2004, 2008):
            fleet.register_simulator(
                session, "127.0.0.1", port, now, WORKER, "0.9.16", embedded=True
            )
    learns = trained(database, "td3-town-0007", 18_000, now)
    dies = trained(database, "td3-town-0008", 9_000, now, dies_at=4_000, seed=3)
    back = trained(database, "ddpg-baseline", 12_000, now, algorithm="ddpg")
    first = list_checkpoints_of(database, back.run_id)[-1]
    with database.write() as session:
        request_halt(session, back.run_id, now)
    back.obey(now)
    with database.write() as session:
        request_rollback(session, back.run_id, first, now)
        create_run(session, "", "vision-small", parse_config("vision-small"), now)
    back.claim(now)
    back.health = 0.0
    for second in range(40):
        back.advance(50, now - 40 + second)
    return [learns, dies, back]


def seeds(database: Database, now: float) -> list[ScriptedTrainer]:
    """A matrix under way: four of six runs trained so far, the last of them only begun."""
    values = {"total_steps": 8_000, "evaluation_interval": 500}
    cells = expand("quickstart", values, [0, 1, 2], MATRIX)
    plan = {"config": values, "seeds": [0, 1, 2], "variants": MATRIX}
    begun = now - 1800
    with database.write() as session:
        group = create_group(session, "td3-or-ddpg", "quickstart", cells, plan, begun)
        ids = [run.id for run in members(session, group.id)]
        for port in range(2012, 2028, 4):
            fleet.register_simulator(
                session, "127.0.0.1", port, now, WORKER, "0.9.16", embedded=True
            )
    found = []
    for run_id, steps in zip(ids, (6_000, 6_000, 5_600, 4_400), strict=False):
        trainer = ScriptedTrainer(database, run_id)
        assert trainer.claim(begun)
        for done in range(400, steps + 1, 400):
            trainer.advance(400, begun + 1800 * done / steps, 1800 * 400 / steps)
        found.append(trainer)
    return found


def ladder(database: Database) -> None:
    """One stage has passed, the next waits for a person, the last is yet to come."""
    now = time.time()
    with database.write() as session:
        fleet.register_worker(session, "w", "gpu-2.lab", 4712, 1, now)
        fleet.register_simulator(session, "127.0.0.1", 2100, now, "w", "0.9.16", embedded=True)
    climb = Climb(database, LADDER)
    climb.finish()
    climb.advance()
    climb.finish("conditional")
    climb.advance()


def settle(page: Page) -> None:
    try:
        page.wait_for_function(SETTLED, timeout=20_000)
    except TimeoutError:
        sys.stderr.write(f"{page.url}: not every chart is drawn\n")
    page.wait_for_timeout(600)


def shoot(page: Page, name: str, theme: str, widths: list[int]) -> None:
    """The page as high as it is, at every width."""
    for width in widths:
        height = SIZES[width]
        page.set_viewport_size({"width": width, "height": height})
        settle(page)
        tall = min(TALLEST, page.evaluate("document.documentElement.scrollHeight"))
        if tall > height:
            page.set_viewport_size({"width": width, "height": tall})
            settle(page)
        page.screenshot(path=TARGET / f"{name}-{theme}-{width}.png")


def fill_in(page: Page, name: str) -> None:
    """What a picture of a form should show of it."""
    if name == "new-matrix":
        page.evaluate("document.getElementById('group-matrix').open = true")
        page.fill("#seeds", "0-4")
        page.check("input[value='ddpg']")
        page.check("input[value='no-layer-norm']")
        page.wait_for_selector("#start:has-text('runs')")


def shoot_all(
    url: str, trainers: list[ScriptedTrainer], names: list[str], widths: list[int]
) -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        for theme in THEMES:
            page = browser.new_page(base_url=url, color_scheme=theme)  # type: ignore[arg-type]
            page.set_default_timeout(60_000)
            page.goto("/login" if "login" in names else f"/login?token={TOKEN}")
            for name in names:
                for trainer in trainers:
                    trainer.advance(20, time.time())
                page.goto(PAGES[name])
                fill_in(page, name)
                shoot(page, name, theme, widths)
                if name == "login":
                    page.goto(f"/login?token={TOKEN}")
            page.close()
        browser.close()


def few_colours(picture: Image.Image) -> Image.Image:
    """The surfaces' colours exact, and enough of all others that a lone warning keeps its own.

    Pillow maps to a given palette with five bits a channel, which tints whole pages: so it is done here.
    """
    pixels = np.asarray(picture, np.int32).reshape(-1, 3)
    colours, places, counts = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)
    spread = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE).getpalette() or []
    rare = np.array(spread, np.int32).reshape(-1, 3)[:COLOURS]
    palette = np.concatenate([colours[np.argsort(-counts)[:COLOURS]], rare])
    nearest = [int(((palette - colour) ** 2).sum(axis=1).argmin()) for colour in colours]
    small = Image.fromarray(np.array(nearest, np.uint8)[places].reshape(picture.height, -1))
    small.putpalette(palette.astype(np.uint8).tobytes())
    return small


def show(pictures: Iterable[tuple[str, str]]) -> None:
    """The middle width into the docs, with few colours, the rare ones among them: a clone stays small."""
    DOCS.mkdir(parents=True, exist_ok=True)
    for path in [TARGET / f"{name}-{theme}-{SHOWN}.png" for name, theme in pictures]:
        with Image.open(path) as picture:
            top = picture.convert("RGB").crop((0, 0, SHOWN, min(picture.height, SIZES[SHOWN])))
        few_colours(top).save(DOCS / path.name.replace(f"-{SHOWN}", ""), optimize=True)


def main() -> int:
    widths = [int(word) for word in sys.argv[1:] if word.isdigit()] or list(SIZES)
    names = [word for word in sys.argv[1:] if not word.isdigit()] or list(PAGES)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/pitwall.db")
        Base.metadata.create_all(database.engine)
        now = time.time()
        trainers = [*scripted_runs(database, now), *seeds(database, now)]
        ladder(database)
        for step, failed in ((5000, 3), (15_000, 1)):
            record_evaluation(Path(folder) / "snapshots", 1, step, int(now) - failed, failed=failed)
        with ServerProcess(Path(folder), database.url) as server:
            shoot_all(server.url, trainers, names, widths)
        database.close()
    if SHOWN in widths:
        show(product(names, THEMES))
    return 0


if __name__ == "__main__":
    sys.exit(main())
