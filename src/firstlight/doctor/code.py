"""The learner's program as text: a script with what it imports of theirs, or the cells in the order they ran."""

import ast
import linecache
import sys
import warnings
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from firstlight.doctor.places import Place
from firstlight.graph.source import kind_of_file
from firstlight.run import Run

_LONGEST = 200_000  # characters that are read


class _Parsed:
    """A text as Python. Units with the same text, such as a cell that runs again and again, share one."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.tree = _tree(text)
        self.nodes = tuple(ast.walk(self.tree))


_parsed: weakref.WeakValueDictionary[str, _Parsed] = weakref.WeakValueDictionary()


@dataclass(frozen=True)
class Unit:
    """One file, or one cell as it ran.

    Attributes:
        file: The script's path, or the name that the kernel compiled the cell under.
        text: What stands in it.
        cell: The number of the cell's execution, None for a file.
    """

    file: str
    text: str
    cell: int | None = None

    @cached_property
    def _parsed(self) -> _Parsed:
        found = _parsed.get(self.text)
        if found is None:
            found = _parsed[self.text] = _Parsed(self.text)
        return found

    @property
    def tree(self) -> ast.Module:
        """Parsed; empty where it is no Python. Lines with IPython's own signs are left out."""
        return self._parsed.tree

    @property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree, as `ast.walk` gives them."""
        return self._parsed.nodes

    def place(self, node: ast.AST, function: str = "<module>") -> Place:
        """Where a node of the tree stands."""
        line = getattr(node, "lineno", 1)
        lines = self._parsed.lines
        text = lines[line - 1].strip()[:200] if 0 < line <= len(lines) else ""
        return Place(self.file, line, text, self.cell, function)


class Code:
    r"""All of a program, as the fact `code` holds it.

    Example:
        >>> code = Code([Unit("train.py", "model.eval()\nmodel(x)\n")])
        >>> [place.line for place, _call, _unit in code.calls("eval")]
        [1]
    """

    def __init__(self, units: Iterable[Unit]) -> None:
        self.units = list(units)

    @classmethod
    def of(cls, run: Run) -> "Code":
        """What the record holds: our fact, else the script or the cells of its environment.

        All who ask the same record share what was parsed: rules are many, and so are the cells of a long day.
        """
        units = _recorded(run)
        known = _codes.get(run)
        if known is None or known.units != units:
            known = _codes[run] = cls(units)
        return known

    def calls(self, *names: str) -> Iterator[tuple[Place, ast.Call, Unit]]:
        """Calls of functions or methods with one of these last names, in the order of units and lines."""
        for unit in self.units:
            found = [node for node in unit.nodes if isinstance(node, ast.Call) and callee(node) in names]
            for node in sorted(found, key=lambda one: (one.lineno, one.col_offset)):
                yield unit.place(node), node, unit

    def walk(self, kind: type[ast.AST]) -> Iterator[tuple[Place, Any, Unit]]:
        """All nodes of a kind, in the order of units and lines."""
        for unit in self.units:
            found = [node for node in unit.nodes if isinstance(node, kind)]
            for node in sorted(found, key=lambda one: (getattr(one, "lineno", 0), getattr(one, "col_offset", 0))):
                yield unit.place(node), node, unit


_codes: weakref.WeakKeyDictionary[Run, Code] = weakref.WeakKeyDictionary()


def callee(node: ast.Call) -> str:
    """The last name of what is called: `softmax` for `F.softmax(x)`, `x.softmax()` and `softmax(x)`."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def units_now(files: Iterable[str]) -> list[Unit]:
    """The program of this process: the cells that ran, or the script and the learner's files that were met."""
    cells = _cells()
    if cells:
        return cells
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    wanted = [script] if script and kind_of_file(script) == "own" else []
    wanted += [file for file in files if kind_of_file(file) == "own" and "-packages" not in file]
    found = [(file, "".join(linecache.getlines(file))[:_LONGEST]) for file in dict.fromkeys(wanted)]
    return [Unit(file, text) for file, text in found if text]


def _cells() -> list[Unit]:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return []
    known = getattr(getattr(shell, "compile", None), "_filename_map", {})
    files = {number: file for file, number in known.items()} if isinstance(known, dict) else {}
    texts = shell.user_ns.get("In", [])
    found = [
        Unit(files.get(at, f"<cell {at}>"), "".join(linecache.getlines(files[at])) if at in files else str(text), at)
        for at, text in enumerate(texts)
        if at and text
    ]
    room, kept = _LONGEST, []
    for unit in reversed(found):
        room -= len(unit.text)
        if room < 0:
            break
        kept.append(unit)
    return kept[::-1]


def _recorded(run: Run) -> list[Unit]:
    facts = run.facts("code")
    if facts:
        return [Unit(**unit) for unit in facts[-1].data]
    script = run.environment.get("script") or {}
    if script.get("code"):
        return [Unit(script["path"], script["code"])]
    cells = run.environment.get("cells") or []
    return [Unit(f"<cell {number}>", text, number) for number, text in enumerate(cells, start=1)]


def _tree(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a string's escapes, which are the learner's business
        for python in (text, _without_magics(text)):
            try:
                return ast.parse(python)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
    return ast.Module(body=[], type_ignores=[])


def _without_magics(text: str) -> str:
    """The same lines, with those that only IPython reads left empty."""
    return "\n".join("" if line.lstrip()[:1] in ("%", "!", "?") else line for line in text.split("\n"))
