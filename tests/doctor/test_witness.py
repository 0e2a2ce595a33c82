"""Who hears what: observers that may miss steps, and what they are told when they hear again."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import torch
from torch import nn
from torch._dynamo import trace_rules
from torch.optim.optimizer import Optimizer

from firstlight.doctor import witness as listening
from firstlight.doctor.observer import Feed, Observer

STEPS, FAILS_AT = 200, 120


class Every(Observer):
    """Hears each step, and fails at one."""

    fails: ClassVar[bool] = False

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self.steps = 0

    def step(self, optimizer: Optimizer) -> None:
        self.steps += 1
        if self.fails and self.steps == FAILS_AT:
            raise ValueError("at this step")


class Some(Observer):
    """May miss steps."""

    gaps: ClassVar = True

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self.heard: list[int] = []
        self.told = [-1]  # steps before which it was told that it missed some

    def missed(self) -> None:
        self.told.append(self.witness.step)

    def step(self, optimizer: Optimizer) -> None:
        self.heard.append(self.witness.steps)


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    yield
    listening.leave()


@pytest.mark.parametrize("fails", [False, True])
def test_who_misses_steps_is_told_so_before_hearing_again(fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_FREE_S", "_LISTEN_S"):
        monkeypatch.setattr(listening, name, -1e9)  # listening is always too dear
    monkeypatch.setattr(Every, "fails", fails)
    listening.leave()
    witness = listening.witness = listening.Witness((Every, Some))
    every, some = witness.attend().observers
    assert isinstance(every, Every)
    assert isinstance(some, Some)
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(STEPS):
        if step == 150:
            with torch.no_grad():
                model(torch.ones(1, 2))  # an evaluation: all hear it, and some steps after it
        optimizer.zero_grad()
        model(torch.ones(1, 2)).mean().backward()
        optimizer.step()
    assert every.steps == (FAILS_AT if fails else STEPS)
    assert bool(witness.lost) is fails
    assert some.heard[:24] == list(range(1, 25))
    assert 151 in some.heard
    assert len(some.heard) < STEPS / 2
    gaps = [after for before, after in zip(some.heard, some.heard[1:], strict=False) if after > before + 1]
    assert gaps == [told + 1 for told in some.told[1:]]


class Fed(Observer):
    """Counts batches."""

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self.batches = 0

    def batch(self, feed: Feed, batch: Any) -> None:
        self.batches += 1


def test_our_own_loaders_are_heard_also_where_the_program_loads_them_later(monkeypatch: pytest.MonkeyPatch) -> None:
    from firstlight.data import dataset, load

    train, _test = load((torch.rand(40, 3).numpy(), (torch.arange(40) % 2).numpy()))
    monkeypatch.delitem(sys.modules, "firstlight.data.dataset")
    listening.leave()
    witness = listening.witness = listening.Witness((Fed,))
    witness.attend()
    monkeypatch.setitem(sys.modules, "firstlight.data.dataset", dataset)
    nn.Linear(2, 1)  # a model is made before it is given batches
    assert len(list(train.batches(4))) == 8
    fed = witness.observers[0]
    assert isinstance(fed, Fed)
    assert fed.batches == 8


@pytest.mark.parametrize(
    ("module", "without"),
    [("firstlight.doctor.running", "torch"), ("firstlight.doctor.child", "firstlight.data firstlight.train")],
)
def test_a_program_need_not_wait_for_what_it_has_no_use_for(module: str, without: str) -> None:
    code = f"import sys, {module}; print([name for name in {without.split()} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("compiles", [False, True], ids=["it leaves", "the program compiles"])
def test_a_compiler_that_looked_functions_up_while_they_were_wrapped_looks_again(compiles: bool) -> None:
    """The canary of `firstlight.compat.forget_wrappers`: torch._dynamo keeps a table, made at its first use."""
    trace_rules.clear_lru_cache()
    dropout = torch.dropout
    listening.attend()
    assert torch.dropout is not dropout
    assert dropout not in trace_rules.get_torch_obj_rule_map()
    if compiles:
        torch.compile(nn.Dropout(0.5), backend="eager")
    else:
        listening.leave()
    assert torch.dropout is dropout
    assert dropout in trace_rules.get_torch_obj_rule_map()


@pytest.mark.parametrize("evaluated", [False, True], ids=["frozen, in front of what learns", "evaluated between"])
def test_a_transformer_takes_its_fast_way_whatever_is_listened_to(
    evaluated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = []
    through = torch._transformer_encoder_layer_fwd

    def counted(*given: Any) -> Any:
        fast.append(len(given))
        return through(*given)

    monkeypatch.setattr(torch, "_transformer_encoder_layer_fwd", counted)
    encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval().requires_grad_(False)
    listening.attend()
    head = nn.Linear(8, 2)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    inputs, labels = torch.randn(6, 3, 8), torch.randint(2, (6,))
    for _ in range(4):
        nn.functional.cross_entropy(head(encoder(inputs)[:, 0]), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
        if evaluated:
            with torch.no_grad():
                for part in (inputs[:3], inputs[3:]):
                    head(encoder(part)[:, 0]).argmax(dim=1).tolist()
    assert len(fast) == 4 * (3 if evaluated else 1)
