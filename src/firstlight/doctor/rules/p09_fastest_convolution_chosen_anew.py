"""P09 fastest-convolution-chosen-anew: a program that sets seeds lets cuDNN choose its algorithms by their speed."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """`benchmark = True` in a program that sets seeds and asks for deterministic operations: both cannot be had."""
    code = Code.of(run)
    fast, exact = _switch(code, "benchmark"), _switch(code, "deterministic")
    seeds = newest(run, "seeds") or {"set": False}
    if fast is not None and exact is not None and seeds["set"]:
        yield Finding(
            evidence=_("cudnn.benchmark and cudnn.deterministic are both set to True, and a seed is set."),
            place=fast,
            places=(exact,),
        )


def _switch(code: Code, name: str) -> Place | None:
    """Where `torch.backends.cudnn.<name>` is set to True."""
    for place, node, _unit in code.walk(ast.Assign):
        target = ast.unparse(node.targets[0])
        if target.endswith(f"cudnn.{name}") and isinstance(node.value, ast.Constant) and node.value.value is True:
            return place
    return None


BROKEN = CLASSES.replace(
    "torch.manual_seed(0)\n",
    "torch.manual_seed(0)\ntorch.backends.cudnn.deterministic = True\ntorch.backends.cudnn.benchmark = True\n",
)

rule = Rule(
    code="P09",
    name="fastest-convolution-chosen-anew",
    voice="note",
    stage="review",
    question="Do the settings allow what the seeds are for?",
    needs=("code",),
    find=find,
    text=Text(
        what="The program sets a seed, but lets cuDNN choose the fastest algorithm anew in each run.",
        why="The choice depends on time measured in that run. Other algorithms round differently on a GPU.",
        do="Set torch.backends.cudnn.benchmark = False where two runs are to be equal.",
    ),
    broken=BROKEN + "torch.backends.cudnn.deterministic = False\ntorch.backends.cudnn.benchmark = False\n",
    fixed=BROKEN.replace("torch.backends.cudnn.benchmark = True\n", "")
    + "torch.backends.cudnn.deterministic = False\n",
    lookalikes={
        "speed alone is asked for": BROKEN.replace("torch.backends.cudnn.deterministic = True\n", "")
        + "torch.backends.cudnn.benchmark = False\n"
    },
)
