"""L26 best-weights-not-copied: what is kept of the best epoch is the weights themselves, which go on changing."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import calls_in, dotted, spot_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A state that was loaded back and is what was there; or one kept under a condition, and changed since."""
    kept = newest(run, "kept_states") or {}
    code = Code.of(run)
    for one in kept.get("restored", []):
        place = Place.from_json(one["kept"])
        yield Finding(
            evidence=_(
                "The state that was loaded back had been kept {steps} steps before, and had changed with the model: "
                "it was the same memory.",
                steps=one["steps"],
            ),
            step=one["step"],
            place=place,
            places=tuple(found for found in (Place.from_json(one["loaded"]),) if found is not None),
            edits=_copied(code, place),
        )
        return
    for one in kept.get("alive", []):
        place = Place.from_json(one["kept"])
        spot = spot_of(code, place)
        if spot is None or not any(isinstance(node, ast.If) for node in spot.around):
            continue  # a state at hand is nothing: one that was kept on a condition is meant to stay
        yield Finding(
            evidence=_(
                "The state that was kept {steps} steps before the end has changed with the model: "
                "it is the same memory.",
                steps=one["steps"],
            ),
            step=None,
            place=place,
            edits=_copied(code, place),
        )
        return


def _copied(code: Code, place: Place | None) -> tuple[Edit, ...]:
    """A copy of each tensor."""
    spot = spot_of(code, place)
    if spot is None:
        return ()
    calls = calls_in(spot.node, "state_dict")
    owner = dotted(calls[0].func.value) if len(calls) == 1 and isinstance(calls[0].func, ast.Attribute) else None
    if owner is None or calls[0].args or calls[0].keywords:
        return ()
    old = f"{owner}.state_dict()"
    edit = spot.replaced(old, f"{{name: value.clone() for name, value in {old}.items()}}")
    return (edit,) if edit is not None else ()


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
best, best_state = 1e9, None
for step in range(30):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step < 20 and loss.item() < best:
        best, best_state = loss.item(), model.state_dict()
model.load_state_dict(best_state)
"""

rule = Rule(
    code="L26",
    name="best-weights-not-copied",
    voice="alarm",
    stage="evaluation",
    question="Is what is kept of the best epoch a copy?",
    needs=("models",),
    find=find,
    text=Text(
        what="The best weights are not copied: what was kept changes with every later step.",
        why="state_dict() gives the weights themselves, not their values at that time.",
        do="Keep a copy: copy.deepcopy(model.state_dict()).",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("model.state_dict()\n", "{k: v.clone() for k, v in model.state_dict().items()}\n"),
    lookalikes={
        "a deep copy": BROKEN.replace("import torch\n", "import copy\n\nimport torch\n", 1).replace(
            "model.state_dict()\n", "copy.deepcopy(model.state_dict())\n"
        ),
        "saved at once": BROKEN.replace("import torch\n", "import io\n\nimport torch\n", 1).replace(
            "        best, best_state = loss.item(), model.state_dict()\nmodel.load_state_dict(best_state)\n",
            "        best, best_state = loss.item(), model.state_dict()\n"
            "        torch.save(best_state, io.BytesIO())\n",
        ),
        "another model follows": BROKEN.replace(
            "        best, best_state = loss.item(), model.state_dict()\nmodel.load_state_dict(best_state)\n",
            "        follower.load_state_dict(model.state_dict())\n",
        ).replace("best, best_state = 1e9, None", "best, follower = 1e9, nn.Linear(8, 3)"),
    },
)
