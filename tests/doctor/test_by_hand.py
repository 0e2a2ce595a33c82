"""What is tricky in nets of functions: which tensor is the batch, what came of it, and that nothing is changed."""

from typing import Any

import pytest
import torch
from tests.doctor.listening import listen_to

from firstlight.doctor import witness as listening
from firstlight.doctor.examining import examined
from firstlight.doctor.observers import by_hand
from firstlight.doctor.rule import newest
from firstlight.doctor.rules import all_rules

NET = """\
import torch
import torch.nn.functional as F

torch.manual_seed(0)
x, y = torch.randn(120, 5, 8), torch.randint(3, (120,))
first = (torch.randn(40, 16) * 0.2).requires_grad_()
second = (torch.randn(16, 3) * 0.2).requires_grad_()


def net(x):
    h = torch.relu(x.{turned}reshape(-1, 40) @ first)
    return h @ second


optimizer = torch.optim.SGD([first, second], lr=0.1)
losses, modes = [], []
for step in range(40):
    rows = torch.randint(120, (24,))
    {loss}
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    modes.append(torch._C._len_torch_function_stack())
"""
PLAIN = "loss = F.cross_entropy(net(x[rows]), y[rows])"


def _mixing(**texts: str) -> Any:
    return newest(listen_to(NET.format(**{"turned": "", "loss": PLAIN, **texts})), "mixing_by_hand")


def test_a_net_of_functions_that_mixes_samples_is_seen_and_its_line() -> None:
    (row,) = _mixing(turned="transpose(0, 1).")
    assert (row["rows"], row["moved"], row["by_weights"]) == (24, "reshape", True)
    assert "transpose(0, 1)" in row["moved_place"]["text"]


@pytest.mark.parametrize(
    "loss",
    [
        PLAIN,
        "z = net(x[rows]); loss = F.cross_entropy(z @ z.t(), torch.arange(24))",
        "z = net(x[rows]); loss = ((z - z.mean(0)).softmax(1) - F.one_hot(y[rows], 3)).square().mean()",
        "loss = torch.stack([F.cross_entropy(net(x[at : at + 1]), y[at : at + 1]) for at in rows.tolist()]).mean()",
        "loss = F.cross_entropy(net(torch.stack([x[at] for at in rows])), y[rows])",
        "loss = F.cross_entropy(F.dropout(net(x[rows]), 0.5), y[rows])",
        "loss = F.cross_entropy((first.T @ x[rows].reshape(-1, 40).T).T.relu() @ second, y[rows])",
    ],
)
def test_what_compares_samples_or_turns_back_is_no_mixing(loss: str) -> None:
    assert [row for row in _mixing(loss=loss) if row["moved"] and row["by_weights"]] == []


TIME_FIRST = """\
import torch
from torch import nn

torch.manual_seed(0)
text = torch.randint(20, (12, 600))
table, rnn, out = nn.Embedding(20, 16), nn.GRU(16, 16), nn.Linear(16, 20)
weights = [*table.parameters(), *rnn.parameters(), *out.parameters()]
optimizer = torch.optim.Adam(weights, lr=1e-2)
for at in range(0, 580, 8):
    x, y = text.t()[at : at + 8], text.t()[at + 1 : at + 9]
    loss = nn.functional.cross_entropy(out(rnn(table(x))[0]).view(-1, 20), y.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def test_time_in_the_first_dimension_is_no_batch() -> None:
    run = listen_to(TIME_FIRST)
    report = examined(run, all_rules())
    assert newest(run, "mixing_by_hand") is not None
    assert [finding.code for finding in report.findings if finding.code in ("M06", "M22", "M23")] == []


def test_weights_behind_a_cut_are_told_with_the_line() -> None:
    cut = newest(listen_to(NET.format(turned="", loss=PLAIN).replace("return h @", "return h.data @")), "cut_by_hand")
    assert [(row["shape"], row["by"]) for row in cut["rows"]] == [([40, 16], "data")]
    assert "h.data" in cut["rows"][0]["place"]["text"]
    assert cut["reached"] == 1


def test_the_tape_changes_no_number() -> None:
    program = NET.format(turned="", loss="loss = F.cross_entropy(F.dropout(net(x[rows]), 0.5), y[rows])")
    plain: dict[str, Any] = {}
    exec(compile(program, "plain.py", "exec"), plain)
    state = torch.get_rng_state()
    heard: dict[str, Any] = {}
    listen_to(program, space=heard)
    assert heard["losses"] == plain["losses"]
    assert torch.equal(torch.get_rng_state(), state)
    assert sum(heard["modes"]) == 1, "it listens for one step, and is gone"


@pytest.mark.parametrize(
    "line",
    [
        "h = torch.relu(torch.mul(x, 2.0, out=buffer).clone().reshape(-1, 40) @ first)",
        "h = F.batch_norm(x.reshape(-1, 40), running, spread, training=True) @ first",
        "h = torch.relu(F.dropout(x * torch.bernoulli(x.sigmoid(), generator=own), 0.2).reshape(-1, 40) @ first)",
        "torch._foreach_add_([buffer], [x.detach()]); h = torch.relu(x.reshape(-1, 40) @ first)",
    ],
)
def test_what_the_tape_runs_again_writes_into_nothing_of_the_programs(line: str) -> None:
    program = NET.format(turned="", loss=PLAIN).replace("h = torch.relu(x.reshape(-1, 40) @ first)", line)
    program = program.replace(
        "losses, modes = [], []",
        "losses, modes, seen = [], [], []; buffer, own = torch.zeros(24, 5, 8), torch.Generator().manual_seed(0)\n"
        "running, spread = torch.zeros(40), torch.ones(40)",
    ).replace(
        "    optimizer.step()\n",
        "    seen.append([float(one.sum()) for one in (buffer, running, spread)])\n    optimizer.step()\n",
    )
    plain: dict[str, Any] = {}
    exec(compile(program, "plain.py", "exec"), plain)
    heard: dict[str, Any] = {}
    listen_to(program, space=heard)
    assert heard["losses"] == plain["losses"]
    assert heard["seen"] == plain["seen"]
    assert torch.equal(heard["own"].get_state(), plain["own"].get_state())


def one_step() -> None:
    weight = torch.zeros(4, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    (torch.ones(8, 4) @ weight).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("end", ["begin", "leave"])
def test_no_tape_outlives_its_episode(end: str) -> None:
    witness = listening.attend()
    try:
        one_step()
        assert torch._C._len_torch_function_stack() == 1, "the next step is to be heard"
        getattr(witness, end)()
        assert torch._C._len_torch_function_stack() == 0
    finally:
        listening.leave()


def test_a_tape_that_breaks_is_told_of_and_the_step_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: Any) -> None:
        raise TypeError("no such tensor")

    monkeypatch.setattr(by_hand._Tape, "_note", refuse)
    witness = listening.attend()
    try:
        for _step in range(3):
            one_step()
        assert "no such tensor" in witness.lost["ByHand"]
        assert torch._C._len_torch_function_stack() == 0
    finally:
        listening.leave()
