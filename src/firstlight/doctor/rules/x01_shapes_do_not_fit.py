"""X01 shapes-do-not-fit: an operation ended with an error, since its tensors have other sizes than it can work with."""

import ast
import re
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.failing import (
    Failure,
    advice_of,
    error_of,
    evidence_of,
    failure_of,
    layer_of,
    line_of,
    lines_above,
    one_hot,
    squeezed,
    tensor_of,
)
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import argument, instead, layer_made
from firstlight.doctor.rule import Edit, Finding, Rule
from firstlight.graph.failure import Advice
from firstlight.locale import Text, _
from firstlight.run import Run

# The words of PyTorch's errors about sizes, of several releases.
_PATTERNS = (
    r"shapes cannot be multiplied",
    r"size of tensor a .* must match",
    r"sizes of tensors must match",
    r"is invalid for input of size",
    r"view size is not compatible",
    r"input\.size\(-1\) must be equal",
    r"expected input\[",
    r"expected \d+d .*(but got|got)",
    r"expected \d+d \(unbatched\)",
    r"expected \d+d or \d+d",
    r"target size .* (must be the same|that is different)",
    r"expected input batch_size",
    r"multi-target not supported",
    r"stack expects each tensor to be equal size",
    r"trying to resize storage",
    r"expected size for first two dimensions of batch",
    r"expected hidden(\[0\])? size",
    r"number of dims don't match",
    r"given normalized_shape",
    r"running_mean should contain",
    r"weight should contain",
    r"expected number of channels in input to be divisible",
    r"kernel size can't be greater",
    r"output size is too small",
    r"inconsistent tensor size",
    r"shape mismatch: (value tensor|indexing)",
    r"dimension out of range",
    r"must match the existing size",
    r"grad can be implicitly created only for scalar",
    r"output with shape .* doesn't match the broadcast shape",
    r"all tensors must have the same (number of dimensions|size)",
    r"tensors must have same number of dimensions",
    r"unflatten: provided sizes",
    r"size mismatch",
    r"vector, expected|1d tensors expected|matrices expected|must be a matrix",
)
_LABELS = r"expected target dtype|target .* out of bounds"


def find(run: Run) -> Iterator[Finding]:
    """The program ended with an error about shapes that no other rule tells better."""
    failure = failure_of(run, *_PATTERNS, types=("RuntimeError", "ValueError", "IndexError", "AssertionError"))
    if failure is None or told_elsewhere(failure):
        return
    code, advice = Code.of(run), advice_of(failure)
    layer = layer_of(failure)
    made = _made(run, failure)
    yield Finding(
        evidence=evidence_of(failure),
        step=failure["step"],
        place=line_of(failure),
        places=(*(place for place, _call, _unit in made), *lines_above(failure, code))[:3],
        values={
            "detail": _detail(failure, advice, layer),
            "advice": _advice(failure, advice),
        },
        edits=_edits(made, advice),
        check=_check(failure),
    )


def told_elsewhere(failure: Failure) -> bool:
    """Whether this is about labels, a batch of one or weights of classes, which have rules of their own."""
    message = failure["message"]
    if re.search(_LABELS, message, re.IGNORECASE) or "weight tensor should be defined" in message:
        return True
    weighted = tensor_of(failure, "weight"), tensor_of(failure, "pos_weight")
    operation = failure["operation"] or {"name": ""}
    if operation["name"].startswith("binary_cross_entropy") and any(weighted) and "size of tensor" in message:
        return True
    return squeezed(failure) or one_hot(failure)


def _detail(failure: Failure, advice: Advice | None, layer: str) -> str:
    operation = failure["operation"]
    if "implicitly created only for scalar" in failure["message"]:
        return _("backward() wants a loss of one number, and gets many")
    if "stack expects each tensor" in failure["message"]:
        return _("a batch wants samples of one size, and gets several")
    if advice is not None:
        return _(
            "{operation} expects {expected}, and gets {got}",
            operation=layer or operation["name"],
            expected=advice.expected,
            got=advice.got,
        )
    return error_of(failure).split(": ", 1)[-1].rstrip(".")


def _advice(failure: Failure, advice: Advice | None) -> str:
    if "implicitly created only for scalar" in failure["message"]:
        return _("Make one number of it first, for example with loss.mean().")
    if "stack expects each tensor" in failure["message"]:
        return _("Bring all samples to one size in the dataset, or give the loader a collate_fn that pads them.")
    if advice is not None and advice.change:
        return _("What would fit: {change}.", change=advice.change)
    return _("Print the shapes directly above this line, and follow them back to where they differ first.")


def _made(run: Run, failure: Failure) -> list[tuple[Place, ast.Call, object]]:
    """Where the layer that refused its input is made."""
    module = (failure["operation"] or {}).get("module")
    found = layer_made(run, module["name"], module["class"]) if module and module["name"] else None
    return [found] if found is not None else []


def _edits(made: list[tuple[Place, ast.Call, object]], advice: Advice | None) -> tuple[Edit, ...]:
    """The layer with the number of features that reaches it; only where that is the whole change."""
    if not made or advice is None or advice.features is None or "Flatten" in advice.change:
        return ()
    _place, call, unit = made[0]
    name, expected, found = advice.features
    node = argument(call, name, 0)
    if not isinstance(node, ast.Constant) or node.value != expected:
        return ()
    return instead(unit, node, str(found))  # type: ignore[arg-type]


def _check(failure: Failure) -> str:
    names = [name for name in failure["tensors"] if re.search(rf"\b{re.escape(name)}\b", failure["frames"][-1]["text"])]
    if not names:
        return ""
    return f"print({', '.join(f'{name}.shape' for name in names[:3])})  # directly above the line that failed"


BROKEN = """\
# raises
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(32, 1, 8, 8), torch.randint(3, (32,))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.fc = nn.Linear(100, 3)

    def forward(self, x):
        x = torch.relu(self.conv(x))
        return self.fc(x.flatten(1))


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="X01",
    name="shapes-do-not-fit",
    voice="alarm",
    stage="graph",
    question="Do the shapes of the tensors fit the operations?",
    find=find,
    text=Text(
        what="The shapes do not fit: {detail}.",
        why="An operation needs tensors whose sides agree with each other and with its weights; it cannot guess which "
        "of them was meant.",
        do="{advice}",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("# raises\n", "").replace("100, 3", "144, 3"),
    lookalikes={
        "an error that is caught and meant": BROKEN.replace("# raises\n", "")
        .replace("100, 3", "144, 3")
        .replace("for step", "try:\n    x @ x.flatten()\nexcept RuntimeError:\n    pass\nfor step", 1),
        "an error of the learner's own": "# raises\nsides = 3\nif sides != 4:\n    raise ValueError('size mismatch')\n",
        "an error that has nothing to do with tensors": "# raises\nnumbers = [1, 2, 3]\nprint(numbers[9])\n",
    },
    explains=("L03", "L04", "L28", "D23"),
)
