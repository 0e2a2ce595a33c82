"""D13 same-batch: the same batch is learned from at every step."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import LOADERS
from firstlight.locale import Text, _
from firstlight.run import Run

_DRAWS = {"rand", "randint", "integers", "choice", "choices", "sample", "random", "permutation", "randperm"}
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
        if feed is not None and feed["length"] is not None and feed["length"] < 2:
            continue  # the batch is all there is
        unsure = feed is None or feed["length"] is None
        drawn = _drawn_once(Code.of(run)) if unsure else None
        if unsure and drawn is None and not one["print_part"]:
            continue
        yield Finding(
            evidence=_(
                "{count} of the first {calls} steps learned from one and the same batch of {rows} rows.",
                count=times,
                calls=one["calls"],
                rows=one["print_size"],
            ),
            step=one["print_step"],
            place=drawn or Place.from_json(feed["place"] if feed is not None else one["place"]),
            text=_ONCE if drawn is not None else None,
        )


def _drawn_once(code: Code) -> Place | None:
    """The line of a function whose default is drawn at random: once, when it is defined, however often it is called."""
    for _place, function, unit in code.walk(ast.FunctionDef):
        defaults = [*function.args.defaults, *(one for one in function.args.kw_defaults if one is not None)]
        for default in defaults:
            if any(isinstance(one, ast.Call) and callee(one) in _DRAWS for one in ast.walk(default)):
                return unit.place(default)
    return None


_ONCE = Text(
    what="You are training on one batch, again and again. Is that intended?",
    why="A default value is computed once, where the function is defined. Each call then gets the same random numbers.",
    do="Draw inside of the function. To overfit one batch on purpose, write # doctor: intended on the line.",
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
