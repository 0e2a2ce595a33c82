"""M10 layers-in-a-list: layers in a Python list or dictionary are used, and never trained."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, Unit, callee
from firstlight.doctor.failing import error_of, failure_of, line_of
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import instead
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_TIMES = 3


def find(run: Run) -> Iterator[Finding]:
    """Weights that a loss reaches, which no parameters() gives, no optimizer holds, and nothing changes."""
    yield from _nothing_to_train(run)
    reach = newest(run, "reach") or {}
    rows = [
        row
        for row in reach.get("loose", ())
        if row["holder"] and row["times"] >= _TIMES and not row["moved"] and (row["parameter"] or not row["holder"][3])
    ]
    for holder in dict.fromkeys(tuple(row["holder"]) for row in rows):
        mine = [row for row in rows if tuple(row["holder"]) == holder]
        owner, name, kind, layers = holder
        place, edits = _made(run, owner, name, kind, layers=layers)
        yield Finding(
            evidence=_(
                "{count} weights in {owner}.{name} get gradients, but model.parameters() does not give them, no "
                "optimizer holds them, and they have not changed.",
                count=len(mine),
                owner=owner,
                name=name,
            ),
            step=max(row["step"] for row in mine),
            place=place or Place.from_json(mine[0]["line"]) or Place.from_json(reach["backward"]),
            edits=edits,
            values={"name": name},
            check="print(len(list(model.parameters())))  # the layers of the list are missing",
        )


def _nothing_to_train(run: Run) -> Iterator[Finding]:
    """All layers stand in a list or a dict, so that an optimizer was given no weights at all."""
    failure = failure_of(run, r"got an empty parameter list", types=("ValueError",))
    if failure is None:
        return
    for _place, body, _unit in Code.of(run).walk(ast.ClassDef):
        for node in ast.walk(body):
            target = node.targets[0] if isinstance(node, ast.Assign) else None
            if not isinstance(target, ast.Attribute) or not isinstance(node, ast.Assign):
                continue
            kind = {ast.List: "list", ast.ListComp: "list", ast.Tuple: "tuple", ast.Dict: "dict", ast.DictComp: "dict"}
            made = kind.get(type(node.value))
            grown = any(
                isinstance(one, ast.Call)
                and isinstance(one.func, ast.Attribute)
                and one.func.attr in ("append", "extend", "insert", "update")
                and ast.unparse(one.func.value) == ast.unparse(target)
                for one in ast.walk(body)
            )
            inside = any(isinstance(one, ast.Call) and callee(one)[:1].isupper() for one in ast.walk(node.value))
            if made is None or not (inside or grown):
                continue
            place, edits = _made(run, body.name, target.attr, made, layers=True)
            at = line_of(failure)
            yield Finding(
                evidence=error_of(failure),
                step=failure["step"],
                place=place,
                places=(at,) if at is not None else (),
                edits=edits,
                values={"name": target.attr},
            )
            return


def _made(run: Run, owner: str, name: str, kind: str, *, layers: bool) -> tuple[Place | None, tuple[Edit, ...]]:
    """The assignment of the attribute in its class, and the change that registers what it holds."""
    code = Code.of(run)
    found: list[tuple[Unit, ast.Assign | ast.AnnAssign]] = []
    for _place, body, unit in code.walk(ast.ClassDef):
        if body.name != owner:
            continue
        for node in ast.walk(body):
            targets = list(node.targets) if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            targets += [inner for target in targets if isinstance(target, ast.Tuple) for inner in target.elts]
            if isinstance(node, ast.Assign | ast.AnnAssign) and any(
                isinstance(target, ast.Attribute) and target.attr == name for target in targets
            ):
                found.append((unit, node))
    if len(found) != 1 or found[0][1].value is None:
        return (found[0][0].place(found[0][1]) if found else None), ()
    unit, node = found[0]
    value = node.value
    text = ast.get_source_segment(unit.text, value) if value is not None else None
    if value is None or not text:
        return unit.place(node), ()
    if kind not in ("list", "tuple", "dict") and layers:
        return unit.place(node), ()  # an object of the learner's own: its class is to become a module
    if not layers:
        if isinstance(value, ast.Call) and callee(value) != "Parameter":
            return unit.place(node), instead(unit, value, f"torch.nn.Parameter(({text}).detach())")
        return unit.place(node), ()
    keeper = "ModuleDict" if kind == "dict" else "ModuleList"
    nested = isinstance(value, ast.List | ast.Tuple) and any(
        isinstance(one, ast.List | ast.Tuple) for one in value.elts
    )
    return unit.place(node), () if nested else instead(unit, value, f"torch.nn.{keeper}({text})")


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(8, 8) for _ in range(2)]
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.head(x)


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M10",
    name="layers-in-a-list",
    voice="alarm",
    stage="graph",
    question="Does the model know all layers that it uses?",
    needs=("reach", "failure"),
    find=find,
    text=Text(
        what="Layers in {name} are used, but the model does not know them, so they are never trained.",
        why="A module only finds layers that are its attributes, or are in nn.ModuleList or nn.ModuleDict. A Python "
        "list or a plain tensor hides them from parameters(), state_dict() and to().",
        do="Put the layers into nn.ModuleList or nn.ModuleDict, and make a plain tensor an nn.Parameter.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("[nn.Linear(8, 8) for _ in range(2)]", "nn.ModuleList([nn.Linear(8, 8) for _ in range(2)])"),
    lookalikes={
        "the optimizer is given the list too": BROKEN.replace(
            "SGD(model.parameters(), lr=0.1)",
            "SGD([*model.parameters(), *(w for layer in model.layers for w in layer.parameters())], lr=0.1)",
        ),
        "a frozen helper is hidden in a list": BROKEN.replace(
            "        self.head =",
            "        for layer in self.layers:\n            layer.requires_grad_(False)\n        self.head =",
        ),
        "changed by hand": BROKEN.replace(
            "    optimizer.step()\n",
            "    optimizer.step()\n    with torch.no_grad():\n        for layer in model.layers:\n"
            "            for weight in layer.parameters():\n                weight -= 0.1 * weight.grad\n"
            "                weight.grad = None\n",
        ),
        "inputs that get gradients": BROKEN.replace(
            "[nn.Linear(8, 8) for _ in range(2)]", "nn.ModuleList([nn.Linear(8, 8) for _ in range(2)])"
        ).replace("torch.randn(128, 8),", "torch.randn(128, 8, requires_grad=True),"),
    },
    explains=("L05", "L06", "M11"),
)
