"""L02 gradients-set-back-before-the-step: zero_grad stands between backward and step."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import owner_of, spot_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """An optimizer that found no gradients at nearly all of its steps, although a backward pass had made them."""
    code = Code.of(run)
    for one in newest(run, "order_of_steps") or []:
        if one["emptied"] < 5 or one["emptied"] < 0.9 * one.get("looked", one["steps"]):
            continue
        cleared, backward = Place.from_json(one["emptied_by"]), Place.from_json(one["backward"])
        yield Finding(
            evidence=_(
                "At {count} of {steps} steps of {optimizer}, all gradients were empty or zero, "
                "although backward() had run just before.",
                count=one["emptied"],
                steps=one["steps"],
                optimizer=one["optimizer"],
            ),
            step=one["emptied_step"],
            place=cleared or Place.from_json(one["stepped"]),
            places=tuple(place for place in (backward,) if place is not None),
            edits=_moved(code, cleared, backward),
            check="print([p.grad for p in model.parameters()])  # directly before optimizer.step()",
        )


def _moved(code: Code, cleared: Place | None, backward: Place | None) -> tuple[Edit, ...]:
    """zero_grad, taken away behind backward and put in front of it: the later line first."""
    at, before = spot_of(code, cleared), spot_of(code, backward)
    if at is None or before is None or not (at.alone and before.alone) or owner_of(at, "zero_grad") is None:
        return ()
    if at.unit is not before.unit or at.function is not before.function or at.node.lineno <= before.node.lineno:
        return ()
    return (at.without(), before.before(at.text))


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
"""

rule = Rule(
    code="L02",
    name="gradients-set-back-before-the-step",
    voice="alarm",
    stage="order",
    question="Are the gradients still there when the optimizer uses them?",
    needs=("order_of_steps",),
    find=find,
    text=Text(
        what="The gradients are set back after backward() and before step(), so no step changes the model.",
        why="step() reads the gradients that backward() has computed. zero_grad() in between throws them away.",
        do="Put zero_grad() in front of backward().",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace(
        "    loss.backward()\n    optimizer.zero_grad()\n", "    optimizer.zero_grad()\n    loss.backward()\n"
    ),
    lookalikes={
        "the gradients of an attack on the inputs are thrown away": BROKEN.replace(
            "    optimizer.zero_grad()\n",
            "    optimizer.zero_grad()\n    nn.functional.cross_entropy(model(x + 0.01), y).backward()\n",
        ),
        "LBFGS calls its closure often": BROKEN.replace("SGD(model.parameters(), lr=0.1)", "LBFGS(model.parameters())")
        .replace("    loss = ", "    def closure():\n        optimizer.zero_grad()\n        loss = ")
        .replace("    loss.backward()\n    optimizer.zero_grad()\n", "        loss.backward()\n        return loss\n\n")
        .replace("step()", "step(closure)"),
    },
    explains=("L15", "L17", "M12", "M13", "M25", "D01"),
)
