"""Exceptions that end a program are told as what they mean, at the learner's line."""

import pytest
from tests.doctor.listening import listen_to

from firstlight.doctor.examining import examined
from firstlight.doctor.rules import all_rules

HEAD = """\
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
x, y = torch.randn(32, 8), torch.arange(32) % 3
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""
LOOP = """\
for step in range(4):
    optimizer.zero_grad()
    loss = {loss}
    loss.backward()
    optimizer.step()
"""
CROSS_ENTROPY = "F.cross_entropy(model(x), {labels})"


def loop(loss: str, before: str = "") -> str:
    return HEAD + before + LOOP.format(loss=loss)


FAILING = {
    "labels from 1": ("D02", loop(CROSS_ENTROPY.format(labels="y + 1")), "loss ="),
    "a label of -1": ("D02", loop(CROSS_ENTROPY.format(labels="y - 1")), "loss ="),
    "more classes than outputs": ("M08", loop(CROSS_ENTROPY.format(labels="torch.arange(32) % 5")), "model ="),
    "labels as floats": ("D03", loop(CROSS_ENTROPY.format(labels="y.float()")), "loss ="),
    "labels one-hot": ("D03", loop(CROSS_ENTROPY.format(labels="F.one_hot(y, 3)")), "loss ="),
    "whole labels for BCE": (
        "D03",
        loop("F.binary_cross_entropy_with_logits(model(x), F.one_hot(y, 3))"),
        "loss =",
    ),
    "labels (N, 1)": ("X01", loop(CROSS_ENTROPY.format(labels="y[:, None]")), "loss ="),
    "probabilities outside of [0, 1]": (
        "M05",
        loop("F.binary_cross_entropy(model(x), F.one_hot(y, 3).float())"),
        "loss =",
    ),
    "float64 inputs": ("R12", loop(CROSS_ENTROPY.format(labels="y"), "x = x.double()\n"), "loss ="),
    "pictures of uint8": (
        "R12",
        loop(
            CROSS_ENTROPY.format(labels="y"),
            "model = nn.Sequential(nn.Conv2d(1, 3, 8), nn.Flatten())\n"
            "x = torch.zeros(32, 1, 8, 8, dtype=torch.uint8)\n",
        ),
        "loss =",
    ),
    "floats for an embedding": (
        "R12",
        loop("F.cross_entropy(model(x).mean(1), y)", "model = nn.Embedding(8, 3)\n"),
        "loss =",
    ),
    "another device": ("P03", loop(CROSS_ENTROPY.format(labels="y"), "x = x.to('meta')\n"), "loss ="),
    "weights of classes": (
        "M33",
        loop("F.cross_entropy(model(x), y, weight=torch.ones(2))"),
        "loss =",
    ),
    "a batch of one, normalized": (
        "M19",
        loop("F.cross_entropy(model(x[:1]), y[:1])", "model = nn.Sequential(nn.Linear(8, 3), nn.BatchNorm1d(3))\n"),
        "loss =",
    ),
    "a batch of one, squeezed": (
        "D24",
        loop("F.binary_cross_entropy_with_logits(model(x[:1]).squeeze(), y[:1].float())", "model = nn.Linear(8, 1)\n"),
        "loss =",
    ),
    "no autograd": (
        "L07",
        HEAD + "with torch.no_grad():\n    loss = F.cross_entropy(model(x), y)\nloss.backward()\n",
        "loss.backward()",
    ),
    "all frozen": ("M15", loop(CROSS_ENTROPY.format(labels="y"), "model.requires_grad_(False)\n"), "loss.backward()"),
    "a state carried over": (
        "M24",
        loop("one(x)", "cell, head = nn.RNNCell(8, 5), nn.Linear(5, 3)\n"
             "hidden = torch.zeros(32, 5)\n\n\ndef one(x):\n    global hidden\n"
             "    hidden = cell(x, hidden)\n    return F.cross_entropy(head(hidden), y)\n\n\n"),
        "loss.backward()",
    ),
    "a loss computed once": (
        "L30",
        HEAD + "loss = F.cross_entropy(model(x), y)\n"
        "for step in range(4):\n    loss.backward()\n    optimizer.step()\n",
        "loss.backward()",
    ),
    "a sum of many": ("X01", loop("F.cross_entropy(model(x), y, reduction='none')"), "loss.backward()"),
    "a product of matrices": ("X01", HEAD + "scores = x @ x\n", "scores ="),
    "rows beside columns": ("X01", HEAD + "both = torch.cat([x, x.T], dim=0)\n", "both ="),
    "samples of several sizes": (
        "X01",
        HEAD + "from torch.utils.data import DataLoader\n"
        "for batch in DataLoader([torch.zeros(3), torch.zeros(4)], batch_size=2):\n    print(batch)\n",
        "for batch",
    ),
    "a dataset that workers cannot be given": (
        "R03",
        HEAD + "from torch.utils.data import DataLoader\n"
        "loader = DataLoader(range(8), num_workers=1, multiprocessing_context='spawn', collate_fn=lambda rows: rows)\n"
        "for batch in loader:\n    print(batch)\n",
        "for batch",
    ),
    "words for labels": ("D26", HEAD + "labels = torch.tensor(['cat', 'dog'])\n", "labels ="),
}  # fmt: skip


@pytest.mark.parametrize("name", FAILING)
def test_an_exception_is_told(name: str) -> None:
    code, source, line = FAILING[name]
    report = examined(listen_to(source, fails=True), all_rules())
    assert [one.code for one in report.alarms] == [code], report.as_text()
    place = report.alarms[0].place
    assert place is not None
    assert place.text.startswith(line)
    for sentence in (report.alarms[0].message, report.alarms[0].why, report.alarms[0].fix):
        assert "{" not in sentence


def test_a_poisoned_gpu_is_told_in_words() -> None:
    source = HEAD + "raise_it = exec\nraise_it(\"raise RuntimeError('CUDA error: device-side assert triggered')\")\n"
    report = examined(listen_to(source, fails=True), all_rules())
    assert [one.code for one in report.alarms] == ["D02"], report.as_text()
    assert "until the program or the kernel is started anew" in report.alarms[0].why


def test_errors_that_the_program_raises_itself_are_its_own() -> None:
    source = HEAD + "raise ValueError('sizes of tensors must match')\n"
    assert not examined(listen_to(source, fails=True), all_rules()).alarms
