"""X03 backward-twice: two backward passes want to go through one graph, in one step."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.failing import error_of, failure_of, line_of, lines_above
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """The error that says so, where neither a state nor a value of before the step is the cause."""
    failure = failure_of(run, r"backward through the graph a second time", types=("RuntimeError",))
    if failure is None:
        return
    twice = failure.get("twice") or {"known": False, "carried": False, "steps": 0, "names": [], "lines": []}
    if twice["carried"] or (twice["known"] and twice["steps"]):
        return  # M24 and L30
    shared = [Place(**one) for one in twice["lines"]]
    yield Finding(
        evidence=_("{error} Both go through {names}.", error=error_of(failure), names=", ".join(twice["names"]))
        if twice["names"]
        else error_of(failure),
        step=failure["step"],
        place=line_of(failure),
        places=(*shared, *lines_above(failure, Code.of(run)))[:3],
    )


BROKEN = """\
# raises
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(64, 8), torch.randint(3, (64,))
body, first, second = nn.Sequential(nn.Linear(8, 16), nn.ReLU()), nn.Linear(16, 3), nn.Linear(16, 8)
optimizer = torch.optim.SGD([*body.parameters(), *first.parameters(), *second.parameters()], lr=0.1)
for step in range(20):
    optimizer.zero_grad()
    hidden = body(x)
    class_loss = nn.functional.cross_entropy(first(hidden), y)
    copy_loss = nn.functional.mse_loss(second(hidden), x)
    class_loss.backward()
    copy_loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="X03",
    name="backward-twice",
    voice="alarm",
    stage="graph",
    question="Does one backward pass go through each graph?",
    find=find,
    text=Text(
        what="Two backward passes want to go through the same graph.",
        why="backward() frees what it has gone through, to save memory. What both losses share is gone at the second.",
        do="Add the losses and call backward() once: (loss1 + loss2).backward(). Where one is not to train what they "
        "share, give it value.detach().",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("# raises\n", "")
    .replace("    class_loss.backward()\n", "")
    .replace("copy_loss.backward()", "(class_loss + copy_loss).backward()"),
    lookalikes={
        "the graph is kept for the second": BROKEN.replace("# raises\n", "").replace(
            "class_loss.backward()", "class_loss.backward(retain_graph=True)"
        ),
    },
    explains=("L03", "L09"),
)
