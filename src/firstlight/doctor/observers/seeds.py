"""Which seeds were set, and whether the same random numbers come again in each epoch; what is saved and read back."""

import random
import weakref
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy
import torch
from torch import nn
from torch.optim.optimizer import Optimizer

from firstlight.doctor.observer import Call, Observer

_MOST = 64
_OWN = 400  # generators whose beginning is heard
_IN_A_ROW = 8  # steps, each of which follows on the one before: an evaluation comes less often


class Seeds(Observer):
    """Fact `seeds`: whether any was set, and those that began the same numbers again while a training went on."""

    kinds: ClassVar = ("seeds",)
    hears: ClassVar = {
        "seed_torch": ("torch", "manual_seed"),
        "seed_random": ("random", "seed"),
        "seed_numpy": ("numpy.random", "seed"),
        "own_numpy": ("numpy.random", "default_rng"),
        "own_random": ("random.Random", "seed"),
    }

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._armed: dict[str, dict[str, Any]] = {}  # by whose numbers they are
        self._rows: dict[Any, dict[str, Any]] = {}
        self._stepped: weakref.WeakSet[Optimizer] = weakref.WeakSet()
        self._before: weakref.WeakSet[Optimizer] = weakref.WeakSet()  # before the first of several seeds
        self._heard = self._owns = 0
        self._own: dict[Any, dict[str, Any]] = {}  # generators of their own, by line and seed

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if name.startswith("own_"):
            self._made_anew(name, args, kwargs)
            return
        if name == "seed_torch":  # weights are drawn with torch's numbers
            self.witness.session["seeded"] = True
        if self._heard >= 4 * _MOST:
            return
        self._heard += 1
        place = self.witness.place()
        seed = args[0] if args else kwargs.get("seed")
        key = (name, place and (place.file, place.line), repr(seed))
        row = self._rows.get(key)
        if row is None and len(self._rows) < _MOST:
            row = self._rows[key] = {
                "seed": repr(seed), "place": place and place.as_json(), "times": 0, "step": 0, "states": [],
                "by": weakref.WeakSet(), "drawn": False, "began": 0, "whose": name,
            }  # fmt: skip
        if row is not None:
            # Only an optimizer that made steps before, and makes some after, has a training that goes on.
            row["began"] = _numbers(name)
            row["by"] = weakref.WeakSet(self._stepped if not self._armed else self._before)
            if not self._armed:
                self._before, self._stepped = self._stepped, weakref.WeakSet()
            self._armed[name] = row

    def _made_anew(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A generator begins at a seed: in how many steps in a row does one line make it begin at the same?"""
        self._owns += 1
        if self._owns >= _OWN:
            self.witness.enough(self, name)
        seed = args[-1] if args else kwargs.get("seed")
        if not isinstance(seed, int | str) or not self.witness.backwards:
            return
        place = self.witness.place()
        key = (place and (place.file, place.line), repr(seed))
        if key in self._own or len(self._own) < _MOST:
            row = self._own.setdefault(key, {"seed": repr(seed), "place": place and place.as_json(), "times": 0,
                                             "row": 0, "last": -1, "step": 0})  # fmt: skip
            now = self.witness.backwards
            row["times"] += now != row["last"]
            row["row"] += now == row["last"] + 1
            row["step"] = row["step"] or (now if row["row"] >= _IN_A_ROW else 0)
            row["last"] = now

    def calling(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Random numbers of before this seed: where none were drawn since the last one, setting it changes nothing."""
        if not name.startswith("own_") and name not in self._armed and self._rows and self._heard < 4 * _MOST:
            state = _numbers(name)
            for row in self._rows.values():
                if row["whose"] == name:
                    row["drawn"] = row["drawn"] or (bool(row["states"]) and row["states"][-1] != state)

    def forward(self, call: Call) -> None:
        """The first batch of a training after a seed was set: where do the random numbers stand?"""
        if not self._armed:
            return
        if not call.grad:
            for row in self._armed.values():
                if row["whose"] != "seed_torch":
                    row["began"] = _numbers(row["whose"])  # what was drawn by now was for an evaluation
            return
        for row in self._armed.values():
            row["states"] = [*row["states"][-8:], _numbers(row["whose"])]
            row["drawn"] = row["drawn"] or row["states"][-1] != row["began"]
            row["at"] = self.witness.step
        self._armed = {}

    def step(self, optimizer: Optimizer) -> None:
        self._stepped.add(optimizer)
        for row in self._rows.values():
            if row.get("at") is not None:
                # The same optimizer stepped before this seed as well, and the numbers are those of the time before.
                states = row["states"]
                if len(states) > 1 and states[-1] == states[-2] and row["drawn"] and optimizer in row["by"]:
                    row["times"] += 1
                    row["step"] = row["step"] or row["at"]
                row["at"] = None

    def facts(self) -> Iterator[tuple[str, Any]]:
        """Seeds."""
        again = [
            {"seed": row["seed"], "place": row["place"], "times": row["times"], "step": row["step"]}
            for row in sorted(self._rows.values(), key=lambda row: row["whose"] != "seed_torch")
            if row["times"]
        ]
        own = [row for row in self._own.values() if row["row"] >= _IN_A_ROW]
        yield "seeds", {"set": bool(self.witness.session.get("seeded")), "again": again, "own": own[:8]}


def _numbers(whose: str) -> int:
    """Where the random numbers of torch, of NumPy or of Python stand."""
    if whose == "seed_random":
        return hash(random.getstate())
    if whose == "seed_numpy":
        state: Any = numpy.random.get_state()
        return hash((state[1].tobytes(), *state[2:]))
    return hash(torch.get_rng_state().numpy().tobytes())


class Saving(Observer):
    """Fact `saved`: what was written, and models that learn on from what was read back."""

    kinds: ClassVar = ("saved",)
    gaps: ClassVar = frozenset({"step_begins"})
    hears: ClassVar = {
        "saved": ("torch", "save"),
        "state_read": ("torch", "load"),
        "load_state_dict": ("torch.nn.Module", "load_state_dict"),
        "optimizer_loaded": ("torch.optim.optimizer.Optimizer", "load_state_dict"),
    }

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._saved: dict[str, dict[str, Any]] = {}
        self._read: dict[str, Any] | None = None
        self._loaded: weakref.WeakKeyDictionary[nn.Module, dict[str, Any]] = weakref.WeakKeyDictionary()
        self._restored: weakref.WeakSet[Optimizer] = weakref.WeakSet()
        self._fresh: list[dict[str, Any]] = []
        self._seen: weakref.WeakSet[Optimizer] = weakref.WeakSet()

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        place = self.witness.place()
        told = place and place.as_json()
        if name == "saved" and len(args) > 1 and len(self._saved) < 64:
            whole = isinstance(args[0], nn.Module)
            self._saved[str(args[1])] = {"place": told, "whole": whole, "steps": self.witness.steps}
        elif name == "state_read" and args:
            self._read = self._saved.get(str(args[0]))
        elif name == "load_state_dict" and args and isinstance(args[0], nn.Module) and self._read is not None:
            # Read back what this program saved while it trained: the training is to go on.
            if self._read["steps"]:
                self._loaded[args[0]] = {"place": told, "saved": self._read["place"]}
            self._read = None
        elif name == "optimizer_loaded" and args:
            self._restored.add(args[0])

    def step_begins(self, optimizer: Optimizer) -> None:
        if optimizer in self._seen:
            return
        self._seen.add(optimizer)
        if optimizer in self._restored or not self._loaded:
            return
        ids = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
        state = bool(optimizer.state)
        for module, row in self._loaded.items():
            if not state and _keeps_state(optimizer) and any(id(weight) in ids for weight in module.parameters()):
                self._fresh.append({**row, "optimizer": type(optimizer).__name__, "step": self.witness.step})

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What was saved whole, and optimizers that began anew."""
        whole = [row["place"] for row in self._saved.values() if row["whole"]]
        if whole or self._fresh:
            yield "saved", {"whole": whole[:4], "fresh": self._fresh[:4]}


def _keeps_state(optimizer: Optimizer) -> bool:
    return type(optimizer).__name__ != "SGD" or any(group.get("momentum") for group in optimizer.param_groups)
