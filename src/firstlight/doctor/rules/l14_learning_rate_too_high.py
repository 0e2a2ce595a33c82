"""L14 learning-rate-too-high: steps so large that the loss does not come down, or runs away."""

import math
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code
from firstlight.doctor.editing import number_changed
from firstlight.doctor.places import Place
from firstlight.doctor.progressing import runs_away_by_itself
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_LARGE = 0.1  # of a weight's size, by one step: healthy first steps change 0.006 to 0.045 of it, too large ones 0.14


def find(run: Run) -> Iterator[Finding]:
    """A training that does not learn, and steps that are too large by what an experiment or their size says."""
    one = newest(run, "progress") or {}
    if not one or one["steps"] < 20 or not one["ratio"]:
        return
    thrown = one["ratio"] > _LARGE and _was_thrown(one)
    tried, rate = one["tried"] or {}, one["numbers"].get("lr", 0.0)
    if one["learns"] and not thrown:
        yield from _better(run, one, tried, rate)
        return
    if runs_away_by_itself(one):
        return  # that is L18
    infinite = newest(run, "not_finite") or {}
    if infinite.get("cause") and not infinite["weights"]:
        return  # L19 names the function that gave no number
    place = Place.from_json(one["made"])
    start, same, calm = tried.get("start") or 0.0, tried.get("1"), tried.get("decay")
    fails = bool(tried) and (same is None or same > 0.9 * start)
    if fails and calm is not None and calm < 0.8 * start:
        return  # it is the weight decay
    better = next((by for by in (10, 100) if fails and (tried.get(f"1/{by}") or start) < 0.8 * start), None)
    if better is not None and max(one["ratio"], one.get("burst") or 0.0) > 0.02:
        yield Finding(
            evidence=_(
                "With lr={rate:g} the loss of some batches went from {start:.3g} to {same}; from the same start, "
                "lr={less:g} brought it to {better:.3g}.",
                rate=rate,
                start=start,
                same="nan" if same is None else f"{same:.3g}",
                less=rate / better,
                better=tried[f"1/{better}"],
            ),
            step=10,
            place=place,
            voice="alarm",
            edits=number_changed(Code.of(run), place, "lr", rate / better),
        )
    elif better_steps := list(_better(run, one, tried, rate)):
        yield from better_steps
    elif one["ratio"] > _LARGE:
        diverged = not one["learns"] and (not one["finite"] or (one["most"] or 0) > 100 * abs(one["first"] or 1))
        yield Finding(
            evidence=_(
                "With lr={rate:g} each of the first steps changed the weights by {share:.0%} of their size. "
                "The loss went from {first:.3g} to {last}.",
                rate=rate,
                share=one["ratio"],
                first=one["first"] or 0.0,
                last="nan" if not one["finite"] else f"{one['last']:.3g}",
            ),
            step=10,
            place=place,
            voice="alarm" if diverged else "question",
            edits=number_changed(Code.of(run), place, "lr", rate / 10),
        )


def _better(run: Run, one: dict[str, Any], tried: dict[str, Any], rate: float) -> Iterator[Finding]:
    """A training that its first steps threw up, though it may learn then: smaller ones bring it to half the loss."""
    same, place = tried.get("1"), Place.from_json(one["made"])
    known = {by: value for by in (10, 100) if (value := tried.get(f"1/{by}")) is not None}
    least = min(known, key=lambda by: known[by], default=10)
    less, first, last = known.get(least, math.inf), one["first"] or 0.0, one["last"]
    risen = 0 < 3 * first < (one["most"] or 0.0)  # else the steps were large, and did no harm
    if one["ratio"] <= _LARGE or not risen or same is None or less > 0.5 * same or last is None or last < 2 * less:
        return
    yield Finding(
        evidence=_(
            "With lr={rate:g} the loss of some batches went from {start:.3g} to {same}; from the same start, "
            "lr={less:g} brought it to {better:.3g}.",
            rate=rate,
            start=tried["start"],
            same=f"{same:.3g}",
            less=rate / least,
            better=less,
        ),
        step=10,
        place=place,
        voice="question" if one["learns"] else None,
        edits=number_changed(Code.of(run), place, "lr", rate / least),
    )


def _was_thrown(one: dict[str, Any]) -> bool:
    """Whether the loss was a hundred times higher than it began, and is half as high now and more."""
    first, last = one["first"] or 0.0, one["last"]
    return first > 0 and last is not None and (one["most"] or 0) > 100 * first and last > 0.5 * first


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=30.0)
for step in range(60):
    at = torch.arange(32) + step % 8 * 32
    loss = nn.functional.cross_entropy(model(x[at]), y[at])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="L14",
    name="learning-rate-too-high",
    voice="alarm",
    stage="dynamics",
    question="Are the steps small enough for the loss to come down?",
    needs=("progress",),
    find=find,
    text=Text(
        what="The learning rate is too high: the steps jump over what they look for.",
        why="A gradient is right only near the weights it was computed for. A large step lands where it is wrong.",
        do="Divide the learning rate by ten, and again until the loss falls steadily.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("lr=30.0", "lr=0.3"),
    lookalikes={
        "nothing can be learned from noise": BROKEN.replace("lr=30.0", "lr=0.1").replace(
            "y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()", "y = torch.randint(3, (256,))"
        ),
        "a reward that is not to fall": BROKEN.replace("lr=30.0", "lr=0.01").replace(
            "nn.functional.cross_entropy(model(x[at]), y[at])",
            "(model(x[at]).log_softmax(1)[:, 0] * torch.randn(32)).mean()",
        ),
    },
    explains=("L18", "L19", "M17", "M18", "E11", "E12"),
)
