"""Datasets of torch (in torchvision's manner) and of Hugging Face."""

import numpy as np
import pytest
import torch
from datasets import ClassLabel, DatasetDict, Features, IterableDataset, Value
from datasets import Dataset as HubDataset
from datasets import Image as HubImage
from PIL import Image

from firstlight.data import errors, load

RANDOM = np.random.default_rng(0)


class Photos(torch.utils.data.Dataset):
    """As torchvision's datasets are: Pillow images, a transform, `classes` and `targets`."""

    classes = ("cat", "dog")

    def __init__(self, count=10, transform=None, mode="RGB", sizes=((8, 6),), label=lambda i: i % 2):
        self.pixels = [
            RANDOM.integers(0, 256, (sizes[i % len(sizes)][1], sizes[i % len(sizes)][0], 3), dtype=np.uint8)
            for i in range(count)
        ]
        self.targets = [label(i) for i in range(count)]
        self.transform = transform
        self.mode = mode

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, index):
        image = Image.fromarray(self.pixels[index]).convert(self.mode)
        return (self.transform(image) if self.transform else image), self.targets[index]


def to_tensor(image):
    """What torchvision's ToTensor does."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def test_pillow_images_and_tensors_give_the_same_pixels():
    photos = Photos()
    train, test = load((photos, photos))
    assert train.classes == ("cat", "dog")
    assert train.inputs.dtype == torch.uint8
    assert np.array_equal(train.inputs[3].permute(1, 2, 0).numpy(), photos.pixels[3])
    assert test.labels.tolist() == photos.targets
    same = Photos(transform=to_tensor)
    same.pixels = photos.pixels
    assert torch.equal(load((same, same))[0].inputs, train.inputs)
    numbers, _ = load((Photos(transform=np.array), Photos(transform=np.array)))
    assert numbers.inputs.shape[1:] == (3, 6, 8)


def test_one_dataset_is_split():
    train, test = load(Photos(20))
    assert (len(train), len(test)) == (16, 4)
    assert train.name == "Photos"


def test_grey_images_and_mixtures():
    assert load(Photos(mode="L"))[0].inputs.shape[1] == 1
    assert load((Photos(mode="L"), Photos()))[0].inputs.shape[1] == 3


def test_names_are_found_below_subset():
    part = torch.utils.data.Subset(Photos(20), range(10))
    assert load(part)[0].classes == ("cat", "dog")
    assert load(part, classes=["x", "y"])[0].classes == ("x", "y")


def test_tensor_datasets_of_features():
    rows = torch.utils.data.TensorDataset(torch.rand(20, 5), torch.arange(20) % 4)
    train, _ = load(rows)
    assert train.kind == "features"
    assert train.classes == ("0", "1", "2", "3")


def test_our_own_datasets_pass_through():
    train, test = load("fashion_mnist_small")
    assert load((train, test)) == (train, test)
    rest, part = load(test, test=0.5)
    assert len(rest) == len(part) == 1000


def test_mixed_sizes():
    photos = Photos(sizes=((8, 6), (10, 10)))
    with pytest.raises(errors.ShapesDiffer, match="sample 1"):
        load(photos)
    assert load(photos, size=5)[0].inputs.shape[2:] == (5, 5)


@pytest.mark.parametrize("transform", [to_tensor, np.array])
def test_arrays_of_mixed_sizes_are_brought_to_one(transform):
    photos = Photos(sizes=((8, 6), (12, 9)), transform=transform)
    train, _ = load((photos, photos), size=(3, 4))
    assert train.inputs.shape[1:] == (3, 3, 4)
    mean = photos.pixels[0].mean()
    assert abs(train.inputs[0].float().mean() - mean) < 5


def test_a_pair_of_hugging_face_datasets():
    train, test = load((hub(), hub(6)))
    assert (len(train), len(test)) == (12, 6)
    assert len(load(DatasetDict(data=hub()))[0]) == 10


def test_pictures_that_hugging_face_left_encoded():
    plain = hub()
    encoded = plain.cast_column("image", HubImage(decode=False))
    assert torch.equal(load((encoded, encoded))[0].inputs, load((plain, plain))[0].inputs)


def test_lists_in_columns_are_features():
    rows = HubDataset.from_dict({"x": [[float(i), 1.0] for i in range(30)], "label": [True, False] * 15})
    train, _ = load(rows)
    assert (train.columns, train.classes) == (("x[0]", "x[1]"), ("False", "True"))


class Pairs(torch.utils.data.Dataset):
    def __init__(self, *pairs):
        self.pairs = pairs

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        return self.pairs[index]


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter([])


ROW = torch.zeros(3)


@pytest.mark.parametrize(
    ("what", "error", "says"),
    [
        (Stream(), errors.CannotLoad, "Stream"),
        (Pairs(), errors.NoSamples, "Pairs"),
        (Pairs(ROW, ROW), errors.LabelsNotClasses, "sample 0 has none"),
        (Pairs((ROW, 0), (ROW, torch.zeros(2))), errors.LabelsNotClasses, "sample 1 has several"),
        (Pairs((ROW, 0), (ROW, {})), errors.LabelsNotClasses, "sample 1 has a dict"),
        (Pairs((ROW, 0), (torch.zeros(4), 1)), errors.ShapesDiffer, "sample 1"),
        (Photos(label=lambda i: i), errors.LabelOutOfRange, "row 2 is 2, but the classes are numbered from 0 to 1"),
        (Photos(label=lambda i: 0), errors.OneClass, "cat"),
        (Photos(transform=lambda i: to_tensor(i) * 2 - 1), errors.PixelsOutOfRange, "Normalize"),
    ],
)
def test_what_is_wrong_is_said(what, error, says):
    with pytest.raises(error, match=says):
        load(what)


def test_numbers_as_tensors_and_words_as_labels():
    train, _ = load(Pairs(*[(torch.rand(3), torch.tensor(i % 2)) for i in range(10)]))
    assert train.classes == ("0", "1")
    train, _ = load(Pairs(*[(torch.rand(3), "ab"[i % 2]) for i in range(10)]))
    assert train.classes == ("a", "b")


def hub(count=12, size=(6, 5), **labels):
    images = [Image.fromarray(RANDOM.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)) for _ in range(count)]
    kinds = Features({"image": HubImage(), "label": ClassLabel(names=["cat", "dog"])})
    return HubDataset.from_dict({"image": images, "label": labels.get("label", [i % 2 for i in range(count)])}, kinds)


def test_a_hugging_face_dataset_of_pictures():
    train, test = load(hub())
    assert train.classes == ("cat", "dog")
    assert train.inputs.shape[1:] == (3, 5, 6)
    assert len(train) + len(test) == 12
    source = hub()
    train, test = load(DatasetDict(train=source, test=hub(4)))
    assert (len(train), len(test)) == (12, 4)
    assert np.array_equal(train.inputs[2].permute(1, 2, 0).numpy(), np.array(source[2]["image"]))
    assert load(hub(), size=4)[0].inputs.shape[2:] == (4, 4)


def test_a_hugging_face_dataset_of_columns():
    kinds = Features({"x": Value("float32"), "word": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    table = HubDataset.from_dict({"x": [1.0, 2, 3, 4] * 3, "word": ["u", "v"] * 6, "label": [0, 1] * 6}, kinds)
    train, _ = load(table)
    assert train.classes == ("no", "yes")
    assert train.columns == ("x", "word=u", "word=v")
    assert load(table, target="word", ignore=["label"])[0].classes == ("u", "v")


def test_what_is_wrong_with_a_hugging_face_dataset_is_said():
    with pytest.raises(errors.LabelOutOfRange, match="row 2 is -1"):
        load(hub(label=[0, 1, -1] * 4))
    with pytest.raises(errors.TargetNeeded, match="x"):
        load(HubDataset.from_dict({"x": [1, 2]}))
    with pytest.raises(errors.NoSuchColumn, match="y"):
        load(HubDataset.from_dict({"x": [1, 2]}), target="y")
    with pytest.raises(errors.NoTrainSplit, match="one, two"):
        load(DatasetDict(one=hub(), two=hub()))
    with pytest.raises(errors.MissingValue, match="row 1"):
        load(HubDataset.from_dict({"x": [1.0, None, 2.0, 3.0], "label": [0, 1, 0, 1]}), test=0.5)
    features = Features(image=HubImage(), label=Value("int64"))
    holed = HubDataset.from_dict({"image": [Image.new("RGB", (4, 4)), None], "label": [0, 1]}, features)
    with pytest.raises(errors.UnreadablePicture, match="sample 1 cannot be read: there is none"):
        load(holed)
    with pytest.raises(errors.CannotLoad, match="IterableDataset"):
        load(IterableDataset.from_generator(lambda: iter([{"x": 1, "label": 0}])))
