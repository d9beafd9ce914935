"""Every table in one import, for migrations and for creating a schema in tests."""

from backend.checkpoints.models import Checkpoint, Evaluation
from backend.database import Base
from backend.gates.models import Acceptance, Flip, RuleStatus, SavedPreset
from backend.metrics.models import Chunk, Flush, Series
from backend.runs.models import Command, Event, Run, RunGroup, Segment
from backend.workers.models import Simulator, Worker

__all__ = [
    "Acceptance",
    "Base",
    "Checkpoint",
    "Chunk",
    "Command",
    "Evaluation",
    "Event",
    "Flip",
    "Flush",
    "RuleStatus",
    "Run",
    "RunGroup",
    "SavedPreset",
    "Segment",
    "Series",
    "Simulator",
    "Worker",
]
