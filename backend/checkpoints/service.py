"""Checkpoints as rows: which a run has, which it may start from, which retention removes."""

from collections.abc import Collection, Sequence
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.checkpoints.files import verify_checkpoint
from backend.checkpoints.kinds import CheckpointKind
from backend.checkpoints.models import Checkpoint
from backend.errors import CheckpointDamaged, NotFound


def list_checkpoints(
    session: Session, run_id: int, include_deleted: bool = False
) -> Sequence[Checkpoint]:
    """A run's checkpoints in the order they were written, newest first."""
    query = (
        select(Checkpoint)
        .where(Checkpoint.run_id == run_id)
        .order_by(Checkpoint.id.desc())
        .execution_options(populate_existing=True)
    )
    if not include_deleted:
        query = query.where(Checkpoint.deleted_at.is_(None))
    return session.scalars(query).all()


def get_checkpoint(session: Session, run_id: int, checkpoint_id: int) -> Checkpoint:
    """A checkpoint the run can start from.

    Raises:
        NotFound: unknown, of another run, or its files were removed by retention.
    """
    found = session.get(Checkpoint, checkpoint_id)
    if found is None or found.run_id != run_id:
        raise NotFound(
            f"run {run_id} has no checkpoint {checkpoint_id}: choose one of {_choices(session, run_id)}"
        )
    if found.deleted_at is not None:
        raise NotFound(
            f"the files of checkpoint {checkpoint_id} were removed by retention: "
            f"choose one of {_choices(session, run_id)}"
        )
    return found


def newest_whole(session: Session, run_id: int) -> Checkpoint | None:
    """The newest checkpoint whose files all match their hashes; reads them, which takes seconds a gigabyte."""
    for checkpoint in list_checkpoints(session, run_id):
        try:
            verify_checkpoint(Path(checkpoint.path))
        except CheckpointDamaged:
            continue
        return checkpoint
    return None


def _choices(session: Session, run_id: int) -> str:
    return ", ".join(str(c.id) for c in list_checkpoints(session, run_id)) or "none (it has none)"


def add_checkpoint(session: Session, checkpoint: Checkpoint) -> Checkpoint:
    """Store the row; a new best takes the mark from the old one."""
    if checkpoint.is_best:
        session.execute(
            update(Checkpoint).where(Checkpoint.run_id == checkpoint.run_id).values(is_best=False)
        )
    session.add(checkpoint)
    session.flush()
    return checkpoint


def apply_retention(
    session: Session, run_id: int, keep: int, protected: Collection[int | None], now: float
) -> list[Path]:
    """Mark all but the newest `keep` rolling checkpoints deleted; returns the folders to remove.

    The best, pinned ones and `protected` always stay. Remove the folders after the commit: a row
    without files is an honest answer, files without a row are only lost space.
    """
    rolling = [
        c
        for c in list_checkpoints(session, run_id)
        if CheckpointKind(c.kind).is_rolling and not c.is_best and not c.pinned
    ]
    retired = [c for c in rolling[keep:] if c.id not in protected]
    for checkpoint in retired:
        checkpoint.deleted_at = now
    return [Path(c.path) for c in retired]


def retired_folders(session: Session, run_id: int) -> list[Path]:
    """Folders of checkpoints removed by retention, which a killed trainer may have left; none of a newer one's."""
    rows = list_checkpoints(session, run_id, include_deleted=True)
    used = {c.path for c in rows if c.deleted_at is None}
    return [Path(c.path) for c in rows if c.path not in used]


def pin(session: Session, run_id: int, checkpoint_id: int, pinned: bool) -> Checkpoint:
    """Keep a checkpoint from retention, or hand it back."""
    checkpoint = get_checkpoint(session, run_id, checkpoint_id)
    checkpoint.pinned = pinned
    return checkpoint
