"""M13 graph-cut: something between two layers leaves autograd, so what lies before it is never trained."""

import ast
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code, callee
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import dropped, function_around, layer_made
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_TIMES = 3
_STATIC = {
    "detach",
    "detach_",
    "numpy",
    "item",
    "tolist",
    "argmax",
    "tensor",
    "from_numpy",
    "as_tensor",
    "round",
    "sign",
}


def find(run: Run) -> Iterator[Finding]:
    """Layers that ran with gradients wanted, that an optimizer steps, that no loss reached, and that never changed."""
    reach = newest(run, "reach") or {}
    rows = [
        row
        for row in reach.get("cut", ())
        if row["stepped"] and row["times"] >= _TIMES and not row["moved"] and reach["reached"]
    ]
    rows = [row for row in rows if not row["left"]]  # nothing uses their result: M12
    if not rows:
        yield from list(_blind(run, reach)) or _by_hand(run)
        return
    last = max(rows, key=lambda row: -1 if row["order"] is None else row["order"])
    place, edits = _cut(run, last, reach)
    made = layer_made(run, last["name"], last["layer"])
    yield Finding(
        evidence=_(
            "{count} layers ran and never got a gradient in {times} looks, the last of them {name} ({layer}); "
            "{reached} layers got theirs.",
            count=len(rows),
            times=last["times"],
            name=last["name"] or last["root"],
            layer=last["layer"],
            reached=reach["reached"],
        ),
        step=max(row["step"] for row in rows),
        place=place,
        places=(made[0],) if made is not None else (),
        edits=edits,
        check="print([name for name, weight in model.named_parameters() if weight.grad is None])  # after backward()",
    )


def _blind(run: Run, reach: dict[str, Any]) -> Iterator[Finding]:
    """A model that an optimizer steps, and that only ever ran without autograd, before each loss."""
    for row in reach.get("blind", ()):
        if row["held"] and not row["moved"] and row["training"] and row["times"] >= _TIMES:
            yield Finding(
                evidence=_(
                    "An optimizer holds the weights of {model}, which ran without autograd before each of {times} "
                    "losses: no gradient came to it, and it has not changed.",
                    model=row["class"],
                    times=row["times"],
                ),
                step=row["step"],
                place=_no_grad(Code.of(run), Place.from_json(row["called"])),
                check="print([weight.grad for weight in model.parameters()])  # after backward()",
            )
            return


def _by_hand(run: Run) -> Iterator[Finding]:
    """Weights that no module holds: used, not reached, and what came of them reached the loss."""
    found = newest(run, "cut_by_hand") or {}
    rows = [row for row in found.get("rows", ()) if row["seen"] >= 2 and not row["named"]]
    if not rows or not found["reached"]:
        return
    place = Place.from_json(rows[-1]["place"])
    if rows[-1]["by"] == "no_grad":
        place = _no_grad(Code.of(run), place)
    yield Finding(
        evidence=_(
            "{count} weights that an optimizer holds were used and got no gradient, the last of them of shape {shape}; "
            "{reached} got theirs. What came of it left autograd in {name}.",
            count=len(rows),
            shape=str(tuple(rows[-1]["shape"])),
            reached=found["reached"],
            name=rows[-1]["by"],
        ),
        step=rows[-1]["step"],
        place=place,
        check="print([tuple(weight.shape) for weight in weights if weight.grad is None])  # after backward()",
    )


