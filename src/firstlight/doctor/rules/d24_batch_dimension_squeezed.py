"""D24 batch-dimension-squeezed: a batch of one sample loses its dimension."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.places import Place
from firstlight.doctor.raised import batch_of_one
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.rule_programs import NUMBERS
from firstlight.doctor.source_lines import replaced
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """An output with fewer dimensions than the others, for one sample out of a loader."""
    yield from batch_of_one(run)
    for one in (newest(run, "outputs") or {}).get("lost_shape", []):
        place: Place | None = None
        edits: tuple[Edit, ...] = ()
        for unit in Code.of(run).units:
            for node in unit.nodes:
                if isinstance(node, ast.Call) and callee(node) == "squeeze" and isinstance(node.func, ast.Attribute):
                    given = [*node.args, *(k.value for k in node.keywords)]
                    if not given and place is None:
                        place, edits = unit.place(node), replaced(unit, node.lineno, ".squeeze()", ".squeeze(-1)")
        yield Finding(
            evidence=_(
                "For an input of shape {input} the output has shape {output}; with more samples it keeps the batch "
                "dimension.",
                input=tuple(one["input"]),
                output=tuple(one["output"]),
            ),
            step=one["step"],
            voice=None if one["learned"] else "question",  # one sample at the end may be asked for by itself
            place=place or Place.from_json(one["place"]),
            edits=edits,
            check="print(model(inputs[:1]).shape)",
        )
        return


BROKEN = (
    NUMBERS.replace("batch_size=32", "batch_size=479")
    .replace(
        "model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))",
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a, self.b = "
        "nn.Linear(6, 32), nn.Linear(32, 1)\n\n"
        "    def forward(self, x):\n        return self.b(self.a(x).relu()).squeeze()\n\n\nmodel = Net()",
    )
    .replace("import torch\n", "import warnings\n\nimport torch\n", 1)
    .replace("torch.manual_seed(0)", "warnings.simplefilter('ignore')\ntorch.manual_seed(0)")
)

rule = Rule(
    code="D24",
    name="batch-dimension-squeezed",
    voice="alarm",
    stage="graph",
    question="Does a batch of one sample keep its dimension?",
    needs=("outputs", "inputs", "failure"),
    find=find,
    text=Text(
        what="When a batch has one sample, the output loses the dimension of the batch.",
        why="squeeze() without a number removes every dimension of size 1, and the batch is one then.",
        do="Name the dimension: squeeze(-1) or squeeze(1).",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace(".squeeze()", ".squeeze(-1)"),
    lookalikes={
        "one sample asked for at the end": BROKEN.replace("batch_size=479", "batch_size=32").replace(
            "print(f", "model(x[:1])\nprint(f"
        ),
    },
    explains=("M27",),
)
