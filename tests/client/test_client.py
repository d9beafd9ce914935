"""The client against the real server process: nothing lost, nothing twice, and it hears the Halt button."""

import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from backend.client import ClientRun, Pitwall
from backend.client.tensorboard import SummaryWriter
from backend.database import Database
from backend.metrics import store
from tests.web.server import TOKEN, ServerProcess


def state(api: httpx.Client, run: ClientRun) -> str:
    return str(api.get(f"/api/v1/runs/{run.id}").json()["state"])


def wait_for_halt(run: ClientRun, seconds: float = 10.0) -> None:
    give_up = time.monotonic() + seconds
    while not run.should_halt():
        assert time.monotonic() < give_up, "nobody told the trainer to halt"
        time.sleep(0.02)


def test_a_script_logs_halts_and_leaves_its_checkpoint(
    pitwall: Pitwall, api: httpx.Client, stored: Database, tmp_path: Path
) -> None:
    saved = tmp_path / "model.zip"
    saved.write_bytes(b"weights")
    with pitwall.run("mine", {"policy": ServerProcess}) as run:
        for step in range(1, 101):
            run.log({"train/critic_loss": 1 / step, "my/odd": float("inf")}, step=step, episode=2)
        run.checkpoint(saved)
        assert run.flush()
        assert not run.should_halt()
        assert api.post(f"/api/v1/runs/{run.id}/halt").is_success
        wait_for_halt(run)
    assert state(api, run) == "halted"
    with stored.read() as session:
        loss = store.read_points(session, run.id, "learner/critic_loss")
        odd = store.read_points(session, run.id, "my/odd")
    assert loss.step.tolist() == list(range(1, 101))
    assert set(loss.episode.tolist()) == {2}
    assert odd.value.tolist() == [float("inf")] * 100
    (checkpoint,) = api.get(f"/api/v1/runs/{run.id}/checkpoints").json()
    assert (checkpoint["step"], checkpoint["bytes"]) == (100, 7)


def test_a_restart_of_the_server_loses_and_doubles_no_point(
    database: Database, tmp_path: Path
) -> None:
    with ServerProcess(tmp_path, database.url) as server:
        run = Pitwall(server.url, TOKEN).run("mine")
        for step in range(2000):
            run.log({"my/step": step}, step=step)
            if step == 1000:
                assert run.flush()
        server.process.kill()
        assert not run.flush(timeout=0.5)
    server.environment["PITWALL_PORT"] = server.url.rsplit(":", 1)[1]
    with server:
        for step in range(2000, 3000):
            run.log({"my/step": step}, step=step)
        assert run.finish()
    assert run.lost == 0
    with database.read() as session:
        points = store.read_points(session, run.id, "my/step")
    assert points.step.tolist() == points.value.tolist() == list(range(3000))


def test_an_exception_fails_the_run_with_its_words(pitwall: Pitwall, api: httpx.Client) -> None:
    with pytest.raises(ZeroDivisionError), pitwall.run("mine") as run:
        run.log({"my/ratio": 1 / 0}, step=1)
    found = api.get(f"/api/v1/runs/{run.id}").json()
    assert (found["state"], found["state_reason"]) == (
        "failed",
        "ZeroDivisionError: division by zero",
    )


def test_what_cannot_be_stored_is_left_out_and_counted(pitwall: Pitwall, stored: Database) -> None:
    with pitwall.run("mine") as run:
        run.log({"my/loss": 1.0, "my/word": "seven", "": 2.0}, step=5)  # type: ignore[dict-item]
        run.flush()
        run.log({"my/loss": 1.0}, step=4)
        run.log({"my/loss": 2.0}, step=6)
    assert run.lost == 3
    with stored.read() as session:
        assert store.read_points(session, run.id, "my/loss").step.tolist() == [5, 6]


def test_a_value_is_kept_as_it_was_when_it_was_logged(pitwall: Pitwall, stored: Database) -> None:
    total = np.zeros(())
    with pitwall.run("mine") as run:
        for step in range(5):
            total += 1
            run.log({"my/total": total}, step=step)  # type: ignore[dict-item]
    with stored.read() as session:
        kept = store.read_points(session, run.id, "my/total").value
    assert kept.tolist() == [1, 2, 3, 4, 5]


def test_a_summary_writer_is_a_run(pitwall: Pitwall, api: httpx.Client, stored: Database) -> None:
    with SummaryWriter(run=pitwall.run("tb"), per_episode={"train/episode_reward"}) as writer:
        for step in range(100):
            writer.add_scalar("train/critic_loss", 0.5, step)
            writer.add_scalars("speed", {"mean": 1.0, "top": 2.0}, step)
            if step % 10 == 9:
                writer.add_scalar("train/episode_reward", 7.0, step // 10)
        writer.add_histogram("weights", [1, 2, 3], 100)
        writer.flush()
    assert state(api, writer.run) == "finished"
    with stored.read() as session:
        names = set(store.list_metrics(session, writer.run.id))
        returns = store.read_points(session, writer.run.id, "episode/return")
    assert names == {"learner/critic_loss", "speed/mean", "speed/top", "episode/return"}
    assert returns.step.tolist() == list(range(9, 100, 10))
    assert returns.episode.tolist() == list(range(10))
