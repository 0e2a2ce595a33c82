"""Parts of the recipe on their own."""

import pytest
import torch
from torch import nn

from firstlight.train.clock import Clock, spell
from firstlight.train.feed import Feed
from firstlight.train.measure import Score
from firstlight.train.recipe import balanced, make_optimizer, make_schedule, quicker_precision, weigh


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
    model.bias.requires_grad_(False)
    assert len(make_optimizer(None, model, None, None).param_groups[0]["params"]) == 1
    own = torch.optim.RMSprop(model.parameters(), lr=0.125)
    assert make_optimizer(own, model, None, None) is own
    assert own.param_groups[0]["lr"] == 0.125


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("schedule", ["one-cycle", "cosine"])
def test_schedules_of_very_short_trainings(steps: int, schedule: str) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    plan = make_schedule(schedule, optimizer, steps)
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


def test_the_clock_is_silent_where_the_number_of_steps_is_unknown() -> None:
    clock = Clock(1, None, 0)
    assert [clock.tick() for _ in range(9)] == [None] * 9


def test_times_as_people_say_them() -> None:
    assert [spell(s) for s in (0.01, 59.4, 60, 3599, 3600, 86400)] == [
        "1 s", "59 s", "1 min 0 s", "59 min 59 s", "1 h 0 min", "24 h 0 min"
    ]  # fmt: skip


def test_the_quicker_precision_is_timed_on_a_copy() -> None:
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.BatchNorm1d(256), nn.Linear(256, 2))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    batches = [(torch.randn(64, 64), torch.zeros(64, dtype=torch.int64))]
    random = torch.get_rng_state()
    found = quicker_precision(model, Feed(batches, 64, torch.device("cpu")), nn.CrossEntropyLoss())
    assert found in (torch.float32, torch.bfloat16)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert all(parameter.grad is None for parameter in model.parameters())
