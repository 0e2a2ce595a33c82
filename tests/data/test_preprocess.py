"""Preprocessing: statistics of the training split, plain operations."""

import numpy as np
import pytest
import torch

from firstlight.data import load
from firstlight.data.preprocess import channel_statistics, prepare_features, prepare_pictures


def test_statistics_are_those_of_the_pixels():
    pictures = torch.randint(0, 256, (2500, 3, 4, 5), dtype=torch.uint8)
    mean, std = channel_statistics(pictures)
    wide = pictures.double() / 255
    assert mean == pytest.approx(wide.mean((0, 2, 3)).tolist(), rel=1e-12)
    assert std == pytest.approx(wide.std((0, 2, 3), correction=0).tolist(), rel=1e-9)


def test_prepared_pictures_have_mean_0_and_deviation_1():
    train, test = load("fashion_mnist_small")
    prepared = train.preprocess(train.inputs)
    assert float(prepared.mean()) == pytest.approx(0, abs=1e-4)
    assert float(prepared.std()) == pytest.approx(1, abs=1e-4)
    assert abs(float(test.preprocess(test.inputs).mean())) > 1e-5  # the test split gets no statistics of its own
    assert torch.equal(train.preprocess.undo(prepared), train.inputs)


def test_a_channel_that_never_changes():
    prepare = prepare_pictures(torch.full((4, 1, 2, 2), 200, dtype=torch.uint8))
    assert prepare(torch.full((1, 1, 2, 2), 200, dtype=torch.uint8)).abs().max() < 1e-6
    prepare = prepare_features(torch.tensor([[0.1, 1.0], [0.1, 2.0], [0.1, 3.0]]))
    assert prepare(torch.tensor([[0.1, 2.0]])).abs().max() < 1e-6


def test_pictures_of_another_size_are_resized():
    train, _ = load("fashion_mnist_small")
    assert train.preprocess(torch.zeros(2, 1, 56, 40, dtype=torch.uint8)).shape == (2, 1, 28, 28)
    assert "28" in repr(train.preprocess)


def test_features():
    rows = torch.tensor(np.random.default_rng(0).normal(5, 3, (100, 4)), dtype=torch.float32)
    prepare = prepare_features(rows, [False, False, True, False])
    prepared = prepare(rows)
    assert prepared[:, 0].mean().abs() < 1e-5
    assert torch.equal(prepared[:, 2], rows[:, 2])
    assert "features=4" in repr(prepare)


@pytest.mark.parametrize("source", ["pictures", "features"])
def test_it_exports_as_plain_operations(source):
    if source == "pictures":
        data = load("fashion_mnist_small")[0]
    else:
        data = load((torch.rand(20, 3), torch.arange(20) % 2))[0]
    example = data.inputs[:4]
    program = torch.export.export(data.preprocess, (example,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))
    assert torch.equal(program.module()(data.inputs[:9]), data.preprocess(data.inputs[:9]))
    operations = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert all(name.startswith("aten.") for name in operations if "guard" not in name and "sym" not in name)
