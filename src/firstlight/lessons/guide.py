"""The guide beside a lesson: how long it takes here, and a sentence where a cell comes too early, too late or twice.

A notebook lets its cells run in any order and forgets everything at a restart. The guide knows from the built notebook
which cell makes which name. Before a cell runs it looks whether the names are there (else it says which part to run
first), whether they still belong together (`model` made for one dataset, `train` loaded from another), and whether
training would go on with a model that is trained already. The lab loads it into every kernel, so it is there after a
restart too; `begin` loads it elsewhere.
"""

import ast
import builtins
import json
import sys
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from firstlight.lessons import lessons, notebook_path
from firstlight.locale import _, language


def begin(lesson: str, *, data: str | None = None) -> None:
    """Say what is coming and how long it takes on this computer; from now on the guide stands beside the notebook.

    Args:
        lesson: A name that `lessons()` lists.
        data: The dataset that the lesson uses; its size decides how long training takes.

    Raises:
        NoSuchLesson: There is no such lesson.
    """
    outline = _outline(notebook_path(lesson, language()))
    parts = len({cell.part for cell in outline.cells if cell.part})
    seconds = _expected_s(data, lesson)
    if lesson in _MINUTES:
        lines = [
            _("This lesson has {parts} parts. Take about {minutes} minutes.", parts=parts, minutes=_MINUTES[lesson])
        ]
    else:
        lines = [_("This lesson has {parts} parts. To read and try everything, take about 45 minutes.", parts=parts)]
    if seconds is None:
        lines.append(_("How long training takes with your own data, the live view will say."))
    elif seconds < 90:
        lines.append(
            _("All computing together takes about {seconds} seconds on this computer.", seconds=_round(seconds))
        )
    else:
        lines.append(
            _("All computing together takes about {minutes} minutes on this computer.", minutes=round(seconds / 60))
        )
    _say(*lines)
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None:
        attend(shell).outline = outline


def attend(shell: Any) -> "Guide":
    """Put the guide beside a shell, once; it says nothing until a cell needs it."""
    for transformer in shell.ast_transformers:
        if isinstance(transformer, Guide):
            return transformer
    guide = Guide(shell)
    shell.ast_transformers.append(guide)
    shell.events.register("pre_run_cell", guide.before)
    shell.events.register("post_run_cell", guide.after)
    return guide


@dataclass(frozen=True)
class Cell:
    """One code cell of a lesson: where it stands and which names it makes."""

    id: str
    part: str
    makes: frozenset[str]


@dataclass(frozen=True)
class Outline:
    """The code cells of one lesson, in order."""

    cells: tuple[Cell, ...]

    def parts_that_make(self, names: set[str], before: str | None) -> list[str]:
        """The headings under which these names are made, above the cell with this id."""
        found: dict[str, None] = {}
        for cell in self._above(before):
            if cell.makes & names:
                found.setdefault(cell.part)
                names = names - cell.makes
        return list(found)

    def made_above(self, before: str | None) -> set[str]:
        """All names made above the cell with this id; above an unknown cell stands the whole lesson."""
        return set().union(*(cell.makes for cell in self._above(before)))

    def knows(self, cell_id: str | None) -> bool:
        """Whether a cell with this id belongs to the lesson."""
        return any(cell.id == cell_id for cell in self.cells)

    def _above(self, before: str | None) -> Iterator[Cell]:
        for cell in self.cells:
            if cell.id == before:
                return
            yield cell


