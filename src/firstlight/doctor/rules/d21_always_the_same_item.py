"""D21 always-the-same-item: a dataset gives one sample, whatever position it is asked for."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import LOADERS
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A pass over a loader in which nearly all rows are equal, though not blank."""
    blank = any(one["same_value"] and one["same"] for one in newest(run, "inputs") or [])
    for feed in newest(run, "feeds") or []:
        if blank or not feed["learned"] or feed["counted"] < 64 or not feed["dataset"] or feed["batches"] < 2:
            continue
        # Few rows repeated on purpose are more than one, and all that is stored.
        kept_back = (feed.get("stored") or 0) >= 10 * feed["distinct"]
        if (feed["distinct"] != 1 and not kept_back) or (feed["items"] or 0) < 16:
            continue
        if feed["dataset"] == "TensorDataset":
            continue  # torch's own gives what it holds: that is D11
        place, _used = _getitem(Code.of(run), feed["dataset"])
        yield Finding(
            evidence=_(
                "{rows} rows came out of {dataset}, and all of them are the same one.",
                rows=feed["counted"],
                dataset=feed["dataset"],
            )
            if feed["distinct"] == 1
            else _(
                "{dataset} holds {stored} different rows; of {rows} that came out of it, {distinct} are different.",
                dataset=feed["dataset"],
                stored=feed["stored"],
                rows=feed["counted"],
                distinct=feed["distinct"],
            ),
            text=None if feed["distinct"] == 1 else _FEW,
            step=feed["step"] + 1,
            place=place or Place.from_json(feed["made"] or feed["place"]),
            check="print((dataset[0][0] == dataset[1][0]).all())",
        )
        return


def _getitem(code: Code, name: str) -> tuple[Place | None, bool]:
    """The first line of the method that gives a sample, and whether it reads the position at all."""
    for unit in code.units:
        for node in unit.nodes:
            if isinstance(node, ast.ClassDef) and node.name == name:
                for method in node.body:
                    if (
                        isinstance(method, ast.FunctionDef)
                        and method.name == "__getitem__"
                        and len(method.args.args) > 1
                    ):
                        index = method.args.args[1].arg
                        used = any(isinstance(n, ast.Name) and n.id == index for n in ast.walk(method))
                        return unit.place(method.body[0]), used
    return None, True


_FEW = Text(
    what="The dataset gives a few of its samples again and again, and most of them never.",
    why="__getitem__ makes one place of many positions, so the model sees little of what there is.",
    do="Use the position that __getitem__ is given, as it is, wherever it reads a sample.",
)
BROKEN = LOADERS.replace("import DataLoader, TensorDataset", "import DataLoader, Dataset, TensorDataset").replace(
    "torch.manual_seed(0)\n",
    "class Pairs(Dataset):\n    def __init__(self, x, y):\n        self.x, self.y = x, y\n\n"
    "    def __len__(self):\n        return len(self.x)\n\n    def __getitem__(self, i):\n        return self.x[0], "
    "self.y[i]\n\n"
    "torch.manual_seed(0)\n", 1,
).replace("TensorDataset(x, y)", "Pairs(x, y)")  # fmt: skip

rule = Rule(
    code="D21",
    name="always-the-same-item",
    voice="alarm",
    stage="data",
    question="Does the dataset give different samples?",
    needs=("feeds",),
    find=find,
    text=Text(
        what="The dataset gives the same sample for every position.",
        why="__getitem__ does not use its position, so the model sees one sample however long it trains.",
        do="Use the position that __getitem__ is given wherever it reads a sample.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("self.x[0]", "self.x[i]"),
    lookalikes={
        "sixteen rows of six hundred are learned by heart, by an index": BROKEN.replace(
            "self.x[0]", "self.x[self.at[i]]"
        )
        .replace("self.y[i]", "self.y[self.at[i]]")
        .replace("self.x, self.y = x, y", "self.x, self.y, self.at = x, y, torch.arange(len(x)) % 16"),
        "four points, each many times": LOADERS.replace("x = centres[y] + torch.randn(600, 8)", "x = centres[y]"),
    },
    explains=("D13", "D11", "D14", "E01", "D01", "E11", "E12"),
)
