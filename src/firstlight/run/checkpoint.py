"""Checkpoints: all that a training needs to go on, written beside it while it goes on.

A `Keeper` copies weights, optimizers, schedulers, generators and the place in the data between two steps, which takes
as long as copying that memory, and a thread of its own brings the copy to disk. It measures both, and waits between two
checkpoints until they are less than one hundredth of the time; the first waits as if it had been measured. The file is
that of a saved state (`firstlight.run.state`): whole or not there, with a checksum, safetensors and JSON alone.
"""

import contextlib
import errno
import gc
import json
import os
import re
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from firstlight.compat import has_stepped
from firstlight.locale import _, say
from firstlight.run import chance, state
from firstlight.run.errors import (
    NotACheckpointing,
    NotStorable,
    RecordDamaged,
    RecordNotFound,
    RecordNotSaved,
    RecordTooNew,
)
from firstlight.run.foreign import MALFORMED, raise_for_memory
from firstlight.run.found import FORMAT, Found, check_optimizer, kind_of, need, newest
from firstlight.run.listing import checkpoints_in, runs_folder, wanted_next
from firstlight.run.record import Run, end_here
from firstlight.run.store import FILE, Reader, is_held
from firstlight.run.tree import pack
from firstlight.run.values import from_json, to_json

_SHARE = 0.006  # of the time, copying and writing together: under one hundredth with what is not seen of it
_S_PER_BYTE = 2e-9  # what the first is taken to cost: copying, the checksum and writing, on a slow laptop
_COPIES = 4  # of each weight: itself, its gradient, and the two moments of AdamW
_PARALLEL = ("FullyShardedDataParallel", "FSDPModule")  # to copy such a model, all processes have to take part
# What a scheduler or a scaler of torch changes while it runs; all else it has kept since it was made.
_MOVING = {
    "last_epoch", "_step_count", "_last_lr", "_is_initial", "_get_lr_called_within_step", "best", "num_bad_epochs",
    "cooldown_counter", "T_cur", "T_i", "scale", "_growth_tracker",
}  # fmt: skip


@dataclass(frozen=True)
class Checkpoints:
    """When a run makes checkpoints, and how many it keeps.

    Attributes:
        seconds: At least so many between two; more where they would cost more than one hundredth of the time.
        steps: Besides, after each so many optimizer steps, whatever that costs.
        keep: How many of the newest are kept.
    """

    seconds: float = 5.0
    steps: int | None = None
    keep: int = 2

    def __post_init__(self) -> None:
        whole = all(type(one) is int and one > 0 for one in (self.steps or 1, self.keep)) and self.steps != 0
        if not whole or type(self.seconds) not in (int, float) or not self.seconds > 0:
            raise NotACheckpointing(value=repr(self))

    @classmethod
    def of(cls, wanted: "bool | float | Checkpoints") -> "Checkpoints | None":
        """What `checkpoint=` says; None for none at all.

        Raises:
            NotACheckpointing: It says neither whether nor how often.

        Example:
            >>> Checkpoints.of(True), Checkpoints.of(60).seconds, Checkpoints.of(False)
            (Checkpoints(seconds=5.0, steps=None, keep=2), 60, None)
        """
        if isinstance(wanted, Checkpoints):
            return wanted
        if isinstance(wanted, bool):
            return cls() if wanted else None
        return cls(seconds=wanted)


