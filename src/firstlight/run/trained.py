"""Which run trained these weights last: so that what is measured on a model later is found in the run's record."""

import functools
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from firstlight.run.record import Run
from firstlight.run.store import add_afterwards


class _Trained(NamedTuple):
    """References that keep nothing alive; the folder is still there where nobody kept the run."""

    weight: "weakref.ref[Tensor]"
    run: "weakref.ref[Run]"
    folder: Path | None
    started: float


_trained: dict[int, _Trained] = {}  # by the id of the weight


def note_trained(optimizer: Optimizer, run: Run) -> None:
    """Remember that a run trains the weights of an optimizer."""
    for group in optimizer.param_groups:
        for weight in group["params"]:
            forget = functools.partial(_forget, id(weight))
            _trained[id(weight)] = _Trained(weakref.ref(weight, forget), weakref.ref(run), run.folder, run.started)


def note_result(model: nn.Module, metrics: Mapping[str, float]) -> None:
    """Write what was measured on a model into the run that trained its weights last; nothing where there is none.

    A run that has made all steps of its plan rests then: who looks at the result has left the loop.

    Example:
        >>> import torch
        >>> from firstlight.run import Recorder
        >>> model, run = nn.Linear(2, 2), Run()
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> with Recorder(run, model, optimizer):
        ...     nn.functional.cross_entropy(model(torch.ones(4, 2)), torch.ones(4).long()).backward()
        ...     optimizer.step()
        >>> note_result(model, {"test/accuracy": 0.75})
        >>> run.metric("test/accuracy")[0][:2]
        (0, 0.75)
    """
    entries = [(weight, _trained.get(id(weight))) for weight in model.parameters()]
    found = [entry for weight, entry in entries if entry is not None and entry.weight() is weight]
    if not found:
        return
    newest = max(found, key=lambda entry: entry.started)
    run = newest.run()
    if run is not None:
        run.add_result(metrics)
        if run.plan.steps is not None and run.steps >= run.plan.steps:
            run.rest()
    elif newest.folder is not None and newest.folder.is_dir():
        add_afterwards(newest.folder, metrics)


def _forget(key: int, _gone: "weakref.ref[Tensor]") -> None:
    _trained.pop(key, None)
