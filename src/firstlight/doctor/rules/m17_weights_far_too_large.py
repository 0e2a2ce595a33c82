"""M17 weights-far-too-large: weights began so large that the first scores are wild."""

import ast
import math
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code, callee
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import layer_made
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_TIMES = 100  # of the error of no answer at all: a healthy first answer gives about 1
_INPUTS = 30.0  # larger inputs make large scores by themselves; z-scores and counts stay below


def find(run: Run) -> Iterator[Finding]:
    """A first cross-entropy far above that of guessing, with weights ten times wider than He et al. make them."""
    models = [
        model for model in newest(run, "weights_of_models") or [] if model["wide"] and model["largest"] <= _INPUTS
    ]
    yield from _squared(run, models)
    if not models:
        yield from _by_hand(run)
    for row in (newest(run, "loss_heads") or {}).get("heads", ()):
        if row["kind"] != "nll" or row.get("classes", 0) < 2 or not models:
            continue
        guess, first = math.log(row["classes"]), row.get("first", 0.0)
        if first <= 3 * guess + 1:  # healthy first values lie at 1.0 to 1.2 times that of guessing
            continue
        name, spread, usual, layer = models[0]["wide"][0]
        made = layer_made(run, name.rpartition(".")[0], layer)
        place = _set(run) or (made[0] if made is not None else Place.from_json(models[0]["called"]))
        check = "print({name: w.std().item() for name, w in model.named_parameters() if w.dim() > 1})"
        yield _unsure(first, guess, (name, spread, usual), place, check)
        return


def _by_hand(run: Run) -> Iterator[Finding]:
    """The same of weights that no module holds, whatever the loss is written as."""
    row = newest(run, "weights_by_hand") or {}
    if not row or not row["wide"] or row["classes"] < 2 or row["largest"] > _INPUTS:
        return
    guess, first = math.log(row["classes"]), row["first"]
    if first <= 3 * guess + 1:
        return
    name, spread, usual, _kind = row["wide"][0]
    check = "print([w.std().item() for w in weights if w.dim() > 1])"
    made = layer_made(run, name, "Embedding")
    yield _unsure(first, guess, (name, spread, usual), made[0] if made is not None else _drawn(run), check)


def _unsure(first: float, guess: float, weights: tuple[str, float, float], place: Place | None, check: str) -> Finding:
    """The first loss was far above that of guessing, and these weights (name, spread, usual spread) are why."""
    name, spread, usual = weights
    return Finding(
        evidence=_(
            "The first cross-entropy was {first}; guessing gives {guess}. The weights of {name} spread by "
            "{spread}, where {usual} is usual.",
            first=round(first, 2),
            guess=round(guess, 2),
            name=name,
            spread=round(spread, 3),
            usual=round(usual, 3),
        ),
        step=0,
        place=place,
        voice="alarm" if first > 10 * guess + 1 else "question",
        check=check,
    )


def _drawn(run: Run) -> Place | None:
    """The first line that draws a matrix which is to be learned: it says so itself, or the class or function does."""
    code = Code.of(run)
    drawn = [
        (place, unit)
        for place, node, unit in code.calls("randn", "normal", "standard_normal", "rand", "uniform", "normal_")
        if len(node.args) >= 2 or node.keywords or callee(node) == "normal_"
    ]
    for place, _unit in drawn:
        if "requires_grad" in place.text or "Parameter(" in place.text:
            return place
    for place, unit in drawn:
        for node in unit.nodes:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.lineno <= place.line <= (node.end_lineno or 0):
                text = ast.get_source_segment(unit.text, node) or ""
                if "requires_grad" in text or "Parameter(" in text:
                    return place
    return drawn[0][0] if len(drawn) == 1 else None


def _set(run: Run) -> Place | None:
    """The only line that draws weights by hand."""
    names = ("normal_", "uniform_", "trunc_normal_", "mul_", "randn_like", "xavier_normal_", "xavier_uniform_")
    found = [place for place, _node, _unit in Code.of(run).calls(*names)]
    found += [place for place, node, _unit in Code.of(run).calls("Parameter") if "randn(" in ast.unparse(node)]
    if len({place.function for place in found}) == 1 and all("Parameter(" in place.text for place in found):
        return found[0]  # all of one class, each as wide
    return found[0] if len(found) == 1 else None


def _squared(run: Run, models: list[dict[str, Any]]) -> Iterator[Finding]:
    """A first error a hundred times what the answer 0 would give."""
    for call in newest(run, "loss_calls") or []:
        if (call.get("first") or 0.0) < _TIMES or not models:
            continue
        name, spread, usual, layer = models[0]["wide"][0]
        made = layer_made(run, name.rpartition(".")[0], layer)
        yield Finding(
            evidence=_(
                "The first error was {times} times that of always answering 0. The weights of {name} spread by "
                "{spread}, where {usual} is usual.",
                times=round(call["first"]),
                name=name,
                spread=round(spread, 3),
                usual=round(usual, 3),
            ),
            step=0,
            place=_set(run) or (made[0] if made is not None else Place.from_json(models[0]["called"])),
            check="print({name: w.std().item() for name, w in model.named_parameters() if w.dim() > 1})",
        )
        return


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
for layer in (model[0], model[2]):
    nn.init.normal_(layer.weight, std=10)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M17",
    name="weights-far-too-large",
    voice="alarm",
    stage="graph",
    question="Are the first scores as uncertain as guessing?",
    needs=("weights_of_models", "weights_by_hand"),
    find=find,
    text=Text(
        what="The weights began far too large, so the first scores are wild and wrong.",
        why="A fresh model should guess. Here the loss begins many times higher, and the first steps are spent on "
        "making the weights small again, or fail.",
        do="Leave the weights as PyTorch makes them, or use nn.init.kaiming_normal_.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("nn.init.normal_(layer.weight, std=10)", "nn.init.kaiming_normal_(layer.weight)"),
    lookalikes={
        "weights that are somewhat wide": BROKEN.replace("std=10", "std=0.5"),
    },
    explains=("L14", "L18", "L19", "M18"),
)
