"""What the looks of a run have brought, small enough to be kept and drawn however long the training is.

The recorder writes facts (docs/run.md); here they are read a few at a time, and only when somebody asks. Shapes: L
looks, at most `MOST_LOOKS`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from firstlight.run import Fact, Run

MOST_LOOKS = 160  # columns of a strip: more than a page has room for only cost time
MOST_GRAPHS = 512  # places of the step slider


class Strips:
    """One value for each row and look. When there are too many looks, every second one is left out.

    Example:
        >>> strips = Strips()
        >>> for step in range(1000):
        ...     strips.add(step, {"0.weight": step / 1000})
        >>> len(strips.steps) <= MOST_LOOKS, strips.steps[0], strips.steps[-1]
        (True, 0, 999)
    """

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.rows: dict[str, list[float | None]] = {}
        self._since = self._every = 1  # only each so manieth look stays; the newest is always shown

    def add(self, step: int, values: dict[str, float | None]) -> None:
        """Take in one look. A row that it does not name has no value there."""
        if self.steps and self._since < self._every:
            self.steps.pop()
            for row in self.rows.values():
                row.pop()
        else:
            self._since = 0
        self._since += 1
        for name in values:
            if name not in self.rows:
                self.rows[name] = [None] * len(self.steps)
        self.steps.append(step)
        for name, row in self.rows.items():
            row.append(values.get(name))
        if len(self.steps) >= MOST_LOOKS:
            self._thin()

    def newest(self, name: str) -> float | None:
        """The newest value of a row."""
        row = self.rows.get(name)
        return row[-1] if row else None

    def _thin(self) -> None:
        # Counted from the end, so that the newest stays; and the very first, where training begins.
        keep = sorted({0, *range(len(self.steps) - 1, -1, -2)})
        self.steps = [self.steps[at] for at in keep]
        for name, row in list(self.rows.items()):
            kept = [row[at] for at in keep]
            if all(value is None for value in kept):
                del self.rows[name]
            else:
                self.rows[name] = kept
        self._every *= 2
        self._since = self._every  # the newest stays; what comes next stands behind it


@dataclass(frozen=True)
class GraphLook:
    """A look at the graph of one step.

    Attributes:
        step: Of which step.
        rows_at: The step whose rows hold this graph; the same as long as nothing changes.
        operations: How many it has.
        changes: How many differ from the look before; None at the first.
        saved: Bytes held for the backward pass.
    """

    step: int
    rows_at: int
    operations: int
    changes: int | None
    saved: int


@dataclass
class Weights:
    """The parameters of the newest look.

    Attributes:
        names: As the model calls them.
        shapes: Of each.
        trained: Whether gradients are asked for.
    """

    names: list[str] = field(default_factory=list)
    shapes: list[list[int]] = field(default_factory=list)
    trained: list[bool] = field(default_factory=list)

    @property
    def sizes(self) -> dict[str, int]:
        """How many numbers each holds."""
        return {name: math.prod(shape) for name, shape in zip(self.names, self.shapes, strict=True)}


class Looks:
    """Everything that the looks of one run have brought by now.

    Call `gather` from one thread at a time.

    Attributes:
        run: Whose looks.
        graphs: Looks at the graph, oldest first.
        weights: The parameters of the newest look.
        gradients: Norm of each parameter's gradient by look.
        updates: Size of the step's change by the size of the parameter, by look.
        zeros: Share of zeros in what each module gave, by look.
        activations: The newest fact `activations`, None before the first.
        memory: The newest fact `memory`, None before the first.
        versions: For each tab, a number that grows when it has something new.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.graphs: list[GraphLook] = []
        self.weights = Weights()
        self.gradients, self.updates, self.zeros = Strips(), Strips(), Strips()
        self.activations: Fact | None = None
        self.memory: Fact | None = None
        self.versions = {"graph": 0, "gradients": 0, "activations": 0, "memory": 0}
        self._cursor = 0

    def gather(self, *, wait: bool = False) -> bool:
        """Read what is new; whether anything was.

        Args:
            wait: For the disk, so that the newest look is there too.
        """
        facts, self._cursor = self.run.facts_since(self._cursor, wait=wait)
        before = sum(self.versions.values())
        for fact in facts:
            take = self._takers().get(fact.kind)
            if take is not None and isinstance(fact.data, dict):
                tab = take(fact)
                if tab:
                    self.versions[tab] += 1
        return sum(self.versions.values()) != before

    def graph_at(self, step: int | None) -> GraphLook | None:
        """The look of this step or the newest one before it; the newest of all for None."""
        found = None
        for look in self.graphs:
            if step is None or look.step <= step or found is None:
                found = look
        return found

    def before(self, look: GraphLook) -> GraphLook | None:
        """The look before this one."""
        at = self.graphs.index(look)
        return self.graphs[at - 1] if at else None

    def _takers(self) -> dict[str, Callable[[Fact], str]]:
        return {
            "graph": self._take_graph,
            "parameters": self._take_parameters,
            "weights": self._take_weights,
            "activations": self._take_activations,
            "memory": self._take_memory,
        }

    def _take_graph(self, fact: Fact) -> str:
        data = fact.data
        changes = data.get("changes")
        look = GraphLook(
            fact.step,
            int(data["rows_at"]),
            int(data["operations"]),
            None if changes is None else int(changes),
            int(data.get("saved") or 0),
        )
        if self.graphs and self.graphs[-1].step == look.step:
            self.graphs.pop()
        self.graphs.append(look)
        if len(self.graphs) > MOST_GRAPHS:
            # The later ones stand ever further apart: what is left out is where they are densest.
            at = min(range(1, len(self.graphs) - 1), key=lambda i: self.graphs[i + 1].step - self.graphs[i - 1].step)
            del self.graphs[at]
        return "graph"

    def _take_parameters(self, fact: Fact) -> str:
        data = fact.data
        names = [str(name) for name in data.get("names", [])]
        self.weights = Weights(
            names, data.get("shapes") or [[]] * len(names), data.get("trained") or [True] * len(names)
        )
        return ""

    def _take_weights(self, fact: Fact) -> str:
        names = self.weights.names
        for strips, key in ((self.gradients, "grad"), (self.updates, "update")):
            strips.add(fact.step, dict(zip(names, fact.data.get(key) or [None] * len(names), strict=False)))
        return "gradients"

    def _take_activations(self, fact: Fact) -> str:
        self.activations = fact
        names = numbered(fact.data.get("names", []))
        self.zeros.add(fact.step, dict(zip(names, fact.data.get("zero", []), strict=False)))
        return "activations"

    def _take_memory(self, fact: Fact) -> str:
        self.memory = fact
        return "memory"


