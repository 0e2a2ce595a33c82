"""What a notebook's session remembers: in which cell a model was made, what it had learned before, and from which rows.

Only in a notebook: cells can be run again, in any order, and objects of earlier cells live on. What is remembered of a
model goes when the model goes.
"""

import sys
import weakref
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from firstlight.doctor.observer import Backward, Call, Observer
from firstlight.doctor.observers.learning_rows import all_were_read
from firstlight.doctor.places import Place

_SAMPLED = 8  # numbers of each weight by which it is known again
_MOST_ROWS = 100_000  # of each model, as 64-bit numbers
_MOST_BORN = 4_096  # weights
_MOST_CALLS = 4  # calls of each root whose line is remembered


class Past:
    """What one model had learned when an episode ended. Holds no tensor of the program's."""

    def __init__(self, module: nn.Module, steps: int, cell: int, key: str) -> None:
        self.steps, self.cell, self.key = steps, cell, key
        self.rows: set[int] = set()
        self.was = _sample(module)


class Memory(Observer):
    """Fact `session`: models with their cells and what is known of their past; `earlier`: episodes that still stand."""

    kinds: ClassVar = ("session", "earlier")
    gaps: ClassVar = frozenset({"backward_begins", "step_begins", "forward"})

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        session = witness.session
        self._born: dict[int, tuple[weakref.ref[Tensor], int]] = session.setdefault("born", {})
        self._past: weakref.WeakKeyDictionary[nn.Module, Past] = session.setdefault("past", weakref.WeakKeyDictionary())
        self._stepped: set[int] = set()  # weights, by id
        self._known: weakref.WeakSet[Optimizer] = weakref.WeakSet()
        self._continued: weakref.WeakSet[nn.Module] = weakref.WeakSet()
        self._called: weakref.WeakKeyDictionary[nn.Module, list[Any]] = weakref.WeakKeyDictionary()
        self._place: Place | None = None

    @property
    def _cell(self) -> int:
        return int(self.witness.session.get("cell", 0))

    def registered(self, parameter: nn.Parameter) -> None:
        key, born = id(parameter), self._born
        if not self._cell or len(born) >= _MOST_BORN or (key in born and born[key][0]() is parameter):
            return

        def forget(gone: "weakref.ref[Tensor]") -> None:
            if key in born and born[key][0] is gone:
                del born[key]

        born[key] = (weakref.ref(parameter, forget), self._cell)

    def backward_begins(self, going: Backward) -> None:
        if going.number == 0 and self._cell:
            self._place = going.place
            self._continued.update(module for module, past in self._past.items() if _equal(_sample(module), past.was))

    def step_begins(self, optimizer: Optimizer) -> None:
        if optimizer not in self._known:
            self._known.add(optimizer)
            self._stepped.update(id(weight) for group in optimizer.param_groups for weight in group["params"])

    def forward(self, call: Call) -> None:
        if call.grad or not self.witness.steps or not self._cell:
            return
        lines = self._called.setdefault(call.module, [])
        if len(lines) < _MOST_CALLS:
            place = call.place or self.witness.place()
            lines.append({"place": place and place.as_json(), "step": self.witness.step})

    def has_trained(self, module: nn.Module) -> bool:
        """Whether an optimizer changed weights of this model in this episode."""
        return any(id(weight) in self._stepped for weight in module.parameters())

    def born(self, module: nn.Module) -> int:
        """The cell that made this model: the newest of its weights; 0 where that is not known."""
        cells = [self._born[id(w)][1] for w in module.parameters() if id(w) in self._born]
        return max(cells, default=0)

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What is remembered."""
        session = self.witness.session
        if not self._cell:
            return
        if session.get("earlier"):
            yield "earlier", [one["facts"] for one in session["earlier"]]
        keys: dict[int, str] = session.get("cells", {})
        trained = [root for root in self.witness.roots() if self.has_trained(root)]
        training = session.get("training") or (0, "")
        rows = []
        for root in trained:
            past = self._past.get(root)
            row: dict[str, Any] = {"kind": type(root).__name__, "born": self.born(root), "past": None}
            if past is not None and root in self._continued:
                row["past"] = {"steps": past.steps, "cell": past.cell, "again": past.key == training[1]}
            rows.append(row)
        yield (
            "session",
            {
                "cell": training[0],
                "steps": self.witness.steps,
                "place": self._place and self._place.as_json(),
                "again": _again(keys),
                "roots": rows,
                "born": [self.born(root) for root in self.witness.roots()],
                "stale": list(self._stale(trained, keys)),
                "tested": list(self._tested(trained)),
            },
        )

    def _stale(self, trained: list[nn.Module], keys: dict[int, str]) -> Iterator[dict[str, Any]]:
        """Models of a cell that ran again since, called in place of those that it made anew and that were trained."""
        names = None
        for module, lines in list(self._called.items()):
            born = self.born(module)
            if not born or module in self._past or self.has_trained(module):
                continue
            for newer in trained:
                later = self.born(newer)
                if later <= born or keys.get(later) != keys.get(born) or _shapes(newer) != _shapes(module):
                    continue
                names = _values() if names is None else names
                if not any(value is module for value in names):  # else it was kept, under a name of its own
                    yield {"kind": type(module).__name__, "born": born, "newer": later, **lines[0]}
                break

    def _tested(self, trained: list[nn.Module]) -> Iterator[dict[str, Any]]:
        """Rows that were evaluated now, that this training had not, and that an earlier training of the same model had.

        The rows of this training are the yardstick: where samples are equal by chance, as many of those are met.
        """
        samples = _samples(self.witness)
        for root in getattr(samples, "roots", {}).values():
            module = root.module()
            past = self._past.get(module) if module is not None else None
            if past is None or module not in self._continued or not any(module is one for one in trained):
                continue
            now, found, total, step = root.seen, 0, 0, None
            if len(now) < 0.3 * len(past.rows) or not all_were_read(root):
                continue
            chance = 0
            for use in root.evaluated:
                if use.learned or use.rows is None or use.rows.device.type != "cpu":
                    continue
                numbers = set(use.rows.tolist())
                known = len(numbers & now)
                if known > 0.5 * len(numbers):
                    continue  # the training samples' own score
                met = len((numbers & past.rows) - now)
                if met and step is None:
                    step = use.step
                found, total, chance = found + met, total + len(numbers), chance + known
            if total:
                yield {
                    "kind": root.kind, "before": found, "now": chance, "rows": total, "step": step, "cell": past.cell,
                }  # fmt: skip


def keep(witness: Any) -> None:
    """An episode ends: remember, of each model that was trained in it, how far it has come and which rows it knows."""
    memory = next((one for one in witness.observers if isinstance(one, Memory)), None)
    if memory is None:
        return
    cell, key = witness.session.get("training") or (0, "")
    rows = {id(root.module()): root.seen for root in getattr(_samples(witness), "roots", {}).values()}
    for module in witness.roots():
        if not memory.has_trained(module):
            continue
        before = memory._past.get(module)
        past = Past(module, witness.steps, cell, key)
        past.rows |= rows.get(id(module), set())
        if before is not None and module in memory._continued:
            past.steps += before.steps
            past.rows |= before.rows
        while len(past.rows) > _MOST_ROWS:
            past.rows.pop()
        memory._past[module] = past


def _samples(witness: Any) -> Any:
    return next((one for one in witness.observers if type(one).__name__ == "Samples"), None)


def _sample(module: nn.Module) -> list[Tensor]:
    weights = [weight for _at, weight in zip(range(8), module.parameters(), strict=False)]
    return [weight.detach().reshape(-1)[:_SAMPLED].clone() for weight in weights if type(weight) is nn.Parameter]


def _equal(some: list[Tensor], others: list[Tensor]) -> bool:
    return len(some) == len(others) and all(
        a.device == b.device and a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(some, others, strict=True)
    )


def _again(keys: dict[int, str]) -> list[int]:
    """Of each cell that ran more than once, the newest run.

    Example:
        >>> _again({1: "a", 2: "b", 3: "a", 4: "c", 5: "a", 6: "c"})
        [5, 6]
    """
    newest: dict[str, int] = {}
    several = set()
    for number, key in sorted(keys.items()):
        if key in newest:
            several.add(key)
        newest[key] = number
    return sorted(newest[key] for key in several)


def _shapes(module: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in module.parameters()]


def _values() -> list[Any]:
    """What the learner's names stand for now, and what lists and dicts of theirs hold."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return []
    named = [value for name, value in list(shell.user_ns.items()) if not name.startswith("_") and name not in ("Out",)]
    inside = [
        one
        for value in named
        if isinstance(value, list | tuple | dict) and len(value) < 1_000
        for one in (value.values() if isinstance(value, dict) else value)
    ]
    held = [one for value in named if hasattr(value, "__dict__") for one in list(vars(value).values())[:100]]
    return [*named, *inside, *held]
