"""Arrays and tensors of every common form."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from firstlight.data import errors, load
from firstlight.data.samples import pair
from tests.data import makers


def labels(count: int, classes: int = 2) -> np.ndarray:
    return np.arange(count) % classes


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((20, 8, 9), (1, 8, 9)),
        ((20, 1, 8, 9), (1, 8, 9)),
        ((20, 3, 8, 9), (3, 8, 9)),
        ((20, 8, 9, 3), (3, 8, 9)),
        ((20, 8, 9, 1), (1, 8, 9)),
        ((20, 8, 9, 4), (3, 8, 9)),
    ],
)
def test_pictures_in_any_order_of_axes(shape, expected):
    train, test = load((np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8), labels(20)))
    assert tuple(train.inputs.shape[1:]) == tuple(test.inputs.shape[1:]) == expected
    assert train.inputs.dtype == torch.uint8
    assert len(train) + len(test) == 20


def test_pixels_keep_their_values_whatever_the_kind():
    pixels = np.random.default_rng(0).integers(0, 256, (10, 1, 4, 4), dtype=np.uint8)
    data = (pixels, labels(10)), (pixels, labels(10))
    whole, _ = load(data)
    for other in (pixels.astype(np.int64), pixels.astype(np.float32), (pixels / 255).astype(np.float32)):
        assert torch.equal(load(((other, labels(10)), (pixels, labels(10))))[0].inputs, whole.inputs)
    tensor = torch.from_numpy(pixels).to(torch.bfloat16)
    assert torch.equal(load(((tensor, labels(10)), (pixels, labels(10))))[0].inputs, whole.inputs)
    binary = load((pixels > 127, labels(10)))[0]
    assert set(binary.inputs.unique().tolist()) == {0, 255}


def test_what_was_given_stays_what_it_was():
    pixels, rows = np.zeros((10, 4, 4), np.uint8), np.zeros((10, 4), np.float32)
    for given_ in (pixels, rows):
        train, _ = load(((given_, labels(10)), (given_, labels(10))))
        train.inputs += 1
        assert (given_ == 0).all()


def test_see_through_pixels_lie_on_white():
    pixels = np.zeros((4, 2, 2, 4), np.uint8)
    pixels[..., 0] = 255
    pixels[..., 3] = 255
    pixels[0, ..., 3] = 0
    train, _ = load(((pixels, labels(4)), (pixels, labels(4))))
    assert train.inputs[0].tolist() == [[[255, 255]] * 2] * 3
    assert train.inputs[1, :, 0, 0].tolist() == [255, 0, 0]


def test_labels_of_every_kind():
    rows = np.random.default_rng(0).normal(size=(12, 3))
    words = np.array(["cat", "dog", "ant"] * 4)
    train, _ = load((rows, words))
    assert train.classes == ("ant", "cat", "dog")
    assert load((rows, words.astype(object).tolist()))[0].classes == train.classes
    assert load((rows, labels(12).astype(float)))[0].classes == ("0", "1")
    assert load((rows, labels(12).astype(bool)))[0].classes == ("False", "True")
    assert load((rows, labels(12)[:, None]))[0].classes == ("0", "1")  # as Keras writes them
    assert load((rows, labels(12)), classes=["a", "b", "c"])[0].classes == ("a", "b", "c")
    assert load((rows.tolist(), labels(12).tolist()))[0].inputs.shape[1] == 3
    assert load((torch.tensor(rows, requires_grad=True), torch.from_numpy(labels(12))))[0].inputs.shape[1] == 3
    assert load((torch.eye(12).to_sparse(), labels(12)))[0].inputs.shape[1] == 12


def test_size_resizes():
    pixels = np.full((10, 40, 30), 77, np.uint8)
    train, test = load((pixels, labels(10)), size=(8, 6))
    assert tuple(train.inputs.shape[1:]) == tuple(test.inputs.shape[1:]) == (1, 8, 6)
    assert set(train.inputs.unique().tolist()) == {77}


@pytest.mark.parametrize("size", [0, -3, 1.5, "big", (1, 2, 3), (0, 4), True, 10**9])
def test_sizes_that_are_none(size):
    with pytest.raises(errors.BadSize):
        pair(size)


ROWS = np.zeros((6, 2), np.float32)


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        ((ROWS, labels(5)), errors.LengthsDiffer, "6 samples, but 5 labels"),
        ((ROWS, 3), errors.CannotLoad, "tuple"),
        ((ROWS, np.array([0, 1, 0, -1, 0, 1])), errors.LabelOutOfRange, "row 3 is -1"),
        ((ROWS, labels(6) + 1), errors.LabelGap, "no training sample has the label 0"),
        ((ROWS, labels(6) * 7), errors.LabelGap, "label 1"),
        ((ROWS, np.zeros(6, int)), errors.OneClass, "same label: 0"),
        ((ROWS, np.eye(6)), errors.LabelsNotClasses, r"\(6, 6\)"),
        ((ROWS, np.linspace(0, 1, 6)), errors.LabelsNotClasses, "0.2 in row 1"),
        ((ROWS, [0, 1, None, 1, 0, 1]), errors.LabelsNotClasses, "row 2"),
        ((ROWS, labels(6).astype(complex)), errors.LabelsNotClasses, "complex"),
        ((np.array([[1, np.nan], [2, 3]]), [0, 1]), errors.NotFinite, "row 0, column 1 is nan"),
        ((np.array([[1, 1e300], [2, 3]]), [0, 1]), errors.NotFinite, r"1e\+300"),
        ((np.zeros(6), labels(6)), errors.WrongShape, r"\(6,\)"),
        ((np.zeros((6, 5, 4, 2)), labels(6)), errors.WrongShape, r"\(6, 5, 4, 2\)"),
        ((np.zeros((6, 0)), labels(6)), errors.WrongShape, r"\(6, 0\)"),
        (([[1, 2], [3]], [0, 1]), errors.WrongShape, "different lengths"),
        ((np.zeros((0, 2)), []), errors.NoSamples, "no samples"),
        ((np.array([["a", "b"]] * 6), labels(6)), errors.NotNumbers, "<U1"),
        ((np.array([[{}, 1]] * 6), labels(6)), errors.NotNumbers, "mixed"),
        ((np.zeros((6, 2), complex), labels(6)), errors.NotNumbers, "complex"),
        ((np.full((6, 4, 4), 300), labels(6)), errors.PixelsOutOfRange, "300"),
        ((np.full((6, 4, 4), -0.5), labels(6)), errors.PixelsOutOfRange, "sample 0"),
        (((ROWS, labels(6)), (np.zeros((6, 3)), labels(6))), errors.ShapesDiffer, "test split"),
        (((ROWS, labels(6)), (ROWS, labels(6, 3))), errors.LabelOutOfRange, "row 2 is 2"),
        (((ROWS, ["a", "b"] * 3), (ROWS, ["a", "c"] * 3)), errors.ClassesDiffer, "c"),
        (object(), errors.CannotLoad, "object"),
        ({"x": 1}, errors.CannotLoad, "dict"),
    ],
)
def test_what_is_wrong_is_said(data, error, says):
    with pytest.raises(error, match=says) as caught:
        load(data)
    assert isinstance(caught.value, errors.DataError)
    assert len(str(caught.value).splitlines()) == 3


def test_given_names_bound_the_labels():
    with pytest.raises(errors.LabelOutOfRange, match="row 1 is 1, but the classes are numbered from 0 to 0"):
        load((ROWS, labels(6)), classes=["a"])


@pytest.mark.parametrize("share", [0, 1, 1.5, -1])
def test_shares_that_are_none(share):
    with pytest.raises(errors.BadShare):
        load((ROWS, labels(6)), test=share)


kinds = st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.float16, np.bool_])
shapes = st.one_of(
    st.tuples(st.integers(0, 12), st.integers(0, 5)),
    st.tuples(st.integers(0, 12), st.integers(0, 5), st.integers(0, 5)),
    st.tuples(st.integers(0, 12), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)),
)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_array_is_loaded_whole_or_refused_in_words(data):
    inputs = data.draw(kinds.flatmap(lambda kind: arrays.arrays(kind, shapes)))
    largest = data.draw(st.integers(0, 4))
    numbers = data.draw(arrays.arrays(np.int64, len(inputs), elements=st.integers(-1 if largest == 4 else 0, largest)))
    try:
        train, test = load((inputs, numbers))
    except errors.DataError as error:
        makers.check_words(error)
        return
    assert len(train) + len(test) == len(inputs)
    assert sorted(torch.cat([train.labels, test.labels]).tolist()) == sorted(numbers.tolist())
    for dataset in (train, test):
        for prepared, found in dataset.batches(5):
            assert torch.isfinite(prepared).all()
            assert len(prepared) == len(found)
    if train.kind == "features":
        kept = torch.cat([train.inputs, test.inputs])
        wanted = torch.from_numpy(inputs.astype(np.float32))
        assert sorted(kept.tolist()) == sorted(wanted.tolist())


def test_nullable_numbers_keep_their_order():
    y = (np.arange(48) % 12).astype(object)
    train, _ = load((np.arange(48.0)[:, None], y))
    assert train.classes == tuple(str(number) for number in range(12))
    assert torch.equal(train.labels, train.inputs[:, 0].long() % 12)


def test_true_and_false_take_the_names_that_are_given():
    train, test = load(((np.zeros((4, 2)), labels(4) == 1), (np.zeros((2, 2)), labels(2) == 1)), classes=["no", "yes"])
    assert train.classes == ("no", "yes")
    assert (train.labels.tolist(), test.labels.tolist()) == ([0, 1, 0, 1], [0, 1])


def test_a_label_that_is_not_among_the_given_classes_is_named():
    with pytest.raises(errors.UnknownClass, match=r"label “b” in row 1 .*\n.*: a, c"):
        load((np.zeros((4, 2)), list("abab")), classes=["a", "c"])


def test_bytes_are_words():
    assert load((np.zeros((10, 2)), np.array([b"a", b"b"] * 5)))[0].classes == ("a", "b")


def test_labels_of_minus_one_and_one_are_counted_as_two_classes():
    with pytest.raises(errors.LabelOutOfRange, match="row 0 is -1, but the classes are numbered from 0 to 1"):
        load((np.zeros((4, 2)), [-1, 1, -1, 1]))


def test_a_list_of_tensors_with_gradients():
    train, _ = load(([torch.rand(3, 4, 4, requires_grad=True) for _ in range(8)], labels(8)))
    assert train.inputs.shape[1:] == (3, 4, 4)


@pytest.mark.parametrize("share", ["0.2", None, 0, 1.5])
def test_a_share_that_is_none(share):
    with pytest.raises(errors.BadShare):
        load((np.zeros((4, 2)), labels(4)), test=share)


@pytest.mark.parametrize("seed", ["a", None, 1.5, 2**70])
def test_a_seed_that_is_none(seed):
    with pytest.raises(errors.BadSeed):
        load((np.zeros((4, 2)), labels(4)), test=0.5, seed=seed)


def test_sizes_may_be_numbers_of_numpy():
    assert pair(np.int64(8)) == (8, 8)
