"""R14 tested-after-every-batch: after each step the model is tested with many more samples than it learned from."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.locale import Text, _
from firstlight.run import Run

_STEPS = 20


def find(run: Run) -> Iterator[Finding]:
    """Nearly each step is followed by a test with four times as many rows, or more; not where a step is an epoch."""
    one = (newest(run, "resources") or {}).get("tests")
    if one is None or one["steps"] < _STEPS or one["heavy"] < 0.8 * one["steps"] or one["same"] > 0.5 * one["steps"]:
        return
    yield Finding(
        evidence=_(
            "After {heavy} of {steps} steps it was tested, with {tested} rows in all. It learned from {learned}.",
            heavy=one["heavy"],
            steps=one["steps"],
            tested=one["tested"],
            learned=one["learned"],
        ),
        step=_STEPS,
        place=Place.from_json(one["place"]),
    )


BROKEN = CLASSES.replace(
    "        optimizer.step()\n",
    "        optimizer.step()\n        model.eval()\n        with torch.no_grad():\n"
    "            print((model(test_x).argmax(1) == test_y).float().mean().item())\n        model.train()\n",
).replace("split(32)", "split(16)")

rule = Rule(
    code="R14",
    name="tested-after-every-batch",
    voice="question",
    stage="resources",
    question="Is the model tested as often as is of use, and not more?",
    needs=("resources",),
    find=find,
    text=Text(
        what="The model is tested after every batch, with more samples than the batch has. Is that wanted?",
        why="Most of the time goes into testing, and one batch hardly changes the score.",
        do="Test once after each epoch, outside of the loop over batches.",
    ),
    broken=BROKEN,
    fixed=CLASSES,
    lookalikes={
        "each step is an epoch": CLASSES.replace("in range(4)", "in range(30)")
        .replace("split(32)", "split(480)")
        .replace("model(train_x[rows])", "model(train_x)")
        .replace("train_y[rows]", "train_y")
        .replace(
            "        optimizer.step()\n",
            "        optimizer.step()\n        with torch.no_grad():\n            model(test_x)\n",
        ),
    },
)
