"""Reading lines of the learner's program: what stands around one, and by which names things go."""

import ast
import re
from collections.abc import Iterable, Sequence
from typing import Any

from firstlight.doctor.code import Code, Unit, callee
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit

_HELD_BACK = {
    "test",
    "tests",
    "testing",
    "tst",
    "val",
    "valid",
    "validation",
    "validate",
    "holdout",
    "heldout",
    "unseen",
}
_LABELS = {"y", "ys", "label", "labels", "target", "targets", "class", "classes", "grade", "grades",
           "category", "categories", "rating", "ratings", "mark", "marks", "answers",
           "truth"}  # fmt: skip
_LEARNED = {"train", "training", "trn", "tr"}
_OF_MODELS = ("parameters", "train", "eval", "state_dict", "load_state_dict", "named_parameters", "to", "zero_grad")


def words_in(text: str) -> set[str]:
    """The words of names, in small letters.

    Example:
        >>> sorted(words_in("testLoader = make_val(X_train)"))
        ['loader', 'make', 'test', 'train', 'val', 'x']
    """
    apart = re.sub(r"([a-z])([A-Z])", r"\1 \2", text)
    return {word.lower() for word in re.findall(r"[A-Za-z]+", apart)}


def is_labels(text: str) -> bool:
    """Whether names speak of what a model is to tell of its inputs.

    Example:
        >>> is_labels("train_labels = labels[:600]"), is_labels("rows = rows[:600]")
        (True, False)
    """
    return bool(words_in(text) & _LABELS)


def is_held_back(text: str) -> bool:
    """Whether names speak of samples that are kept from training."""
    return bool(words_in(text) & _HELD_BACK)


def is_training(text: str) -> bool:
    """Whether names speak of the samples that are learned from."""
    return bool(words_in(text) & _LEARNED)


def unit_of(code: Code, place: Place | None) -> Unit | None:
    """The file or cell of a place."""
    return next((unit for unit in code.units if place is not None and unit.file == place.file), None)


def around(unit: Unit, line: int) -> list[ast.AST]:
    """The statements that hold a line, the outermost first."""
    found: list[ast.AST] = []
    nodes: Iterable[ast.AST] = unit.tree.body
    while True:
        inside = next((n for n in nodes if isinstance(n, ast.stmt) and _first(n) <= line <= (n.end_lineno or 0)), None)
        if inside is None:
            return found
        found.append(inside)
        nodes = [child for name in ("body", "orelse", "finalbody", "handlers") for child in _children(inside, name)]


def _children(node: ast.AST, name: str) -> list[ast.AST]:
    found = getattr(node, name, [])
    return [c for one in found for c in (one.body if isinstance(one, ast.ExceptHandler) else [one])]


def _first(node: Any) -> int:
    decorators = getattr(node, "decorator_list", [])
    return int(min([node.lineno, *(one.lineno for one in decorators)]))


def has_call(node: ast.AST, *names: str) -> bool:
    """Whether a function or method of one of these names is called inside."""
    return any(isinstance(one, ast.Call) and callee(one) in names for one in ast.walk(node))


def evaluation_block(unit: Unit, line: int) -> ast.AST | None:
    """The whole block of an evaluation: the outermost `with` or `for` around a line in which nothing is learned."""
    path = around(unit, line)
    scopes = [at for at, node in enumerate(path) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inner = path[scopes[-1] + 1 :] if scopes else path
    for node in inner:
        if isinstance(node, ast.With | ast.For | ast.While) and not has_call(node, "backward"):
            return node
    return inner[-1] if inner else None


def model_at(code: Code, place: Place | None) -> str:
    """By which name the model is called on a line; empty where that is not sure."""
    unit = unit_of(code, place)
    if unit is None or place is None:
        return ""
    defined = {n.name for n in unit.nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    names: list[str] = []
    for node in unit.nodes:
        if not isinstance(node, ast.Call) or not node.lineno <= place.line <= (node.end_lineno or node.lineno):
            continue
        if isinstance(node.func, ast.Name | ast.Attribute):
            name = ast.unparse(node.func)
            if name not in defined and (isinstance(node.func, ast.Name) or name.startswith("self.")):
                names.append(name)
    text = "\n".join(one.text for one in code.units)
    for name in names:
        if any(f"{name}.{method}(" in text for method in _OF_MODELS):
            return name
    return next((name for name in names if words_in(name) & {"model", "net", "network", "classifier"}), "")


def indent_of(unit: Unit, line: int) -> str:
    """The spaces before a line."""
    lines = unit.text.splitlines()
    text = lines[line - 1] if 0 < line <= len(lines) else ""
    return text[: len(text) - len(text.lstrip())]


def replaced(unit: Unit, line: int, old: str, new: str) -> tuple[Edit, ...]:
    """An edit that writes something else in one line, where what is to go stands there once."""
    lines = unit.text.splitlines()
    if not 0 < line <= len(lines) or lines[line - 1].count(old) != 1:
        return ()
    return (Edit(line=line, old=1, new=(lines[line - 1].replace(old, new),), file=unit.file),)


def outermost(places: Sequence[dict[str, Any]], wanted: Any, files: Iterable[str]) -> Place | None:
    """The outermost of some nested lines of the learner's whose text is wanted."""
    known = set(files)
    for one in reversed(list(places)):
        if one["file"] in known and wanted(one["text"]):
            return Place.from_json(one)
    return None