@dataclass
class Guide:
    """Looks at each cell before it runs. IPython asks it as an AST transformer and tells it of cells by events."""

    shell: Any
    outline: Outline | None = None
    running: "_Running | None" = None
    # Name -> the settings (`DATASET`) it was made with, by value.
    made_with: dict[str, dict[str, object]] = field(default_factory=dict)
    # id -> a weak reference to each weight that an optimizer has moved.
    trained: "dict[int, weakref.ref[Any]]" = field(default_factory=dict)

    def before(self, info: Any) -> None:
        """A cell is about to run."""
        cell_id = getattr(info, "cell_id", None)
        self.running = _Running(cell_id)
        for name in lessons() if cell_id else ():
            outline = _outline(notebook_path(name, language()))
            if outline.knows(cell_id):
                self.outline = outline

    def visit(self, tree: ast.Module) -> ast.Module:
        """Called by IPython with the parsed cell; returns it unchanged or refuses it with a sentence."""
        if self.running is None or self.outline is None:
            return tree
        uses, makes = names_used(tree), names_made(tree)
        space = self.shell.user_ns
        self.running.tree, self.running.held = tree, {name: id(space[name]) for name in makes if name in space}
        here = self.outline.knows(self.running.cell_id) or self.running.cell_id is None
        self._refuse_if_missing(uses - makes)
        if here:
            self._refuse_if_stale(uses - makes)
        if _trained_by(tree):
            self._say_if_trained(uses - makes)
        return tree

    def after(self, result: Any) -> None:
        """A cell has run: remember with which settings its names were made, and which weights it moved."""
        running, self.running = self.running, None
        if running is None or running.tree is None or result.error_before_exec is not None:
            return
        tree, space = running.tree, self.shell.user_ns
        uses, makes = names_used(tree), names_made(tree)
        settings: dict[str, object] = {}
        for name in uses:
            settings.update(self.made_with.get(name, {}) if name not in makes else {})
        for name in uses | makes:
            if _is_setting(name, space.get(name)):
                settings[name] = space[name]
        for name in makes:
            # In a cell that failed, such as one that loads data while offline, a name may still hold what it held.
            untouched = result.error_in_exec is not None and running.held.get(name) == id(space.get(name))
            if name in space and not untouched and not _is_setting(name, space[name]):
                self.made_with[name] = {key: value for key, value in settings.items() if key != name}
        for name in _trained_by(tree):
            for weight in _weights_of(space.get(name)):
                self.trained[id(weight)] = weakref.ref(weight)

    def _refuse_if_missing(self, names: set[str]) -> None:
        assert self.outline is not None
        assert self.running is not None
        missing = {name for name in names if name not in self.shell.user_ns and not hasattr(builtins, name)}
        missing &= self.outline.made_above(self.running.cell_id)
        if not missing:
            return
        parts = self.outline.parts_that_make(missing, self.running.cell_id)
        raise _too_early()(
            _(
                "This cell needs {names}. They are made further up, and those cells have not run yet.",
                names=_listed(missing),
            ),
            _("Run first what stands under: {parts}", parts="; ".join(parts)),
            _('After a restart Python remembers nothing: choose "Run All Above Selected Cell" in the menu Run.'),
        )

    def _refuse_if_stale(self, names: set[str]) -> None:
        assert self.outline is not None
        assert self.running is not None
        space = self.shell.user_ns
        for name in sorted(names):
            for setting, value in self.made_with.get(name, {}).items():
                if setting in space and space[setting] != value:
                    parts = self.outline.parts_that_make({name}, self.running.cell_id)
                    raise _too_early()(
                        _(
                            "`{name}` was made while {setting} was {then!r}; now {setting} is {now!r}.",
                            name=name,
                            setting=setting,
                            then=value,
                            now=space[setting],
                        ),
                        _("Run again what stands under: {parts}", parts="; ".join(parts) or "…"),
                        _(
                            'Or choose "Run All Above Selected Cell" in the menu Run: then '
                            "everything fits together again."
                        ),
                    )

    def _say_if_trained(self, names: set[str]) -> None:
        assert self.outline is not None
        for name in sorted(names):
            weights = [
                w for w in _weights_of(self.shell.user_ns.get(name)) if not hasattr(self.shell.user_ns[name], "step")
            ]
            known = [self.trained.get(id(weight)) for weight in weights]
            if any(ref is not None and ref() is weight for ref, weight in zip(known, weights, strict=True)):
                parts = self.outline.parts_that_make({name}, None)
                lines = [
                    _(
                        "`{name}` has been trained already. This cell goes on training it; it is no fresh start.",
                        name=name,
                    )
                ]
                if parts:
                    lines.append(
                        _(
                            "For a fresh start, first run again the cell that makes it, under: {parts}",
                            parts="; ".join(parts),
                        )
                    )
                _say(*lines)


@dataclass
class _Running:
    cell_id: str | None
    tree: ast.Module | None = None
    held: dict[str, int] = field(default_factory=dict)  # name -> id of what it held before


def names_used(tree: ast.AST) -> set[str]:
    """Every name that the code reads.

    Example:
        >>> sorted(names_used(ast.parse("y = f(x)")))
        ['f', 'x']
    """
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def names_made(tree: ast.AST) -> set[str]:
    r"""Every name that the code binds, at whatever depth.

    Example:
        >>> sorted(names_made(ast.parse("import numpy as np\nfor i in range(3): y = i\ndef f(x): pass")))
        ['f', 'i', 'np', 'x', 'y']
    """
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            found.add(node.name)
    return found


