"""D15 prepared-before-the-split: mean and spread of all samples, also those of the test, scale what is learned from."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from firstlight.doctor.code import Code, Unit, callee
from firstlight.doctor.editing import dotted
from firstlight.doctor.loops import reads, targets
from firstlight.doctor.rule import Finding, Rule
from firstlight.doctor.rule_programs import CLASSES
from firstlight.doctor.source_lines import is_held_back, is_training
from firstlight.locale import Text, _
from firstlight.run import Run

_STATISTICS = ("mean", "std", "var", "min", "max", "amin", "amax", "median", "quantile", "nanmean", "nanstd", "norm")
_FITS = ("fit", "fit_transform")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass
class Flow:
    """What the names of one function, or of a program outside of any, hold so far."""

    statistics: dict[str, str] = field(default_factory=dict)  # of which name they are
    fitted: dict[str, str] = field(default_factory=dict)  # a scaler, and the name that it was fitted to
    prepared: dict[str, tuple[Unit, ast.stmt, str]] = field(default_factory=dict)
    parts: set[str] = field(default_factory=set)  # names that hold one side of a split
    cuts: set[str] = field(default_factory=set)  # names of a share of all samples, where they are split


def find(run: Run) -> Iterator[Finding]:
    """Samples that are scaled by numbers of all of them, and split afterwards."""
    code = Code.of(run)
    functions = {node.name: node for _place, node, _unit in code.walk(ast.FunctionDef)}
    outside = [(unit, node) for unit in code.units for node in unit.tree.body]
    scopes = [outside, *([(unit, one) for one in node.body] for _p, node, unit in code.walk(ast.FunctionDef))]
    for scope in scopes:
        found = _first(scope, functions)
        if found is None:
            continue
        unit, prepared, name, at, split = found
        yield Finding(
            evidence=_(
                "Line {prepared} uses numbers of all of {name}; line {split} splits it afterwards.",
                prepared=prepared.lineno,
                name=name,
                split=split.lineno,
            ),
            place=unit.place(prepared),
            places=(at.place(split),),
        )
        return


def _first(
    scope: list[tuple[Unit, ast.stmt]], functions: dict[str, ast.FunctionDef]
) -> tuple[Unit, ast.stmt, str, Unit, ast.stmt] | None:
    flow = Flow()
    for unit, node in _flat(scope):
        done = _split(flow, node)
        if done is not None:
            origin, prepared, name = flow.prepared[done]
            return origin, prepared, name, unit, node
        _follow(flow, unit, node, functions)
    return None


def _flat(scope: list[tuple[Unit, ast.stmt]]) -> Iterator[tuple[Unit, ast.stmt]]:
    """The statements in their order, those in `with`, `if` and loops too."""
    for unit, node in scope:
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            continue
        yield unit, node
        for name in ("body", "orelse"):
            yield from _flat([(unit, one) for one in getattr(node, name, [])])


def _follow(flow: Flow, unit: Unit, node: ast.stmt, functions: dict[str, ast.FunctionDef]) -> None:
    """What a statement makes of what is held."""
    for call in (one for one in ast.walk(node) if isinstance(one, ast.Call) and callee(one) in _FITS and one.args):
        name = dotted(call.args[0])
        owner = dotted(call.func.value) if isinstance(call.func, ast.Attribute) else None
        if name is not None and owner is not None:
            flow.fitted[owner] = name
    if isinstance(node, ast.AugAssign):
        name = dotted(node.target)
        if (
            name is not None
            and _is_whole(flow, name)
            and (_made_of(node.value, name) or reads(node.value) & set(flow.statistics))
        ):
            flow.prepared[name] = (unit, node, name)
        return
    if not isinstance(node, ast.Assign):
        return
    names = targets(node)
    value = node.value
    source = _prepared_from(flow, value, functions)
    statistic = _statistic_of(value)
    sliced = any(isinstance(one, ast.Subscript) for one in (value.elts if isinstance(value, ast.Tuple) else [value]))
    given = [one for one in ast.walk(value) if isinstance(one, ast.Call) and "split" in callee(one)]
    share = any(isinstance(one, ast.Constant) and isinstance(one.value, float) and 0.4 <= one.value < 1
                for one in ast.walk(value))  # fmt: skip
    counted = any(isinstance(one, ast.Call) and callee(one) == "len" for one in ast.walk(value)) or "shape" in {
        one.attr for one in ast.walk(value) if isinstance(one, ast.Attribute)
    }
    for name in names:
        flow.cuts.discard(name)
        if share and counted:
            flow.cuts.add(name)
        flow.statistics.pop(name, None)
        before = flow.prepared.pop(name, None)
        flow.parts.discard(name)
        if source is not None and _is_whole(flow, source):
            flow.prepared[name] = (unit, node, source)
        elif isinstance(value, ast.Call | ast.Name | ast.Attribute) and reads(value) & set(flow.prepared):
            flow.prepared[name] = flow.prepared[next(iter(reads(value) & set(flow.prepared)))]
        elif before is not None and name in reads(value):
            flow.prepared[name] = before
        elif statistic is not None:
            flow.statistics[name] = statistic
        elif sliced or given:
            flow.parts.add(name)
    if (
        isinstance(value, ast.Call)
        and callee(value) == "fit"
        and len(names) == 1
        and value.args
        and dotted(value.args[0])
    ):
        flow.fitted[next(iter(names))] = dotted(value.args[0]) or ""


def _is_whole(flow: Flow, name: str) -> bool:
    return name not in flow.parts and not is_held_back(name) and not is_training(name)


def _prepared_from(flow: Flow, value: ast.expr, functions: dict[str, ast.FunctionDef]) -> str | None:
    """The name all of whose samples scale it, in this expression; None where none does."""
    for call in (one for one in ast.walk(value) if isinstance(one, ast.Call)):
        name = dotted(call.args[0]) if call.args else None
        if callee(call) == "fit_transform" and name is not None:
            return name
        if callee(call) == "transform" and name is not None and isinstance(call.func, ast.Attribute):
            owner = call.func.value
            if isinstance(owner, ast.Call) and callee(owner) == "fit" and owner.args and dotted(owner.args[0]) == name:
                return name
            if flow.fitted.get(dotted(owner) or "") == name:
                return name
        function = functions.get(callee(call))
        if function is not None and name is not None and function.args.args and len(call.args) == 1:
            parameter = function.args.args[0].arg
            if any(
                isinstance(one, ast.Return) and one.value is not None and _made_of(one.value, parameter)
                for one in function.body
            ):
                return name
    if isinstance(value, ast.BinOp):
        for name in reads(value):
            if _made_of(value, name):
                return name
            if any(flow.statistics.get(one) == name for one in reads(value)):
                return name
    return None


def _statistic_of(value: ast.expr) -> str | None:
    """Of which name a mean or spread is taken, all of it: `x.mean(0)`, `np.mean(x, axis=0)`."""
    for part in value.elts if isinstance(value, ast.Tuple) else [value]:
        for call in (one for one in ast.walk(part) if isinstance(one, ast.Call) and callee(one) in _STATISTICS):
            owner = dotted(call.func.value) if isinstance(call.func, ast.Attribute) else None
            if owner in ("np", "numpy", "torch"):
                owner = dotted(call.args[0]) if call.args else None
            if owner is not None:
                return owner
    return None


def _made_of(value: ast.AST, name: str) -> bool:
    """Whether an expression computes with a name and with its own mean or spread along the samples."""
    for call in (one for one in ast.walk(value) if isinstance(one, ast.Call) and callee(one) in _STATISTICS):
        owner = dotted(call.func.value) if isinstance(call.func, ast.Attribute) else None
        if owner in ("np", "numpy", "torch"):
            owner = dotted(call.args[0]) if call.args else None
        along = [*call.args, *(word.value for word in call.keywords if word.arg in ("dim", "axis"))]
        if owner == name and not any(getattr(one, "value", None) in (1, -1, 2) for one in along):
            return isinstance(value, ast.BinOp) or bool(reads(value) & {name})
    return False


def _split(flow: Flow, node: ast.stmt) -> str | None:
    """The prepared name that a statement splits into what is learned from and what is held back."""
    if isinstance(node, ast.FunctionDef | ast.For | ast.While | ast.With | ast.If):
        return None
    for call in (one for one in ast.walk(node) if isinstance(one, ast.Call) and "split" in callee(one)):
        if (
            isinstance(call.func, ast.Attribute)
            and callee(call) == "split"
            and dotted(call.func.value) in flow.prepared
        ):
            continue  # x.split(32): batches
        for held in reads(call) & set(flow.prepared):
            return held
    parts = [
        (name, ast.unparse(one.slice))
        for one in ast.walk(node)
        if isinstance(one, ast.Subscript)
        and (name := (dotted(one.value) or "").removesuffix(".iloc").removesuffix(".loc")) in flow.prepared
    ]
    said = ast.unparse(node)
    for name, _at in parts:
        if (
            name is not None
            and is_held_back(said)
            and (is_training(said) or len({i for n, i in parts if n == name}) > 1)
        ):
            return name
    if parts and isinstance(node, ast.Assign) and is_held_back(" ".join(targets(node))):
        return parts[0][0]
    for name, at in parts:
        if any(other == name and at == f":{cut}" and to == f"{cut}:" for other, to in parts for cut in flow.cuts):
            return name
    return None


_FIRST_LINES = "train_x, train_y, test_x, test_y = x[:480], y[:480], x[480:], y[480:]\n"
BROKEN = CLASSES.replace(_FIRST_LINES, "x = (x - x.mean(0)) / x.std(0)\n" + _FIRST_LINES)
FIXED = CLASSES.replace(
    _FIRST_LINES,
    _FIRST_LINES + "mean, std = train_x.mean(0), train_x.std(0)\ntrain_x, test_x = (train_x - mean) / std, "
    "(test_x - mean) / std\n",
)

rule = Rule(
    code="D15",
    name="prepared-before-the-split",
    voice="note",
    stage="review",
    question="Are mean and spread those of the training samples alone?",
    needs=("code",),
    find=find,
    text=Text(
        what="The data is scaled with numbers of all samples, and split afterwards.",
        why="Mean and spread then know a little of the test samples. The leak is small, but the test is no longer of "
        "samples that nothing was known of.",
        do="Split first. Compute mean and spread of the training samples, and use them for both parts.",
    ),
    broken=BROKEN,
    fixed=FIXED,
    lookalikes={
        "statistics of the first rows only": CLASSES.replace(
            _FIRST_LINES, "x = (x - x[:480].mean(0)) / x[:480].std(0)\n" + _FIRST_LINES
        ),
        "each sample by its own mean": CLASSES.replace(
            _FIRST_LINES, "x = x - x.mean(dim=1, keepdim=True)\n" + _FIRST_LINES
        ),
        "fixed numbers": CLASSES.replace(_FIRST_LINES, "x = (x - 0.5) / 2.0\n" + _FIRST_LINES),
    },
)
