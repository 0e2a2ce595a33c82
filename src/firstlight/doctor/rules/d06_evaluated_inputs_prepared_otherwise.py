"""D06 evaluated-inputs-prepared-otherwise: the evaluation does not get what the training was prepared with."""

from collections.abc import Iterator
from typing import Any

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """Inputs of another mean or spread, with which a copy of the model does far better once they are brought back."""
    tested = {one["model"]: one for one in newest(run, "evaluations") or []}
    feeds = newest(run, "feeds") or []
    for one in newest(run, "inputs") or []:
        off = one["columns_off"]
        if off is not None and off["off"] >= max(2, off["columns"] / 2) and off["uneven"]:
            # A grid of inputs that are asked about goes as far in all columns; columns as they were measured do not.
            yield Finding(
                evidence=_(
                    "In training, each of {columns} columns has mean 0 and spread 1; in the evaluation, their means go "
                    "from {low} to {high}.",
                    columns=off["columns"],
                    low=f"{off['low']:.3g}",
                    high=f"{off['high']:.3g}",
                ),
                step=off["step"],
                place=_made(feeds, off) or (Place.from_json(off["places"][0]) if off["places"] else None),
                check="print(train_inputs.mean(0), train_inputs.std(0), test_inputs.mean(0), test_inputs.std(0))",
            )
            continue
        train = [use for use in one["train"] if "mean" in use and use["finite"]]
        shown = [use for use in one["evaluation"] if "mean" in use and use["finite"] and use["scored"]]
        model = tested.get(one["model"])
        if len(train) < 3 or not shown or model is None or not model["learned"]:
            continue
        mean = sum(use["mean"] for use in train) / len(train)
        spread = sum(use["spread"] for use in train) / len(train)
        if not spread > 0 or any(_is_alike(use, mean, spread) for use in shown):
            continue
        middle = sum(use["mean"] for use in shown) / len(shown)
        width = sum(use["spread"] for use in shown) / len(shown)
        apart = abs(middle - mean) > 3 * spread or not 1 / 4 < width / spread < 4  # no split by chance comes so far
        better = _better(model, 0.05 if apart else 0.15)
        if better is None:
            continue
        yield Finding(
            evidence=_(
                "Training inputs have mean {mean} and spread {spread}, evaluated ones {middle} and {width}. {better}",
                mean=f"{mean:.3g}",
                spread=f"{spread:.3g}",
                middle=f"{middle:.3g}",
                width=f"{width:.3g}",
                better=better,
            ),
            step=shown[0]["step"],
            place=_made(feeds, shown[0]) or (Place.from_json(shown[0]["places"][0]) if shown[0]["places"] else None),
            check="print(train_inputs.mean(), train_inputs.std(), test_inputs.mean(), test_inputs.std())",
        )


def _made(feeds: list[dict[str, Any]], off: dict[str, Any]) -> Place | None:
    """The line that made the loader of these inputs."""
    at = off.get("feed", -1)
    made = feeds[at]["made"] if 0 <= at < len(feeds) else None
    return Place.from_json(made) if made else None


def _is_alike(use: dict[str, float], mean: float, spread: float) -> bool:
    return abs(use["mean"] - mean) <= 0.5 * spread and 0.6 < use["spread"] / spread < 1.7


def _better(model: dict[str, Any], gain: float) -> str | None:
    """How much better a copy does with inputs of the training's mean and spread. Less than the gain may be chance."""
    last = model["last"]
    matched = last.get("matched") if last else None
    more = matched["after"] - matched["before"] if isinstance(matched, dict) else 0.0
    if isinstance(matched, dict) and matched["rows"] >= 30 and more >= gain and more * matched["rows"] >= 5:
        return _(
            "With the mean and spread of the training, the same model has {after} right instead of {before}.",
            after=f"{matched['after']:.0%}",
            before=f"{matched['before']:.0%}",
        )
    numbers = model["numbers"]
    if numbers and numbers["rows"] >= 30 and numbers["after"] < min(0.5 * numbers["before"], numbers["variance"]):
        return _(
            "With the mean and spread of the training, the same model has an error of {after} instead of {before}.",
            after=f"{numbers['after']:.3g}",
            before=f"{numbers['before']:.3g}",
        )
    return None


BROKEN = CLASSES.replace(
    "model = nn", "centre, spread = 4.0, 2.0\ntrain_x = (train_x - centre) / spread\nmodel = nn", 1
)

rule = Rule(
    code="D06",
    name="evaluated-inputs-prepared-otherwise",
    voice="alarm",
    stage="data",
    question="Are evaluated inputs prepared as those of the training?",
    needs=("evaluations",),
    find=find,
    text=Text(
        what="The inputs of the evaluation are not prepared like those of the training.",
        why="The model has learned one scale and meets another one, so its answers there mean little.",
        do="Prepare both with the same lines, and with the mean and spread of the training samples.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("model = nn", "test_x = (test_x - centre) / spread\nmodel = nn", 1),
    lookalikes={
        "noise is added in training only": CLASSES.replace(
            "model(train_x[rows])", "model(train_x[rows] + 0.5 * torch.randn(len(rows), 8))"
        ),
        "tested with shifted inputs too": CLASSES.replace(
            'print(f"test',
            'with torch.no_grad():\n    shifted = (model(test_x + 9).argmax(1) == test_y).float().mean()\nprint(f"test',
        ),
    },
    explains=("E11", "E12", "D04", "D02"),
)
