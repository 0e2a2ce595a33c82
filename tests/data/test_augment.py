"""Named augmentations."""

import torch

from firstlight.data import load
from firstlight.data.augment import flip, shift


def test_flip_mirrors_about_half():
    torch.manual_seed(0)
    pictures = torch.arange(6, dtype=torch.uint8).view(1, 1, 2, 3).repeat(200, 1, 1, 1)
    changed = flip(pictures)
    mirrored = (changed == pictures.flip(3)).flatten(1).all(1)
    assert 60 < int(mirrored.sum()) < 140
    assert bool((mirrored | (changed == pictures).flatten(1).all(1)).all())


def test_shift_moves_whole_pictures():
    torch.manual_seed(0)
    pictures = torch.zeros(64, 3, 16, 16, dtype=torch.uint8)
    pictures[:, :, 8, 8] = 255
    moved = shift(pictures)
    assert moved.dtype == torch.uint8
    places = {tuple(point.tolist()) for point in moved[:, 0].nonzero()[:, 1:]}
    assert all(abs(row - 8) <= 2 and abs(column - 8) <= 2 for row, column in places)
    assert len(places) > 10
    assert torch.equal(moved[:, 0], moved[:, 2])  # all channels move together


def test_it_is_repeatable():
    train, _ = load("fashion_mnist_small")
    one, two = (next(iter(train.batches(64, augment="flip+shift", seed=3)))[0] for _ in range(2))
    assert torch.equal(one, two)
    torch.manual_seed(1)
    one = next(iter(train.batches(64, augment="shift")))[0]
    torch.manual_seed(1)
    assert torch.equal(one, next(iter(train.batches(64, augment="shift")))[0])
