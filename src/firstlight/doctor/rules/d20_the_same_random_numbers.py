"""D20 the-same-random-numbers: each sample, or each worker, draws the same random numbers."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import LOADERS
from firstlight.locale import Text, _
from firstlight.run import Run

_SEEDS = ("Random", "default_rng", "RandomState", "manual_seed", "seed", "seed_everything")


def find(run: Run) -> Iterator[Finding]:
    """A generator that begins at a fixed number in the method that gives one sample of the training."""
    trained = {feed["dataset"] for feed in newest(run, "feeds") or [] if feed["learned"]}
    for unit in Code.of(run).units:
        for node in ast.walk(unit.tree):
            if not isinstance(node, ast.ClassDef) or node.name not in trained:
                continue
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name == "__getitem__":
                    for call in _fixed(method):
                        yield Finding(
                            evidence=_(
                                "{call} stands in __getitem__ of {name}.", call=ast.unparse(call), name=node.name
                            ),
                            step=0,
                            place=unit.place(call),
                        )
                        return
    yield from _workers(run)


def _workers(run: Run) -> Iterator[Finding]:
    """The same in a function that each worker begins with."""
    for unit in Code.of(run).units:
        functions = {n.name: n for n in ast.walk(unit.tree) if isinstance(n, ast.FunctionDef)}
        for node in ast.walk(unit.tree):
            if (
                not isinstance(node, ast.keyword)
                or node.arg != "worker_init_fn"
                or not isinstance(node.value, ast.Name)
            ):
                continue
            function = functions.get(node.value.id)
            for call in _fixed(function) if function is not None else []:
                yield Finding(
                    evidence=_(
                        "{call} stands in {name}, which every worker runs.", call=ast.unparse(call), name=node.value.id
                    ),
                    step=0,
                    place=Place(unit.file, call.lineno, unit.text.splitlines()[call.lineno - 1].strip(), unit.cell),
                )
                return


def _fixed(function: ast.FunctionDef) -> Iterator[ast.Call]:
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or callee(node) not in _SEEDS or not node.args:
            continue
        if all(isinstance(one, ast.Constant) and isinstance(one.value, int) for one in node.args):
            yield node


RIGHT = (
    LOADERS.replace("import DataLoader, TensorDataset", "import DataLoader, Dataset, TensorDataset")
    .replace(
        "torch.manual_seed(0)\n",
        "import random\n\n\nclass Shifted(Dataset):\n    def __init__(self, x, y):\n        self.x, self.y = x, y\n\n"
        "    def __len__(self):\n        return len(self.x)\n\n    def __getitem__(self, i):\n        rng = "
        "random.Random()\n"
        "        return self.x[i] + rng.random(), self.y[i]\n\n\ntorch.manual_seed(0)\n",
        1,
    )
    .replace("TensorDataset(x, y)", "Shifted(x, y)")
)

rule = Rule(
    code="D20",
    name="the-same-random-numbers",
    voice="alarm",
    stage="data",
    question="Does each sample draw its own random numbers?",
    needs=("feeds",),
    find=find,
    text=Text(
        what="The random numbers begin anew, at the same seed, each time a sample is read.",
        why="Every sample is then changed in the same way in every epoch: there is no variety in the augmentation.",
        do="Make the generator once outside of __getitem__, or draw from torch's own random numbers.",
    ),
    broken=RIGHT.replace("random.Random()", "random.Random(7)"),
    fixed=RIGHT,
    lookalikes={"a seed for each sample": RIGHT.replace("random.Random()", "random.Random(i)")},
    explains=("D19", "P02"),
)
