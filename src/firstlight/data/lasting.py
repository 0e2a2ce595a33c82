"""Files that are put in place so that a power cut finds them whole, or not there."""

import contextlib
import os
from pathlib import Path


def put(new: Path, path: Path) -> None:
    """Move a file, or a folder of files, to its place once its bytes are on the disk.

    A file system may note the new name before the bytes: after a power cut, the name would stand for other ones.

    Args:
        new: What was written, in the folder of its place.
        path: The place. A file there is replaced; a folder must be gone or empty.
    """
    for file in new.iterdir() if new.is_dir() else (new,):
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())
    if new.is_dir():
        _keep_names(new)
    new.replace(path)
    _keep_names(path.parent)


def _keep_names(folder: Path) -> None:
    with contextlib.suppress(OSError):  # Windows opens no folders, and some file systems cannot be asked for this
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
