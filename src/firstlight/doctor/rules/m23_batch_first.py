"""M23 batch-first: a layer for sequences takes the samples for steps of time."""

from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import layer_made, only_call, with_argument
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_FUNCTIONS = ("lstm", "gru", "rnn_tanh", "rnn_relu", "multi_head_attention_forward", "scaled_dot_product_attention")


def find(run: Run) -> Iterator[Finding]:
    """Samples met in a sequence layer without batch_first, which was given the samples in its first dimension."""
    for row in (newest(run, "mixing") or []) + (newest(run, "mixing_by_hand") or []):
        layer = _mistaken(row)
        if layer is None:
            continue
        kinds = dict.fromkeys([layer["layer"], *(one["layer"] for one in row["sequences"] if not one["batch_first"])])
        made = layer_made(run, layer["name"], layer["layer"])
        for kind in kinds:
            made = made or only_call(Code.of(run), (kind,))
        yield Finding(
            evidence=_(
                "{name} ({layer}, batch_first=False) was given {shape}, {rows} samples first. One sample was changed: "
                "the outputs of others changed too.",
                name=layer["name"] or layer["layer"],
                layer=layer["layer"],
                shape=str(tuple(layer["shape"])),
                rows=row["rows"],
            ),
            step=row["step"],
            place=made[0] if made is not None else Place.from_json(row["spread_place"]),
            edits=with_argument(made[2], made[1], "batch_first", "True") if made is not None else (),
            check="model.eval(); print(model(x)[:1] - model(x[:1]))  # nothing but rounding, if samples stay apart",
        )


def _mistaken(row: dict[str, Any]) -> dict[str, Any] | None:
    if row["spread"] not in _FUNCTIONS:
        return None
    for layer in row["sequences"]:
        if layer["batch_first"] or layer["shape"][0] != row["rows"] or layer["shape"][1] < 2:
            continue
        # One answer for each row, or a loader's batches of that size: the rows are samples, and not steps of time.
        if len(row["output"]) <= 2 or row["batch"] == row["rows"] != layer["shape"][1]:
            return dict(layer)
    return None


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(24, 5, 8), torch.randint(3, (24,))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(8, 8)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        out, state = self.rnn(x)
        return self.fc(out[:, -1])


model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
FIXED = BROKEN.replace("nn.GRU(8, 8)", "nn.GRU(8, 8, batch_first=True)")

rule = Rule(
    code="M23",
    name="batch-first",
    voice="alarm",
    stage="graph",
    question="Do sequence layers know which dimension holds the samples?",
    needs=("mixing", "mixing_by_hand"),
    find=find,
    text=Text(
        what="A layer for sequences reads from sample to sample, as if they were steps of time.",
        why="RNNs and attention layers take (time, samples, features), unless batch_first=True says that the samples "
        "come first. Samples then look into each other.",
        do="Make the layer with batch_first=True.",
    ),
    broken=BROKEN,
    fixed=FIXED,
    lookalikes={
        "time first on purpose": BROKEN.replace("self.rnn(x)", "self.rnn(x.transpose(0, 1))").replace(
            "out[:, -1]", "out[-1]"
        ),
        "attention": BROKEN.replace("nn.GRU(8, 8)", "nn.MultiheadAttention(8, 2, batch_first=True)").replace(
            "self.rnn(x)", "self.rnn(x, x, x)"
        ),
        "one batch as a set": FIXED.replace(
            "self.rnn = nn.GRU(8, 8, batch_first=True)", "self.rnn = nn.MultiheadAttention(8, 2)"
        ).replace("out, state = self.rnn(x)", "x = x.mean(1, keepdim=True)\n        out, state = self.rnn(x, x, x)"),
    },
    explains=("D01", "M22"),
)