def interrupted(name: str, resume: Any, parent: Path | None = None) -> Found | None:
    """The checkpoint to go on from; None where there is nothing to go on with, which is said.

    Args:
        name: What the run is called.
        resume: False; True for the newest run of this name that was left before its end and belongs to no other living
            process; or the folder of a run, or the run itself.
        parent: The folder of runs, by default `runs_folder()`.

    Raises:
        RecordNotFound: There is no run in the folder.
        StateNotFound: It has no checkpoint.
        RecordDamaged: None of its checkpoints can be read, or the record of the newest run of this name cannot.
        RecordTooNew: A later firstlight wrote it.
    """
    if resume is False:
        resume = wanted_next.pop(name, False)
    if resume is False:
        return None
    if resume is not True:
        folder = Path(getattr(resume, "folder", None) or resume)
        Reader(folder)
        end_here(folder)
        return newest(folder)
    for path in sorted((runs_folder() if parent is None else parent).glob(f"*/{FILE}"), reverse=True):
        try:
            meta = Reader(path.parent).meta()
            if meta.get("name") != name or is_held(meta):
                continue
            status = Run.open(path.parent).status
        except RecordNotFound:  # somebody deletes it at this moment
            continue
        except (RecordDamaged, RecordTooNew):
            # It cannot say what it is called, but its folder does. A bad one of another name is not asked for.
            if _is_of(path.parent, name) and checkpoints_in(path.parent):
                raise
            continue
        if meta.get("status") == "finished":
            break
        if not checkpoints_in(path.parent):
            continue
        found = newest(path.parent)
        whole = found.data.get("complete") or found.data["position"] is None
        if status in ("finished", "resting") and whole:  # and nobody stopped it
            break
        return newest(path.parent) if end_here(path.parent) else found
    say(_("There is no interrupted run called {name}, so a new one begins.", name=name))
    return None


def _is_of(folder: Path, name: str) -> bool:
    """Whether the folder's name says that its run is called so: as `record.new_folder` writes it."""
    word = re.sub(r"[^\w.-]+", "-", name).strip("-._")[:60] or "run"
    found = re.fullmatch(rf"([^-]+-{re.escape(word)})(-\d+)?", folder.name)
    # With a number, there is one without it: of the same moment. Else it is a net that is called net-2.
    return found is not None and (found[2] is None or (folder.parent / found[1]).is_dir())


