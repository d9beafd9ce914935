"""`make screenshots`: every page in both themes, into docs/screenshots, from a scripted worker's runs."""

import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from backend.checkpoints.service import list_checkpoints
from backend.database import Database
from backend.models import Base
from backend.runs.config import parse_config
from backend.runs.service import create_run, request_halt, request_rollback
from tests.browser.conftest import ARGUMENTS
from tests.web.scripted import WORKER, ScriptedTrainer, fleet
from tests.web.server import TOKEN, ServerProcess

TARGET = Path(__file__).parents[2] / "docs" / "screenshots"
PAGES = {
    "runs": "/",
    "new-run": "/runs/new?from=vision-small",
    "run": "/runs/1",
    "run-no-go": "/runs/2",
    "run-rolled-back": "/runs/3",
    "gates": "/runs/2/gates",
    "checkpoints": "/runs/1/checkpoints",
    "rollback": "/runs/1/checkpoints/1/rollback",
    "episodes": "/runs/1/episodes",
    "log": "/runs/2/log",
    "config": "/runs/3/config",
    "compare": "/compare?runs=1,2,3",
    "workers": "/workers",
}
NARROW_SIZE = {"width": 320, "height": 900}
NARROW = ("runs", "run", "new-run")


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
        fleet.register_worker(session, WORKER, "gpu-1.lab", 4711, 4, now)
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


def shoot(page: Page, path: str, target: Path) -> None:
    page.goto(path)
    on_screen = page.locator("metric-chart").count() and page.viewport_size != NARROW_SIZE
    if on_screen:
        page.wait_for_selector("metric-chart[data-drawn]")
    page.wait_for_timeout(1500)
    page.screenshot(path=target)


def shoot_all(url: str, trainers: list[ScriptedTrainer]) -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        for theme in ("light", "dark"):
            page = browser.new_page(
                base_url=url,
                color_scheme=theme,  # type: ignore[arg-type]
                viewport={"width": 1280, "height": 900},
            )
            page.goto("/login")
            shoot(page, "/login", TARGET / f"login-{theme}.png")
            page.goto(f"/login?token={TOKEN}")
            for name, address in PAGES.items():
                for trainer in trainers:
                    trainer.advance(20, time.time())
                shoot(page, address, TARGET / f"{name}-{theme}.png")
            page.set_viewport_size(NARROW_SIZE)  # type: ignore[arg-type]
            for name in NARROW:
                shoot(page, PAGES[name], TARGET / f"{name}-{theme}-narrow.png")
            page.close()
        browser.close()


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/pitwall.db")
        Base.metadata.create_all(database.engine)
        trainers = scripted_runs(database, time.time())
        with ServerProcess(Path(folder), database.url) as server:
            shoot_all(server.url, trainers)
        database.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
