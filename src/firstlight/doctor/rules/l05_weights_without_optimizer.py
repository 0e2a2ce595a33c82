"""L05 weights-without-optimizer: a part of the model gets gradients, and belongs to no optimizer."""

import ast
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import Spot, assigned_at, dotted, spot_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """Weights with gradients that nothing changes, beside weights that an optimizer trains."""
    coverage = newest(run, "coverage") or {}
    rows = [one for one in newest(run, "order_of_steps") or [] if one["steps"] >= 5 and one["reached"]]
    if not rows:
        return
    code = Code.of(run)
    made = Place.from_json(rows[0]["made"])
    yield from _loose(run, code, rows[0]["steps"], made)
    for root in coverage.get("roots", []):
        if not root["count"] or root["changed"] > root["held"]:
            continue
        if not root["held"] and not (root["training"] and not root["copied"]):
            continue  # a whole model that is left as it is: a teacher, a judge of pictures
        names = ", ".join(root["free"][:3])
        # Made after the optimizer, or the last layer of all: nobody leaves those untrained on purpose. A whole model
        # may be meant to stay as it is: a prompt is trained through it, or an attack.
        # What has weights of its own and no layers is a loss, or a temperature: nothing that was trained elsewhere.
        sure = bool(root["held"]) and (root["later"] or root["last"])
        # Layers behind others that are trained, and fewer than those: what is left as it was read stands in front.
        behind = root.get("held_from") is not None and root.get("free_to") is not None
        behind = behind and root["held_from"] < root["free_to"] and root["numbers"] < root["held_numbers"]
        sure = sure or (behind and not root["copied"])
        sure = sure or (not root["held"] and bool(root.get("alone")) and not root["copied"])
        # Made anew after the optimizer, which still holds weights of the same shapes that no model has any more.
        sure = sure or (root.get("replaced", False) and root["later"] == root["count"] and not root["copied"])
        yield Finding(
            evidence=_(
                "{count} weights of {root} ({names}) get gradients, but no optimizer holds them, "
                "and after {steps} steps they have not changed.",
                count=root["count"],
                root=root["root"],
                names=names,
                steps=rows[0]["steps"],
            ),
            step=9,
            place=made,
            voice="alarm" if sure else "question",
            edits=_remade(code, made, Place.from_json(rows[0]["stepped"]), later=bool(root["later"])),
            check="held = {id(p) for g in optimizer.param_groups for p in g['params']}\n"
            "print([name for name, p in model.named_parameters() if id(p) not in held])",
        )


def _loose(run: Run, code: Code, steps: int, made: Place | None) -> Iterator[Finding]:
    """The same of a net that is made of tensors, some of which an optimizer trains."""
    one = newest(run, "loose_weights") or {}
    if not one.get("count") or not one["held"] or made is None:
        return
    if any(row["holder"] for row in (newest(run, "reach") or {}).get("loose", ())):
        return  # kept in an attribute of a model: that is M10
    loads = ("torch.load", "np.load", "numpy.load", "pickle.load", "joblib.load")
    brought = any(dotted(call.func) in loads for _at, call, _unit in code.calls("load"))
    yield Finding(
        evidence=_(
            "{count} weights of {root} ({names}) get gradients, but no optimizer holds them, "
            "and after {steps} steps they have not changed.",
            count=one["count"],
            root=PurePath(made.file).name if made.cell is None else f"In [{made.cell}]",
            names=", ".join(one["free"][:3]),
            steps=steps,
        ),
        step=9,
        place=made,
        voice="question" if brought else "alarm",  # what was trained elsewhere may be meant to stay as it is
    )


def _remade(code: Code, made: Place | None, stepped: Place | None, *, later: bool) -> tuple[Edit, ...]:
    """The optimizer made where all layers are there, or of all weights of the model."""
    birth, step = spot_of(code, made), spot_of(code, stepped)
    if birth is None or not birth.alone or assigned_at(birth) is None:
        return ()
    if later:
        return _again(code, birth, step)
    given = _given(birth)
    owner = dotted(given.func.value) if given is not None and isinstance(given.func, ast.Attribute) else None
    if owner is None or "." not in owner.removeprefix("self."):
        return ()
    edit = birth.replaced(f"{owner}.parameters()", f"{owner.rsplit('.', 1)[0]}.parameters()")
    return (edit,) if edit is not None else ()


