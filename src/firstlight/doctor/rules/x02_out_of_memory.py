"""X02 out-of-memory: the memory of the machine, or of the GPU, was not enough."""

from collections.abc import Iterator

from firstlight.doctor.failing import error_of, failure_of, line_of, shapes_of
from firstlight.doctor.rule import Finding, Rule
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """The error that says so: of a GPU, of the machine."""
    failure = failure_of(
        run,
        r"out of memory",
        r"can't allocate memory",
        r"not enough memory",
        r"unable to allocate .* for an array",
        r"failed to allocate",
        r"^$",
        types=("OutOfMemoryError", "MemoryError", "RuntimeError"),
    )
    if failure is None or (not failure["message"] and "MemoryError" not in failure["bases"]):
        return
    shapes = shapes_of(failure)
    yield Finding(
        evidence=_("{error} In step {step}. Tensors here: {tensors}.", error=error_of(failure), step=failure["step"],
                   tensors=shapes)
        if shapes
        else _("{error} In step {step}.", error=error_of(failure), step=failure["step"]),
        step=failure["step"],
        place=line_of(failure),
        values={},
        check="import torch\nprint(torch.cuda.memory_summary())",
    )  # fmt: skip


BROKEN = """\
# raises
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(64, 8), torch.randint(3, (64,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
pairs = torch.ones(2**24, 1).expand(-1, 2**24) + 1
"""

rule = Rule(
    code="X02",
    name="out-of-memory",
    voice="alarm",
    stage="resources",
    question="Is there memory enough?",
    find=find,
    text=Text(
        what="The memory is not enough for what this line wants to keep.",
        why="A training keeps weights, their gradients, the optimizer's numbers and all values of the forward pass. In "
        "a notebook, the traceback of this error keeps what was there too, so a second try fails earlier.",
        do="Halve the batch size, evaluate under torch.no_grad(), keep loss.item() and not loss. In a notebook restart "
        "the kernel, or run a cell with 1/0 and then import gc, torch; gc.collect(); torch.cuda.empty_cache().",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("# raises\n", "").replace("2**24", "2**4"),
    lookalikes={
        "another error": "# raises\nraise RuntimeError('the printer is out of memory')\n",
    },
)
