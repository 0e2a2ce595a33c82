"""Looks at single steps: when, what weights and gradients say, and that a look's mistake costs the look alone."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from firstlight.run import Recorder, Run
from firstlight.run import looks as looks_module
from firstlight.run.looks import Pace


def seen(pace: Pace, steps: int, *, step_s: float, cost: float) -> list[int]:
    found = []
    for step in range(steps):
        if pace.due(step, step * step_s):
            pace.took(step, cost)
            found.append(step)
    return found


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(8, 3)).square().mean().backward()
        optimizer.step()


def test_costly_looks_are_few_and_chosen_steps_are_looked_at_all_the_same() -> None:
    costly = seen(Pace(share=0.01, growth=0.0, free_s=0.1, always=(5, 7)), 1000, step_s=0.01, cost=0.2)
    assert costly[:4] == [0, 1, 5, 7]
    assert 0.2 * len(costly) <= 0.1 + 0.01 * 0.01 * 1000 + 4 * 0.2
    assert len(seen(Pace(share=0.01, growth=0.0), 1000, step_s=0.01, cost=1e-5)) == 1000, (
        "what costs nothing is not saved"
    )


def test_a_first_look_in_which_all_is_done_for_the_first_time_costs_the_next_ones_nothing() -> None:
    pace = Pace(share=0.0, growth=0.0, free_s=0.05)
    pace.took(0, 3.0)
    assert [step for step in range(1, 9) if pace.due(step, 0.0) and not pace.took(step, 0.01)] == [1, 2, 3, 4, 5]
    assert pace.cost_s == pytest.approx(3.05)


def test_looks_become_rarer_over_a_million_steps() -> None:
    pace = Pace(share=1.0, growth=0.04)
    step, found = 0, []
    while step < 10**6:
        assert pace.due(step, 1e9)
        pace.took(step, 0.0)
        found.append(step)
        step = pace._next
    assert len(found) < 400


def test_norms_and_updates_are_those_of_the_step() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    model[1].bias.requires_grad_(False)
    optimizer = torch.optim.SGD([*model[0].parameters(), model[1].weight], lr=0.5)
    run = Run()
    with Recorder(run, model, optimizer):
        x = torch.randn(8, 3)
        before = [weight.detach().clone() for weight in model.parameters()]
        model(x).square().mean().backward()
        optimizer.step()
    (parameters,), (weights,) = run.facts("parameters"), run.facts("weights")
    assert parameters.data == {
        "names": ["0.weight", "0.bias", "1.weight", "1.bias"],
        "shapes": [[4, 3], [4], [2, 4], [2]],
        "trained": [True, True, True, False],
        "optimizer": [0, 0, 0, None],
    }
    assert weights.data["weight"] == pytest.approx([float(one.norm()) for one in before], rel=1e-3)
    assert weights.data["grad"][:3] == pytest.approx(
        [float(w.grad.norm()) for w in list(model.parameters())[:3]], rel=1e-3
    )
    assert weights.data["update"][:3] == pytest.approx(
        [0.5 * float(w.grad.norm() / old.norm()) for w, old in list(zip(model.parameters(), before, strict=True))[:3]],
        rel=1e-3,
    )
    assert weights.data["grad"][3] is None
    assert weights.data["update"][3] is None


def test_a_layer_that_is_added_is_seen_from_then_on() -> None:
    model = nn.Sequential(nn.Linear(3, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run()
    with Recorder(run, model, optimizer, looks=range(10)):
        train(model, optimizer, 3)
        model.append(nn.Linear(3, 3))
        train(model, optimizer, 2)
    assert [(fact.step, len(fact.data["names"])) for fact in run.facts("parameters")] == [(0, 2), (3, 4)]
    assert run.facts("parameters")[-1].data["optimizer"] == [0, 0, None, None], "the optimizer does not know it"
    assert [len(fact.data["weight"]) for fact in run.facts("weights")] == [2, 2, 2, 4, 4]


def test_gradients_of_a_closure_are_those_after_it() -> None:
    model = nn.Linear(3, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=2)
    x = torch.randn(8, 3)
    run = Run()

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        return loss

    with Recorder(run, model, optimizer):
        optimizer.step(closure)
    found = run.facts("weights")[0].data
    assert found["grad"] == pytest.approx([float(weight.grad.norm()) for weight in model.parameters()], rel=1e-3)
    assert all(one > 0 for one in found["update"])


def test_without_a_model_the_optimizers_parameters_are_seen() -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    run = Run()
    with Recorder(run, None, optimizer):
        (weight.sum() ** 2).backward()
        optimizer.step()
    assert run.facts("parameters")[0].data["names"] == ["parameter 0"]


def test_sparse_gradients_and_no_gradients_have_no_norm() -> None:
    model = nn.ModuleList([nn.Embedding(5, 2, sparse=True), nn.Linear(2, 2)])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run()
    with Recorder(run, model, optimizer):
        model[0](torch.tensor([1, 2])).sum().backward()
        optimizer.step()
    found = run.facts("weights")[0].data
    assert found["grad"] == [None, None, None]
    assert found["update"][0] > 0
    assert found["update"][1:] == [0.0, 0.0]


@pytest.mark.parametrize("name", ["_read", "_norms"])  # as it ends, and in the middle of the step
def test_a_look_that_fails_is_left_and_the_record_goes_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks_module, name, lambda _: 1 / 0)
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run()
    with Recorder(run, model, optimizer), pytest.warns(RuntimeWarning, match="looks at single steps stopped"):
        train(model, optimizer, 4)
    assert len(run.metric("train/loss")) == 4
    assert not run.facts("weights")


def test_what_is_not_seen_is_said_once() -> None:
    run = Run()
    with Recorder(run, nn.Linear(3, 1)) as recorder:
        for why in ("quiet", "compile", "quiet"):
            recorder.see_less(why)
    assert run.info["sees_less"] == ["quiet", "compile"]


def test_no_looks_where_none_are_wanted() -> None:
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = Run()
    with Recorder(run, model, optimizer, looks=False):
        train(model, optimizer, 3)
    assert {fact.kind for fact in run.facts()} <= {"order", "epoch"}


def test_the_order_of_calls_is_noted_where_it_changes() -> None:
    model, other = nn.Linear(3, 1), nn.Linear(3, 1)
    one, two = torch.optim.SGD(model.parameters(), lr=0.1), torch.optim.SGD(other.parameters(), lr=0.1)
    run = Run()
    with Recorder(run, [model, other], [one, two]):
        for step in range(6):
            one.zero_grad()
            model.zero_grad()
            F.mse_loss(model(torch.ones(2, 3)), torch.ones(2, 1)).backward()
            if step == 3:
                F.mse_loss(model(torch.ones(2, 3)), torch.ones(2, 1)).backward()
            one.step()
            two.zero_grad()
            other(torch.ones(2, 3)).sum().backward()
            two.step()
    orders = [(fact.step, fact.data) for fact in run.facts("order")]
    assert orders == [
        (0, ["zero_grad", "model.zero_grad", "backward", "step"]),
        (1, ["zero_grad/2", "backward", "step/2", "zero_grad", "model.zero_grad", "backward", "step"]),
        (3, ["zero_grad/2", "backward", "step/2", "zero_grad", "model.zero_grad", "backward", "backward", "step"]),
    ]


def test_the_phases_of_a_step_make_up_its_time() -> None:
    model = nn.Sequential(nn.Linear(3, 256), nn.Linear(256, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    run = Run()
    with Recorder(run, model, optimizer, looks=False):
        train(model, optimizer, 40)
    run.finish()
    names = ["time/data", "time/forward", "time/backward", "time/optimizer"]
    values = [[point.value for point in run.metric(name)] for name in names]
    assert all(values)
    assert all(math.isfinite(one) and one >= 0 for part in values for one in part)
    whole = [point.value for point in run.metric("step_s")]
    assert [sum(parts) for parts in zip(*values, strict=True)] == pytest.approx(whole, rel=0.02)
