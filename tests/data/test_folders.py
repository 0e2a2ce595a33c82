"""Folders of pictures."""

import os

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from firstlight.data import errors, load, read_picture
from tests.data import makers


def photo(path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 5), "blue").save(path, **options)


def test_a_folder_per_class(tmp_path):
    makers.photos(tmp_path / "pets", {"cat": 6, "dog": 4})
    train, test = load(tmp_path / "pets", test=0.5)
    assert train.classes == ("cat", "dog")
    assert train.name == "pets"
    assert tuple(train.inputs.shape[1:]) == (3, 10, 12)
    assert torch.bincount(train.labels).tolist() == torch.bincount(test.labels).tolist() == [3, 2]
    assert train.inputs[train.labels == 0].max() < 40 <= train.inputs[train.labels == 1].min()
    assert str(tmp_path) in train.card.place


@pytest.mark.parametrize("name", ["test", "val", "Validation"])
def test_train_and_test_folders(tmp_path, name):
    makers.photos(tmp_path / "train", {"ant": 3, "bee": 3, "cow": 2})
    makers.photos(tmp_path / name, {"bee": 2})
    train, test = load(str(tmp_path))
    assert (len(train), len(test)) == (8, 2)
    assert set(test.labels.tolist()) == {1}


def test_only_train_below(tmp_path):
    makers.photos(tmp_path / "train", {"a": 4, "b": 4})
    assert load(tmp_path)[0].classes == ("a", "b")


def test_grey_pictures_stay_grey(tmp_path):
    makers.photos(tmp_path, {"a": 3, "b": 3}, mode="L")
    assert load(tmp_path)[0].inputs.shape[1] == 1
    makers.photos(tmp_path, {"c": 2})
    assert load(tmp_path)[0].inputs.shape[1] == 3


def test_hidden_files_and_other_files_are_left_out(tmp_path):
    makers.photos(tmp_path, {"a": 3, "b": 3})
    (tmp_path / "a" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "a" / "._0.png").write_bytes(b"x")
    (tmp_path / "a" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "b" / "notes.txt").write_text("x")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "b" / "more").mkdir()
    Image.new("RGB", (12, 10)).save(tmp_path / "b" / "more" / "deep.PNG")
    train, test = load(tmp_path)
    assert train.classes == ("a", "b")
    assert len(train) + len(test) == 7


def test_mixed_sizes(tmp_path):
    makers.photos(tmp_path, {"a": 3})
    makers.photos(tmp_path, {"b": 3}, size=(30, 20))
    with pytest.raises(errors.MixedSizes, match=r"a.0\.png is 10 × 12, .*b.0\.png is 20 × 30"):
        load(tmp_path)
    assert load(tmp_path, size=16)[0].inputs.shape[2:] == (16, 16)
    assert load(tmp_path, size=(8, 9))[0].inputs.shape[2:] == (8, 9)


def test_photos_are_turned_upright(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(2):
            pixels = np.zeros((16, 32, 3), np.uint8)
            pixels[:, :16] = 255  # left half white; turned by a quarter it is on top
            exif = Image.Exif()
            exif[0x0112] = 6
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.jpg", exif=exif, quality=95)
    train, _ = load(tmp_path, test=0.5)
    assert train.inputs.shape[2:] == (32, 16)
    assert train.inputs[0, :, :12].min() > 200
    assert train.inputs[0, :, 20:].max() < 50


def test_empty_class(tmp_path):
    makers.photos(tmp_path, {"a": 3, "b": 3})
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "notes.txt").write_text("x")
    with pytest.raises(errors.EmptyClass, match="cat"):
        load(tmp_path)


def test_no_class_folders(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "x.png")
    with pytest.raises(errors.NoClassFolders, match="no class folders"):
        load(tmp_path)


def test_one_class_only(tmp_path):
    makers.photos(tmp_path, {"a": 5})
    with pytest.raises(errors.OneClass, match="same label: a"):
        load(tmp_path)


def test_a_test_class_without_training(tmp_path):
    makers.photos(tmp_path / "train", {"a": 3, "b": 3})
    makers.photos(tmp_path / "test", {"a": 3, "c": 3})
    with pytest.raises(errors.ClassesDiffer, match="“c”"):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a picture", "cut"])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_an_unreadable_picture_is_left_out_and_named(tmp_path, content, suffix, capsys):
    makers.photos(tmp_path, {"a": 3, "b": 3}, suffix=suffix, size=(64, 64))
    path = tmp_path / "b" / f"1{suffix}"
    path.write_bytes(path.read_bytes()[:600] if content == "cut" else content)
    train, test = load(tmp_path, test=0.4)
    assert sorted(train.labels.tolist() + test.labels.tolist()) == [0, 0, 0, 1, 1]
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("1 of 6 pictures are left out.")
    assert f"1{suffix} cannot be read" in said


