"""Dataset and Batches."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from firstlight.data import Batches, Dataset, PrepareFeatures, load
from firstlight.data.dataset import stratified_split
from firstlight.data.errors import BadAugment, BadBatch, BadPositions, BadShare


@pytest.fixture(scope="module")
def small():
    return load("fashion_mnist_small")


def features(count: int = 10) -> Dataset:
    inputs = torch.arange(count * 2, dtype=torch.float32).view(count, 2)
    return Dataset(inputs, torch.arange(count) % 2, ["a", "b"], name="rows", preprocess=PrepareFeatures([0, 0], [1, 1]))


def test_batches_cover_every_sample_once(small):
    train, _ = small
    batches = train.batches(128, shuffle=True)
    assert isinstance(batches, Batches)
    for _pass in range(2):
        sizes = [len(labels) for _, labels in batches]
        assert len(sizes) == len(batches) == 79
        assert sum(sizes) == 10_000
    order = torch.cat([inputs[:, 0] for inputs, _ in features(7).batches(3, shuffle=True)])
    assert sorted(order.tolist()) == [0, 2, 4, 6, 8, 10, 12]


def test_batches_hold_prepared_samples_in_order(small):
    _, test = small
    inputs, labels = next(iter(test.batches(5)))
    assert torch.equal(inputs, test.preprocess(test.inputs[:5]))
    assert torch.equal(labels, test.labels[:5])
    image, label = test[3]
    assert torch.equal(image, inputs[3])
    assert label == labels[3]
    assert isinstance(label, int)


def test_order_comes_from_the_global_random_numbers_or_a_seed():
    def order(**options):
        return torch.cat([labels for labels, _ in features(50).batches(8, shuffle=True, **options)])

    torch.manual_seed(5)
    first, second = order(), order()
    assert not torch.equal(first, second)
    torch.manual_seed(5)
    assert torch.equal(order(), first)
    state = torch.get_rng_state()
    assert torch.equal(order(seed=1), order(seed=1))
    assert torch.equal(torch.get_rng_state(), state)  # a seed of its own leaves the global numbers alone
    twice = features(50).batches(8, shuffle=True, seed=1)
    assert not torch.equal(*(torch.cat([x for x, _ in twice]) for _ in range(2)))


def test_in_order_draws_no_random_number():
    state = torch.get_rng_state()
    list(features().batches(3))
    assert torch.equal(torch.get_rng_state(), state)


def test_drop_last():
    assert [len(labels) for _, labels in features(10).batches(4, drop_last=True)] == [4, 4]
    assert len(features(10).batches(4, drop_last=True)) == 2
    assert len(features(8).batches(4)) == 2


@pytest.mark.parametrize("size", [0, -1, 2.5, True])
def test_a_batch_size_that_is_none(size):
    with pytest.raises(BadBatch, match="cannot be made from 10"):
        features().batches(size)


def test_a_batch_larger_than_the_dataset():
    assert len(features(10).batches(64)) == 1
    with pytest.raises(BadBatch):
        features(10).batches(64, drop_last=True)


def test_device():
    inputs, labels = next(iter(features().batches(4, device="cpu")))
    assert inputs.device.type == labels.device.type == "cpu"
    inputs, labels = next(iter(features().batches(4, device="meta")))  # any other device takes the same way
    assert inputs.device.type == labels.device.type == "meta"


def test_augment_by_a_function_gets_raw_inputs(small):
    train, _ = small
    seen = []

    def darken(pictures):
        seen.append(pictures.dtype)
        return pictures // 2

    inputs, _ = next(iter(train.batches(4, augment=darken)))
    assert seen == [torch.uint8]
    assert torch.equal(inputs, train.preprocess(train.inputs[:4] // 2))
    with pytest.raises(BadAugment, match="lose"):
        next(iter(train.batches(4, augment=lose)))


def lose(pictures):
    return pictures[:1]


def test_named_augmentation_needs_pictures(small):
    with pytest.raises(BadAugment, match="flip"):
        features().batches(4, augment="flip")
    with pytest.raises(BadAugment, match="spin"):
        small[0].batches(4, augment="flip+spin")


def test_subset(small):
    train, _ = small
    shoes = train.subset(train.labels == 7)
    assert len(shoes) == 1000
    assert set(shoes.labels.tolist()) == {7}
    assert shoes.classes == train.classes
    assert shoes.preprocess is train.preprocess
    assert torch.equal(train.subset([3, -1]).labels, train.labels[[3, -1]])
    assert len(train.subset(range(10))) == len(train.subset(slice(0, 10))) == 10
    with pytest.raises(BadPositions, match="0 to 9999"):
        train.subset([10_000])
    with pytest.raises(BadPositions, match="2 × True/False"):
        train.subset([True, False])
    trees, _ = load("arithmetic")
    assert trees.subset([5, 1]).inputs == [trees.inputs[5], trees.inputs[1]]
    assert trees.subset(slice(2, 4)).inputs == trees.inputs[2:4]


def test_split_off_is_stratified_and_repeatable(small):
    train, _ = small
    rest, part = train.split_off(0.1)
    assert torch.bincount(part.labels).tolist() == [100] * 10
    assert torch.bincount(rest.labels).tolist() == [900] * 10
    assert torch.equal(part.inputs, train.split_off(0.1)[1].inputs)
    assert not torch.equal(part.inputs, train.split_off(0.1, seed=1)[1].inputs)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, 2, float("nan")])
def test_a_share_that_is_none(share):
    with pytest.raises(BadShare):
        features().split_off(share)


def test_rare_classes_are_in_both_parts_where_they_can_be():
    labels = torch.tensor([0] * 100 + [1, 1] + [2])
    rest, part = stratified_split(labels, 0.1, 0)
    assert torch.bincount(labels[part], minlength=3).tolist() == [10, 1, 0]
    assert torch.bincount(labels[rest], minlength=3).tolist() == [90, 1, 1]
    with pytest.raises(BadShare):
        stratified_split(torch.tensor([0, 1, 2]), 0.5, 0)


def test_positions():
    rows = features()
    assert torch.equal(rows[-1][0], rows[9][0])
    with pytest.raises(IndexError):
        rows[10]


def test_it_copies_and_pickles(small):
    train, _ = small
    part = train.subset(range(20))
    for other in (copy.deepcopy(part), pickle.loads(pickle.dumps(part))):
        assert torch.equal(other.inputs, part.inputs)
        assert torch.equal(other[0][0], part[0][0])
        assert other.classes == part.classes
        assert str(other.card) == str(part.card)
        assert repr(other) == repr(part)
    trees = load("arithmetic")[0].subset([0, 1])
    assert pickle.loads(pickle.dumps(trees)).inputs == trees.inputs


@pytest.mark.parametrize(("workers", "context"), [(0, None), (2, "spawn")])
def test_dataloader_gives_the_same(small, workers, context):
    _, test = small
    part = test.subset(range(10))
    loader = DataLoader(part, batch_size=4, num_workers=workers, multiprocessing_context=context)
    for (inputs, labels), (expected, numbers) in zip(loader, part.batches(4), strict=True):
        assert torch.equal(inputs, expected)
        assert torch.equal(labels, numbers)


def test_words(small):
    assert repr(features()) == "rows (train): 10 rows of 2 features, 2 classes: a, b"
    assert "in grey" in repr(small[0])
    colour = Dataset(torch.zeros(2, 3, 4, 5, dtype=torch.uint8), torch.tensor([0, 1]), ["a", "b"], name="photos")
    assert repr(colour) == "photos (train): 2 pictures of 4 × 5 pixels in colour, 2 classes: a, b"
    assert "expression trees" in repr(load("arithmetic")[0])


def test_several_positions_at_once_give_a_batch(small):
    _, test = small
    for index in (slice(2, 5), [2, 3, 4], torch.arange(2, 5), np.arange(4, 1, -1)[::-1], range(2, 5)):
        images, labels = test[index]
        assert torch.equal(images, test.preprocess(test.inputs[2:5]))
        assert torch.equal(labels, test.labels[2:5])


@pytest.mark.parametrize("index", ["a", 1.0, 10, -11, [10], None])
def test_positions_that_are_none(index):
    with pytest.raises(BadPositions):
        features(10)[index]


@pytest.mark.parametrize("indices", [["a"], [1.5], None, 3.5])
def test_subsets_that_are_none(indices):
    with pytest.raises(BadPositions):
        features(10).subset(indices)


def test_a_subset_of_what_a_loop_gives():
    assert features(10).subset(i for i in range(3)).labels.tolist() == [0, 1, 0]


def test_a_batch_size_of_numpy():
    assert len(features(10).batches(np.int64(4))) == 3


def test_an_augmentation_must_give_what_preprocess_can_take(small):
    train, _ = small
    for change in (lambda x: x.float() / 255, lambda x: x[:, 0], 5):
        with pytest.raises(BadAugment, match="0 to 255"):
            next(iter(train.batches(4, augment=change)))
    with pytest.raises(BadAugment):
        next(iter(features().batches(4, augment=lambda x: x[:, :1])))
    for change in (lambda x: x.float() * 0.5, lambda x: x[..., :20]):
        assert next(iter(train.batches(4, augment=change)))[0].shape == (4, 1, 28, 28)


def test_parts_that_torch_took_are_loaded_as_they_are(small):
    train, _ = small
    parts = torch.utils.data.random_split(train, [9000, 1000])
    first, second = load(tuple(parts))
    assert (len(first), len(second)) == (9000, 1000)
    assert torch.equal(first.inputs[0], train.inputs[parts[0].indices[0]])
    rest, part = load(train)
    assert (rest.split, part.split, train.split) == ("train", "test", "train")
