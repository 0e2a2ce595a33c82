"""A checkpoint that was read: found in a run's folder, and held against what `Parts.copy` and the loops write.

A file may have been cut off, or come from somebody else: what is no form of ours is refused here, with its file and the
place in it, before any of it reaches a model.
"""

import os
import random
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from firstlight.locale import _, say
from firstlight.run import state
from firstlight.run.errors import CheckpointDamaged, CheckpointDiffers, RecordDamaged
from firstlight.run.foreign import MALFORMED, damaged, raise_for_memory
from firstlight.run.listing import checkpoints_in
from firstlight.run.store import Kept
from firstlight.run.tree import unpack

FORMAT = 2  # from 2 on, it is told of each source which generators it draws from
_SHOWN = 4  # differences in a message
_LARGEST = 2**53  # of any count
_MOST_THREADS = 1024
_LAST_SECOND = 253_402_300_799  # of the year 9999
# What the optimizers of torch keep in the form of a weight.
_LIKE_WEIGHT = ("momentum_buffer", "exp_avg", "exp_avg_sq", "max_exp_avg_sq", "exp_inf", "square_avg", "sum")


class Found(NamedTuple):
    """A checkpoint that was read."""

    folder: Path
    tensors: dict[str, Tensor]
    data: dict[str, Any]
    name: str

    @property
    def step(self) -> int:
        """Optimizer steps that were made before it."""
        return int(self.data["step"])

    def differs(self, told: Sequence[str]) -> CheckpointDiffers:
        """The error that says so."""
        more = ["..."] if len(told) > _SHOWN else []
        shown = "; ".join([*told[:_SHOWN], *more])
        return CheckpointDiffers(step=f"{self.step:,}", folder=str(self.folder), differences=shown)

    @property
    def kept(self) -> Kept:
        """How much of the record belongs to it."""
        numbers = {name: self.data[name] for name in ("points", "step", "time", "duration")}
        return Kept(**numbers)

    def say_where(self) -> None:
        """Tell the person from where the training goes on."""
        say(_("Going on from step {step} of the run in {folder}.", step=f"{self.step:,}", folder=self.folder))

    def part(self, name: str) -> Any:
        """A part as it was given to `pack`.

        Raises:
            RecordDamaged: It is not there, or not whole.
        """
        try:
            return unpack(self.data[name], self.tensors)
        except (*MALFORMED, RuntimeError) as error:
            raise_for_memory(error)
            raise self.damaged(repr(error)[:200]) from error

    def damaged(self, reason: str) -> RecordDamaged:
        """The error that names its file and why."""
        return damaged(self.folder / "checkpoints" / f"{self.name}.safetensors", reason)


def newest(folder: Path) -> Found:
    """The newest checkpoint of a run that can be read; a warning names a newer one that cannot.

    Raises:
        StateNotFound: There is none.
        RecordDamaged: None of them can be read.
    """
    failed: RecordDamaged | None = None
    for name in checkpoints_in(folder):
        try:
            found = Found(folder, *state.load(folder / "checkpoints", name, folder.name), name)
            _believe(found)
        except RecordDamaged as error:
            failed = failed or error
            continue
        if failed is not None:
            line = _(
                "The newest checkpoint cannot be read, and {name} is taken instead: {error}",
                name=name,
                error=str(failed),
            )
            warnings.warn(line, CheckpointDamaged, stacklevel=2)
        return found
    raise failed or state.missing(folder.name, "step-...", [])


def check_optimizer(found: Found, optimizer: Optimizer, saved: Mapping[str, Any]) -> None:
    """Raise `RecordDamaged` unless the state in a checkpoint is one that this optimizer can take.

    Args:
        found: The checkpoint, for the error.
        optimizer: One of torch's own; those of others have forms that only they know.
        saved: Its state there.
    """
    if type(optimizer).load_state_dict is not Optimizer.load_state_dict:  # somebody's own form
        return
    groups, states = saved.get("param_groups"), saved.get("state")
    whole = _is_list_of(dict, groups) and isinstance(states, dict)
    need(found, "optimizers", list(saved), whole)
    assert isinstance(groups, list)  # as was just asked
    assert isinstance(states, dict)
    for group, mine in zip(groups, optimizer.param_groups, strict=True):
        fits = _is_list_of(int, group.get("params")) and len(group["params"]) == len(mine["params"])
        need(found, "param_groups", list(group), fits and optimizer.defaults.keys() <= group.keys())
        for name in optimizer.defaults:
            need(found, name, group[name], _is_setting(mine.get(name), group[name], name))
    numbers = [number for group in groups for number in group["params"]]
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for number, weight in zip(numbers, weights, strict=True):
        one = states.get(number, {})
        need(found, f"state.{number}", one, isinstance(one, Mapping))
        for name in _LIKE_WEIGHT if type(optimizer).__module__.startswith("torch.") else ():
            value = one.get(name)
            need(found, name, value, value is None or (isinstance(value, Tensor) and value.shape == weight.shape))


