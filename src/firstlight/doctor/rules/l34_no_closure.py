"""L34 no-closure: an optimizer that computes the loss itself was stepped without being told how."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """The exception that such an optimizer raises."""
    one = newest(run, "closure_missing")
    if one:
        yield Finding(
            evidence=_("The program ended with: {error}", error=one["error"]),
            step=one["step"],
            place=Place.from_json(one["place"]),
        )


BROKEN = """\
# raises TypeError
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
optimizer = torch.optim.LBFGS(model.parameters())
for step in range(5):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="L34",
    name="no-closure",
    voice="alarm",
    stage="optimizer",
    question="Do optimizers that need a closure get one?",
    needs=("closure_missing",),
    find=find,
    text=Text(
        what="This optimizer needs a closure: a function that computes the loss and its gradients.",
        why="LBFGS tries several steps in one, and has to compute the loss anew for each of them.",
        do="Put zero_grad(), the loss, backward() and return loss into a function, and give it to step().",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("# raises TypeError\n", "")
    .replace(
        "    optimizer.zero_grad()\n    loss = ", "    def closure():\n        optimizer.zero_grad()\n        loss = "
    )
    .replace("    loss.backward()\n", "        loss.backward()\n        return loss\n\n")
    .replace("step()\n", "step(closure)\n"),
)
