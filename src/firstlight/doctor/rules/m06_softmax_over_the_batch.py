"""M06 softmax-over-the-batch: the softmax is taken over the samples instead of the classes."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import argument, call_at, feeder, instead, only_call
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.warned import softmax_without_side
from firstlight.locale import Text, _
from firstlight.run import Run

_NAMES = ("softmax", "log_softmax", "Softmax", "LogSoftmax", "softmin")


def find(run: Run) -> Iterator[Finding]:
    """A softmax over the first of two dimensions, directly under a loss for classes."""
    found = list(_heard(run))  # else what PyTorch warns of
    found = found or list(_summed(run)) or list(_met(run))
    yield from found or softmax_without_side(run)


def _summed(run: Run) -> Iterator[Finding]:
    """Log-probabilities of which each column sums to 1, and hardly a row: whatever made them."""
    for call in newest(run, "loss_calls") or []:
        if call.get("log_columns", 0) < 2 or call["log_columns"] < call["looks"] or call.get("log_rows"):
            continue
        row = call | {"loss": call["place"], "backward": None}
        place, _edits = feeder(run, row, _NAMES[:2], _NAMES[2:4])
        yield _finding(run, call["scores"], call["step"], place)
        return


def _met(run: Run) -> Iterator[Finding]:
    """A softmax within the model, over its first dimension, in which samples met: one was changed, others followed."""
    for row in newest(run, "mixing") or []:
        if row["spread"] in ("softmax", "log_softmax") and row.get("over_rows") and len(row["output"]) <= 2:
            yield _finding(run, row["over_rows"], row["step"], Place.from_json(row["spread_place"]))
            return
    for row in newest(run, "mixing_by_hand") or []:
        over = row["over_rows"]
        if over and over[1] not in (1, row["rows"]) and len(row["output"]) <= 2:  # a square may compare all with all
            yield _finding(run, over, row["step"], Place.from_json(row["spread_place"]))
            return


def _heard(run: Run) -> Iterator[Finding]:
    for row in (newest(run, "loss_heads") or {}).get("heads", ()):
        shape = row["shape"] or []
        if row["kind"] not in ("nll", "bce", "mse", "log_softmax") or row["times"] < 2:
            continue
        if row["feeder"] not in ("Softmax", "LogSoftmax") or row["fed_dim"] != 0:
            continue
        if len(shape) != 2 or shape[1] < 2 or (row["kind"] == "nll" and row["off"] < 0.5):
            continue
        place, _edits = feeder(run, row, _NAMES[:2], _NAMES[2:4])
        yield _finding(run, shape, row["step"], place)


def _finding(run: Run, shape: list[int], step: int, place: Place | None) -> Finding:
    return Finding(
        evidence=_("The softmax works over dimension 0 of {shape}, which holds the samples.", shape=str(tuple(shape))),
        step=step,
        place=place,
        edits=_over_classes(run, place),
        check="print(output.exp().sum(dim=1))  # 1 in each row, where the classes share it",
    )


def _over_classes(run: Run, place: Place | None) -> tuple[Edit, ...]:
    code = Code.of(run)
    found = call_at(code, place, _NAMES) or only_call(code, _NAMES, near=(place,))
    if found is None:
        return ()
    _place, call, unit = found
    dim = argument(call, "dim") or next((one for one in call.args if getattr(one, "value", None) == 0), None)
    return instead(unit, dim, "1") if dim is not None else ()


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
        return torch.log_softmax(self.fc(x), dim=0)


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.nll_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M06",
    name="softmax-over-the-batch",
    voice="alarm",
    stage="graph",
    question="Is the softmax taken over the classes?",
    needs=("loss_heads", "warnings", "mixing_by_hand"),
    find=find,
    text=Text(
        what="The softmax is taken over the samples of a batch, not over the classes.",
        why="Each column then sums to 1 instead of each row: samples take probability from each other, and what a "
        "sample gets depends on the batch around it.",
        do="Write dim=1, or dim=-1, in the softmax.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("dim=0", "dim=1"),
    lookalikes={
        "both directions of a contrastive loss": BROKEN.replace("torch.log_softmax(self.fc(x), dim=0)", "self.fc(x)")
        .replace(
            "nn.functional.nll_loss(model(x), y)",
            "-(scores.log_softmax(0).diag().mean() + scores.log_softmax(1).diag().mean())",
        )
        .replace("    loss =", "    scores = model(x) @ model(x + 0.1).T\n    loss ="),
        "transposed before and after": BROKEN.replace(
            "torch.log_softmax(self.fc(x), dim=0)", "torch.log_softmax(self.fc(x).T, dim=0).T"
        ),
    },
    explains=("M05", "M22", "M01", "M02"),
)
