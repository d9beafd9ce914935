"""The loop on a real environment and database: what it logs, saves, obeys, and that resuming changes nothing."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch
from sqlalchemy import select

from backend.checkpoints.files import CheckpointFiles, verify_checkpoint
from backend.checkpoints.kinds import CheckpointKind
from backend.checkpoints.service import list_checkpoints
from backend.errors import CheckpointDamaged
from backend.gates.choice import choose_rules
from backend.gates.presets import save_preset
from backend.metrics.store import list_metrics, read_points
from backend.runs.events import list_events
from backend.runs.models import Segment
from backend.runs.service import get_run, request_resume
from backend.runs.states import RunState
from tests.training.conftest import HALT, SAVE, MakeLab
from worker.checkpointing import CheckpointInfo
from worker.commands import Request, RequestKind
from worker.train import offer
from worker.training import Outcome, Training


def weights(training: Training) -> dict[str, Any]:
    """Everything the learner is, flat."""
    state = training.agent.state_dict()
    return {
        f"{part}.{name}": tensor
        for part, tensors in state.items()
        if isinstance(tensors, dict)
        for name, tensor in tensors.items()
    }


def assert_equal(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        same = torch.equal(value, theirs[name]) if torch.is_tensor(value) else value == theirs[name]
        assert same, name


def test_a_run_trains_to_its_planned_steps_and_says_so(make_lab: MakeLab) -> None:
    lab = make_lab()
    assert lab.run().outcome is Outcome.FINISHED
    with lab.database.read() as session:
        run = get_run(session, lab.run_id)
        assert (run.state, run.step, run.episode, run.updates) == (RunState.FINISHED, 600, 3, 501)
    assert lab.checkpoint_kinds() == ["interval", "interval", "final"]


def test_every_step_is_logged_once_with_its_episode(make_lab: MakeLab) -> None:
    lab = make_lab()
    lab.run()
    with lab.database.read() as session:
        points = read_points(session, lab.run_id, "progress/reward")
        metrics = list_metrics(session, lab.run_id)
    assert points.step.tolist() == list(range(1, 601))
    assert points.episode.tolist() == [step // 200 for step in range(600)]
    assert (np.diff(points.time) >= 0).all()
    assert {"episode/return", "learner/critic_loss", "gradients/actor_norm_before_clip"} <= set(
        metrics
    )


def test_the_return_of_an_episode_is_the_sum_of_its_rewards(make_lab: MakeLab) -> None:
    lab = make_lab()
    lab.run()
    rewards = [reward for _, reward in lab.values("progress/reward")]
    for number, (step, total) in enumerate(lab.values("episode/return")):
        assert step == 200 * (number + 1)
        assert total == pytest.approx(sum(rewards[step - 200 : step]))


@pytest.mark.parametrize("stop", [130, 300, 450])
def test_halted_and_resumed_in_mid_episode_equals_never_stopped_bit_for_bit(
    make_lab: MakeLab, stop: int
) -> None:
    whole, parts = make_lab(), make_lab()
    with whole.attempt() as training:
        training.run()
        expected, rewards = weights(training), None
    rewards = whole.values("progress/reward")

    assert parts.run(**{f"at_{stop}": HALT}).outcome is Outcome.HALTED
    with parts.database.write() as session:
        request_resume(session, parts.run_id, time.time())
    with parts.attempt() as training:
        assert training.progress.step == stop
        training.run()
        assert_equal(weights(training), expected)
    assert parts.values("progress/reward") == rewards


def test_an_attempt_that_vanished_is_repeated_from_its_last_checkpoint_without_doubling_points(
    make_lab: MakeLab,
) -> None:
    whole, parts = make_lab(), make_lab()
    whole.run()
    with parts.attempt() as training:
        while training.progress.step < 400:
            if training.progress.episode is None:
                training._between_episodes()
            training._act()
            training._learn()
            training._report()
        training.journal.flush()
        token = training.journal._claim.token
    from backend.runs import attempts

    with parts.database.write() as session:
        attempts.crashed(session, parts.run_id, token, "killed", time.time() - 60, 5)
    assert parts.run().outcome is Outcome.FINISHED
    assert parts.values("progress/reward") == whole.values("progress/reward")
    with parts.database.read() as session:
        starts = session.scalars(
            select(Segment.start_step).where(Segment.run_id == parts.run_id).order_by(Segment.id)
        ).all()
    assert starts == [0, 250]


def test_a_checkpoint_asked_for_is_written_at_that_step_and_answered(make_lab: MakeLab) -> None:
    lab = make_lab()
    with lab.attempt(at_123=SAVE) as training:
        training.run()
        assert training.commands.answers == [(SAVE, True)]  # type: ignore[attr-defined]
    with lab.database.read() as session:
        manual = next(c for c in list_checkpoints(session, lab.run_id) if c.kind == "manual")
    assert manual.step == 123


def test_a_cancelled_run_writes_no_checkpoint(make_lab: MakeLab) -> None:
    lab = make_lab()
    end = lab.run(at_50=Request(RequestKind.CANCEL, "asked by a test"))
    assert (end.outcome, lab.state, lab.checkpoint_kinds()) == (
        Outcome.CANCELLED,
        RunState.CANCELLED,
        [],
    )


def test_a_drained_run_is_queued_again_at_the_step_it_reached(make_lab: MakeLab) -> None:
    lab = make_lab()
    lab.run(at_150=Request(RequestKind.DRAIN, "the worker drains"))
    assert (lab.state, lab.checkpoint_kinds()) == (RunState.QUEUED, ["drain"])
    with lab.attempt() as training:
        assert training.progress.step == 150


def test_a_learner_that_diverges_halts_with_its_evidence_and_its_last_good_weights(
    make_lab: MakeLab,
) -> None:
    lab = make_lab()
    with lab.attempt() as training:
        training.replay._arrays["reward"][:] = np.nan
        sound = {}

        def spoil() -> None:
            training.replay._arrays["reward"][:50] = np.nan

        while training.progress.step < 99:
            if training.progress.episode is None:
                training._between_episodes()
            training._act()
        spoil()
        sound = weights(training)
        end = training.run()
        assert_equal(weights(training), sound)
    assert end.outcome is Outcome.HALTED
    assert "not finite" in end.reason
    folder = lab.settings.checkpoints_folder / f"run-{lab.run_id:06d}"
    assert list(folder.glob("non-finite-*.safetensors"))
    with lab.database.read() as session:
        critical = [e.kind for e in list_events(session, lab.run_id) if e.level == "critical"]
    assert "non-finite" in critical


def test_checkpoints_retired_together_all_leave_the_disk(make_lab: MakeLab) -> None:
    lab = make_lab(checkpoints_kept=2, checkpoint_interval=20)
    lab.run()
    folder = lab.settings.checkpoints_folder / f"run-{lab.run_id:06d}"
    with lab.database.read() as session:
        listed = {Path(c.path).name for c in list_checkpoints(session, lab.run_id)}
        gone = [c for c in list_checkpoints(session, lab.run_id, True) if c.deleted_at]
    assert len(gone) > 20
    assert {path.name for path in folder.iterdir()} == listed


def test_a_retired_checkpoint_that_a_killed_trainer_left_is_swept(make_lab: MakeLab) -> None:
    lab = make_lab(checkpoints_kept=1, checkpoint_interval=100)
    lab.run(at_450=HALT)
    with lab.database.write() as session:
        gone = [c for c in list_checkpoints(session, lab.run_id, True) if c.deleted_at]
        kept = [Path(c.path) for c in list_checkpoints(session, lab.run_id)]
        request_resume(session, lab.run_id, time.time())
    Path(gone[0].path).mkdir()
    with lab.attempt():
        assert not Path(gone[0].path).exists()
        assert all(path.exists() for path in kept)


def test_what_a_killed_trainer_left_half_written_is_swept(make_lab: MakeLab) -> None:
    lab = make_lab()
    left = lab.settings.checkpoints_folder / f"run-{lab.run_id:06d}" / ".step-7.99.unfinished"
    left.mkdir(parents=True)
    (left / "state.safetensors").write_bytes(b"half")
    with lab.attempt():
        assert not left.exists()


def test_a_disk_that_refuses_a_checkpoint_costs_an_alert_and_not_the_run(
    make_lab: MakeLab,
) -> None:
    lab = make_lab()
    with lab.attempt() as training:
        training.saver._folder = lab.settings.data / "not-a-folder"
        training.saver._folder.write_text("a file where a folder should be")
        assert training.run().outcome is Outcome.FINISHED
        assert training.journal.activity == "driving"
    assert lab.checkpoint_kinds() == []
    with lab.database.read() as session:
        messages = [e.message for e in list_events(session, lab.run_id) if e.level == "critical"]
    assert len(messages) == 3
    assert all("could not be written" in message for message in messages)


def drive(training: Training, until: int) -> None:
    """The loop's steps, without its own checkpoints."""
    while training.progress.step < until:
        if training.progress.episode is None:
            training._between_episodes()
        training._act()
        training._learn()


