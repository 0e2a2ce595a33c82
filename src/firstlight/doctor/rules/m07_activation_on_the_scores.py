"""M07 activation-on-the-scores: the scores are cut off before the loss, so that some classes can never be denied."""

from collections.abc import Iterator

from firstlight.doctor.pointing import feeder
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

_BOUNDED = {
    "Relu": (("relu", "relu_"), ("ReLU",)),
    "Hardtanh": (("relu6", "hardtanh"), ("ReLU6", "Hardtanh")),
    "Clamp": (("clamp", "clip"), ()),
    "ClampMin": (("clamp", "clamp_min", "clip"), ()),
    "Tanh": (("tanh",), ("Tanh",)),
    "Softplus": (("softplus",), ("Softplus",)),
    "Gelu": (("gelu",), ("GELU",)),
    "Silu": (("silu", "swish"), ("SiLU",)),
    "Hardsigmoid": (("hardsigmoid",), ("Hardsigmoid",)),
}

_BOUNDED_BELOW = {name: _BOUNDED[name] for name in ("Relu", "Tanh", "Softplus")} | {
    "Sigmoid": (("sigmoid",), ("Sigmoid",)),
}
_TARGETS, _BEYOND = 60, 0.1  # numbers beyond in one of ten targets are no odd values any more


def find(run: Run) -> Iterator[Finding]:
    """A loss with its own softmax or sigmoid, directly above an activation; or targets that one cannot reach."""
    yield from _unreached(run)
    for row in (newest(run, "loss_heads") or {}).get("heads", ()):
        kinds = (
            ("log_softmax", "bce_logits", "log_sigmoid") if row["feeder"] == "Relu" else ("log_softmax", "bce_logits")
        )
        if row["kind"] not in kinds or row["feeder"] not in _BOUNDED or row["times"] < 2:
            continue
        if row["kind"] == "log_softmax" and row["under"] == "other":
            continue  # not known to be a loss for classes
        if row["feeder"].startswith(("Clamp", "Hardtanh")) and (row.get("low") is None or row["low"] < -1):
            continue  # wide bounds keep numbers finite, and cut nothing off that matters
        functions, layers = _BOUNDED[row["feeder"]]
        place, edits = feeder(run, row, functions, layers)
        yield Finding(
            evidence=_(
                "At {count} looks at the graph of the loss, the scores came directly out of {name}.",
                count=row["times"],
                name=functions[0],
            ),
            step=row["step"],
            place=place,
            edits=edits,
            check="print(output.min())  # raw scores go below zero",
        )


def _unreached(run: Run) -> Iterator[Finding]:
    """A regression whose last activation ends where many targets do not."""
    for call in newest(run, "loss_calls") or []:
        count, beyond = call.get("beyond_of", 0), call.get("beyond", 0)
        if count < _TARGETS or beyond < _BEYOND * count or call["looks"] < 2 or call["fed"] not in _BOUNDED_BELOW:
            continue
        functions, layers = _BOUNDED_BELOW[call["fed"]]
        place, edits = feeder(run, call | {"loss": call["place"], "backward": None}, functions, layers)
        yield Finding(
            evidence=_(
                "{share} % of the first {count} targets lie where the model's last step, {name}, has no numbers.",
                share=round(100 * beyond / count),
                count=count,
                name=functions[0],
            ),
            step=call["step"],
            place=place,
            edits=edits,
            voice=None if call["fed"] == "Relu" else "question",
            check="print(output.min(), output.max(), target.min(), target.max())",
        )
        return


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
        return torch.relu(self.fc(x))


model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
FIXED = BROKEN.replace("torch.relu(self.fc(x))", "self.fc(x)")

rule = Rule(
    code="M07",
    name="activation-on-the-scores",
    voice="alarm",
    stage="graph",
    question="Do the scores reach the loss as the last layer made them?",
    needs=("loss_heads",),
    find=find,
    text=Text(
        what="The scores go through an activation that cuts them off before they reach the loss.",
        why="A score can then hardly say no: where ReLU gives 0 the gradient is 0 too, and that class learns nothing.",
        do="Leave the activation after the last layer out.",
    ),
    broken=BROKEN,
    fixed=FIXED,
    lookalikes={
        "ReLU in front of the last layer": FIXED.replace("self.fc(x)", "self.fc(torch.relu(x))"),
        "ReLU, then a mean over places": BROKEN.replace(
            "torch.relu(self.fc(x))", "torch.relu(self.fc(x.view(-1, 2, 8).expand(-1, 2, 8))).mean(1)"
        ).replace("torch.randn(128, 8)", "torch.randn(128, 16)"),
        "wide bounds": FIXED.replace("self.fc(x)", "self.fc(x).clamp(-30, 30)"),
        "soft bounds that are scaled": FIXED.replace("self.fc(x)", "30 * torch.tanh(self.fc(x) / 30)"),
        "a non-negative regression": FIXED.replace("self.fc(x)", "torch.relu(self.fc(x))").replace(
            "nn.functional.cross_entropy(model(x), y)", "((model(x) - nn.functional.one_hot(y, 3)) ** 2).mean()"
        ),
    },
    explains=("M18",),
)
