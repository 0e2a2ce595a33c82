"""L06 optimizer-of-another-model: what the optimizer holds gets no gradients; what gets gradients it does not hold."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import assigned_at, dotted, model_at, spot_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """An optimizer that steps and that no backward pass reaches any more, while weights of a model were."""
    coverage = newest(run, "coverage") or {}
    free = [root for root in coverage.get("roots", []) if root["count"] and not root["held"]]
    loose = newest(run, "loose_weights") or {}  # a net that is made of tensors
    if not free and loose.get("count") and not loose["held"]:
        free = [{"count": loose["count"], "root": ", ".join(loose["free"][:3])}]
    if not free:
        return
    code = Code.of(run)
    for one in newest(run, "order_of_steps") or []:
        if one["unreached"] < 5:
            continue
        made = Place.from_json(one["made"])
        yield Finding(
            evidence=_(
                "{optimizer} made {steps} steps in a row without a new gradient. "
                "The backward passes reached {count} weights of {root}, of which it holds none.",
                optimizer=one["optimizer"],
                steps=one["unreached"],
                count=free[0]["count"],
                root=free[0]["root"],
            ),
            step=one["unreached_step"],
            place=made or Place.from_json(one["stepped"]),
            edits=_renamed(code, made, newest(run, "passes")),
            check="held = {id(p) for g in optimizer.param_groups for p in g['params']}\n"
            "print(any(id(p) in held for p in model.parameters()))",
        )


def _renamed(code: Code, made: Place | None, passes: object) -> tuple[Edit, ...]:
    """The optimizer made of the model that is called, where that has another name; else made once more, later."""
    birth = spot_of(code, made)
    forward = spot_of(code, Place.from_json(passes.get("forward"))) if isinstance(passes, dict) else None
    if birth is None or forward is None or not birth.alone or assigned_at(birth) is None:
        return ()
    if birth.unit is not forward.unit or birth.function is not forward.function:
        return ()
    model = model_at(code, forward)
    given = [one for one in ast.walk(birth.node) if isinstance(one, ast.Call) and callee(one) == "parameters"]
    owner = dotted(given[0].func.value) if len(given) == 1 and isinstance(given[0].func, ast.Attribute) else None
    if model is None or owner is None:
        return ()
    if model != owner:
        edit = birth.replaced(f"{owner}.parameters()", f"{model}.parameters()")
        return (edit,) if edit is not None else ()
    loop = forward.of(forward.loops[-1]) if forward.loops else None
    return (loop.before(*birth.text.splitlines()),) if loop is not None and loop.alone else ()


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model = nn.Linear(8, 3)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="L06",
    name="optimizer-of-another-model",
    voice="alarm",
    stage="optimizer",
    question="Does the optimizer hold the weights of the model that is trained?",
    needs=("order_of_steps",),
    find=find,
    text=Text(
        what="The optimizer holds the weights of another model than the one that is trained.",
        why="It still changes the weights that it was given. If the model is made anew, those belong to the old one.",
        do="Make the optimizer again after the model, of the parameters() of the model that is called.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace(".1)\nmodel = nn.Linear(8, 3)\n", ".1)\n"),
    lookalikes={
        "a teacher beside": BROKEN.replace(
            ".1)\nmodel = nn.Linear(8, 3)\n", ".1)\nteacher = nn.Linear(8, 3).eval()\n"
        ).replace(
            "    optimizer.zero_grad()\n",
            "    with torch.no_grad():\n        goal = teacher(x).softmax(1)\n"
            "    loss = loss + nn.functional.kl_div(model(x).log_softmax(1), goal, reduction='batchmean')\n"
            "    optimizer.zero_grad()\n",
        ),
        "an input is trained, and the model is not": BROKEN.replace("model = nn.Linear(8, 3)\nfor", "for")
        .replace(
            "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n",
            "model.requires_grad_(False)\nshift = torch.zeros(8, requires_grad=True)\n"
            "optimizer = torch.optim.SGD([shift], lr=0.1)\n",
        )
        .replace("model(x)", "model(x + shift)"),
    },
    explains=("L02", "L04", "L05", "L15", "M12", "M13", "M25", "D01", "L12", "P04"),
)
