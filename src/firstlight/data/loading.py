"""`load`: one way to data of every kind."""

import difflib
import lzma
import os
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from firstlight.data import sets
from firstlight.data.card import Card
from firstlight.data.dataset import Dataset, check_share
from firstlight.data.errors import (
    CannotLoad,
    DamagedFile,
    DataError,
    OptionNotUsed,
    UnknownArrays,
    UnknownDataset,
    UnknownFile,
)
from firstlight.data.folders import load_folder
from firstlight.data.libraries import is_hugging_face, is_torch, load_hugging_face, load_torch
from firstlight.data.pictures import nothing_there
from firstlight.data.places import nearest_path
from firstlight.data.preprocess import PreparePictures
from firstlight.data.samples import finish, pair, resize, splits
from firstlight.data.tables import Table, load_tables, read_csv, read_frame
from firstlight.locale import _
from firstlight.locale.units import size as size_of

_LARGE, _MOST_PACKED = 512 << 20, 200  # bytes in memory; how many times smaller, packed: real data are not so empty
_MOST_NAMES = 50  # of arrays that an error lists
# What NumPy and zipfile say of damaged headers and packing, of passwords, and of packing that they do not know.
_DAMAGED = (
    *(ValueError, OSError, EOFError, KeyError, TypeError, AttributeError, SyntaxError, RuntimeError, MemoryError),
    *(OverflowError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, tokenize.TokenError),
)


def load(
    what: Any,
    *,
    target: str | None = None,
    size: int | tuple[int, int] | None = None,
    test: float = 0.2,
    seed: int = 0,
    progress: bool = True,
    classes: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
) -> tuple[Dataset, Dataset]:
    """Load a dataset, as two splits: one to train with, one to test with.

    Args:
        what: A name of the catalogue ("fashion_mnist_small", "fashion_mnist", "mnist", "cifar10", "cifar100",
            "arithmetic"); a path to a folder with one folder of pictures per class (with or without `train/`, `test/`
            above), to a CSV file or an `.npz` file; `(X, y)` with arrays, tensors or lists, or
            `((X_train, y_train), (X_test, y_test))`; a pandas DataFrame; a torch dataset such as torchvision's; a
            Hugging Face dataset; or a pair of two of the same kind, to train and to test with.
        target: For tables: the column that holds the class.
        size: For pictures: bring them to this (height, width), or to a square of this side.
        test: Share of the samples to split off for testing, where the source has no test split. Each class is split in
            the same proportion.
        seed: Which samples are split off (and, for "arithmetic", which expressions there are).
        progress: Show how far a download or a long reading is.
        classes: The names of the classes, where labels are plain numbers.
        ignore: For tables: columns to leave out.

    Returns:
        Two datasets with the same classes and the same `preprocess`.

    Raises:
        DataError: The data cannot be used; the error names the file, row or column. Its sub-classes say what is wrong.

    Example:
        >>> train, test = load("fashion_mnist_small")
        >>> len(train), len(test), tuple(train.inputs.shape)
        (10000, 2000, (10000, 1, 28, 28))
        >>> import torch
        >>> train, test = load((torch.rand(50, 4), torch.arange(50) % 3))
        >>> train
        arrays (train): 41 rows of 4 features, 3 classes: 0, 1, 2
    """
    check_share(test, "N")
    target = None if target is None else str(target)  # as the names of columns, which may be numbers in a DataFrame
    ignore = [ignore] if isinstance(ignore, str) else [str(column) for column in ignore]
    options: dict[str, Any] = {"share": test, "seed": seed}
    if isinstance(what, (str, os.PathLike)):
        if isinstance(what, str) and what in sets.names():
            _refuse(_("a dataset of the catalogue"), target=target, classes=classes, ignore=ignore)
            return _from_catalogue(what, size, seed, progress)
        path = _existing(what)
        if path.is_dir() and not (path / "train.csv").is_file():
            _refuse(_("a folder of pictures"), target=target, classes=classes, ignore=ignore)
            return load_folder(path, size=size, progress=progress, **options)
        if path.suffix.lower() == ".npz":
            _refuse(_("arrays"), target=target, ignore=ignore)
            return _from_npz(path, size=size, classes=classes, **options)
    table = _tables(what)
    if table is not None:
        _refuse(_("a table"), size=size)
        first, second, name = table
        return load_tables(
            first, second, target=target, ignore=ignore, classes=classes, name=name, card=Card(name=name), **options
        )
    if _is_pair(what) and all(is_hugging_face(part) for part in what):
        what = {"train": what[0], "test": what[1]}
    if is_hugging_face(what) or (isinstance(what, dict) and is_hugging_face(what.get("train"))):
        return load_hugging_face(
            what, target=target, ignore=ignore, size=size, classes=classes, progress=progress, **options
        )
    first, second = what if _is_pair(what) and is_torch(what[0]) else (what, None)
    whole, other = _ours(first), _ours(second)
    if isinstance(whole, Dataset):
        _refuse(_("a dataset of firstlight"), target=target, size=size, classes=classes, ignore=ignore)
        if not isinstance(other, Dataset):
            whole, other = whole.split_off(test, seed)
            whole.split, other.split = "train", "test"
        return whole, other
    if is_torch(first):
        _refuse(_("a torch dataset"), target=target, ignore=ignore)
        return load_torch(first, second, size=size, classes=classes, progress=progress, **options)
    if _is_pair(what):
        _refuse(_("arrays"), target=target, ignore=ignore)
    if _is_pair(what) and all(isinstance(part, tuple) and len(part) == 2 for part in what):
        return splits(what[0], what[1], name="arrays", classes=classes, size=size, **options)
    if _is_pair(what) and all(hasattr(part, "__len__") and not isinstance(part, (str, dict)) for part in what):
        return splits((what[0], what[1]), None, name="arrays", classes=classes, size=size, **options)
    raise CannotLoad(kind=type(what).__name__)