def _cut(run: Run, row: dict[str, Any], reach: dict[str, Any]) -> tuple[Place | None, tuple[Edit, ...]]:
    """The line that leaves autograd, as the trail saw it; else the only one that can; else the next layer."""
    code = Code.of(run)
    cuts = [(name, Place.from_json(line)) for name, line in row["cuts"] if line]
    if not cuts and row.get("lost") and row["lost"][1]:
        cuts = [(row["lost"][0], Place.from_json(row["lost"][1]))]
    if not cuts:  # between two models
        between = [one for one in (newest(run, "cut_by_hand") or {}).get("rows", ()) if one["named"]]
        cuts = [(one["by"], Place.from_json(one["place"])) for one in between]
    following = Place.from_json(row["next"])
    for name, place in cuts[-1:]:
        if name == "no_grad":
            return _no_grad(code, place), ()
        return place, _without(code, place, name)
    near = [following, Place.from_json(reach["backward"])]
    near += [Place.from_json(model["called"]) for model in newest(run, "graph_models") or []]
    found = []
    for place in near:
        around = function_around(code, place) if place is not None else None
        for node in ast.walk(around[1]) if around is not None else ():
            if around is not None and isinstance(node, ast.Call) and callee(node) in _STATIC:
                found.append((around[0].place(node), callee(node)))
            elif around is not None and isinstance(node, ast.Attribute) and node.attr == "data":
                found.append((around[0].place(node), "data"))
            elif around is not None and isinstance(node, ast.With) and "no_grad" in ast.unparse(node.items[0]):
                found.append((around[0].place(node), "no_grad"))
    lines = dict.fromkeys(found)
    backward = Place.from_json(reach["backward"])
    if len(lines) > 1 and backward is not None:  # what comes after it, or is only printed, cuts nothing
        lines = dict.fromkeys(
            one
            for one in lines
            if one[1] != "item" and (one[0].file, one[0].line < backward.line) == (backward.file, True)
        )
    if len(lines) == 1:
        place, name = next(iter(lines))
        return place, _without(code, place, name)
    return following or Place.from_json(reach["backward"]), ()


def _no_grad(code: Code, place: Place | None) -> Place | None:
    """The `with torch.no_grad():`, or the decorator, around a line."""
    if place is None:
        return None
    for unit in code.units:
        if unit.file != place.file:
            continue
        found = None
        for node in unit.nodes:
            if isinstance(node, ast.With | ast.FunctionDef) and node.lineno <= place.line <= (node.end_lineno or 0):
                heads = [one.context_expr for one in node.items] if isinstance(node, ast.With) else node.decorator_list
                texts = [(one, ast.unparse(one)) for one in heads]
                marks = ("no_grad", "inference_mode", "set_grad_enabled")
                found = next((one for one, text in texts if any(mark in text for mark in marks)), found)
        if found is not None:
            return unit.place(found, place.function)
    return place


def _without(code: Code, place: Place | None, name: str) -> tuple[Edit, ...]:
    """`x.detach()` becomes `x`; nothing for what is more than one call."""
    if place is None or name not in ("detach", "detach_"):
        return ()
    for unit in code.units:
        calls = [
            node
            for node in unit.nodes
            if isinstance(node, ast.Call) and callee(node) == name and node.end_lineno == place.line
        ]
        if unit.file == place.file and len(calls) == 1:
            return dropped(unit, calls[0])
    return ()


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = torch.relu(self.encoder(x))
        x = x.detach()
        return self.head(x)


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
FIXED = BROKEN.replace("        x = x.detach()\n", "")
PROBE = BROKEN.replace("SGD(model.parameters()", "SGD(model.head.parameters()")

rule = Rule(
    code="M13",
    name="graph-cut",
    voice="alarm",
    stage="graph",
    question="Do gradients reach each layer that is to be trained?",
    needs=("reach", "cut_by_hand"),
    find=find,
    text=Text(
        what="Gradients do not reach a part of the model: something cuts the way from the loss to it.",
        why="detach(), .data, .numpy(), torch.tensor(), argmax() and no_grad() give numbers that know nothing of how "
        "they were made. The layers before it stay as they are.",
        do="Take the cut away. If this part is to stay as it is, set requires_grad to False and leave it out of the "
        "optimizer.",
    ),
    broken=BROKEN,
    fixed=FIXED,
    lookalikes={
        "only the head is given to the optimizer": PROBE,
        "features without gradients, and only the head trained": PROBE.replace(
            "        x = torch.relu(self.encoder(x))\n        x = x.detach()\n",
            "        with torch.no_grad():\n            x = torch.relu(self.encoder(x))\n",
        ),
        "stop-gradient on one of two ways": FIXED.replace("self.head(x)", "self.head(x + (x.round() - x).detach())"),
        "a target network": FIXED.replace(
            "    optimizer.zero_grad()",
            "    with torch.no_grad():\n        target = model(x).detach()\n"
            "    loss = loss + (model(x) - target).pow(2).mean()\n    optimizer.zero_grad()",
        ),
        "two parts in turns": BROKEN.replace(
            "    optimizer.zero_grad()",
            "    loss = loss if step % 6 != 5 else loss + model.encoder(x).mean()\n    optimizer.zero_grad()",
        ),
    },
    explains=("M12", "L15"),
)
