"""D03 loss-of-class-numbers: the loss is given the number of the best class instead of the outputs."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.raised import label_type
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A loss given the argmax of the output, value by value; or one-hot labels whose classes lie last, not second."""
    yield from label_type(run)
    for call in newest(run, "loss_calls") or []:
        if call.get("classes_last", 0) >= 2:
            yield Finding(
                evidence=_(
                    "The labels {shape} are one-hot in their last dimension; cross_entropy reads classes from the "
                    "second one, of {count}.",
                    shape=str(tuple(call["labels"])),
                    count=call["labels"][1],
                ),
                step=call["step"],
                place=Place.from_json(call["place"]),
                check="print(output.shape, target.shape)  # (N, classes, ...)",
                text=_ELSEWHERE,
            )
            return
    cut = (newest(run, "outputs") or {}).get("cut_loss")
    if cut is None:
        return
    if "stair" in cut:
        yield Finding(
            evidence=_(
                "All of the loss comes through {function}(), whose slope is 0 everywhere: no gradient comes back.",
                function=cut["stair"],
            ),
            step=cut["step"],
            place=_rounding(Code.of(run), cut["stair"], Place.from_json(cut["place"])),
            check="print(next(model.parameters()).grad.abs().max())",
            text=_ROUNDED,
        )
        return
    yield Finding(
        evidence=_(
            "{loss} was given {rows} whole numbers: those of the largest outputs; no gradient comes back through them.",
            loss=cut["loss"],
            rows=cut["rows"],
        ),
        step=cut["step"],
        place=Place.from_json(cut["place"]),
        check="print(loss.grad_fn)",
    )


def _rounding(code: Code, name: str, backward: Place | None) -> Place | None:
    """The line that rounds, the nearest above the backward pass."""
    found = [
        place for place, _node, _unit in code.calls(name, f"{name}_")
        if backward is not None and place.file == backward.file and place.line <= backward.line
    ]  # fmt: skip
    return found[-1] if found else backward


_ELSEWHERE = Text(
    what="The loss compares other dimensions than that of the classes.",
    why="cross_entropy takes its softmax over the second dimension. With the classes in the last one, the steps of a "
    "sequence compete with each other instead of the classes.",
    do="Give whole numbers as labels and the classes second: cross_entropy(scores.transpose(1, 2), labels).",
)
_ROUNDED = Text(
    what="The loss is given rounded outputs, not the model's outputs.",
    why="A rounded number changes in jumps. There is no slope, so no weight ever learns.",
    do="Give the outputs themselves to the loss, and round only to count right answers.",
)
BROKEN = CLASSES.replace(
    "nn.functional.cross_entropy(model(train_x[rows]), train_y[rows])",
    "nn.functional.mse_loss(model(train_x[rows]).argmax(1).float(), train_y[rows].float())\n"
    "        loss.requires_grad = True",
)

rule = Rule(
    code="D03",
    name="loss-of-class-numbers",
    voice="alarm",
    stage="graph",
    question="Is the loss given the outputs, and not the number of the largest one?",
    needs=("outputs", "rows", "loss_calls", "failure"),
    find=find,
    text=Text(
        what="The loss is given class numbers (an argmax), not the model's outputs.",
        why="Which output is the largest changes in jumps. There is no slope, so no weight ever learns.",
        do="Give the outputs themselves to nn.CrossEntropyLoss, with class numbers (int64) as labels.",
    ),
    broken=BROKEN,
    fixed=CLASSES,
    lookalikes={
        "an error counted beside the loss": CLASSES.replace(
            "        loss.backward()\n",
            "        with torch.no_grad():\n            wrong = nn.functional.l1_loss("
            "model(train_x[rows]).argmax(1).float(), train_y[rows].float())\n        loss.backward()\n",
        ),
    },
    explains=("M13", "L07", "M31", "L04", "L15", "E11", "E12", "M12"),
)
