"""Dataset and Batches."""

import copy
import pickle
import threading

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from firstlight.data import Batches, Dataset, PrepareFeatures, PreparePictures, load
from firstlight.data.dataset import _Source, stratified_split
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


def test_batches_in_another_type_and_memory_format(small):
    train, _ = small
    colour = Dataset(
        torch.randint(0, 256, (20, 3, 8, 6), dtype=torch.uint8),
        torch.arange(20) % 2,
        ["a", "b"],
        name="noise",
        preprocess=PreparePictures([0.4, 0.5, 0.6], [0.1, 0.2, 0.3], size=(8, 6)),
    )
    wide = Dataset(
        torch.randint(0, 256, (4, 7, 8, 6), dtype=torch.uint8), torch.arange(4) % 2, ["a", "b"], name="seven channels"
    )
    for dataset in (train.subset(range(50)), colour, wide):
        expected = dataset.preprocess(dataset.inputs[:4])
        for dtype in (None, torch.bfloat16, torch.float64):
            for memory_format in (None, torch.contiguous_format, torch.channels_last):
                options = {"dtype": dtype, "memory_format": memory_format}
                inputs, labels = next(iter(dataset.batches(4, **options)))
                assert torch.equal(inputs, expected.to(dtype or expected.dtype))
                assert inputs.dtype == (dtype or expected.dtype)
                assert inputs.is_contiguous(memory_format=memory_format or torch.contiguous_format)
                assert labels.dtype == torch.int64
    inputs, _ = next(iter(features().batches(4, dtype=torch.bfloat16, memory_format=torch.channels_last)))
    assert inputs.dtype == torch.bfloat16
    trees, _ = load("arithmetic")
    assert next(iter(trees.batches(4, memory_format=torch.channels_last)))[0] == trees.inputs[:4]


def test_every_way_to_a_sample_gives_the_same_bits(small):
    train, _ = small
    positions = torch.randperm(len(train))[:300]
    whole = train.preprocess(train.inputs)[positions]
    assert torch.equal(train[positions][0], whole)
    assert torch.equal(torch.stack([train[int(one)][0] for one in positions]), whole)
    assert torch.equal(torch.cat([x for x, _ in train.subset(positions).batches(7)]), whole)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert torch.equal(train.preprocess(train.inputs[positions]), whole)
    finally:
        torch.set_num_threads(threads)


def test_parts_share_the_data():
    inputs = torch.randint(0, 256, (1000, 1, 4, 4), dtype=torch.uint8)
    whole = Dataset(inputs, torch.arange(1000) % 2, ["a", "b"], name="noise")
    rest, part = whole.split_off(0.1)
    halves = rest.subset(range(0, 900, 2)), rest.subset(torch.arange(900) % 2 == 1)
    for one in (rest, part, *halves):
        assert one._store is whole._store
    assert [len(one) for one in (rest, part, *halves)] == [900, 100, 450, 450]
    assert rest.kind == "picture"
    assert rest.shape == (1, 4, 4)
    assert "900 pictures of 4 × 4" in repr(rest)
    assert torch.cat([x for x, _ in part.batches(30)]).dtype == torch.uint8
    seen = torch.cat([torch.cat([x for x, _ in one.batches(7, shuffle=True)]) for one in (*halves, part)])
    assert seen.flatten(1).sum(1).sort().values.equal(inputs.flatten(1).sum(1).sort().values)
    assert rest._store is whole._store  # still: nothing above needed a copy
    kept = rest.inputs
    assert kept is rest.inputs  # one's own from now on, and it stays the same tensor
    before = whole.inputs.clone()
    kept.zero_()
    assert torch.equal(whole.inputs, before)
    assert torch.equal(halves[0].inputs, torch.cat([x for x, _ in halves[0].batches(100)]))


def test_a_part_of_a_part_is_right():
    whole = features(100)
    part = whole.subset(range(10, 90)).subset([-1, 0, 5]).subset(slice(0, 2))
    assert part.inputs[:, 0].tolist() == [178, 20]
    assert part.labels.tolist() == [1, 0]
    assert part[1][0].tolist() == [20, 21]
    rows = torch.zeros(100, dtype=torch.bool)
    rows[[3, 5]] = True
    assert whole.take(rows)[0][:, 0].tolist() == [6, 10]
    with pytest.raises(IndexError):
        whole.take(torch.tensor([100]))


def test_a_small_part_does_not_keep_the_whole_alive():
    whole = features(1000)
    few = whole.subset(range(10))
    assert few._store is not whole._store
    assert few._store.inputs.untyped_storage().nbytes() == 10 * 2 * 4


def test_a_part_takes_only_its_own_samples_along():
    whole = Dataset(torch.zeros(1000, 1, 32, 32, dtype=torch.uint8), torch.arange(1000) % 2, ["a", "b"], name="noise")
    part = whole.subset(range(0, 1000, 10))
    assert part._store is whole._store
    assert len(pickle.dumps(part)) < 200_000
    assert len(copy.deepcopy(part)._store.inputs) == 100
    twin = copy.copy(part)
    twin.inputs = torch.ones(100, 1, 32, 32, dtype=torch.uint8)
    assert int(part.inputs.max()) == 0


