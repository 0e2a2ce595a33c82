"""The record of what happened while weights changed, and the recorder that listens to a training loop.

What this room promises to the others:

- `Run` holds metrics, operations, facts, findings and saved states, in memory (`Run()`) or in a folder (`Run.start()`).
  Writing never waits for the disk. A folder is readable by any process while it is written and after the writer died.
- `Recorder` fills a `Run` from an unchanged PyTorch loop: losses, weights and random numbers of the loop are the same,
  bit for bit, with and without it.
- `audience` is a list of callables; each is given every `Run` that `Run.start()` makes.
- Checkpoints of a run hold all that a training needs to go on; `run.epochs` and `run.batches` go on at the very step.

`Recorder` and `Checkpoints` need torch and are loaded on first use; listing runs does not wait for torch.
"""

from typing import TYPE_CHECKING, Any

from firstlight.run.errors import (
    BatchesInside,
    CannotResume,
    CheckpointDamaged,
    CheckpointDiffers,
    NameOfState,
    NotACheckpointing,
    NotAMetric,
    NotAnEnd,
    NotJson,
    RecordDamaged,
    RecordNotFound,
    RecordNotSaved,
    RecordReadOnly,
    RecordTooNew,
    RunEnded,
    RunGoesOn,
    StateNotFound,
    UnknownMetric,
)
from firstlight.run.listing import Comparison, RunList, Summary, resume, runs, runs_folder
from firstlight.run.points import Point
from firstlight.run.record import Fact, Finding, Plan, Run, TrainingStopped, audience

if TYPE_CHECKING:
    from firstlight.run.checkpoint import Checkpoints as Checkpoints
    from firstlight.run.recorder import Recorder as Recorder

__all__ = [
    "BatchesInside",
    "CannotResume",
    "CheckpointDamaged",
    "CheckpointDiffers",
    "Checkpoints",
    "Comparison",
    "Fact",
    "Finding",
    "NameOfState",
    "NotACheckpointing",
    "NotAMetric",
    "NotAnEnd",
    "NotJson",
    "Plan",
    "Point",
    "RecordDamaged",
    "RecordNotFound",
    "RecordNotSaved",
    "RecordReadOnly",
    "RecordTooNew",
    "Recorder",
    "Run",
    "RunEnded",
    "RunGoesOn",
    "RunList",
    "StateNotFound",
    "Summary",
    "TrainingStopped",
    "UnknownMetric",
    "audience",
    "resume",
    "runs",
    "runs_folder",
]


def __getattr__(name: str) -> Any:
    if name == "Recorder":
        from firstlight.run.recorder import Recorder

        return Recorder
    if name == "Checkpoints":
        from firstlight.run.checkpoint import Checkpoints

        return Checkpoints
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