def numbered(names: Sequence[str]) -> list[str]:
    """Names of which each stands there once: a module that ran twice is `cell` and `cell #2`.

    Example:
        >>> numbered(["cell", "head", "cell"])
        ['cell', 'head', 'cell #2']
    """
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return found


def folded(names: Sequence[str], most: int) -> list[tuple[str, list[int]]]:
    """Names joined by the module that they are in, where there are more than `most`; in order, with their places.

    Example:
        >>> folded(["a.weight", "a.bias", "b.weight"], most=2)
        [('a', [0, 1]), ('b.weight', [2])]
    """
    deepest = max((name.count(".") for name in names), default=0)
    groups = [(name, [at]) for at, name in enumerate(names)]
    for depth in range(deepest, 0, -1):
        if len(groups) <= most:
            break
        joined: dict[str, list[int]] = {}
        for at, name in enumerate(names):
            joined.setdefault(".".join(name.split(".")[:depth]), []).append(at)
        groups = [(names[at[0]] if len(at) == 1 else name, at) for name, at in joined.items()]
    if len(groups) > most:  # a flat list of very many: neighbours together
        per = -(-len(groups) // most)
        parts = [groups[at : at + per] for at in range(0, len(groups), per)]
        groups = [(f"{part[0][0]} … {part[-1][0]}", [at for _name, places in part for at in places]) for part in parts]
    return groups


def newest_number(row: Sequence[float | None]) -> float | None:
    """The last value that there is."""
    return next((value for value in reversed(row) if value is not None), None)
