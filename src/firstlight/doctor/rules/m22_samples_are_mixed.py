"""M22 samples-are-mixed: the numbers of different samples are mixed on their way through the model."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_SEQUENCES = ("lstm", "gru", "rnn_tanh", "rnn_relu", "multi_head_attention_forward", "scaled_dot_product_attention")


def find(run: Run) -> Iterator[Finding]:
    """Other rows of the output changed with one sample, after a view, a reshape or a turn, in a layer with weights."""
    yield from _rearranged(run)
    for row in (newest(run, "mixing") or []) + (newest(run, "mixing_by_hand") or []):
        if row["spread"] in _SEQUENCES or not row["moved"] or not (row["by_weights"] or row["moved_in_rows"]):
            continue  # M23; or statistics, graphs and attention over the batch, which may be meant
        if len(row["output"]) > 2:
            continue
        yield Finding(
            evidence=_(
                "One of {rows} samples was changed, in evaluation mode: the outputs of others changed too. Their "
                "numbers met in {spread}, after {moved}.",
                rows=row["rows"],
                spread=row["spread"],
                moved=row["moved"],
            )
            if row["class"]
            else _(
                "One of {rows} samples was changed: the outputs of others changed too. Their numbers met in {spread}, "
                "after {moved}.",
                rows=row["rows"],
                spread=row["spread"],
                moved=row["moved"],
            ),
            step=row["step"],
            place=Place.from_json(row["moved_place"]) or Place.from_json(row["called"]),
            places=tuple(place for place in (Place.from_json(row["spread_place"]),) if place is not None),
            check="model.eval(); print(model(x)[:1] - model(x[:1]))  # nothing but rounding, if samples stay apart",
        )
        return


def _rearranged(run: Run) -> Iterator[Finding]:
    """A batch whose numbers all came to the first layer, in rows that are no sample's."""
    row = newest(run, "rearranged")
    if row is None or row["times"] < 2:
        return
    yield Finding(
        evidence=_(
            "The loader gave {shape}. The first layer was given the same numbers as {given}, but none of its rows "
            "holds those of one sample.",
            shape=str(tuple(row["shape"])),
            given=str(tuple(row["given"])),
        ),
        step=row["step"],
        place=_moving(run) or Place.from_json(row["line"]) or Place.from_json(row["backward"]),
        check="print(batch[0].flatten().sort()[0], inputs[0].flatten().sort()[0])  # one sample's numbers",
    )


def _moving(run: Run) -> Place | None:
    """The only line that shapes or turns in a way that can take numbers out of their rows."""
    found = {}
    for place, node, _unit in Code.of(run).calls("reshape", "view", "flatten", "resize"):
        turned = any(
            callee(one) in ("permute", "transpose", "t", "movedim")
            for one in ast.walk(node)
            if isinstance(one, ast.Call)
        ) or place.text.rstrip().endswith((".t()", ".T"))
        if turned:
            found[place.file, place.line] = place
    return next(iter(found.values())) if len(found) == 1 else None


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(24, 5, 8), torch.randint(3, (24,))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.Linear(40, 8)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        out = self.rnn(x.permute(1, 0, 2).reshape(24, 40))
        return self.fc(torch.relu(out))


model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
FIXED = BROKEN.replace("x.permute(1, 0, 2).reshape(24, 40)", "x.reshape(24, 40)")

rule = Rule(
    code="M22",
    name="samples-are-mixed",
    voice="alarm",
    stage="graph",
    question="Does what the model says of a sample depend on that sample alone?",
    needs=("mixing", "mixing_by_hand", "rearranged"),
    find=find,
    text=Text(
        what="The model mixes numbers of different samples.",
        why="A view, reshape or permute has moved numbers from one sample's row into another's. The label then belongs "
        "to other numbers than the model sees.",
        do="Keep the first dimension for the samples: flatten with x.flatten(1), and turn only those behind it.",
    ),
    broken=BROKEN,
    fixed=FIXED,
    lookalikes={
        "time and samples change places, and back": FIXED.replace(
            "x.reshape(24, 40)", "x.permute(1, 0, 2).permute(1, 0, 2).reshape(24, 40)"
        ),
        "a layer for time first": FIXED.replace("nn.Linear(40, 8)", "nn.GRU(8, 8)").replace(
            "out = self.rnn(x.reshape(24, 40))", "out = self.rnn(x.transpose(0, 1))[0][-1]"
        ),
        "statistics of the batch": FIXED.replace("self.fc(torch.relu(out))", "self.fc(torch.relu(out - out.mean(0)))"),
        "batch normalization": FIXED.replace("nn.Linear(40, 8)", "nn.Sequential(nn.Linear(40, 8), nn.BatchNorm1d(8))"),
        "a graph of samples": FIXED.replace("self.fc(torch.relu(out))", "self.fc(torch.eye(24).roll(1, 0) @ out)"),
    },
    explains=("D01", "M23", "L15"),
)
