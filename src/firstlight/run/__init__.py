"""The record of what happened while weights changed, and the recorder that listens to a training loop.

What this room promises to the others:

- `Run` holds metrics, operations, facts, findings and saved states, in memory (`Run()`) or in a folder (`Run.start()`).
  Writing never waits for the disk. A folder is readable by any process while it is written and after the writer died.
- `Recorder` fills a `Run` from an unchanged PyTorch loop: losses, weights and random numbers of the loop are the same,
  bit for bit, with and without it.
- `audience` is a list of callables; each is given every `Run` that `Run.start()` makes.

`Recorder` needs torch and is loaded on first use; listing runs does not wait for torch.
"""

from typing import TYPE_CHECKING, Any

from firstlight.run.errors import (
    NameOfState,
    NotAMetric,
    NotAnEnd,
    NotJson,
    RecordDamaged,
    RecordNotFound,
    RecordNotSaved,
    RecordReadOnly,
    RecordTooNew,
    RunEnded,
    StateNotFound,
    UnknownMetric,
)
from firstlight.run.listing import Comparison, RunList, Summary, runs, runs_folder
from firstlight.run.points import Point
from firstlight.run.record import Fact, Finding, Plan, Run, TrainingStopped, audience

if TYPE_CHECKING:
    from firstlight.run.recorder import Recorder as Recorder

__all__ = [
    "Comparison",
    "Fact",
    "Finding",
    "NameOfState",
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
    "RunList",
    "StateNotFound",
    "Summary",
    "TrainingStopped",
    "UnknownMetric",
    "audience",
    "runs",
    "runs_folder",
]


def __getattr__(name: str) -> Any:
    if name == "Recorder":
        from firstlight.run.recorder import Recorder

        return Recorder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
