"""P01 no-seed: random numbers that nobody can draw again."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.locale import Text, _
from firstlight.run import Run

_OTHERS = ("random.seed", "np.random.seed", "numpy.random.seed")  # weights are drawn with the numbers of torch


def find(run: Run) -> Iterator[Finding]:
    """A training in a program that sets no seed, as far as was heard and as far as its text says."""
    seeds, heard = newest(run, "seeds"), newest(run, "witness") or {}
    if seeds is None or seeds["set"] or not heard.get("steps"):
        return
    # What others do around the program, such as whoever runs it, is not the learner's: the files with the steps are.
    rows = newest(run, "order_of_steps") or []
    files = {place["file"] for one in rows for place in (one["stepped"], one["backward"]) if place}
    code = Code(unit for unit in Code.of(run).units if unit.file in files or unit.cell is not None)
    seeds_set = [node for _place, node, _unit in code.walk(ast.Call) if "seed" in callee(node).lower()]
    if not code.units or any(ast.unparse(node.func) not in _OTHERS for node in seeds_set):
        return
    yield Finding(
        evidence=_("No seed was set before the {steps} steps of this training.", steps=heard["steps"]),
        step=0,
        place=next((place for place, node, _unit in code.walk(ast.Import) if node.names[0].name == "torch"), None),
    )


rule = Rule(
    code="P01",
    name="no-seed",
    voice="note",
    stage="review",
    question="Can this training be repeated with the same random numbers?",
    needs=("seeds",),
    find=find,
    text=Text(
        what="No seed is set, so each run of this program begins with other weights and other batches.",
        why="Two runs then differ by chance, and you cannot tell a change that helps from luck.",
        do="Write torch.manual_seed(0) at the top, or compare several runs with several seeds.",
    ),
    broken=CLASSES.replace("torch.manual_seed(0)\n", ""),
    fixed=CLASSES,
    lookalikes={
        "a function of one's own": CLASSES.replace(
            "torch.manual_seed(0)\n",
            "def set_seed(number):\n    torch.random.default_generator.manual_seed(number)\n\n\nset_seed(0)\n",
        )
    },
)
