"""M05 scores-where-log-probabilities-are-wanted: nll_loss and BCELoss are given raw scores."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import call_at, feeder, instead, loss_line, only_call
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_LAYERS = ("Addmm", "Mm", "Bmm", "Convolution", "MkldnnLinear", "MkldnnConvolution", "Linear")
# What never ends in logarithms of probabilities. Sums, logarithms and what is made by hand may well do.
_RAW = ("Addmm", "Mm", "Bmm", "UnsafeView", "Convolution", "Softmax", "Sigmoid", "Relu", "Tanh", "MkldnnLinear")


def find(run: Run) -> Iterator[Finding]:
    """An nll_loss of rows whose probabilities do not sum to 1; a BCELoss that refused what it was given."""
    for row in (newest(run, "loss_heads") or {}).get("heads", ()):
        if row["kind"] != "nll" or row["times"] < 2 or row["off"] < 0.9:
            continue
        if row["feeder"] in _RAW or row.get("over", 0.0) > 0.5:
            if row["under"] == "hand" and not _stepped(run):
                continue  # nobody trains with it: a saliency, an attack
            if row["feeder"] in ("Softmax", "Sigmoid"):  # the logarithm is missing there
                name = row["feeder"].lower()
                place, edits = feeder(run, row, (name,), (row["feeder"],))
                edits = ()
            else:
                place, edits = _mended(run, loss_line(run, row))
            yield Finding(
                evidence=_(
                    "In {share} % of the rows that the loss was given, the exponentials do not sum to 1; the loss is "
                    "{value}.",
                    share=round(100 * row["off"]),
                    value=round(row["value"], 3),
                ),
                step=row["step"],
                place=place,
                edits=edits,
                check="print(output.exp().sum(dim=1))  # log-probabilities would give 1 in each row",
            )
    for row in (newest(run, "loss_heads") or {}).get("heads", ()):
        if row["kind"] == "bce" and row["times"] >= 2 and row.get("clamped") in _LAYERS:
            place, _edits = feeder(run, row, ("clamp", "clip", "hardtanh", "clamp_min"), ("Hardtanh",))
            yield Finding(
                evidence=_("At {count} looks, BCELoss was given raw scores that had only been cut off.",
                           count=row["times"]),
                step=row["step"],
                place=place,
                check="print(output.min(), output.max())  # before they are cut off: not from 0 to 1",
            )  # fmt: skip
            return
    raised = newest(run, "out_of_range")
    if raised is not None:
        place = Place.from_json(raised["place"])
        made = only_call(Code.of(run), ("BCELoss",))
        here = call_at(Code.of(run), place, ("binary_cross_entropy",))
        yield Finding(
            evidence=_("BCELoss was given numbers below 0 or above 1, and refused them."),
            step=raised["step"],
            place=made[0] if made is not None and here is None else place,
            places=(place,) if made is not None and here is None and place is not None else (),
        )


def _stepped(run: Run) -> bool:
    return any(row["steps"] >= 2 for row in newest(run, "frozen") or [])


def _mended(run: Run, place: Place | None) -> tuple[Place | None, tuple[Edit, ...]]:
    """The line that chooses the loss, and the change to cross-entropy where it is given raw scores."""
    code = Code.of(run)
    found = call_at(code, place, ("nll_loss",)) or only_call(code, ("NLLLoss",)) or only_call(code, ("nll_loss",))
    if found is None:
        return place, ()
    line, call, unit = found
    owner = ast.get_source_segment(unit.text, call.func) or ""
    name = "CrossEntropyLoss" if owner.endswith("NLLLoss") else "cross_entropy"
    start, dot, _name = owner.rpartition(".")
    return line, instead(unit, call.func, f"{start}.{name}") if dot else ()


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        return self.fc(x)


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.nll_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
FIXED = BROKEN.replace("return self.fc(x)", "return self.fc(x).log_softmax(1)")

rule = Rule(
    code="M05",
    name="scores-where-log-probabilities-are-wanted",
    voice="alarm",
    stage="graph",
    question="Is a loss of probabilities given probabilities?",
    needs=("loss_heads", "out_of_range"),
    find=find,
    text=Text(
        what="The loss wants probabilities or their logarithms, and is given raw scores.",
        why="nll_loss only picks the number of the right class and turns its sign: raw scores can make it fall without "
        "end. BCELoss takes numbers from 0 to 1 only.",
        do="For raw scores use cross_entropy instead of nll_loss, and BCEWithLogitsLoss instead of BCELoss.",
    ),
    broken=BROKEN,
    fixed=FIXED,
    lookalikes={
        "logarithm of a softmax": BROKEN.replace("return self.fc(x)", "return torch.log(self.fc(x).softmax(1) + 1e-9)"),
        "cross-entropy": BROKEN.replace("nll_loss", "cross_entropy"),
    },
    explains=("L22", "L18", "L19"),
)
