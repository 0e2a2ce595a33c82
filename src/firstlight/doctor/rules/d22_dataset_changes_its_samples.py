"""D22 dataset-changes-its-samples: reading a sample changes what is stored, so it is another one next time."""

import ast
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code, Unit
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.rule_programs import LOADERS
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """Passes over the same samples that get ever smaller or larger, and a line that changes them in place."""
    feeds = newest(run, "feeds") or []
    code = Code.of(run)
    for name in dict.fromkeys(feed["dataset"] for feed in feeds if feed["dataset"]):
        place, edits, written = _in_place(code, name)
        if place is None:
            place, edits, written = _where_collected(code)
        own = [feed for feed in feeds if feed["dataset"] == name]
        drift = _drift(own)
        mask = _mask(code, name, own)
        if mask is not None and drift is None:
            yield from _written_over(own, *mask)
        if place is None or drift is None:
            continue
        before, after, step = drift
        yield Finding(
            evidence=_(
                "{line} changes the stored sample: from one pass to the next, its spread went from {before} to "
                "{after}.",
                line=written,
                before=f"{before:.4g}",
                after=f"{after:.4g}",
            ),
            step=step,
            place=place,
            edits=edits,
            check="print((dataset[0][0] == dataset[0][0]).all())",
        )
        return


def _mask(code: Code, name: str, feeds: list[dict[str, Any]]) -> tuple[Place, str] | None:
    """A line of `__getitem__` that writes into places of a row of a tensor or an array that the dataset holds."""
    held = {f"self.{one}" for feed in feeds for one in feed.get("held", ())}
    for _place, node, unit in code.walk(ast.ClassDef):
        for method in node.body if node.name == name else ():
            if not isinstance(method, ast.FunctionDef) or method.name != "__getitem__":
                continue
            lines = [one for one in ast.walk(method) if isinstance(one, ast.Assign) and len(one.targets) == 1]
            rows = {
                line.targets[0].id
                for line in lines
                if isinstance(line.targets[0], ast.Name)
                and isinstance(line.value, ast.Subscript)
                and ast.unparse(line.value.value) in held
            }
            for line in lines:
                into = line.targets[0]
                if isinstance(into, ast.Subscript) and isinstance(into.value, ast.Name) and into.value.id in rows:
                    return unit.place(line), ast.unparse(line)
    return None


def _written_over(feeds: list[dict[str, Any]], place: Place, written: str) -> Iterator[Finding]:
    """Whole numbers of which one, as that of a mask, stands in ever more places: in three passes in a row."""
    rows = [feed for feed in feeds if feed.get("often") and not (feed["sequential"] and not feed["learned"])]
    shares = [sum(feed["often"]) / len(feed["often"]) for feed in rows]
    for at in range(len(shares) - 2):
        first, second, third = shares[at : at + 3]
        same = len({rows[other]["base"] for other in range(at, at + 3)}) == 1
        if same and second > first + 0.03 and third > second + 0.03:
            yield Finding(
                evidence=_(
                    "{line} changes the stored sample: the most frequent number took {first:.0%} of a batch in one "
                    "pass, {second:.0%} in the next and {third:.0%} in the one after.",
                    line=written,
                    first=first,
                    second=second,
                    third=third,
                ),
                step=rows[at + 2]["step"],
                place=place,
                check="print((dataset[0][0] == dataset[0][0]).all())",
            )
            return


def _drift(feeds: list[dict[str, Any]]) -> tuple[float, float, int] | None:
    """Spread of the first batches in two passes that follow each other. Batches of one set differ by far less."""
    last: dict[int, tuple[float, float]] = {}
    for feed in feeds:
        scales = feed.get("scales") or []
        if not scales:
            continue
        mean = sum(one[0] for one in scales) / len(scales)
        spread = sum(one[1] for one in scales) / len(scales)
        before = last.get(feed["base"] if feed["base"] is not None else feed["loader"])
        if before is not None and before[1] > 0:
            ratio = spread / before[1]
            if not 0.7 < ratio < 1.4 or abs(mean - before[0]) > 0.5 * before[1]:
                return before[1], spread, feed["step"]
        last[feed["base"] if feed["base"] is not None else feed["loader"]] = mean, spread
    return None


def _in_place(code: Code, name: str) -> tuple[Place | None, tuple[Edit, ...], str]:
    """A line of `__getitem__` that writes into a sample that was not copied."""
    for unit in code.units:
        for node in unit.nodes:
            if isinstance(node, ast.ClassDef) and node.name == name:
                for method in node.body:
                    if isinstance(method, ast.FunctionDef) and method.name == "__getitem__":
                        return _writes(unit, method)
    return None, (), ""


