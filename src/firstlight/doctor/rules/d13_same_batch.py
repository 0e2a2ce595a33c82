"""D13 same-batch: the same batch is learned from at every step."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import LOADERS
from firstlight.locale import Text, _
from firstlight.run import Run

_TIMES = 20  # debugging on one batch rarely takes fewer steps, and a small set is not met so often in so few


def find(run: Run) -> Iterator[Finding]:
    """A batch that makes most of the steps, though its loader has others."""
    feeds = newest(run, "feeds") or []
    for one in newest(run, "inputs") or []:
        times = one["print_times"]
        if times < _TIMES or times <= 0.5 * one["calls"] or one["print_size"] < 2:
            continue
        if one["several"] and one["same"] == one["several"]:
            continue  # all rows are one row: another question
        feed = feeds[one["print_feed"]] if 0 <= one["print_feed"] < len(feeds) else None
        if feed is not None and feed["length"] is not None:
            if feed["length"] < 2:
                continue  # the batch is all there is
        elif not one["print_part"]:
            continue
        yield Finding(
            evidence=_(
                "{count} of the first {calls} steps learned from one and the same batch of {rows} rows.",
                count=times,
                calls=one["calls"],
                rows=one["print_size"],
            ),
            step=one["print_step"],
            place=Place.from_json(feed["place"]) if feed is not None else Place.from_json(one["place"]),
        )


BROKEN = LOADERS.replace(
    "for inputs, labels in train_loader:", "for step in range(30):\n        inputs, labels = next(iter(train_loader))"
).replace("TensorDataset(x, y), batch_size=20, shuffle=True", "TensorDataset(x[::4], y[::4]), batch_size=20")

rule = Rule(
    code="D13",
    name="same-batch",
    voice="question",
    stage="data",
    question="Does the model see more than one batch?",
    needs=("inputs",),
    find=find,
    text=Text(
        what="You are training on one batch, again and again. Is that intended?",
        why="next(iter(loader)) begins anew each time. The model learns these few samples by heart and nothing else.",
        do="Write for inputs, labels in loader. To overfit one batch on purpose, write # doctor: intended on the line.",
    ),
    broken=BROKEN,
    fixed=LOADERS,
    lookalikes={
        "all samples in one batch": LOADERS.replace("batch_size=20", "batch_size=600").replace("range(3)", "range(40)"),
        "a small set, many epochs": LOADERS.replace("TensorDataset(x, y)", "TensorDataset(x[::15], y[::15])").replace(
            "range(3)", "range(30)"
        ),
    },
)
