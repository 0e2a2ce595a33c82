"""Rules about the training loop: other programs than their own, and whether the changes they offer mend."""

import pytest
from tests.doctor.listening import listen_to

from firstlight.doctor.examining import examined
from firstlight.doctor.report import Report
from firstlight.doctor.rule import Finding
from firstlight.doctor.rules import all_rules

RULES = [rule for rule in all_rules() if rule.code.startswith("L")]

TEACHER = """\
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(480, 8)
y = (x[:, 0] > 0).long()
teacher, model = nn.Linear(8, 2), nn.Linear(8, 2)
for net, guide in ((teacher, None), (model, teacher)):
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for rows in torch.randperm(480).split(16):
        if guide is not None:
            guide.eval()
        goal = y[rows] if guide is None else guide(x[rows]).detach().argmax(1)
        loss = nn.functional.cross_entropy(net(x[rows]), goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

STAGES = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
for rate in (0.1, 0.01, 0.001):
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for rows in torch.arange(512).remainder(256).split(64):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""

TRAINER = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Trainer:
    def __init__(self, net, rate):
        self.net = net
        self.optim = torch.optim.SGD(self.net.parameters(), lr=rate, momentum=0.5)
        self.criterion = nn.CrossEntropyLoss()

    def loss_of(self, batch):
        inputs, labels = batch
        return self.criterion(self.net(inputs), labels)

    def fit(self, loader, test, epochs):
        for epoch in range(epochs):
            self.net.train()
            for batch in loader:
                self.optim.zero_grad()
                loss = self.loss_of(batch)
                loss.backward()
                self.optim.step()
            self.validate(test)

    def validate(self, loader):
        self.net.eval()
        with torch.no_grad():
            return sum((self.net(x).argmax(1) == y).sum().item() for x, y in loader)


torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 3))
trainer = Trainer(net, 0.1)
train, test = TensorDataset(x[:224], y[:224]), TensorDataset(x[224:], y[224:])
trainer.fit(DataLoader(train, batch_size=32, shuffle=True), DataLoader(test, batch_size=32), 4)
"""

BY_HAND = """\
import torch

torch.manual_seed(0)
x = torch.randn(256, 8)
y = x.sum(1)
w = torch.zeros(8, requires_grad=True)
for step in range(20):
    loss = ((x @ w - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.01 * w.grad
"""

IN_A_FUNCTION = """\
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def learn(model, loader):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for x, y in loader:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def main():
    torch.manual_seed(0)
    x = torch.randn(256, 8)
    y = (x[:, 0] > 0).long()
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    for epoch in range(5):
        learn(model, loader)


main()  # and the model is no more
"""

TENSORS = """\
import torch

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
net = {"first": torch.randn(8, 16), "bias": torch.zeros(16), "last": torch.randn(16, 3)}
for weight in net.values():
    weight.requires_grad_()
optimizer = torch.optim.SGD(net.values(), lr=0.1)
best, kept = float("inf"), None
for step in range(20):
    loss = torch.nn.functional.cross_entropy((x @ net["first"] + net["bias"]).relu() @ net["last"], y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if loss.item() < best:
        best, kept = loss.item(), {name: weight.detach().clone() for name, weight in net.items()}
print(kept["last"].sum())
"""
CLIPPED = TENSORS.replace(
    "optimizer = torch.optim.SGD(net.values()", "weights = [*net.values()]\noptimizer = torch.optim.SGD(weights"
).replace("    optimizer.step()\n", "    torch.nn.utils.clip_grad_norm_(weights, 1.0)\n    optimizer.step()\n")

BROKEN = {
    "L05 a tensor is left out": TENSORS.replace("SGD(net.values()", "SGD([net['first'], net['bias']]"),
    "L06 tensors are made anew": TENSORS.replace(
        "best, kept", "net = {name: w.detach().clone().requires_grad_() for name, w in net.items()}\nbest, kept", 1
    ),
    "L20 weights that were gone through before": CLIPPED.replace("[*net.values()]", "(one for one in net.values())"),
    "L26 a dictionary of tensors": TENSORS.replace(".clone()", ""),
    "L01 in a trainer": TRAINER.replace("                self.optim.zero_grad()\n", ""),
    "L01 without an optimizer": BY_HAND,
    "L02 in a trainer": TRAINER.replace("                self.optim.zero_grad()\n", "").replace(
        "                self.optim.step()\n",
        "                self.net.zero_grad()\n                self.optim.step()\n",
    ),
    "L03 in a trainer": TRAINER.replace("                self.optim.step()\n", ""),
    "L04 in a trainer": TRAINER.replace("                loss.backward()\n", ""),
    "L05 a head is replaced in a trainer": TRAINER.replace("trainer.fit", "net[3] = nn.Linear(16, 3)\ntrainer.fit"),
    "L06 another model in a trainer": TRAINER.replace(
        "trainer.fit", "trainer.net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))\ntrainer.fit"
    ),
    "L07 detached in a trainer": TRAINER.replace(
        "return self.criterion(self.net(inputs), labels)",
        "return self.criterion(self.net(inputs), labels).detach().requires_grad_()",
    ),
    "L08 a history in a trainer": TRAINER.replace(
        "                self.optim.step()\n",
        "                self.optim.step()\n                self.__dict__.setdefault('kept', []).append(loss)\n",
    ),
    "L11 in a trainer": TRAINER.replace("            self.net.train()\n", ""),
    "L24 in a function, of a model that ends": IN_A_FUNCTION,
    "L24 in a trainer": TRAINER.replace(
        "            self.net.train()\n",
        "            self.net.train()\n            self.optim = torch.optim.Adam(self.net.parameters(), lr=1e-3)\n",
    ),
}
MENDED = [one for one in RULES if one.code not in {"L18", "L19", "L25", "L27", "L30", "L31", "L33", "L34", "L35"}]


def report_of(source: str) -> Report:
    return examined(listen_to(source), all_rules())


def found_in(report: Report) -> dict[str, Finding]:
    return {one.code: one for one in (*report.findings, *(c for f in report.findings for c in f.consequences))}


@pytest.mark.filterwarnings("ignore:.*empty generator")  # what PyTorch says of L20's
@pytest.mark.parametrize("name", BROKEN)
def test_a_fault_is_found_in_another_style(name: str) -> None:
    report = report_of(BROKEN[name])
    assert name[:3] in {one.code for one in report.alarms}, report.as_text()


@pytest.mark.parametrize(
    "source", [TENSORS, CLIPPED, TEACHER, STAGES], ids=["tensors", "clipped", "a teacher", "three stages"]
)
def test_what_they_were_made_of_raises_no_alarm(source: str) -> None:
    report = report_of(source)
    assert not report.alarms, report.as_text()


def test_the_trainer_itself_is_right() -> None:
    report = report_of(TRAINER)
    assert not report.findings, report.as_text()


@pytest.mark.parametrize("code", [rule.code for rule in MENDED])
def test_what_a_rule_offers_mends_its_program(code: str) -> None:
    rule = next(one for one in MENDED if one.code == code)
    finding = found_in(report_of(rule.broken))[code]
    assert finding.edits, finding
    text = rule.broken
    for edit in sorted(finding.edits, key=lambda one: -one.line):
        text = edit.apply(text)
    report = report_of(text)
    assert code not in found_in(report), f"{text}\n{report.as_text()}"
