"""A TensorBoard log sent over HTTP becomes a run, or an error that says what was read; never half of one."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from backend.database import Database
from backend.runs.models import Run

ADDRESS = "/api/v1/imports/tensorboard"
Files = list[tuple[str, tuple[str, bytes]]]


def loose(folder: Path) -> Files:
    return [("files", (file.name, file.read_bytes())) for file in sorted(folder.iterdir())]


def packed(kind: str, members: dict[str, bytes]) -> Files:
    """One archive of these members."""
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return [("files", (f"my-run.{kind}", buffer.getvalue()))]


def runs_in(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Run)) or 0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A folder with the event file of fifty losses."""
    folder = tmp_path / "log"
    writer = EventFileWriter(str(folder))
    for step in range(50):
        summary = Summary(value=[Summary.Value(tag="train/critic_loss", simple_value=step / 7)])
        writer.add_event(Event(step=step, wall_time=1.7e9 + step, summary=summary))
    writer.close()
    return folder


@pytest.fixture
def event_file(log: Path) -> bytes:
    (file,) = log.iterdir()
    return file.read_bytes()


def test_event_files_become_a_finished_run_and_again_change_nothing(
    api: TestClient, database: Database, log: Path
) -> None:
    files = loose(log)
    answer = api.post(
        ADDRESS, files=files, data={"name": "from a colleague", "learning_starts": "9"}
    )
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["new"]
    assert told["points"] == 50
    run = api.get(answer.headers["location"]).json()
    assert (run["name"], run["state"]) == ("from a colleague", "finished")
    assert run["config"]["learning_starts"] == 9
    again = api.post(ADDRESS, files=files)
    assert again.status_code == 200
    assert again.json() == {**told, "new": False}
    assert runs_in(database) == 1


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tgz"])
def test_an_archive_of_a_folder_is_read_and_names_the_run(
    api: TestClient, kind: str, event_file: bytes
) -> None:
    members = {"logs/td3/events.out.tfevents.1.host": event_file, "logs/notes.txt": b"hello"}
    told = api.post(ADDRESS, files=packed(kind, members)).json()
    assert told["problems"][0] == "1 other files were left out: only event files are read"
    assert api.get(f"/api/v1/runs/{told['run_id']}").json()["name"] == "td3"


def test_a_member_that_climbs_out_of_the_archive_is_a_name_and_no_path(
    api: TestClient, event_file: bytes, tmp_path: Path
) -> None:
    name = f"../../..{tmp_path}/events.out.tfevents.evil"
    assert api.post(ADDRESS, files=packed("zip", {name: event_file})).status_code == 201
    assert not list(tmp_path.rglob("*evil*"))


def test_what_cannot_be_read_is_said_and_nothing_is_imported(
    api: TestClient, database: Database, event_file: bytes
) -> None:
    name = "events.out.tfevents.1.host"
    damaged = packed("zip", {name: event_file})[0][1][1]
    cases: list[tuple[Files, str]] = [
        ([("files", (name, event_file[:-7]))], "truncated or corrupt from byte"),
        ([("files", (name, b""))], "is empty"),
        ([("files", ("notes.txt", b"hello"))], "no event file among the 1 files"),
        ([("files", ("my.zip", b"no archive"))], "my.zip is no archive"),
        ([("files", ("my.tar", b"no archive"))], "my.tar is no archive"),
        ([("files", ("my.zip", damaged[:60] + b"\x00" * 40 + damaged[100:]))], "no archive"),
        (
            packed("zip", {f"a/{name}": event_file, f"b/{name}2": event_file}),
            "2 logs were sent (a, b)",
        ),
        (packed("zip", {f"a/{name}": event_file, f"b/{name}": event_file}), "sent twice"),
    ]
    for files, words in cases:
        answer = api.post(ADDRESS, files=files)
        assert answer.status_code == 422, (words, answer.text)
        assert words in answer.json()["detail"]
        assert "othing was imported" in answer.json()["detail"]
    assert api.post(ADDRESS, data={"name": "x"}).status_code == 422
    wrong = api.post(ADDRESS, files=cases[0][0], data={"learning_starts": "soon"})
    assert "must be a step" in wrong.json()["fields"]["learning_starts"]
    assert runs_in(database) == 0


def test_too_much_is_refused_packed_or_unpacked(
    app: FastAPI, database: Database, api: TestClient, event_file: bytes
) -> None:
    app.state.settings.upload_limit = 100_000
    sent = api.post(ADDRESS, files=[("files", ("events.out.tfevents.1", b"x" * 200_000))])
    assert sent.status_code == 413
    assert "PITWALL_UPLOAD_LIMIT" in sent.json()["detail"]
    bomb = packed("zip", {"events.out.tfevents.1": event_file + bytes(10_000_000)})
    assert len(bomb[0][1][1]) < 100_000
    unpacked = api.post(ADDRESS, files=bomb)
    assert unpacked.status_code == 413
    assert "larger than" in unpacked.json()["detail"]
    endless = api.post(
        ADDRESS, content=iter([b"x"]), headers={"content-type": "multipart/form-data"}
    )
    assert endless.status_code == 411
    assert runs_in(database) == 0


def test_the_page_sends_a_log_without_a_script_and_shows_what_was_wrong(
    browser: TestClient, event_file: bytes
) -> None:
    assert "Import a TensorBoard log" in browser.get("/runs/import").text
    files = [("files", ("events.out.tfevents.1", event_file))]
    sent = browser.post("/runs/import", files=files, data={"name": "mine"})
    assert sent.status_code == 303
    assert "mine" in browser.get(sent.headers["location"]).text
    asked = {"name": "torn", "learning_starts": "70"}
    files = [("files", ("a.tfevents", event_file[:-3]))]
    broken = browser.post("/runs/import", files=files, data=asked)
    assert broken.status_code == 422
    assert "truncated or corrupt" in broken.text
    assert "Import a TensorBoard log" in broken.text
    assert 'value="torn"' in broken.text
    assert 'value="70"' in broken.text
