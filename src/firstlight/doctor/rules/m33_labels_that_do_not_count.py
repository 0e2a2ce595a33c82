"""M33 labels-that-do-not-count: all labels are ignored, or classes have the weights of others, or of frequent ones."""

import ast
import math
from collections.abc import Iterator
from itertools import pairwise

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import argument, loss_line
from firstlight.doctor.raised import class_weights
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_WEIGHED = ("CrossEntropyLoss", "NLLLoss")


_OTHER_ORDER = Text(
    what="The weights of the classes stand in another order than the classes.",
    why="The loss takes the first weight for class 0, the second for class 1, and so on. A count of labels gives them "
    "in the order of their frequency, or in that in which they were met.",
    do="Count with torch.bincount(labels), which begins with class 0. Where the weights say what an error costs, "
    "say so: `# doctor: intended`.",
)


def find(run: Run) -> Iterator[Finding]:
    """Batches all of whose labels are ignored; class weights that rise with the number of samples of a class."""
    made = _weighing(run)
    for finding in class_weights(run):
        yield finding.moved_to(made)
    for row in (newest(run, "loss_heads") or {}).get("heads", ()):
        if row.get("ignored", 0) >= 2:
            yield Finding(
                evidence=_(
                    "At {count} looks, the weights of all labels of a batch added up to 0; the loss was not a number.",
                    count=row["ignored"],
                ),
                step=row["step"],
                place=loss_line(run, row),
            )
            return
    for call in newest(run, "loss_calls") or []:
        if call.get("between", 0) >= 20 and call["between"] >= 0.02 * call["labels_seen"]:
            yield Finding(
                evidence=_(
                    "Of {count} labels, {left} are {ignored}, which ignore_index leaves out; {between} of these stand "
                    "between labels that count, where no padding does.",
                    count=call["labels_seen"],
                    left=call["left_out"],
                    ignored=call["ignore"],
                    between=call["between"],
                ),
                step=call["step"],
                place=_ignoring(run) or Place.from_json(call["place"]),
                voice="question",
            )
            continue
        weight, counts = call.get("weight"), call.get("counts")
        nothing = [at for at, one in enumerate(weight or ()) if one == 0 and counts and counts[at] >= 10]
        if weight and any(weight) and nothing and call["samples"] >= 100:
            yield Finding(
                evidence=_(
                    "Class {number} has the weight 0 in the loss, and {count} of {samples} labels are of it.",
                    number=nothing[0],
                    count=counts[nothing[0]],
                    samples=call["samples"],
                ),
                step=call["step"],
                place=_weighing(run) or Place.from_json(call["place"]),
                voice="question",
            )
            continue
        if not weight or not counts or call["samples"] < 100 or min(weight) == max(weight):
            continue
        if _of_other_classes(weight, counts):
            yield Finding(
                evidence=_(
                    "The weights are 1 divided by the numbers of samples, but in another order: "
                    "class {number} has {count} of {samples} labels and the weight {weight}.",
                    number=counts.index(max(counts)),
                    count=max(counts),
                    samples=call["samples"],
                    weight=round(weight[counts.index(max(counts))], 3),
                ),
                step=call["step"],
                place=_weighing(run) or Place.from_json(call["place"]),
                text=_OTHER_ORDER,
                voice="question",  # weights may also say what an error costs
            )
            continue
        seen = sorted((count, one) for count, one in zip(counts, weight, strict=True) if count)
        if len(seen) < 2 or seen[-1][0] < 3 * seen[0][0] or any(b[1] <= a[1] for a, b in pairwise(seen)):
            continue
        yield Finding(
            evidence=_(
                "Of {samples} labels, the most frequent class has {most} and the weight {high}, the rarest {least} and "
                "the weight {low}.",
                samples=call["samples"],
                most=seen[-1][0],
                high=round(seen[-1][1], 3),
                least=seen[0][0],
                low=round(seen[0][1], 3),
            ),
            step=call["step"],
            place=Place.from_json(call["place"]),
            voice="question",
        )


def _of_other_classes(weight: list[float], counts: list[int]) -> bool:
    """Whether weights would be right, each 1 divided by a class's number of samples, if they stood in another order.

    Example:
        >>> _of_other_classes([0.01, 0.02, 0.1], [100, 50, 10]), _of_other_classes([0.01, 0.1, 0.02], [100, 50, 10])
        (False, True)
    """
    if min(counts) < 10 or min(weight) <= 0:
        return False

    def off(weights: list[float], often: list[int]) -> list[float]:
        """How far each class's share of the loss is from an even one, beyond what counting some batches leaves open."""
        even = sum(one * count for one, count in zip(weights, often, strict=True)) / len(often)
        pairs = zip(weights, often, strict=True)
        return [abs(math.log(one * count / even)) - 3 / count**0.5 for one, count in pairs]

    return max(off(sorted(weight), sorted(counts, reverse=True))) < 0.1 and max(off(weight, counts)) > 0.5


def _weighing(run: Run) -> Place | None:
    """The only line that gives a loss its class weights."""
    code = Code.of(run)
    found = [place for place, node, _unit in code.calls(*_WEIGHED) if argument(node, "weight", 0) is not None]
    return found[0] if len(found) == 1 else None


def _ignoring(run: Run) -> Place | None:
    """The only line that says which label is ignored."""
    code = Code.of(run)
    found = [place for place, node, _unit in code.walk(ast.Call) if argument(node, "ignore_index") is not None]
    return found[0] if len(found) == 1 else None


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.full((128,), -100)
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M33",
    name="labels-that-do-not-count",
    voice="alarm",
    stage="data",
    question="Do the labels count, and rare classes enough?",
    needs=("loss_heads", "loss_calls", "failure"),
    find=find,
    text=Text(
        what="The labels do not count as they should: all are ignored, or frequent classes count most.",
        why="Where every label is ignored, the loss is 0 divided by 0. Class weights are to help rare classes, so they "
        "are the larger the rarer a class is.",
        do="Look at ignore_index and at the labels. For class weights, take 1 divided by the number of samples.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("torch.full((128,), -100)", "torch.randint(3, (128,))"),
    lookalikes={
        "some are ignored": BROKEN.replace("torch.full((128,), -100)", "torch.arange(128) % 4")
        .replace("y)\n", "y, ignore_index=-1)\n")
        .replace("% 4", "% 4 - 1"),
        "padding behind each text": BROKEN.replace("nn.Linear(8, 3)", "nn.Embedding(9, 3)")
        .replace(
            "torch.randn(128, 8), torch.full((128,), -100)",
            "torch.arange(128).view(16, 8) % 9, torch.ones(16, 8).long()",
        )
        .replace("optimizer =", "y[:, 5:] = 0\noptimizer =")
        .replace("cross_entropy(model(x), y)", "cross_entropy(model(x).transpose(1, 2), y, ignore_index=0)"),
        "rare classes weigh more": BROKEN.replace(
            "torch.full((128,), -100)", "(torch.arange(128) % 8 == 0).long()"
        ).replace("y)\n", "y, weight=torch.tensor([0.2, 0.8, 1.0]))\n"),
    },
    explains=("L19",),
)