def test_what_is_left_out_is_told_again_where_pictures_are_kept(tmp_path, capsys):
    makers.photos(tmp_path / "train", {"a": 120, "b": 120})
    makers.photos(tmp_path / "test", {"a": 4, "b": 4})
    whole, rest = load(tmp_path)
    for bad in ("train/a/7.png", "train/b/9.png", "test/b/0.png"):
        (tmp_path / bad).write_bytes(b"no")
    assert capsys.readouterr().err == ""
    for _time in range(2):
        train, test = load(tmp_path)
        assert (torch.bincount(train.labels).tolist(), torch.bincount(test.labels).tolist()) == ([119, 119], [4, 3])
        kept = [index for index in range(240) if index not in (_place(whole, "a", "7"), _place(whole, "b", "9") + 120)]
        assert torch.equal(train.inputs, whole.inputs[kept])
        assert torch.equal(test.inputs, rest.inputs[[0, 1, 2, 3, 5, 6, 7]])
        assert capsys.readouterr().err.startswith("3 of 248 pictures are left out. The first:")


def _place(dataset, kind: str, name: str) -> int:
    """Where a file stands among those of its class, which are sorted by name."""
    count = int((dataset.labels == dataset.classes.index(kind)).sum())
    return sorted(str(index) + ".png" for index in range(count)).index(f"{name}.png")


@pytest.mark.parametrize("bad", ["everything", "a class", "the test split"])
def test_where_nothing_is_left_the_reason_is_told(tmp_path, bad):
    makers.photos(tmp_path / "train", {"a": 3, "b": 3})
    makers.photos(tmp_path / "test", {"a": 2, "b": 2})
    for path in tmp_path.rglob("*.png"):
        split, kind = path.parts[-3:-1]
        if bad == "everything" or (bad == "a class" and (split, kind) == ("train", "b")) or bad == f"the {split} split":
            path.write_bytes(b"")
    with pytest.raises(errors.UnreadablePicture, match=r"0\.png cannot be read"):
        load(tmp_path)


def test_a_decompression_bomb_is_left_out_before_it_is_decoded(tmp_path, capsys):
    makers.photos(tmp_path, {"a": 3, "b": 3})
    # 12,000 × 12,000 zeros pack into some 20 kB.
    Image.new("1", (12_000, 12_000)).save(tmp_path / "b" / "bomb.png")
    assert sum(map(len, load(tmp_path, size=8))) == 6
    assert "bomb.png has 12000 × 12000" in capsys.readouterr().err
    with pytest.raises(errors.PictureTooLarge, match=r"bomb\.png has 12000 × 12000"):
        read_picture(tmp_path / "b" / "bomb.png", like=load(tmp_path, size=8)[0])


def test_phone_photos_that_are_not_read(tmp_path, capsys):
    makers.photos(tmp_path, {"a": 3, "b": 3})
    for index in (1, 2):
        (tmp_path / "a" / f"IMG_{index}.HEIC").write_bytes(b"x")
    assert sum(map(len, load(tmp_path))) == 6
    said = capsys.readouterr().err
    assert said.startswith("2 of 8 pictures are left out.")
    assert "IMG_1.HEIC is in the format .heic" in said


def test_too_much_for_the_memory(tmp_path):
    makers.photos(tmp_path, {"a": 3, "b": 3})
    with pytest.raises(errors.TooLargeForMemory, match="6 pictures would take"):
        load(tmp_path, size=65_000 * 1)


def test_many_pictures_are_kept_decoded_and_a_change_is_noticed(tmp_path):
    makers.photos(tmp_path, {"a": 150, "b": 150})
    first, _ = load(tmp_path)
    path = tmp_path / "a" / "0.png"
    whole, facts = path.read_bytes(), path.stat()
    path.write_bytes(b"x" * len(whole))  # broken, but with its size and time as before: nobody reads it again
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    again, _ = load(tmp_path)
    assert torch.equal(first.inputs, again.inputs)
    Image.new("RGB", (12, 10), "white").save(tmp_path / "a" / "0.png")
    changed, rest = load(tmp_path)
    assert 255 in torch.cat([changed.inputs, rest.inputs]).amax((1, 2, 3)).tolist()


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", ".hidden", "日本", "train", "c d"]),
        st.lists(st.sampled_from(["1.png", "2.png", "x.txt", ".png", "bad.jpg", "3.PNG"]), unique=True, max_size=4),
        max_size=4,
    )
)
def test_any_folder_is_loaded_whole_or_refused_in_words(tmp_path_factory, folders):
    root = tmp_path_factory.mktemp("any")
    for name, files in folders.items():
        (root / name).mkdir()
        for file in files:
            if file.lower().endswith("png") and file != ".png":
                Image.new("L", (3, 2)).save(root / name / file, "PNG")
            else:
                (root / name / file).write_bytes(b"x")
    try:
        train, test = load(root)
    except errors.DataError as error:
        makers.check_words(error)
        return
    wanted = sum(f.lower().endswith("png") and f != ".png" for n, fs in folders.items() if n[0] != "." for f in fs)
    assert len(train) + len(test) == wanted


