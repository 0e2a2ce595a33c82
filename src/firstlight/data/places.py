"""Where data lies on this machine."""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

import platformdirs


def data_folder() -> Path:
    """The folder for downloads and decoded data: `FIRSTLIGHT_DATA`, else the system's place for a person's caches."""
    if chosen := os.environ.get("FIRSTLIGHT_DATA"):
        return Path(chosen).expanduser()
    return Path(platformdirs.user_cache_path("firstlight", appauthor=False)) / "data"


def own_mirrors() -> list[str]:
    """Addresses or folders that a class or a person prefers: `FIRSTLIGHT_MIRROR`, several separated by spaces."""
    named = os.environ.get("FIRSTLIGHT_MIRROR", "")
    return [named] if named and Path(named).is_dir() else named.split()  # the name of a folder may hold spaces


def roots(dataset: str) -> list[Path]:
    """Folders in which a copy of a dataset may lie: ours first, then where torchvision's examples put theirs."""
    return [data_folder() / dataset, data_folder(), Path("data"), Path()]


def find(dataset: str, *names: str, among: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Files or folders of one of these names in the places where the dataset may lie, in order of preference."""
    for root in [*roots(dataset), *among]:
        for name in names:
            path = root / name
            if path.exists():
                yield path.absolute()


def nearest_path(path: Path) -> Path | None:
    """What lies beside a path that leads nowhere and is called nearly the same, if anything does.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "photos").mkdir()
        >>> nearest_path(folder / "fotos" / "cat").name
        'photos'
    """
    while not path.parent.is_dir():  # in photos/cat/1.jpg it may be the first name that is wrong
        if path.parent == path:
            return None
        path = path.parent
    try:
        beside = {one.name.lower(): one.name for one in path.parent.iterdir() if not one.name.startswith(".")}
    except OSError:  # a folder that may not be read
        return None
    near = difflib.get_close_matches(path.name.lower(), beside, n=1, cutoff=0.6)
    return path.parent / beside[near[0]] if near else None
