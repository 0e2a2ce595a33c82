"""L19 loss-not-finite: the loss is no number any more."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import spots
from firstlight.doctor.places import Place
from firstlight.doctor.progressing import runs_away_by_itself
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_WORDS = {"log": ("log(", "log2(", "log10("), "sqrt": ("sqrt(", "norm("), "exp": ("exp(",), "/": ("/", "div("),
          "pow": ("**", "pow(")}  # fmt: skip


def find(run: Run) -> Iterator[Finding]:
    """The first loss that is nan or infinite, and the function that made it where the graph shows it."""
    one = newest(run, "not_finite")
    if not one:
        return
    going = newest(run, "progress") or {}
    first, most = going.get("first") or 0.0, going.get("most") or 0.0
    if not one["cause"] and going.get("steps", 0) >= 10 and most >= 100 * first > 0 and runs_away_by_itself(going):
        return  # that is L18
    backward = Place.from_json(one["place"])
    if one["cause"]:
        function, given = one["cause"]
        evidence = _(
            "The loss was {value} at step {step}. In what it was computed from, {function} was given {given}.",
            value=one["value"],
            step=one["step"],
            function=function,
            given=given,
        )
        place = _line(Code.of(run), _WORDS[function]) or backward
    elif one["weights"]:
        evidence = _(
            "The loss was {value} at step {step}. Some weights were not finite either; losses before: {before}.",
            value=one["value"],
            step=one["step"],
            before=", ".join(f"{loss:.3g}" for loss in one["before"]),
        )
        place = backward
    else:
        evidence = _(
            "The loss was {value} at step {step}, although all weights were still finite.",
            value=one["value"],
            step=one["step"],
        )
        place = backward
    yield Finding(
        evidence=evidence,
        step=one["step"],
        place=place,
        check="torch.autograd.set_detect_anomaly(True)  # then run again: the error names the line; turn it off after",
    )


def _line(code: Code, words: tuple[str, ...]) -> Place | None:
    """The one statement that calls the function; None where there are several."""
    found = {
        (spot.unit.file, spot.node.lineno): spot.place
        for spot in spots(code)
        if not hasattr(spot.node, "body") and any(word in spot.text for word in words)
    }
    return next(iter(found.values())) if len(found) == 1 else None


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(2, (256,)).float()
model = nn.Sequential(nn.Linear(8, 1), nn.ReLU())
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(20):
    chance = model(x).squeeze(1).clamp(max=1)
    loss = -(y * torch.log(chance)).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="L19",
    name="loss-not-finite",
    voice="alarm",
    stage="dynamics",
    question="Is the loss a number at every step?",
    needs=("progress", "not_finite"),
    find=find,
    text=Text(
        what="The loss is not a number any more.",
        why="log(0), a division by zero, or weights that grew too large give nan or inf, and every later value is too.",
        do="Keep what goes in away from zero: log(p + 1e-8), or losses that take logits. Else lower the learning rate.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("torch.log(chance)", "torch.log(chance + 1e-3)"),
    lookalikes={
        "scaled gradients that overflow are skipped": BROKEN.replace("torch.log(chance)", "torch.log(chance + 1e-3)")
        .replace(
            "    loss.backward()\n    optimizer.step()\n",
            "    scaler.scale(loss).backward()\n    scaler.step(optimizer)\n    scaler.update()\n",
        )
        .replace("for step", 'scaler = torch.amp.GradScaler("cpu", init_scale=2.0**126)\nfor step'),
    },
    explains=("L18", "M17", "M18", "M25", "E11", "E12"),
)