@contextmanager
def full_disk(most: int) -> Iterator[None]:
    """Files may grow to `most` bytes; then the system refuses to write, as it does when a disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_up_in_a_checkpoint_costs_that_one_alone(make_lab: MakeLab) -> None:
    lab = make_lab(hidden_sizes=[512, 512], batch_size=8)
    with lab.attempt() as training:
        for until, most in ((120, -1), (130, 3_000_000), (140, -1)):
            drive(training, until)
            with full_disk(most):
                training._save_beside(CheckpointKind.INTERVAL)
                training.saver.settle()
    with lab.database.read() as session:
        found = list_checkpoints(session, lab.run_id)
        alerts = [e.message for e in list_events(session, lab.run_id) if e.level == "critical"]
    assert [c.step for c in found] == [140, 120]
    assert all(verify_checkpoint(Path(c.path)).sha256 == c.sha256 for c in found)
    assert len(alerts) == 1
    assert "step-000000130-interval could not be written: File too large" in alerts[0]


def test_of_a_damaged_checkpoint_the_one_before_is_offered(make_lab: MakeLab) -> None:
    lab = make_lab()
    lab.run(at_300=HALT)
    with lab.database.write() as session:
        damaged, before = list_checkpoints(session, lab.run_id)
        request_resume(session, lab.run_id, time.time())
    file = Path(damaged.path) / "state.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CheckpointDamaged, match="does not match its hash"), lab.attempt():
        pass
    offered = f"Checkpoint {before.id} at step 250 is whole: roll back to it"
    assert offer(lab.database, lab.run_id) == offered
    (Path(before.path) / "manifest.json").unlink()
    assert "start it anew" in offer(lab.database, lab.run_id)


def test_a_file_that_rots_under_a_run_is_told_and_kept_out_of_later_checkpoints(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(buffer_size=2000)
    with lab.attempt() as training:
        drive(training, 150)
        training._save_beside(CheckpointKind.INTERVAL)
        training.saver.settle()
        file = next(training.saver._folder.glob("step-*/replay-00000.safetensors"))
        file.write_bytes(file.read_bytes()[:-1] + b"?")
        training._save_beside(CheckpointKind.INTERVAL)
        training.saver._writer.submit(int).result()  # until that one is parted
        training._save_beside(CheckpointKind.MANUAL)
        training.saver.settle()
    with lab.database.read() as session:
        newest = list_checkpoints(session, lab.run_id)[0]
        told = [e.message for e in list_events(session, lab.run_id) if e.level == "critical"]
    assert newest.kind == "manual"
    verify_checkpoint(Path(newest.path))
    assert len(told) == 1
    assert "has changed on the disk since it was written" in told[0]
    assert "replay-00000.safetensors does not match its hash" in told[0]


def test_training_goes_on_while_a_checkpoint_is_written_and_it_is_of_the_moment_asked_for(
    make_lab: MakeLab,
) -> None:
    lab = make_lab()
    written, may_end = [], Event()

    def slow(info: CheckpointInfo, result: object) -> None:
        assert may_end.wait(60)
        written.append((info.step, result))

    with lab.attempt() as training:
        drive(training, 150)
        moment = weights(training)
        moment = {name: v.clone() if torch.is_tensor(v) else v for name, v in moment.items()}
        training.saver.begin(CheckpointKind.MANUAL, training.progress, slow)
        drive(training, 200)
        assert not written
        may_end.set()
        training.saver.settle()
        [(step, files)] = written
        assert step == 150
        assert isinstance(files, CheckpointFiles)
        training.saver.restore(files.path)
        assert_equal(weights(training), moment)


def test_evaluations_keep_the_best_policy_and_every_episode(make_lab: MakeLab) -> None:
    lab = make_lab(evaluation_interval=200, evaluation_episodes=3)
    lab.run()
    steps = [step for step, _ in lab.values("evaluation/return_mean")]
    assert steps == [0, 200, 400, 600]
    assert len(lab.values("evaluation/episode_return")) == 12
    assert "best" in lab.checkpoint_kinds()


def test_the_random_reference_is_measured_once_and_not_again_after_a_resume(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(random_reference_episodes=3)
    lab.run(at_150=HALT)
    with lab.database.write() as session:
        request_resume(session, lab.run_id, time.time())
    lab.run()
    reference = lab.values("evaluation/random_return")
    assert [step for step, _ in reference] == [0, 0, 0]
    assert len({value for _, value in reference}) == 3


def test_updates_per_step_follow_the_configuration(make_lab: MakeLab) -> None:
    lab = make_lab(updates_per_step=0.5)
    lab.run()
    observed = lab.values("learner/updates_per_step")
    assert observed == [(step, 0.5) for step in range(200, 601, 100)]


def test_rules_changed_under_way_are_taken_up_by_the_trainer_and_act(make_lab: MakeLab) -> None:
    always = {"kind": "threshold", "metric": "learner/critic_loss", "limit": -1, "samples": 1}
    own = {"name": "always", "level": "critical", "action": "halt", **always}
    lab = make_lab()
    with lab.attempt() as training:
        while training.progress.step < 250:
            if training.progress.episode is None:
                training._between_episodes()
            training._act()
            training._learn()
            training._report()
        assert training.journal.flush(timeout=60)
        with lab.database.write() as session:
            save_preset(session, {"name": "strict", "custom": [own]}, "Ada", time.time())
            choose_rules(session, lab.run_id, "strict", "Ada", time.time())
            assert get_run(session, lab.run_id).judged_by.startswith("behavioural@")
        # One flush hears of the rules, the next judges by them.
        assert training.journal.flush(timeout=60)
        assert training.journal.flush(timeout=60)
        end = training.run()
    assert end.outcome is Outcome.HALTED
    assert end.reason.startswith("rule always: Judged by strict@1 from now on.")
    with lab.database.read() as session:
        assert get_run(session, lab.run_id).judged_by == "strict@1"
