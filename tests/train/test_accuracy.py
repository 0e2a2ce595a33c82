"""The whole thing on the embedded data: a plain CNN learns clothes, and learns them the same way twice."""

import math

import pytest
import torch
from torch import nn

from firstlight.data import load
from firstlight.run import Run, recorder
from firstlight.train import evaluate, fit


def cnn() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_plain_cnn_reaches_85_percent_and_does_so_bit_by_bit_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "_SHARE", math.inf)  # every step is noted, on a machine that is busy or traced too
    train, test = load("fashion_mnist_small")

    def once() -> tuple[nn.Module, Run]:
        model = cnn()
        return model, fit(
            model, train, test, epochs=5, seed=0, device="cpu", threads=1
        )  # in time, and bit for bit, beside busy neighbours too

    model, run = once()
    result = evaluate(model, test)
    assert result.accuracy >= 0.85
    assert result.accuracy == run.info["test"]["test/accuracy"]
    assert result.classes == train.classes
    assert len(result.mistakes) == 12
    assert all(mistake.picture is not None for mistake in result.mistakes)

    again, second = once()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    losses = [{point.step: point.value for point in one.metric("train/loss")} for one in (run, second)]
    assert list(losses[0]) == list(range(5 * 79))
    assert losses[0] == losses[1]


def test_trees_are_inputs_too() -> None:
    class Depth(nn.Module):
        """Scores from how deep a tree is: a different computation for each sample."""

        def __init__(self, classes: int) -> None:
            super().__init__()
            self.table = nn.Embedding(16, classes)

        def forward(self, trees: list[object]) -> torch.Tensor:
            return self.table(torch.tensor([min(tree.depth, 15) for tree in trees]))

    train, test = load("arithmetic")
    train, test = train.subset(range(400)), test.subset(range(100))
    model = Depth(len(train.classes))
    run = fit(model, train, test, epochs=2, seed=0)
    assert run.status == "finished"
    result = evaluate(model, test)
    assert result.accuracy == run.info["test"]["test/accuracy"]
    assert all(mistake.picture is None for mistake in result.mistakes)
    assert result.picture().html