def _refuse(source: str, **given: Any) -> None:
    """An option that would be passed over in silence is an error."""
    for option, value in given.items():
        if value is not None and value != []:
            raise OptionNotUsed(option=option, source=source)


def _ours(what: Any) -> Any:
    """A part that torch took of one of our datasets (`random_split`, `Subset`) as a dataset of ours."""
    if isinstance(what, torch.utils.data.Subset) and isinstance(whole := _ours(what.dataset), Dataset):
        return whole.subset(list(what.indices))
    return what


def _from_catalogue(name: str, size: Any, seed: int, progress: bool) -> tuple[Dataset, Dataset]:
    found = sets.entry(name)
    parts = {split: found.samples(split, seed=seed, progress=progress) for split in ("train", "test")}
    inputs = {split: part.inputs for split, part in parts.items()}
    known, pixels = parts["train"].statistics, inputs["train"]
    prepare = None
    if known is not None and size is None and not isinstance(pixels, list):
        prepare = PreparePictures(*known, size=(pixels.shape[2], pixels.shape[3]))
    if size is not None:
        wanted = pair(size)
        inputs = {split: x if isinstance(x, list) else resize(x, wanted) for split, x in inputs.items()}
    card = Card(**{**vars(found.card), "place": parts["train"].place})
    return finish(
        (inputs["train"], parts["train"].labels),
        (inputs["test"], parts["test"].labels),
        found.classes,
        name=name,
        card=card,
        preprocess=prepare,
    )


def _existing(what: str | os.PathLike[str]) -> Path:
    """The path, if something is there; else the error that fits what the person seems to have meant."""
    path = Path(what).expanduser()
    if path.exists() and str(what).strip():
        if not path.is_file() and not path.is_dir():  # a device or a pipe would be read for ever
            raise UnknownFile(path=path)
        return path
    text = str(what)
    if isinstance(what, os.PathLike) or path.suffix or "/" in text or "\\" in text:
        raise nothing_there(path)
    beside = nearest_path(path)
    names = sets.names() if beside is None or not text.strip() else [*sets.names(), beside.name]
    near = difflib.get_close_matches(text.lower().replace("-", "_"), names, n=1, cutoff=0.0)
    raise UnknownDataset(name=text, nearest=near[0], names=", ".join(sets.names()))