class Parts:
    """All that a training needs to go on, except its place in the data.

    Args:
        models: What learns.
        optimizers: What changes it; may grow later.
        others: Whatever else has a state: schedulers, scalers, averaged models, generators.
        counts: How many steps each optimizer has made.
        kind: What trains: `fit` or `loop`.
        options: What else the course depends on, as JSON; must be the same when the run goes on.

    Attributes:
        extra: Gives what the loop itself has to remember.
        gone_on_from: The checkpoint that was put back, None where there was none.
        alike: The classes of those among the others that nobody could tell apart when the run goes on.
    """

    def __init__(
        self,
        models: Iterable[nn.Module],
        optimizers: list[Optimizer],
        others: Iterable[Any] = (),
        *,
        counts: Callable[[], list[int]],
        kind: str = "loop",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.models, self.optimizers, self.others = list(models), optimizers, list(others)
        self.counts = counts
        self.extra: Callable[[], Any] = lambda: None
        self.gone_on_from: str | None = None
        self.alike: list[str] = []
        self._kind = kind
        self._options = {**(options or {}), "groups": [_settings(one) for one in optimizers]}

    @property
    def steps(self) -> int:
        """Steps of the optimizer that has made most."""
        return max(self.counts(), default=0)

    @property
    def bytes(self) -> int:
        """Of all weights."""
        return sum(weight.nbytes for model in self.models for weight in model.parameters())

    def weights(self) -> list[str]:
        """Where the trained weights of the models are among the tensors of a copy; a frozen mask may be infinite."""
        return [
            f"models.{index}.state.{name}"
            for index, model in enumerate(self.models)
            for name, weight in model.named_parameters()
            if weight.requires_grad
        ]

    @property
    def generators(self) -> list[Any]:
        """The generators among the others."""
        return [other for other in self.others if chance.is_generator(other)]

    def look_for_others(self) -> None:
        """Find the schedulers of the optimizers, and gradient scalers, that nobody has named."""
        if self._kind == "fit":  # which has named them all
            return
        known = {id(other) for other in self.others}
        mine = {id(optimizer) for optimizer in self.optimizers}
        for one in gc.get_objects():
            kind = type(one)
            if id(one) in known or not issubclass(kind, (LRScheduler, torch.amp.GradScaler)):
                continue
            scales = issubclass(kind, torch.amp.GradScaler) and one.is_enabled()
            if scales or id(getattr(one, "optimizer", None)) in mine:
                self.others.append(one)
        inside = {id(inner) for other in self.others for inner in getattr(other, "_schedulers", ())}
        self.others = [other for other in self.others if id(other) not in inside]
        # In an order that another process finds again, by what they were made with: Python's own order differs.
        found = [other for other in self.others if id(other) not in known]
        self.others = [other for other in self.others if id(other) in known]
        keys = {id(one): (type(one).__name__, self._optimizer_of(one), _made_with(one)) for one in found}
        self.others += sorted(found, key=lambda one: keys[id(one)])
        marks = list(keys.values())
        self.alike = sorted({mark[0] for mark in marks if marks.count(mark) > 1})

    def _optimizer_of(self, one: Any) -> int:
        ids = [id(optimizer) for optimizer in self.optimizers]
        return ids.index(id(one.optimizer)) if id(getattr(one, "optimizer", None)) in ids else -1

    def copy(self, position: dict[str, Any] | None) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything as it is now: tensors, in memory of their own, and JSON.

        Raises:
            NotStorable: A part has a state that is no plain value.
        """
        parts = {
            "models": [_state_of(model, exactly=position is not None) for model in self.models],
            "loose": self._loose(),
            "loose_gradients": [None if position is None else weight.grad for weight in self._loose()],
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "others": [other.state_dict() for other in self._with_states()],
            "position": position,
            "extra": self.extra(),
        }
        tensors: dict[str, Tensor] = {}
        data = {name: pack(value, tensors, name) for name, value in parts.items()}
        return tensors, data | {
            "step": self.steps, "counts": self.counts(), "threads": torch.get_num_threads(), "fits": self._fits(),
            **({"alike": self.alike} if self.alike else {}),
        }  # fmt: skip

    def check(self, found: Found, *, exactly: bool = True) -> None:
        """Raise unless the checkpoint is one of this very training, and a whole one.

        Args:
            found: The checkpoint.
            exactly: Compare the schedulers and the like too, which may not be there yet when the model is.

        Raises:
            CheckpointDiffers: It is one of another training.
            RecordDamaged: It has the name of one, and other things in it.
        """
        self._compare(found, exactly=exactly)
        saved = found.part("models"), found.part("optimizers"), found.part("others")
        for model, one in zip(self.models, saved[0], strict=True):
            buffers = dict(model.named_buffers())
            for name, value in one["unsaved"].items():
                need(found, name, value, name not in buffers or buffers[name].shape == value.shape)
        for optimizer, one in zip(self.optimizers, saved[1], strict=True):
            check_optimizer(found, optimizer, one)
        position = found.part("position")
        if position is not None:
            kinds = [type(chance.state_of(generator)) for generator in self.generators]
            for place in ("head", "began", "now"):
                own = (position.get(place) or position["now"])["chance"]["own"]
                need(found, f"position.{place}.chance.own", own, kinds == [type(one) for one in own])
        if exactly:
            for other, one in zip(self._with_states(), saved[2], strict=True):
                plain = isinstance(other, LRScheduler | torch.amp.GradScaler | nn.Module)
                need(found, "others", one, not plain or isinstance(one, Mapping))

    def put_back(self, found: Found, *, exactly: bool = True) -> None:
        """Give model and optimizers their state again; `exactly` that of everything else too, gradients included.

        Raises:
            CheckpointDiffers: It is the checkpoint of another training.
            RecordDamaged: Somebody's class does not take its state.
        """
        self._compare(found, exactly=exactly)
        self.gone_on_from = found.name
        try:
            with torch.no_grad():
                for model, saved in zip(self.models, found.part("models"), strict=True):
                    _put_model(model, saved)
                for weight, saved in zip(self._loose(), found.part("loose"), strict=True):
                    weight.copy_(saved)
                for weight, saved in zip(self._loose(), found.part("loose_gradients"), strict=True):
                    weight.grad = None if saved is None else saved.to(weight.device)
            for optimizer, saved in zip(self.optimizers, found.part("optimizers"), strict=True):
                optimizer.load_state_dict(saved)
                if found.step:
                    has_stepped(optimizer)
            if exactly:
                for other, saved in zip(self._with_states(), found.part("others"), strict=True):
                    other.load_state_dict(saved)
        except RecordDamaged:
            raise
        except (*MALFORMED, RuntimeError) as error:
            raise_for_memory(error)
            raise found.damaged(repr(error)[:200]) from error

    # Private.

    def _compare(self, found: Found, *, exactly: bool) -> None:
        there, here = found.data["fits"], from_json(to_json(self._fits()))
        if not exactly:
            there, here = {**there, "others": None}, {**here, "others": None}
        told = list(differences(there, here))
        if exactly and (alike := sorted({*self.alike, *found.data.get("alike", ())})):
            told.append(_not_told_apart(alike))
        if told:
            raise found.differs(told)

    def _with_states(self) -> list[Any]:
        return [other for other in self.others if not chance.is_generator(other)]

    def _loose(self) -> list[Tensor]:
        """Weights of the optimizers that are in no model."""
        known = {id(weight) for model in self.models for weight in model.parameters()}
        trained = (weight for one in self.optimizers for group in one.param_groups for weight in group["params"])
        return [weight for weight in trained if id(weight) not in known]

    def _fits(self) -> dict[str, Any]:
        """What a training must have in common with the one that made a checkpoint."""
        return {
            "kind": self._kind,
            "versions": {"torch": str(torch.__version__).partition("+")[0], "checkpoint": FORMAT},
            "models": [_described(model) for model in self.models],
            "loose": [kind_of(weight) for weight in self._loose()],
            "optimizers": [
                {"type": type(one).__name__, "groups": [len(group["params"]) for group in one.param_groups]}
                for one in self.optimizers
            ],
            "others": [type(other).__name__ for other in self.others],
            "options": self._options,
        }


class Keeper:
    """Makes the checkpoints of one run.

    Args:
        run: A run with a folder; without one, none are made.
        parts: What belongs into them.
        pace: When they are made; None for never.

    Attributes:
        cost_s: Seconds of copying and writing so far.
    """

    def __init__(self, run: Run, parts: Parts, pace: Checkpoints | None) -> None:
        self.run, self.parts = run, parts
        self.cost_s = 0.0
        self._pace = pace or Checkpoints()
        self._at_step = 0
        self._next_at = perf_counter()
        self._job: tuple[str, dict[str, Tensor], dict[str, Any]] | None = None
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = pace is None or run.folder is None or _shared_by_processes(parts.models)
        self._process = os.getpid()
        self._failing = False
        self._written: list[str] = []  # the checkpoints that are whole, since this process wrote them
        self._told: set[str] = set()
        self._pay_for(0.0 if self._closed else _COPIES * parts.bytes * _S_PER_BYTE)

    def due(self) -> bool:
        """Whether it is time for a checkpoint. Asked between any two steps."""
        if self._closed:
            return False
        if self._pace.steps is not None and self.parts.steps - self._at_step >= self._pace.steps:
            return True
        return perf_counter() >= self._next_at and self._job is None

    @property
    def behind(self) -> bool:
        """Whether steps were made that no checkpoint has."""
        return not self._closed and self.parts.steps != self._at_step

    def make(self, position: Callable[[], dict[str, Any]] | None, *, complete: bool = False) -> None:
        """Copy everything as it is now, and leave it to the thread to write. Never raises: training is worth more.

        Args:
            position: Says where the loop is in its data; None where only the weights and what changes them are known.
            complete: Whether the loop is at its end.
        """
        if self._closed or os.getpid() != self._process:
            return
        began = perf_counter()
        try:
            self._wait_for_writer()
            self.run.collect()
            tensors, data = self.parts.copy(None if position is None else position())
            data |= {
                "time": time.time(), "complete": complete, "points": self.run.noted, "duration": self.run.duration,
            }  # fmt: skip
            job = (f"step-{self.parts.steps}", tensors, data)
            if position is not None and self.parts.alike:
                self._tell_once(_not_told_apart(self.parts.alike))
            if self._thread is None:  # before there is a job: else one might be left that nobody takes
                self._start()
        except NotStorable as error:
            self._give_up(str(error))
        except Exception as error:  # noqa: BLE001 - a module with a state of its own kind, or no memory left
            self._give_up(repr(error))
        else:
            self._at_step = self.parts.steps
            self._spend(perf_counter() - began)
            with self._changed:
                self._job = job
                self._changed.notify_all()
            if self._thread is None:  # none could be started
                self._do(job)

    def close(self) -> None:
        """Bring the last checkpoint to disk, and end the thread. Once the run has finished, only the last one stays."""
        if os.getpid() != self._process:
            return
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None and threading.current_thread() is not self._thread:
            self._thread.join()
        if self.run.folder is not None and self.run.status == "finished":
            self._drop_all_but(1)  # nobody goes back behind the end

    # Private.

    def _wait_for_writer(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._job is None)

    def _spend(self, seconds: float) -> None:
        self.cost_s += seconds
        self._pay_for(seconds)

    def _pay_for(self, seconds: float) -> None:
        self._next_at = max(self._next_at, perf_counter() + max(self._pace.seconds, seconds / _SHARE))

    def _give_up(self, reason: str) -> None:
        self._closed = True
        line = _("No checkpoints are made of this run, and training goes on without them: {reason}", reason=reason)
        _warn(line, RuntimeWarning)

    def _tell_once(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            _warn(line, RuntimeWarning)

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name="firstlight-checkpoint", daemon=True)
        with contextlib.suppress(RuntimeError):  # Python is about to end: no new threads
            thread.start()
            self._thread = thread

    # The thread.

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._job is not None or self._closed)
                job = self._job
            if job is None:
                return
            self._do(job)

    def _do(self, job: tuple[str, dict[str, Tensor], dict[str, Any]]) -> None:
        began = thread_time()
        try:
            self._write(*job)
        except Exception as error:  # noqa: BLE001 - without this thread, the loop would wait for it for ever
            self._give_up(repr(error))
        finally:
            self._spend(thread_time() - began)
            with self._changed:
                self._job = None
                self._changed.notify_all()

    def _write(self, name: str, tensors: dict[str, Tensor], data: dict[str, Any]) -> None:
        if self.run.folder is None:
            return
        if not _all_finite(tensors, self.parts.weights()):  # nothing to keep any more
            if self.run.status == "running":
                self._tell_once(
                    _(
                        "Some weights are nan or infinite, so no checkpoints are written any more; the last good one "
                        "is {name}.",
                        name=next(iter(self._best_first()), _("none")),
                    )
                )
            return
        folder = self.run.folder / "checkpoints"
        reaches = self.run.flush()  # the record, at least as far as the checkpoint
        try:
            state.clean(folder)
            there = checkpoints_in(self.run.folder)
            for count in range(max(1, len(there)), 0, -1):  # room for a newer one is worth more than the older of two
                self._drop_all_but(count)
                try:
                    state.save(folder, name, tensors, data)
                    break
                except OSError as error:
                    if error.errno not in (errno.ENOSPC, errno.EDQUOT) or count == 1:
                        raise
            self._written = [*(one for one in self._written if one in there), name]
            self._drop_all_but(self._pace.keep)
            if not reaches:  # the disk was full: now there is the room of what was dropped
                self.run.flush()
            self._failing = False
        except OSError as error:  # training goes on, those before are still there, and the next may be luckier
            if not self._failing:
                _warn_not_written(self.run.folder, error, next(iter(self._best_first()), None))
            self._failing = True

    def _best_first(self) -> list[str]:
        """The checkpoints that are there: first those known to be whole, and last those that could not be read."""
        assert self.run.folder is not None  # `_write` asks
        begun = self.parts.gone_on_from
        whole = [begun, *self._written]
        there = checkpoints_in(self.run.folder)
        known = sorted((name for name in there if name in whole), key=whole[::-1].index)
        older = [name for name in there if name not in whole and begun is not None and int(name[5:]) < int(begun[5:])]
        return [*known, *older, *(name for name in there if name not in known and name not in older)]

    def _drop_all_but(self, count: int) -> None:
        assert self.run.folder is not None  # `_write` asks
        for old in self._best_first()[count:]:
            for suffix in ("safetensors", "json"):
                with contextlib.suppress(OSError):  # open elsewhere on Windows, or a locked folder: the next time
                    (self.run.folder / "checkpoints" / f"{old}.{suffix}").unlink()


def _warn_not_written(folder: Path, error: OSError, last: str | None) -> None:
    line = _(
        "A checkpoint could not be written to {folder}: {reason}. Training goes on; the last good checkpoint is "
        "{name}. Make room, or choose another folder with the variable FIRSTLIGHT_RUNS.",
        folder=folder,
        reason=str(error),
        name=last or _("none"),
    )
    _warn(line, RecordNotSaved)


def _not_told_apart(kinds: list[str]) -> str:
    return _(
        "{kinds}: several of one kind and with the same settings cannot be told apart when a run goes on; hand them to "
        "firstlight.watch, as in watch(model, optimizer, first, second)",
        kinds=", ".join(kinds),
    )


def _warn(line: str, kind: type[Warning]) -> None:
    try:
        warnings.warn(line, kind, stacklevel=3)
    except kind:  # where warnings are errors: training is worth more, and of a thread of ours nobody would hear
        say(line, sys.stderr)


def _shared_by_processes(models: list[nn.Module]) -> bool:
    kinds = {kind for model in models for module in model.modules() for kind in type(module).__mro__}
    return any(kind.__name__ in _PARALLEL for kind in kinds)


def _all_finite(tensors: Mapping[str, Tensor], weights: Iterable[str]) -> bool:
    return all(bool(tensors[name].isfinite().all()) for name in weights if name in tensors)


def _state_of(model: nn.Module, *, exactly: bool) -> dict[str, Any]:
    gradients = {name: weight.grad for name, weight in model.named_parameters() if exactly and weight.grad is not None}
    unsaved = {
        f"{path}.{name}" if path else name: buffer
        for path, module in model.named_modules()
        for name, buffer in module.named_buffers(recurse=False)
        if name in module._non_persistent_buffers_set
    }
    return {
        "state": dict(model.state_dict()),
        "unsaved": unsaved,
        "gradients": gradients,
        "frozen": [name for name, weight in model.named_parameters() if not weight.requires_grad],
        "resting": [path for path, module in model.named_modules() if not module.training],
    }


def _put_model(model: nn.Module, saved: dict[str, Any]) -> None:
    model.load_state_dict(saved["state"])
    buffers = dict(model.named_buffers())
    for name, value in saved["unsaved"].items():
        if name in buffers:
            buffers[name].copy_(value)
    for name, weight in model.named_parameters():
        weight.requires_grad_(name not in saved["frozen"])
        gradient = saved["gradients"].get(name)
        if gradient is not None and gradient.layout == torch.strided:
            gradient = torch.empty_like(weight).copy_(gradient)  # in the weight's own order in memory
        weight.grad = None if gradient is None else gradient.to(weight.device)
    for path, module in model.named_modules():
        module.training = path not in saved["resting"]


def _described(model: nn.Module) -> dict[str, Any]:
    weights = {name: kind_of(value) for name, value in model.state_dict().items() if isinstance(value, Tensor)}
    devices = sorted({weight.device.type for weight in model.parameters()})
    return {"type": type(model).__name__, "weights": weights, "device": ", ".join(devices)}


def _settings(optimizer: Optimizer) -> list[dict[str, Any]]:
    """What an optimizer was made with: a scheduler that moved the learning rate since has kept the first one."""
    names = [name for name, value in optimizer.defaults.items() if type(value) in (int, float, bool, str)]
    return [{name: group.get(f"initial_{name}", group.get(name)) for name in names} for group in optimizer.param_groups]


def _made_with(one: Any) -> str:
    """What a scheduler or scaler of torch was made with; nobody knows what those of others change as they go on."""
    if not type(one).__module__.startswith("torch."):
        return ""
    try:
        return json.dumps(_lasting(one.state_dict()), sort_keys=True, default=lambda other: type(other).__name__)
    except TypeError:  # keys of several kinds have no order
        return ""


def _lasting(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _lasting(entry) for key, entry in value.items() if key not in _MOVING}
    return [_lasting(entry) for entry in value] if isinstance(value, list | tuple) else value


def differences(there: Any, here: Any, place: str = "") -> Iterable[str]:
    """Each difference of two trees of JSON in a few words."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in [*there, *(key for key in here if key not in there)]:
            yield from differences(there.get(key), here.get(key), f"{place}.{key}" if place else str(key))
    elif isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        for index, (one, other) in enumerate(zip(there, here, strict=True)):
            yield from differences(one, other, place if len(there) == 1 else f"{place}.{index + 1}")
    elif there != here:
        shown = [_("nothing") if one is None else str(one) for one in (there, here)]
        yield _("{place} was {there} and is {here}", place=place, there=shown[0], here=shown[1])
