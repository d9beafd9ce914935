"""A checkpoint evaluated by a worker, and a fork trained on from one: real policies, a real process."""

import sys
import threading
import time

import pytest

from backend.checkpoints.service import list_checkpoints
from backend.metrics.store import read_points
from backend.runs import evaluations
from backend.runs.forks import fork_run
from backend.runs.parsing import changed_config
from backend.runs.service import get_run
from tests.training.conftest import Lab, MakeLab
from tests.workers.conftest import until
from worker.examination import examine
from worker.simulators import make_simulators
from worker.tasks import Bench
from worker.training import Outcome

SHORT = {"total_steps": 300, "checkpoint_interval": 250}


def bench_of(lab: Lab) -> Bench:
    settings = lab.settings.model_copy(update={"database_url": lab.database.url})
    simulators = make_simulators(settings, lab.database, "w")
    return Bench("w", settings, lab.database, simulators)


def ask(lab: Lab, episodes: int) -> int:
    with lab.database.write() as session:
        checkpoint = list_checkpoints(session, lab.run_id)[0]
        found = evaluations.request_evaluation(
            session, lab.run_id, checkpoint.id, episodes, time.time()
        )
        return found.id


def row(lab: Lab, evaluation_id: int) -> evaluations.Evaluation:
    with lab.database.read() as session:
        return evaluations.get_evaluation(session, lab.run_id, evaluation_id)


def test_a_worker_drives_the_checkpoint_and_writes_what_it_found(make_lab: MakeLab) -> None:
    lab = make_lab(**SHORT)
    lab.run()
    evaluation_id = ask(lab, episodes=3)
    examine(bench_of(lab), evaluation_id)
    found = row(lab, evaluation_id)
    assert (found.state, found.done, found.token) == ("done", 3, ""), found.reason
    assert len(found.result["records"]) == 3
    assert found.result["return_mean"] < 0
    assert found.success is None


def test_a_cancelled_evaluation_takes_its_process_away(make_lab: MakeLab) -> None:
    lab = make_lab(**SHORT)
    lab.run()
    evaluation_id = ask(lab, episodes=3)
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    watcher = threading.Thread(target=examine, args=(bench_of(lab), evaluation_id, sleeper))
    watcher.start()
    until(lambda: row(lab, evaluation_id).state == "running")
    with lab.database.write() as session:
        evaluations.cancel_evaluation(session, lab.run_id, evaluation_id, time.time())
    watcher.join(timeout=60)
    assert not watcher.is_alive()
    assert (row(lab, evaluation_id).state, row(lab, evaluation_id).token) == ("cancelled", "")


def test_a_process_that_dies_leaves_its_last_words(make_lab: MakeLab) -> None:
    lab = make_lab(**SHORT)
    lab.run()
    evaluation_id = ask(lab, episodes=3)
    examine(bench_of(lab), evaluation_id, [sys.executable, "-c", "raise SystemExit('no road')"])
    found = row(lab, evaluation_id)
    assert found.state == "failed"
    assert found.reason == "exit code 1: no road"


def test_a_fork_trains_on_from_the_checkpoint_with_its_own_learning_rate(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(**SHORT)
    lab.run()
    with lab.database.write() as session:
        checkpoint = list_checkpoints(session, lab.run_id)[-1]
        config = changed_config(
            get_run(session, lab.run_id).config, {"actor_learning_rate": 1e-5, "total_steps": 400}
        )
        fork = fork_run(session, lab.run_id, checkpoint.id, "", config, time.time())
    forked = Lab(lab.database, lab.settings, fork.id)
    assert forked.run().outcome is Outcome.FINISHED
    with lab.database.read() as session:
        run = get_run(session, fork.id)
        assert (run.step, run.updates) == (400, 301)
        rewards = read_points(session, fork.id, "progress/reward")
        assert rewards.step.tolist() == list(range(1, 401))
        rates = read_points(session, fork.id, "learner/actor_learning_rate")
        assert rates.value.tolist()[-1] == pytest.approx(1e-5)
        assert get_run(session, lab.run_id).step == 300