def _tables(what: Any) -> tuple[Table, Table | None, str] | None:
    """One or two tables, if that is what was given: CSV files, DataFrames, or a folder with train.csv and test.csv."""
    both = tuple(what) if _is_pair(what) else (what,)
    if all(_is_frame(part) for part in both):
        tables, name = [read_frame(part) for part in both], "DataFrame"
    elif all(isinstance(part, (str, os.PathLike)) for part in both):
        paths = [_existing(part) for part in both]
        name = paths[0].stem
        if paths[0].is_dir():
            name, folder = paths[0].name, paths[0]
            paths = [folder / file for file in ("train.csv", "test.csv") if (folder / file).is_file()]
        for path in paths:
            if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
                raise UnknownFile(path=path)
        tables = [read_csv(path) for path in paths]
    else:
        return None
    return tables[0], tables[1] if len(tables) == 2 else None, name


def _is_pair(what: Any) -> bool:
    return isinstance(what, (tuple, list)) and len(what) == 2


def _is_frame(what: Any) -> bool:
    return type(what).__module__.split(".")[0] == "pandas" and hasattr(what, "columns")


def _from_npz(path: Path, **options: Any) -> tuple[Dataset, Dataset]:
    """NumPy's archive of arrays: `x_train, y_train, x_test, y_test` as Keras writes them, or `X, y`."""
    parts = _arrays(path, ("x_train", "y_train", "x_test", "y_test"), ("x", "y"))
    test = (parts[2], parts[3]) if len(parts) == 4 else None
    card = Card(name=path.stem, place=str(path.absolute()))
    return splits((parts[0], parts[1]), test, name=path.stem, card=card, **options)


def _arrays(path: Path, *wanted: tuple[str, ...]) -> list[Any]:
    """The arrays of the first of these groups of names that an archive has, and no others."""
    try:
        # No pickles: one in there could run any program.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            members = {name.lower(): name for name in getattr(archive, "files", ())}
            names = next((names for names in wanted if all(name in members for name in names)), None)
            if names is None:
                raise UnknownArrays(path=path, names=", ".join(list(members)[:_MOST_NAMES]) or "–")
            _check_size(path, archive.zip, {f"{members[name]}.npy" for name in names})
            return [_only_array(archive[members[name]]) for name in names]
    except DataError:
        raise
    # Of a damaged archive, of one with a password, or packed in a way that is not known here; of a damaged header.
    except (
        ValueError,
        OSError,
        EOFError,
        KeyError,
        TypeError,
        AttributeError,
        SyntaxError,
        zipfile.BadZipFile,
    ) as error:
        raise DamagedFile(path=path, reason=str(error)) from error
    except (zlib.error, lzma.LZMAError, tokenize.TokenError, RuntimeError, MemoryError, OverflowError) as error:
        raise DamagedFile(path=path, reason=str(error) or type(error).__name__) from error


def _only_array(found: Any) -> Any:
    """What is no array, NumPy gives as bytes."""
    if not isinstance(found, np.ndarray):
        raise ValueError(type(found).__name__)
    return found


def _check_size(path: Path, archive: zipfile.ZipFile, members: set[str]) -> None:
    """Refuse what would fill the memory: a few megabytes may stand for a thousand times as many."""
    needed = sum(one.file_size for one in archive.infolist() if one.filename in members)
    packed = sum(one.compress_size for one in archive.infolist() if one.filename in members)
    if needed > 0.8 * psutil.virtual_memory().available or (needed > _LARGE and needed > _MOST_PACKED * packed):
        raise DamagedFile(path=path, reason=f"{size_of(packed)} → {size_of(needed)}")