@cache
def _outline(path: Path) -> Outline:
    """Read once: which code cell stands under which heading and makes which names at its top level."""
    cells = []
    part = ""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            for line in source.splitlines():
                if line.startswith("## ") or (line.startswith("# ") and not part):
                    part = line.lstrip("# ").strip()
        elif cell["cell_type"] == "code":
            cells.append(Cell(cell["id"], part, frozenset(_made_at_top(ast.parse(source)))))
    return Outline(tuple(cells))


def _made_at_top(tree: ast.Module) -> set[str]:
    """The names that stay after the cell: not those inside its functions."""
    found: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found.add(statement.name)
        else:
            found |= names_made(statement)
    return found


def _too_early() -> type[Exception]:
    from IPython.core.error import InputRejected

    class RunOtherCellsFirst(InputRejected):  # type: ignore[misc]  # IPython is untyped here
        """A cell was refused before it ran; shows its sentences in place of a traceback."""

        def __str__(self) -> str:
            return "\n".join(self.args)

        def _render_traceback_(self) -> list[str]:
            return list(self.args)

    return RunOtherCellsFirst


def _is_setting(name: str, value: object) -> bool:
    """Whether it is a choice of the lesson or the learner, such as `DATASET = "cifar10"`."""
    return name.isupper() and isinstance(value, str | int | float | tuple)


def _trained_by(tree: ast.AST) -> set[str]:
    """The optimizers whose `step` the code calls, and what it hands to `fit`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "step":
                found |= names_used(node.func.value)
            elif node.func.attr == "fit":
                found |= {name for argument in node.args[:1] for name in names_used(argument)}
    return found


def _weights_of(value: object) -> list[Any]:
    """The weights of a model or of an optimizer; nothing for anything else."""
    torch = sys.modules.get("torch")
    if torch is None:
        return []
    if isinstance(value, torch.nn.Module):
        return list(value.parameters())
    if isinstance(value, torch.optim.Optimizer):
        return [weight for group in value.param_groups for weight in group["params"]]
    return []


def _say(*lines: str) -> None:
    from firstlight.lessons.notes import note  # it draws on NumPy, for which no kernel should wait at its start

    note("info", *lines).display()


def _listed(names: set[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _round(seconds: float) -> int:
    return max(10, 10 * round(seconds / 10))  # finer would only seem exact


# How much work the first lesson is with each dataset, in steps of `_reference_step_s`: the whole lesson took 30 s with
# one thread and 21 s with two where such a step took 4.2 and 3.6 ms. A rough figure is enough: it says whether to wait.
_WORK = {"fashion_mnist_small": 6000, "mnist": 7000, "fashion_mnist": 7000, "cifar10": 10_000, "cifar100": 10_000}
_TIMES = {"making_it_fast": 1.4, "the_graph_is_alive": 0.3, "bug_gym": 0.05}  # times as much work as the first lesson

_MINUTES = {"bug_gym": 15}  # to read and try everything, where it is not 45


def _expected_s(data: str | None, lesson: str = "") -> float | None:
    work = _WORK.get(data or "fashion_mnist_small")
    return None if work is None else work * _TIMES.get(lesson, 1.0) * _reference_step_s()


def _reference_step_s() -> float:
    """Seconds for one step of a small convolution, as a rule: a busy moment must not frighten anybody.

    On one thread: two wait for each other where another program takes a core, and the figure would jump.
    """
    import torch

    with torch.random.fork_rng(devices=[]):  # the lesson's own random numbers stay what they are
        net = torch.nn.Conv2d(16, 32, 3, padding=1)
        x = torch.rand(32, 16, 28, 28)
    times: list[float] = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        end = time.perf_counter() + 0.5
        while len(times) < 12 or time.perf_counter() < end:
            begun = time.perf_counter()
            net(x).square().mean().backward()
            times.append(time.perf_counter() - begun)
    finally:
        torch.set_num_threads(threads)
        doctor = sys.modules.get("firstlight.doctor.witness")
        if doctor is not None and doctor.witness is not None:
            doctor.witness.renew()  # these steps are ours: the doctor shall look at the learner's first ones
    return as_a_rule(times)


def as_a_rule(times: list[float]) -> float:
    """What a piece of work takes when it is let be: the lower quartile. A few lucky or unlucky times do not move it.

    Example:
        >>> as_a_rule([1.0, 0.2, 1.0, 1.0, 9.0, 1.1, 9.0, 9.0])
        1.0
    """
    return sorted(times)[len(times) // 4]