def test_inputs_can_be_replaced_and_changed(small):
    part = small[0].subset(range(0, 10_000, 2))
    part.inputs = 255 - part.inputs
    assert torch.equal(part[0][0], part.preprocess(255 - small[0].inputs[:1])[0])
    part.inputs[0] = 0
    assert torch.equal(next(iter(part.batches(1)))[0], part.preprocess(torch.zeros(1, 1, 28, 28, dtype=torch.uint8)))


def test_on_an_accelerator_the_data_lies_there_once():
    """On the meta device, which has shapes and no values: the way the data takes, not what is in it."""
    meta = torch.device("meta")
    whole = Dataset(torch.zeros(1000, 1, 4, 4, dtype=torch.uint8), torch.arange(1000) % 2, ["a", "b"], name="noise")
    rest, part = whole.split_off(0.4)
    names = "alternating-flip+shift+cutout+colour"
    for inputs, labels in rest.batches(64, shuffle=True, augment=names, device="meta"):
        assert inputs.device == labels.device == meta
        assert inputs.shape[1:] == (1, 4, 4)
    resident = whole._store.on(meta, 1000)
    assert resident.shape == (1000, 1, 4, 4)
    list(part.batches(64, device="meta"))  # less than half of it, but it is there already
    assert whole._store.on(meta, 1) is resident
    whole.inputs[0] = 1  # a copy of what was is of no use
    assert whole._store.on(meta, 1000) is not resident
    few = whole.subset(range(100))
    assert whole.subset(range(200))._store.on(torch.device("meta", 1), 200) is None
    assert copy.deepcopy(few)._store._copies == {}
    assert next(iter(whole.subset(range(300)).batches(7, device="meta")))[0].shape == (7, 1, 4, 4)


def test_data_that_an_accelerator_has_no_room_for_is_moved_batch_by_batch():
    large = torch.zeros(1, 1, 1, 1, dtype=torch.uint8).expand(300 << 20, 1, 1, 1)  # takes no memory
    labels = torch.zeros(1, dtype=torch.int64).expand(300 << 20)
    whole = Dataset(large, labels, ["a", "b"], name="large")
    part = whole.subset(range(3))
    assert whole._store.on(torch.device("meta"), len(whole)) is None
    assert part._store.on(torch.device("meta"), 3).shape == (3, 1, 1, 1)


def test_moved_batch_by_batch_they_are_the_same():
    """What a batch takes where the device has no copy, read on the CPU as the device."""
    whole = features(50)
    order = torch.randperm(50)
    there = _Source(whole, order, None, torch.device("meta"))
    there.resident, there.device = None, torch.device("cpu")
    there.labels, there.there, there.rows = whole.labels, order, order
    here = _Source(whole, order, None, None)
    for places in (slice(0, 8), slice(48, 56)):
        for one, other in zip(there.batch(places)[:3], here.batch(places)[:3], strict=True):
            assert torch.equal(one, other)
    there.resident = whole.inputs
    assert torch.equal(there.batch(slice(0, 8))[0], here.batch(slice(0, 8))[0])


def test_a_loop_broken_off_leaves_nothing_behind(small):
    train, _ = small
    threads = threading.active_count()
    batches = train.batches(64, shuffle=True, augment="alternating-flip", seed=1)
    for _ in batches:
        break

    def interrupted():
        for _ in batches:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert batches.turn == 0
    assert threading.active_count() == threads
    assert len(list(batches)) == 157
    assert batches.turn == 1


def test_what_a_loop_does_to_its_batch_stays_in_the_loop():
    plain = Dataset(torch.rand(10, 3), torch.arange(10) % 2, ["a", "b"], name="unprepared")
    pictures = Dataset(torch.ones(10, 1, 4, 4, dtype=torch.uint8), torch.arange(10) % 2, ["a", "b"], name="pictures")

    class Writes:
        def for_samples(self, pictures, positions, turn):
            return pictures.zero_()

    for data in (plain, pictures):
        inputs, labels = data.inputs.clone(), data.labels.clone()
        for augment in (None, torch.Tensor.zero_, Writes()):
            for batch, numbers in data.batches(4, augment=augment):
                batch.zero_()
                numbers.fill_(7)
        batch, numbers = data[:4]
        batch.zero_()
        numbers.fill_(7)
        data.subset(slice(4)).labels.fill_(7)
        assert data.inputs.equal(inputs)
        assert data.labels.equal(labels)


def test_a_pass_counts_once_its_last_batch_was_given():
    data = features(10)
    batches = data.batches(4)
    for turn in (1, 2):
        for _step, _batch in zip(range(len(batches)), batches, strict=False):
            pass
        assert batches.turn == turn
    assert len(list(batches)) == 3
    assert batches.turn == 3
    for _batch in batches:
        break
    assert batches.turn == 3
    whole = data.batches(10)
    next(iter(whole))
    assert whole.turn == 0


def test_positions_from_the_end():
    whole = features(10)
    for data in (whole, whole.subset(range(2, 10))):
        inputs, labels = data.take(torch.tensor([-1, 0, -2]))
        assert inputs.equal(data.inputs[[-1, 0, -2]])
        assert labels.equal(data.labels[[-1, 0, -2]])
