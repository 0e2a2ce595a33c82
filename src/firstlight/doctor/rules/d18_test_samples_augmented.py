"""D18 test-samples-augmented: the samples of the evaluation are changed at random."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import LOADERS
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A pass in order, in which nothing is learned, and whose samples draw random numbers."""
    feeds = newest(run, "feeds") or []
    trained = [feed for feed in feeds if feed["learned"]]
    for feed in feeds:
        # Random numbers that are nobody's but the dataset's are not heard; that the same positions give others is seen.
        draws = feed["draws"] or (feed["as_before"] == 0 and feed["batches"] > 1)
        if feed["learned"] or not draws or not feed["sequential"] or not trained or feed["at"] == 0:
            continue
        if feed["step"] == 0 or feed["labels"] != "classes":
            continue  # noise may be what is asked for where there are no classes
        same = any(one["base"] == feed["base"] for one in trained)
        kind = any(one["dataset"] == feed["dataset"] for one in trained)
        if not same and not kind:
            continue
        if not _is_stored(Code.of(run), feed["dataset"]):
            continue
        # The same samples several times without learning in between: their answers are put together.
        if sum(one["loader"] == feed["loader"] and one["step"] == feed["step"] for one in feeds) > 2:
            continue
        yield Finding(
            evidence=_(
                "Reading a batch of the evaluation in order drew random numbers in {dataset}, which the training "
                "reads too.",
                dataset=feed["dataset"],
            ),
            step=feed["step"],
            place=Place.from_json(feed["made"] or feed["place"]),
            check="print((test_set[0][0] == test_set[0][0]).all())",
        )
        return


def _is_stored(code: Code, name: str) -> bool:
    """Whether a dataset reads stored samples at the position asked for, and does not make or pair them by chance."""
    for unit in code.units:
        for node in unit.nodes:
            if not isinstance(node, ast.ClassDef) or node.name != name:
                continue
            for method in node.body:
                if not isinstance(method, ast.FunctionDef) or method.name != "__getitem__" or len(method.args.args) < 2:
                    continue
                index = method.args.args[1].arg
                read = [n for n in ast.walk(method) if isinstance(n, ast.Subscript)]
                names = [{m.id for m in ast.walk(n.slice) if isinstance(m, ast.Name)} for n in read]
                by_chance = any("rand" in ast.unparse(n.slice) for n in read)
                results = [n.value for n in ast.walk(method) if isinstance(n, ast.Return)]
                pairs = any(isinstance(value, ast.Tuple) and len(value.elts) > 2 for value in results)
                return any(index in one for one in names) and not by_chance and not pairs
    return True  # a library's: those store their samples


BROKEN = (
    LOADERS.replace("import DataLoader, TensorDataset", "import DataLoader, Dataset, TensorDataset, random_split")
    .replace(
        "torch.manual_seed(0)\n",
        "class Noisy(Dataset):\n    def __init__(self, x, y, noise=1.0):\n        self.x, self.y, self.noise = x, y, "
        "noise\n\n"
        "    def __len__(self):\n        return len(self.x)\n\n    def __getitem__(self, i):\n"
        "        extra = self.noise * torch.randn(8) if self.noise else 0\n        return self.x[i] + extra, "
        "self.y[i]\n\n\n"
        "torch.manual_seed(0)\n",
        1,
    )
    .replace("TensorDataset(x, y)", "Noisy(x, y)")
    .replace("TensorDataset(test_x, test_y)", "Noisy(test_x, test_y)")
)

rule = Rule(
    code="D18",
    name="test-samples-augmented",
    voice="alarm",
    stage="evaluation",
    question="Do evaluated samples stay as they are?",
    needs=("feeds",),
    find=find,
    text=Text(
        what="The samples of the evaluation are changed at random, like those of the training.",
        why="Augmentation makes samples harder on purpose; the result looks worse than the model is, each time anew.",
        do="Make a second dataset without augmentation for the evaluation, and split the positions, not the dataset.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("Noisy(test_x, test_y)", "Noisy(test_x, test_y, noise=0)"),
    lookalikes={
        "answers for several changed copies are put together": BROKEN.replace(
            "    with torch.no_grad():\n",
            (
                "    with torch.no_grad():\n        for _ in range(3):\n            votes = [model(i).softmax(1) for "
                "i, _ in test_loader]\n"
            ),
        ).replace(
            "        for inputs, labels in test_loader:\n            outputs = model(inputs)\n",
            (
                "        for inputs, labels in DataLoader(TensorDataset(torch.cat(votes), test_y), batch_size=40):\n "
                "           outputs = inputs\n"
            ),
        ),
    },
    explains=("E13", "D06"),
)
