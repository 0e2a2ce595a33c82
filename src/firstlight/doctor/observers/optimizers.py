"""How optimizers are set up, and which are made anew over the same weights."""

import functools
import hashlib
import itertools
import weakref
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from firstlight.doctor.observer import Call, Feed, Observer
from firstlight.doctor.observers.fingerprint import has_plain_numbers
from firstlight.doctor.places import Place

_ROWS = 64  # samples of a call whose bytes are remembered, in the first calls of each optimizer's life
_CALLS = 4
_REMEMBERING = ("Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adadelta")  # from their first step


class _Life:
    """One optimizer over some weights: what it was shown, and how long."""

    def __init__(self, optimizer: Optimizer, place: Place | None, key: int) -> None:
        self.optimizer = weakref.ref(optimizer)
        self.kind, self.place, self.key = type(optimizer).__name__, place, key
        self.steps = self.calls = 0
        self.state = False
        self.loaders: set[int] = set()
        self.passes: set[int] = set()
        self.rows: set[bytes] = set()
        self.written = False  # whether the weights were replaced by others in its time or just before
        self.numbers: dict[str, Any] = {}
        self.made_at = 0
        self.weight: weakref.ref[Tensor] | None = None
        self.version = -1  # of the first weight, after the newest step


class Optimizers(Observer):
    """Fact `optimizers`: the numbers that each was given, and how often one was made of the same weights."""

    kinds: ClassVar = ("optimizers",)
    hears: ClassVar = {
        "optimizers.load": ("torch.nn.Module", "load_state_dict"),
        "optimizers.state": ("torch.optim.Optimizer", "load_state_dict"),
    }

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._lives: list[_Life] = []
        self._by: dict[int, _Life] = {}
        self._newest: _Life | None = None
        self._loaded = False
        self._loaders: dict[int, weakref.ref[Any]] = {}

    def optimizer_made(self, optimizer: Optimizer, place: Place | None) -> None:
        first = next((w for group in optimizer.param_groups for w in group["params"]), None)
        if first is None or len(self._lives) > 2000:
            return
        life = _Life(optimizer, place, id(first))
        life.written, self._loaded = self._loaded or self._rewritten(first), False
        life.weight = weakref.ref(first, functools.partial(_forget, self._lives, id(first)))
        life.made_at = self.witness.step
        self._lives.append(life)
        self._by[id(optimizer)] = life
        self._newest = life

    def _rewritten(self, weight: Tensor) -> bool:
        """Whether something else than an optimizer has written into a weight since its newest step: a new beginning."""
        before = next((one for one in reversed(self._lives) if one.key == id(weight) and one.steps), None)
        return before is not None and before.version != weight._version

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if name == "optimizers.load":
            self._loaded = True
        elif args and (life := self._by.get(id(args[0]))) is not None:
            life.written = True  # its state is brought along

    def forward(self, call: Call) -> None:
        life = self._newest
        if life is None or life.calls >= _CALLS or not call.grad or len(self._lives) > 64:
            return
        life.calls += 1
        given = call.args[0] if call.args else None
        if isinstance(given, Tensor) and given.device.type == "cpu" and given.dim() and given.numel() <= 2_000_000:
            _remember(life.rows, given)

    def step(self, optimizer: Optimizer) -> None:
        life = self._by.get(id(optimizer))
        if life is None or life.optimizer() is not optimizer:
            return
        life.steps += 1
        weight = life.weight() if life.weight is not None else None
        if weight is not None:
            life.version = weight._version
        feed = self.witness.feed
        if feed is not None:
            self._seen(life, feed)
        if life.steps == 1:
            life.numbers = _numbers(optimizer)
        if life.steps == 2:
            life.state = any(
                isinstance(value, Tensor) and value.dim()
                for state in list(optimizer.state.values())[:1]
                for value in (state.values() if isinstance(state, dict) else ())
            )

    def _seen(self, life: _Life, feed: Feed) -> None:
        if feed.number not in life.passes and len(life.passes) < 64:
            life.passes.add(feed.number)
            life.loaders.add(id(feed.loader))

    def facts(self) -> Iterator[tuple[str, Any]]:
        """Groups of optimizers by their weights and the line that makes them."""
        if not self._lives:
            return
        groups: dict[tuple[int, Any], list[_Life]] = {}
        for life in self._lives:
            if life.steps:
                groups.setdefault((life.key, life.place and (life.place.file, life.place.line)), []).append(life)
        rows: list[dict[str, Any]] = []
        for lives in groups.values():
            first = lives[0]
            rows.append({
                "optimizer": first.kind,
                "count": len(lives),
                "steps": [life.steps for life in lives[:8]],
                "single": all(life.steps <= 1 for life in lives),
                "state": any(life.state for life in lives)
                or any(life.kind in _REMEMBERING or life.numbers.get("momentum") for life in lives),
                "same_loader": len(set.intersection(*(life.loaders for life in lives))) > 0,
                "most_passes": max(len(life.passes) for life in lives),
                "same_rows": len(lives) > 1 and bool(first.rows & set().union(*(one.rows for one in lives[1:]))),
                "written": any(life.written for life in lives[1:]),
                "numbers": first.numbers,
                "equal": all(life.numbers == first.numbers for life in lives),
                "falls": _falls([life.numbers for life in lives]),
                "step": lives[2].made_at if len(lives) > 2 else None,
                "place": first.place and first.place.as_json(),
            })  # fmt: skip
        yield "optimizers", sorted(rows, key=lambda row: row["count"], reverse=True)[:16]


def _numbers(optimizer: Optimizer) -> dict[str, Any]:
    """The numbers of the first group."""
    group = optimizer.param_groups[0] if optimizer.param_groups else {}
    found: dict[str, Any] = {}
    for name in ("lr", "momentum", "betas", "weight_decay", "nesterov", "maximize", "alpha", "eps"):
        value = group.get(name)
        if isinstance(value, bool | int | float):
            found[name] = value
        elif isinstance(value, list | tuple) and all(isinstance(one, int | float) for one in value):
            found[name] = list(value)
    return found


def _falls(numbers: list[dict[str, Any]]) -> bool:
    """Whether the learning rate got smaller from each to the next, and nothing else changed."""
    rates = [one.get("lr", 0.0) for one in numbers]
    others = [{key: value for key, value in one.items() if key != "lr"} for one in numbers]
    return all(a > b for a, b in itertools.pairwise(rates)) and all(one == others[0] for one in others)


def _remember(rows: set[bytes], given: Tensor) -> None:
    if not given.numel() or not has_plain_numbers(given):
        return
    some = given.detach()[:_ROWS]
    numbers = some.reshape(len(some), -1)[:, :1024].contiguous().view(torch.uint8).numpy()  # NumPy knows no bfloat16
    rows.update(hashlib.blake2b(row, digest_size=8).digest() for row in numbers)


def _forget(lives: list[_Life], key: int, _gone: Any) -> None:
    """The weight with this address is no more: a new one may get the address, and is another weight."""
    same = [at for at, life in enumerate(lives) if life.key == key]
    for at in same:
        lives[at].key = -1 - same[0]
