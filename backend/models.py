"""Every table in one import, for migrations and for creating a schema in tests."""

from backend.checkpoints.models import Checkpoint, Evaluation
from backend.database import Base
from backend.gates.models import (
    Acceptance,
    Flip,
    GatePassage,
    GatePlan,
    RuleChoice,
    RuleStatus,
    SavedPreset,
)
from backend.ladders.models import Ladder, LadderStage
from backend.metrics.models import Chunk, Flush, Series
from backend.notify.models import Bookmark, Delivery
from backend.runs.models import Command, Event, Run, RunGroup, Segment
from backend.workers.models import Simulator, Worker

__all__ = [
    "Acceptance",
    "Base",
    "Bookmark",
    "Checkpoint",
    "Chunk",
    "Command",
    "Delivery",
    "Evaluation",
    "Event",
    "Flip",
    "Flush",
    "GatePassage",
    "GatePlan",
    "Ladder",
    "LadderStage",
    "RuleChoice",
    "RuleStatus",
    "Run",
    "RunGroup",
    "SavedPreset",
    "Segment",
    "Series",
    "Simulator",
    "Worker",
]
