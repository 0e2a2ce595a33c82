"""M16 units-that-are-equal: all units of a layer began equal, and can never differ."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import layer_made
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A layer whose units had the same weights at the start, and still have after several steps."""
    rows = [row for row in newest(run, "equal_units") or [] if row.get("trained")]
    if not rows:
        yield from _by_hand(run)
        yield from _all_constant(run)
    for row in rows[:1]:
        made = layer_made(run, row["name"], row["layer"])
        models = newest(run, "weights_of_models") or []
        called = next((model["called"] for model in models if model["called"]), None)
        place = _set(run) or (made[0] if made is not None else None) or Place.from_json(called)
        yield Finding(
            evidence=_(
                "After {steps} steps, all {rows} units of {name} ({layer}) have exactly the same weights; {count} "
                "layers are like that.",
                steps=row["steps"],
                rows=row["rows"],
                name=row["name"] or row["key"],
                layer=row["layer"],
                count=len({one["name"] for one in rows}),
            ),
            step=row["step"],
            place=place,
            check="print([(name, (w == w[:1]).all().item()) for name, w in model.named_parameters() if w.dim() > 1])",
        )


def _by_hand(run: Run) -> Iterator[Finding]:
    """Weights that no module holds, one and the same number at the start, whose rows or columns stay equal."""
    rows = [row for row in newest(run, "equal_by_hand") or [] if row["equal"]]
    # Where all factors are zeros, each has a gradient of zero: none of them ever moves.
    nothing = len(rows) >= 2 and all(row["value"] == 0 and row["steps"] >= 20 for row in rows)
    nothing = nothing and len(rows) == rows[0]["all"]
    moved = [row for row in rows if row["moved"]]
    if not moved and not nothing:
        return
    row = (moved or rows)[0]
    yield Finding(
        evidence=_(
            "After {steps} steps, all units of a weight of shape {shape} are still exactly the same; it began as "
            "{value} everywhere.",
            steps=row["steps"],
            shape=str(tuple(row["shape"])),
            value=round(row["value"], 4),
        ),
        step=row["step"],
        place=_filled(run) or Place.from_json(row["line"]),
        check="print((w == w[:1]).all() or (w == w[:, :1]).all())  # for each weight w",
    )


def _all_constant(run: Run) -> Iterator[Finding]:
    """A model of several layers in each of which all weights were one number."""
    for model in newest(run, "weights_of_models") or []:
        if model.get("constant", 0) >= 2 and model["constant"] == model["layers"]:
            yield Finding(
                evidence=_(
                    "At the start, the weights of each of the {count} layers of {model} were one and the same number.",
                    count=model["constant"],
                    model=model["class"],
                ),
                step=0,
                place=_set(run) or Place.from_json(model["called"]),
                check="print({name: w.std().item() for name, w in model.named_parameters() if w.dim() > 1})",
            )
            return


def _filled(run: Run) -> Place | None:
    """The first line that makes a matrix of one number."""
    found = [
        place
        for place, node, _unit in Code.of(run).calls("full", "zeros", "ones", "fill_", "constant_", "zeros_", "ones_")
        if (len(node.args) >= 2 or any(isinstance(one, ast.Tuple) and len(one.elts) >= 2 for one in node.args))
    ]
    return found[0] if found else None


def _set(run: Run) -> Place | None:
    """The only line that sets weights to a constant."""
    names = ("zeros_", "ones_", "constant_", "fill_", "zero_")
    found = [place for place, node, _unit in Code.of(run).calls(*names) if "bias" not in ast.unparse(node)]
    found = [place for place in found if "grad" not in place.text]
    if not found:
        calls = Code.of(run).calls("full_like", "zeros_like", "ones_like")
        found = [place for place, _node, _unit in calls if ".data" in place.text or "copy_" in place.text]
    if not found:  # a parameter that is made of one number
        calls = Code.of(run).calls("Parameter")
        found = [place for place, node, _unit in calls if any(_is_matrix(one) for one in ast.walk(node))]
    return found[0] if len(found) == 1 else None


def _is_matrix(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or callee(node) not in ("zeros", "ones", "full"):
        return False
    first = node.args[0] if node.args else None
    sides = first.elts if isinstance(first, ast.Tuple) else node.args
    return len(sides) >= 2


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
for weight in model.parameters():
    nn.init.constant_(weight, 0.05)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
FIXED = BROKEN.replace("    nn.init.constant_(weight, 0.05)", "    weight.data *= 1.1")

rule = Rule(
    code="M16",
    name="units-that-are-equal",
    voice="alarm",
    stage="graph",
    question="Do the units of each layer begin with different weights?",
    needs=("equal_units", "weights_of_models", "equal_by_hand"),
    find=find,
    text=Text(
        what="All units of a layer began with the same weights, so they all learn the same.",
        why="Equal units get equal gradients and stay equal: the layer is as good as a single unit. With zeros, often "
        "nothing is learned at all.",
        do="Leave the weights as PyTorch makes them, or use nn.init.kaiming_normal_. Only biases may begin at zero.",
    ),
    broken=BROKEN,
    fixed=FIXED,
    lookalikes={
        "the last layer begins at zero": FIXED.replace(
            "    weight.data *= 1.1", "    pass\nnn.init.zeros_(model[2].weight)"
        ),
        "biases begin at zero": FIXED.replace(
            "    weight.data *= 1.1", "    weight.dim() > 1 or nn.init.zeros_(weight)"
        ),
        "an adapter whose second half begins at zero": FIXED.replace(
            "nn.Linear(8, 16), nn.ReLU()", "nn.Linear(8, 4, bias=False), nn.Linear(4, 16), nn.ReLU()"
        ).replace("    weight.data *= 1.1", "    pass\nnn.init.zeros_(model[1].weight)"),
        "by hand, two factors of which one begins at zero": BROKEN.replace(
            "model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))\n"
            "for weight in model.parameters():\n    nn.init.constant_(weight, 0.05)\n",
            "a, b = torch.randn(8, 16, requires_grad=True), torch.zeros(16, 3, requires_grad=True)\n"
            "model = lambda x: (x @ a).relu() @ b\n",
        )
        .replace("model.parameters()", "[a, b]")
        .replace("range(20)", "range(30)"),
        "frozen": BROKEN.replace(
            "constant_(weight, 0.05)", "constant_(weight, 0.05)\nmodel[0].requires_grad_(False)"
        ).replace("    nn.init.constant_(weight, 0.05)", "    pass\nnn.init.constant_(model[0].weight, 0.05)"),
    },
    explains=("L15", "M18", "E11", "E12", "M34", "M25"),
)
