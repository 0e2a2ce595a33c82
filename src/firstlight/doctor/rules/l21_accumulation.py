"""L21 accumulation: gradients of several batches are meant to add up, and do not; or add up to more than their mean."""

import ast
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code
from firstlight.doctor.editing import Spot, owner_of, spot_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.rules.l23_steps_outside_the_batch_loop import is_conditional
from firstlight.locale import Text, _
from firstlight.run import Run

_AS_LONG = ("SGD", "ASGD")  # optimizers whose steps are as long as the gradient


def find(run: Run) -> Iterator[Finding]:
    """Gradients set back between the batches of one step; sums that are not divided."""
    code = Code.of(run)
    for one in newest(run, "order_of_steps") or []:
        stepped = Place.from_json(one["stepped"])
        if one["thrown"] < 2 or one["thrown"] < 0.5 * one["steps"]:
            continue
        if one["most_thrown"] >= 5 and not is_conditional(spot_of(code, stepped)):
            continue  # that is L23
        place = Place.from_json(one["emptied_by"]) or stepped
        yield Finding(
            evidence=_(
                "Before {count} of {steps} steps of {optimizer}, the gradients of {lost} batches were set back unused.",
                count=one["thrown"],
                steps=one["steps"],
                optimizer=one["optimizer"],
                lost=one["most_thrown"],
            ),
            step=one["thrown_step"],
            place=place,
            places=(stepped,) if stepped is not None else (),
            edits=_moved(spot_of(code, place), spot_of(code, stepped)),
        )
        return
    yield from _left_over(run, code)
    one = newest(run, "accumulation") or {}
    if one.get("passes", 0) >= 3 and one["times"] >= max(3, 0.8 * one["steps"]) and one["plain"] and not one["scaled"]:
        yield Finding(
            evidence=_(
                "Each step follows {passes} backward passes, and no loss was divided: the gradient is their sum.",
                passes=one["passes"],
            ),
            step=one["passes"] * 3,
            place=Place.from_json(one["place"]),
            voice="question" if _counts_batches(code, one) else "note",
        )


def _left_over(run: Run, code: Code) -> Iterator[Finding]:
    """The last batches of each pass over a loader are too few for a step, and their gradients are set back unused."""
    for one in newest(run, "order_of_steps") or []:
        if one["left"] < 2 or one["thrown"] > one["left"]:
            continue
        stepped, emptied = Place.from_json(one["stepped"]), Place.from_json(one["left_by"])
        spot = spot_of(code, stepped)
        test = next((node for node in reversed(spot.around) if isinstance(node, ast.If)), None) if spot else None
        yield Finding(
            evidence=_(
                "At the end of {count} passes over the data, the gradients of the last {lost} batches were set back: "
                "a step takes {passes}.",
                count=one["left"],
                lost=one["most_left"],
                passes=one["passes"],
            ),
            step=one["steps"],
            place=spot.unit.place(test) if spot is not None and test is not None else stepped,
            places=(emptied,) if emptied is not None else (),
            voice="note",
            text=_LEFT,
        )
        return


def _counts_batches(code: Code, one: dict[str, Any]) -> bool:
    """Whether the passes are those of several batches, and their sum makes a longer step than their mean.

    One line goes backward, and the step waits for a count: of several losses of one batch it would not. Steps of Adam
    and its like are as long whatever the gradient is multiplied with, and a clipped gradient has a length of its own.
    """
    if one.get("optimizer") not in _AS_LONG or one["lines"] != 1 or one["touched"] > 0.1 * one["steps"]:
        return False
    spot = spot_of(code, Place.from_json(one["stepped"]))
    return is_conditional(spot) or (spot is not None and any(_every_so_many(node) for node in spot.around))


def _every_so_many(node: ast.AST) -> bool:
    """`if (i + 1) % 4 == 0`, which may stand in a function that is called in the loop."""
    return isinstance(node, ast.If) and any(isinstance(one, ast.Mod) for one in ast.walk(node.test))


def _moved(cleared: Spot | None, stepped: Spot | None) -> tuple[Edit, ...]:
    """zero_grad directly behind the step: the later line first."""
    if cleared is None or stepped is None or not cleared.alone or not stepped.alone or cleared.unit is not stepped.unit:
        return ()
    if owner_of(cleared, "zero_grad") is None or cleared.function is not stepped.function:
        return ()
    first, second = stepped.after(cleared.text), cleared.without()
    return (first, second) if stepped.node.lineno > cleared.node.lineno else (second, first)


_LEFT = Text(
    what="The last batches of each epoch are computed and not learned from.",
    why="A step waits for a full group of batches. Where batches are left over, theirs is set back unused.",
    do="Step after the last batch, too: if (i + 1) % k == 0 or i + 1 == len(loader).",
)

BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(320, 8), torch.randint(3, (320,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for i, start in enumerate(range(0, 320, 16)):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x[start : start + 16]), y[start : start + 16])
    (loss / 4).backward()
    if i % 4 == 3:
        optimizer.step()
"""
_RIGHT = BROKEN.replace("    optimizer.zero_grad()\n    loss", "    loss") + "        optimizer.zero_grad()\n"

rule = Rule(
    code="L21",
    name="accumulation",
    voice="alarm",
    stage="order",
    question="Do the gradients of several batches add up to one step?",
    needs=("order_of_steps", "accumulation"),
    find=find,
    text=Text(
        what="The gradients of several batches do not add up to one step as they should.",
        why="zero_grad() for each batch leaves only the last one. A sum not divided acts as a higher learning rate.",
        do="Divide each loss by the number of batches, and call zero_grad() only after step().",
    ),
    broken=BROKEN,
    fixed=_RIGHT,
    lookalikes={
        "attacks on the inputs come first": _RIGHT.replace(
            "    loss = ",
            "    for _ in range(3):\n"
            "        near = x[:16].clone().requires_grad_()\n        model(near).sum().backward()\n"
            "        optimizer.zero_grad()\n    loss = ",
        ).replace("    if i % 4 == 3:\n", "    if True:\n"),
    },
    explains=("L15",),
)