def _again(code: Code, birth: Spot, step: Spot | None) -> tuple[Edit, ...]:
    """The same statement once more, directly before the loop that trains."""
    if step is None or step.unit is not birth.unit or step.function is not birth.function or not step.loops:
        return ()
    if any(True for _call in code.calls("LambdaLR", "StepLR", "MultiStepLR", "ExponentialLR", "CosineAnnealingLR",
           "OneCycleLR", "ReduceLROnPlateau", "LinearLR", "SequentialLR")):  # fmt: skip
        return ()  # a scheduler holds the optimizer of before
    loop = step.of(step.loops[-1])
    return (loop.before(*birth.text.splitlines()),) if loop is not None and loop.alone else ()


def _given(birth: Spot) -> Any:
    """The call of `parameters()` that an optimizer is made of."""
    found = [one for one in ast.walk(birth.node) if isinstance(one, ast.Call) and callee(one) == "parameters"]
    return found[0] if len(found) == 1 else None


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model[2] = nn.Linear(16, 3)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
_MADE = "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
_HEAD = "model[2] = nn.Linear(16, 3)\n"
_JUDGE = """\
judge = nn.Linear(8, 3)
first = torch.optim.SGD(judge.parameters(), lr=0.1)
for step in range(20):
    first.zero_grad()
    nn.functional.cross_entropy(judge(x), y).backward()
    first.step()
del first
model = nn.Linear(8, 8)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    optimizer.zero_grad()
    nn.functional.cross_entropy(judge(model(x)), y).backward()
    optimizer.step()
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""

_TENSORS = """\
import torch

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
net = {"first": torch.randn(8, 16), "bias": torch.zeros(16), "last": torch.randn(16, 3)}
for weight in net.values():
    weight.requires_grad_()
optimizer = torch.optim.SGD(net.values(), lr=0.1)
for step in range(20):
    loss = torch.nn.functional.cross_entropy((x @ net["first"] + net["bias"]).relu() @ net["last"], y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="L05",
    name="weights-without-optimizer",
    voice="alarm",
    stage="optimizer",
    question="Does an optimizer hold all weights that get gradients?",
    needs=("coverage", "loose_weights"),
    find=find,
    text=Text(
        what="A part of the model is not trained: the optimizer does not hold its weights.",
        why="An optimizer changes the weights that it was given when it was made, and no layers that came later.",
        do="Make the optimizer of model.parameters(), after the last change of the model.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace(_MADE + _HEAD, _HEAD + _MADE),
    lookalikes={
        "a frozen body": BROKEN.replace(_MADE + _HEAD, _HEAD + "model[0].requires_grad_(False)\n" + _MADE),
        "two optimizers": BROKEN.replace(
            _MADE + _HEAD,
            _HEAD
            + _MADE.replace("model.", "model[0].")
            + _MADE.replace("optimizer", "second", 1).replace("model.", "model[2]."),
        )
        .replace("    optimizer.step()\n", "    optimizer.step()\n    second.step()\n")
        .replace("    optimizer.zero_grad()\n", "    model.zero_grad()\n"),
        "the optimizer is made before the model is converted": BROKEN.replace(
            _MADE + _HEAD, _HEAD + _MADE + "model.double()\n"
        ).replace("model(x)", "model(x.double())"),
        "a judge that was trained before": BROKEN.replace(_MADE + _HEAD, _HEAD + _JUDGE),
        "a net of tensors": _TENSORS,
        "points at which a net of tensors is asked for its slope": _TENSORS.replace(
            "net = {", "x.requires_grad_()\nnet = {"
        ),
        "a part of a net of tensors that is read": _TENSORS.replace(
            "    weight.requires_grad_()\n", "    weight.requires_grad_(weight is not net['first'])\n"
        ),
        "a new group of weights": BROKEN.replace(
            _HEAD, _HEAD + "optimizer.add_param_group({'params': model[2].parameters()})\n"
        ),
    },
    explains=("L15", "M25"),
)