def need(found: Found, place: str, value: Any, fits: bool) -> None:
    """Raise `RecordDamaged`, with the place and what stands there, unless it fits."""
    if not fits:
        raise found.damaged(f"{place} = {value!r:.60}")


def kind_of(tensor: Tensor) -> str:
    """Its type and shape, as checkpoints name them.

    Example:
        >>> kind_of(torch.zeros(2, 3))
        'float32[2, 3]'
    """
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"


def _believe(found: Found) -> None:
    """Raise `RecordDamaged` unless everything in a checkpoint has the form that `Parts.copy` and the loops give it."""
    try:
        _check_frame(found)
        if found.data["fits"]["versions"]["checkpoint"] == FORMAT:  # else `Parts.check` says so
            _check_parts(found)
    except RecordDamaged:
        raise
    except (*MALFORMED, RuntimeError) as error:
        raise_for_memory(error)
        raise found.damaged(repr(error)[:200]) from error


def _check_frame(found: Found) -> None:
    data = found.data
    if not isinstance(data, dict) or data.get("step") is None:
        raise found.damaged(_("it is no checkpoint"))
    for name, most in (("step", _LARGEST), ("points", _LARGEST), ("threads", max(_MOST_THREADS, os.cpu_count() or 1))):
        need(found, name, data[name], _is_count(data[name], most, 1 if name == "threads" else 0))
    need(found, "step", data["step"], found.name == f"step-{data['step']}")
    counts = data["counts"]
    whole = isinstance(counts, list) and all(_is_count(one) for one in counts)
    need(found, "counts", counts, whole and max(counts, default=0) == data["step"])
    for name in ("time", "duration"):
        fits = type(data[name]) in (int, float) and 0 <= data[name] <= _LAST_SECOND
        need(found, name, data[name], fits)
    need(found, "complete", data["complete"], type(data["complete"]) is bool)
    need(found, "alike", data.get("alike", []), _is_list_of(str, data.get("alike", [])))
    fits = data["fits"]
    need(found, "fits", fits, isinstance(fits, dict) and isinstance(fits["kind"], str))
    need(found, "versions", fits["versions"], type(fits["versions"]["checkpoint"]) is int)
    if data["position"] is not None:
        need(found, "position", data["position"], isinstance(data["position"], dict))


def _check_parts(found: Found) -> None:
    fits = found.data["fits"]
    models, wanted = found.part("models"), fits["models"]
    need(found, "models", wanted, isinstance(models, list) and len(models) == len(wanted))
    for one, there in zip(models, wanted, strict=True):
        _check_model(found, one, there["weights"])
    del models  # as large as the models
    loose, gradients = found.part("loose"), found.part("loose_gradients")
    need(found, "loose", fits["loose"], [kind_of(one) for one in loose] == fits["loose"])
    for weight, one in zip(loose, gradients, strict=True):
        need(found, "loose_gradients", one, one is None or one.shape == weight.shape)
    optimizers = found.part("optimizers")
    whole = _is_list_of(Mapping, optimizers) and len(optimizers) == len(fits["optimizers"])
    need(found, "optimizers", fits["optimizers"], whole)
    del optimizers
    others, named = found.part("others"), fits["others"]
    need(found, "others", named, isinstance(others, list) and _is_list_of(str, named) and len(others) <= len(named))
    if (position := found.part("position")) is not None:
        _check_position(found, position)
        own = position["now"]["chance"]["own"]
        need(found, "position.now.chance.own", named, len(own) + len(others) == len(named))
    if fits["kind"] == "fit":
        need(found, "others", others, _is_list_of(Mapping, others))
        _check_extra(found, found.part("extra"), wanted[0]["weights"])


def _check_model(found: Found, saved: dict[str, Any], wanted: dict[str, str]) -> None:
    there = {name: kind_of(value) for name, value in saved["state"].items() if isinstance(value, Tensor)}
    need(found, "models", list(there), there == wanted)
    for name in ("unsaved", "gradients"):
        for key, value in saved[name].items():
            weight = saved["state"].get(key)
            fits = isinstance(value, Tensor) and (not isinstance(weight, Tensor) or value.shape == weight.shape)
            need(found, key, value, fits)
    for name in ("frozen", "resting"):
        need(found, name, saved[name], _is_list_of(str, saved[name]))


def _check_position(found: Found, at: dict[str, Any]) -> None:
    for name in ("loop", "epoch", "pass", "batch"):
        need(found, f"position.{name}", at[name], _is_count(at[name], least=-1 if name == "pass" else 0))
    ours = found.data["fits"]["kind"] == "fit"
    for name, one in at["sources"].items():
        need(found, "position.sources", name, name.isdecimal() and len(name) < 16)
        _check_source(found, one, ours=ours)
    inside = at["pass"] >= 0
    need(found, "position.began", at["began"], (at["began"] is not None) == inside)
    if inside:
        batches = at["data"].get("batches", _LARGEST)
        ours = ours or at["data"].get("type") == "Batches"
        need(found, "position.batch", at["batch"], not ours or (_is_count(batches) and at["batch"] <= batches))
    head = at["head"]
    need(found, "position.head", head["kind"], head["kind"] in ("start", "epoch", "pass"))
    _check_chances(found, head["chance"])
    for name in ("began", "now") if inside else ("now",):
        source = at[name]["source"]
        _check_chances(found, at[name]["chance"])
        need(found, f"position.{name}.source", source, (source is not None) == inside)
        if inside:
            _check_source(found, source, ours=ours)