def _where_collected(code: Code) -> tuple[Place | None, tuple[Edit, ...], str]:
    """The same in what puts a batch together: it is handed the samples as they are stored."""
    for _place, word, _unit in code.walk(ast.keyword):
        if word.arg != "collate_fn":
            continue
        for other in code.units:
            for node in ast.walk(other.tree):
                named = isinstance(node, ast.FunctionDef) and node.name in ("__call__", ast.unparse(word.value))
                if not isinstance(node, ast.FunctionDef) or not named:
                    continue
                given = {
                    n.id
                    for loop in ast.walk(node) if isinstance(loop, ast.For | ast.comprehension)
                    for n in ast.walk(loop.target) if isinstance(n, ast.Name)
                }  # fmt: skip
                made = {n.targets[0].id for n in ast.walk(node)
                        if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)}  # fmt: skip
                for line in ast.walk(node):
                    target = line.target if isinstance(line, ast.AugAssign) else None
                    if isinstance(target, ast.Name) and target.id in given - made:
                        return other.place(line), (), ast.unparse(line)
    return None, (), ""


def _writes(unit: Unit, method: ast.FunctionDef) -> tuple[Place | None, tuple[Edit, ...], str]:
    stored: set[str] = set()
    for node in ast.walk(method):
        if isinstance(node, ast.Assign):
            pairs = zip(node.targets, [node.value], strict=True)
            if isinstance(node.targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = zip(node.targets[0].elts, node.value.elts, strict=False)
            for target, value in pairs:
                if isinstance(target, ast.Name) and _is_stored(value):
                    stored.add(target.id)
    for node in ast.walk(method):
        if isinstance(node, ast.AugAssign):
            whole = isinstance(node.target, ast.Name) and node.target.id in stored
            if whole or _is_stored(node.target):
                sign = {ast.Div: "/", ast.Mult: "*", ast.Sub: "-", ast.Add: "+"}.get(type(node.op))
                edits: tuple[Edit, ...] = ()
                if whole and sign and node.lineno == node.end_lineno:
                    text = unit.text.splitlines()[node.lineno - 1]
                    indent, name = text[: len(text) - len(text.lstrip())], ast.unparse(node.target)
                    by = ast.unparse(node.value)
                    by = f"({by})" if isinstance(node.value, ast.BinOp) else by
                    new = f"{indent}{name} = {name} {sign} {by}"
                    edits = (Edit(line=node.lineno, old=1, new=(new,), file=unit.file),)
                return unit.place(node), edits, ast.unparse(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.endswith("_"):
            owner = node.func.value
            if not node.func.attr.endswith("__") and (
                (isinstance(owner, ast.Name) and owner.id in stored) or _is_stored(owner)
            ):
                return unit.place(node), (), ast.unparse(node)
    return None, (), ""


def _is_stored(node: ast.AST) -> bool:
    """Whether it is `self.something[...]` itself, of which PyTorch and NumPy give a view."""
    return isinstance(node, ast.Subscript) and ast.unparse(node.value).startswith("self.")


RIGHT = (
    LOADERS.replace("import DataLoader, TensorDataset", "import DataLoader, Dataset, TensorDataset")
    .replace(
        "torch.manual_seed(0)\n",
        "class Scaled(Dataset):\n    def __init__(self, x, y):\n        self.x, self.y = x, y\n\n"
        "    def __len__(self):\n        return len(self.x)\n\n    def __getitem__(self, i):\n        row = "
        "self.x[i].clone()\n"
        "        row /= 4\n        return row, self.y[i]\n\n\ntorch.manual_seed(0)\n",
        1,
    )
    .replace("TensorDataset(x, y)", "Scaled(x, y)")
    .replace("TensorDataset(test_x, test_y)", "TensorDataset(test_x / 4, test_y)")
)

rule = Rule(
    code="D22",
    name="dataset-changes-its-samples",
    voice="alarm",
    stage="data",
    question="Are the stored samples the same after they were read?",
    needs=("feeds",),
    find=find,
    text=Text(
        what="Reading a sample changes the stored one, so each epoch gets other inputs.",
        why="Indexing gives a view: what is done to it in place (/=, -=, div_) is done to the data themselves.",
        do="Write x = x / 255 instead of x /= 255, or copy the sample first with .clone().",
    ),
    broken=RIGHT.replace(".clone()", ""),
    fixed=RIGHT,
    lookalikes={
        "a curriculum whose samples get larger": LOADERS.replace(
            "for epoch in range(3):\n",
            (
                "for epoch in range(3):\n    train_loader = DataLoader(TensorDataset(x * (epoch + 1), y), "
                "batch_size=20, shuffle=True)\n"
            ),
        ),
    },
    explains=("D18", "D06", "D05", "L15", "D13", "E11", "E12"),
)