def test_a_misspelled_folder_beside_its_right_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    makers.photos(tmp_path / "holiday photos", {"cats": 3, "dogs": 3})
    makers.photos(tmp_path / "cifar9", {"cats": 3, "dogs": 3})
    for wrong in ("holiday_photos", "Holiday Fotos"):
        with pytest.raises(errors.UnknownDataset, match="Did you mean “holiday photos”"):
            load(wrong)
    with pytest.raises(errors.UnknownDataset, match="Did you mean “cifar100”"):
        load("cifar1000")
    for wrong in ("holiday photo/", "./holidayphotos", "holidays photos/cats"):
        with pytest.raises(errors.MisspelledPath, match=r"Did you mean .*holiday photos"):
            load(wrong)
    picture = tmp_path / "holiday photos" / "cats" / "0.pn"
    with pytest.raises(errors.MisspelledPath, match=r"Did you mean .*0\.png") as caught:
        read_picture(picture, like=load("holiday photos")[0])
    assert "load()" not in str(caught.value)
    assert isinstance(caught.value, FileNotFoundError)
    with pytest.raises(errors.NothingThere) as caught:
        load("nothing/like/that.csv")
    assert not isinstance(caught.value, errors.MisspelledPath)


def test_names_and_paths_that_lead_nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.UnknownDataset, match="Did you mean “cifar10”"):
        load("cifar-10")
    with pytest.raises(errors.UnknownDataset, match="fashion_mnist"):
        load("fashion")
    for path in ("photos/cats", "table.csv", tmp_path / "nothing"):
        with pytest.raises(errors.NothingThere, match="There is no file or folder"):
            load(path)
    (tmp_path / "x.pdf").write_text("x")
    with pytest.raises(errors.UnknownFile, match=r"x\.pdf"):
        load("x.pdf")


def test_npz(tmp_path):
    x, y = np.zeros((10, 4, 4), np.uint8), np.arange(10) % 2
    np.savez(tmp_path / "keras.npz", x_train=x, y_train=y, x_test=x[:4], y_test=y[:4])
    np.savez(tmp_path / "own.npz", X=x, y=y)
    np.savez(tmp_path / "other.npz", z=x)
    np.savez(tmp_path / "objects.npz", X=np.array([{}], dtype=object), y=y)
    assert [len(part) for part in load(tmp_path / "keras.npz")] == [10, 4]
    assert [len(part) for part in load(tmp_path / "own.npz")] == [8, 2]
    (tmp_path / "broken.npz").write_bytes((tmp_path / "own.npz").read_bytes()[:100])
    for name in ("objects", "broken"):
        with pytest.raises(errors.DamagedFile, match=name):
            load(tmp_path / f"{name}.npz")
    with pytest.raises(errors.UnknownArrays, match="holds the arrays z"):
        load(tmp_path / "other.npz")


def test_an_archive_unpacked_into_a_folder_of_its_own_is_found(tmp_path):
    for name in ("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"):
        photo(tmp_path / "pets" / "pets" / name)
    assert load(tmp_path)[0].classes == ("cat", "dog")
    for name in ("cat/1.png", "dog/1.png", "dog/2.png"):
        for split in ("Training", "testing"):
            photo(tmp_path / "zip" / "more" / split / name)
    train, test = load(tmp_path / "zip")
    assert (train.classes, len(train), len(test)) == (("cat", "dog"), 3, 3)


def test_folders_below_one_class_are_no_classes(tmp_path):
    for name in ("cat/1.png", "cat/young/1.png", "cat/old/1.png"):
        photo(tmp_path / name)
    with pytest.raises(errors.OneClass, match="cat"):
        load(tmp_path)


def test_what_a_phone_or_browser_calls_a_jpeg_is_read(tmp_path):
    for name in ("a/1.jfif", "a/2.JPE", "b/1.JPG", "b/2.jpeg"):
        photo(tmp_path / name, format="JPEG")
    assert [len(part) for part in load(tmp_path, test=0.5)] == [2, 2]


def test_an_option_without_use_is_an_error(tmp_path):
    photo(tmp_path / "a" / "1.png")
    with pytest.raises(errors.OptionNotUsed, match="classes= cannot be used with a folder of pictures"):
        load(tmp_path, classes=["x", "y"])
    x, y = np.zeros((4, 2)), [0, 1, 0, 1]
    for what in ((x, y), ((x, y), (x, y))):
        with pytest.raises(errors.OptionNotUsed, match="target= cannot be used with arrays"):
            load(what, target="y")
    with pytest.raises(errors.OptionNotUsed, match="target= cannot be used with a dataset of the catalogue"):
        load("fashion_mnist_small", target="y")


def test_nothing_is_no_path():
    with pytest.raises(errors.UnknownDataset):
        load("")
