"""Parts of the recipe on their own."""

import pytest
import torch
from torch import nn

from firstlight.train.clock import Clock, spell
from firstlight.train.feed import Feed
from firstlight.train.measure import Score
from firstlight.train.recipe import balanced, make_optimizer, make_schedule, weigh


def test_balanced_weights_let_each_class_count_alike() -> None:
    labels = torch.tensor([0] * 5 + [1] * 3 + [3] * 2)
    weights = balanced(labels, 4)
    counts = torch.bincount(labels, minlength=4)
    assert (weights * counts)[[0, 1, 3]].tolist() == pytest.approx([10 / 3] * 3)
    assert weights[2] == 0


def test_balanced_weights_of_a_loader_are_counted_from_its_batches() -> None:
    batches = [(torch.zeros(3, 2), torch.tensor([0, 0, 1])), (torch.zeros(1, 2), torch.tensor([0]))]
    feed = Feed(batches, 8, torch.device("cpu"))
    found = weigh("balanced", feed, 2)
    assert found is not None
    assert found.tolist() == pytest.approx([4 / 6, 4 / 2])
    assert weigh(None, feed, 2) is None


def test_the_optimizer_is_adamw_or_what_was_given() -> None:
    model = nn.Linear(2, 2)
    made = make_optimizer(None, model, 0.5, 0.25)
    assert type(made) is torch.optim.AdamW
    assert (made.param_groups[0]["lr"], made.param_groups[0]["weight_decay"]) == (0.5, 0.25)
    assert made.param_groups[0]["fused"]
    model.bias.requires_grad_(False)
    assert len(make_optimizer(None, model, None, None).param_groups[0]["params"]) == 1
    own = torch.optim.RMSprop(model.parameters(), lr=0.125)
    assert make_optimizer(own, model, None, None) is own
    assert own.param_groups[0]["lr"] == 0.125


def test_the_fused_update_is_the_one_that_torch_makes_weight_by_weight() -> None:
    torch.manual_seed(0)
    ours, plain = (nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 36, 5)) for _ in range(2))
    plain.load_state_dict(ours.state_dict())
    fused = make_optimizer(None, ours, 0.01, 0.1)
    reference = torch.optim.AdamW(plain.parameters(), lr=0.01, weight_decay=0.1, foreach=False)
    for _step in range(20):
        inputs, labels = torch.randn(16, 3, 8, 8), torch.randint(5, (16,))
        for model, optimizer in ((ours, fused), (plain, reference)):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), labels).backward()
            optimizer.step()
    for mine, other in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)


def test_a_weight_with_gaps_in_memory_is_not_given_to_the_fused_kernel() -> None:
    class View(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.whole = torch.zeros(4, 6)
            self.weight = nn.Parameter(self.whole[:, :3])

    model = View()
    optimizer = make_optimizer(None, model, 0.1, None)
    model.weight.sum().backward()
    optimizer.step()
    assert bool((model.weight < 0).all())
    assert not model.whole[:, 3:].any()  # the fused kernel would write here


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("schedule", ["one-cycle", "cosine"])
def test_schedules_of_very_short_trainings(steps: int, schedule: str) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    plan = make_schedule(schedule, optimizer, steps)
    assert plan is not None
    for _ in range(steps):
        assert 0 < optimizer.param_groups[0]["lr"] <= 0.5
        optimizer.step()
        plan.step()


def test_scores_are_compared_by_accuracy_then_loss() -> None:
    assert Score(2.0, 0.9).better_than(Score(1.0, 0.8))
    assert Score(1.0, 0.9).better_than(Score(2.0, 0.9))
    assert not Score(1.0, 0.9).better_than(Score(1.0, 0.9))
    assert Score(1.0).better_than(Score(2.0))
    assert not Score(float("nan")).better_than(Score(2.0))
    assert Score(1.0).metrics("val") == {"val/loss": 1.0}


@pytest.mark.parametrize(
    ("times", "told_at", "expected"),
    [
        ([100.0, 100.1, 100.2, 100.3, 100.4, 100.5, 109.0], 5, 0.1 * 10 * (50 + 1)),  # five quick steps
        ([100.0, 102.0, 104.0], 1, 2.0 * 10 * (50 + 1)),  # one slow step
        ([0.0, 0.4, 0.8, 1.3, 9.0], 3, 0.4 * 10 * (50 + 1)),  # a second of them
    ],
)
def test_the_clock_knows_the_whole_from_a_few_steps(
    monkeypatch: pytest.MonkeyPatch, times: list[float], told_at: int, expected: float
) -> None:
    now = iter(times)
    monkeypatch.setattr("time.perf_counter", lambda: next(now))
    clock = Clock(epochs=10, steps=50, watched=3)
    clock.start_epoch()
    answers = [clock.tick() for _ in times]
    assert [place for place, answer in enumerate(answers) if answer is not None] == [told_at]
    assert answers[told_at] == pytest.approx(expected)


def test_the_clock_of_an_accelerator_looks_when_the_loop_has_waited_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([10.0, 10.5, 11.0, 11.5])
    monkeypatch.setattr("time.perf_counter", lambda: next(now))
    clock = Clock(epochs=2, steps=100, watched=0, every=20)
    answers = [clock.tick() for _step in range(60)]
    told = [step for step, answer in enumerate(answers) if answer is not None]
    assert told == [40]
    assert answers[40] == pytest.approx(0.5 / 20 * 2 * 100)


def test_the_clock_is_silent_where_the_number_of_steps_is_unknown() -> None:
    clock = Clock(1, None, 0)
    assert [clock.tick() for _ in range(9)] == [None] * 9


def test_times_as_people_say_them() -> None:
    assert [spell(s) for s in (0.01, 59.4, 60, 3599, 3600, 86400)] == [
        "1 s", "59 s", "1 min 0 s", "59 min 59 s", "1 h 0 min", "24 h 0 min"
    ]  # fmt: skip


def test_complex_weights_are_updated_one_by_one() -> None:
    """The fused kernel refuses them, and only at the first step."""
    weight = nn.Parameter(torch.ones(2, 2, dtype=torch.complex64))
    optimizer = make_optimizer(None, nn.ParameterList([weight]), 0.1, None)
    weight.abs().sum().backward()
    optimizer.step()
    assert bool((weight.abs() < 1).all())