def _check_chances(found: Found, saved: dict[str, Any]) -> None:
    for owner in ("python", "numpy", "torch"):
        _check_generator(found, saved[owner], owner)
    accelerator = saved["accelerator"]
    for one in accelerator if isinstance(accelerator, list) else [accelerator]:
        need(found, "accelerator", one, one is None or (isinstance(one, Tensor) and one.dtype == torch.uint8))
    need(found, "own", saved["own"], isinstance(saved["own"], list))
    for one in saved["own"]:
        _check_generator(found, one)


def _check_source(found: Found, saved: dict[str, Any], *, ours: bool) -> None:
    turn = saved["turn"]
    need(found, "turn", turn, turn is None or isinstance(turn, Mapping))
    if turn is not None and ours:
        whole = type(turn["seed"]) is int and -(2**63) <= turn["seed"] < 2**64
        need(found, "turn", turn, whole and _is_count(turn["turn"]))
    need(found, "generators", saved["generators"], isinstance(saved["generators"], list))
    whole = _is_list_of(str, saved["kinds"]) and len(saved["kinds"]) == len(saved["generators"])
    need(found, "kinds", saved["kinds"], whole)
    for one in saved["generators"]:
        _check_generator(found, one)


def _check_generator(found: Found, saved: Any, owner: str = "") -> None:
    """Try it on a generator of our own: each says itself what it takes."""
    kind = type(saved)
    if kind is Tensor and owner in ("torch", ""):
        need(found, "generator", saved, saved.dtype == torch.uint8 and saved.ndim == 1)
        cpu = torch.Generator()
        if len(saved) == len(cpu.get_state()) or owner:  # those of accelerators are shorter
            cpu.set_state(saved)
    elif kind is dict and owner in ("numpy", ""):
        inner = saved["state"]
        at = inner.get("pos", 0) if isinstance(inner, dict) else 0
        need(found, "generator", at, _is_count(at, 624) and _is_count(saved.get("buffer_pos", 0), 4))
        make = getattr(np.random, saved["bit_generator"], None)
        if isinstance(make, type) and issubclass(make, np.random.BitGenerator):  # else it is somebody's own
            make().state = saved
    elif kind is tuple and saved[0] == "MT19937" and owner in ("numpy", ""):
        need(found, "generator", saved[2], _is_count(saved[2], 624))  # NumPy would read beside its memory
        np.random.RandomState().set_state(saved)
    elif kind is tuple and owner in ("python", ""):
        random.Random().setstate(saved)
    else:
        raise found.damaged(f"{owner or 'generator'} = {saved!r:.60}")


def _check_extra(found: Found, extra: dict[str, Any], wanted: dict[str, str]) -> None:
    """What `fit` remembers."""
    best, plan = extra["best"], extra["plan"]
    if best is not None:
        loss, accuracy = best
        need(found, "best", best, type(loss) is float and (accuracy is None or type(accuracy) is float))
    need(found, "best_epoch", extra["best_epoch"], _is_count(extra["best_epoch"]))
    there = {name: kind_of(value) for name, value in extra["best_weights"].items() if isinstance(value, Tensor)}
    need(found, "best_weights", list(there), there == wanted)
    need(found, "precision", plan["precision"], plan["precision"] in ("float32", "bfloat16"))
    need(found, "memory_format", plan["memory_format"], plan["memory_format"] in ("contiguous", "channels_last"))
    need(found, "compile", plan["compile"], type(plan["compile"]) is bool)
    most = max(_MOST_THREADS, os.cpu_count() or 1)
    need(found, "threads", plan["threads"], _is_count(plan["threads"], most, 1))


def _is_setting(mine: Any, there: Any, name: str) -> bool:
    """Whether an optimizer that has this takes that for it: schedules change numbers, and make tensors of them."""
    if type(mine) is float and type(there) is float and there == mine:  # infinite, for one
        return True
    if isinstance(mine, bool):
        return isinstance(there, bool) and (name not in ("amsgrad", "capturable", "differentiable") or there == mine)
    if isinstance(mine, int | float):
        return isinstance(there, Tensor) or (type(there) in (int, float) and abs(there) <= sys.float_info.max)
    if isinstance(mine, tuple):
        return (
            isinstance(there, tuple)
            and len(there) == len(mine)
            and all(map(_is_setting, mine, there, [name] * len(mine)))
        )
    return mine is not None or there is None or isinstance(there, bool)


def _is_count(value: Any, most: int = _LARGEST, least: int = 0) -> bool:
    return type(value) is int and least <= value <= most


def _is_list_of(kind: type, value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)
