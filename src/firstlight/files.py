"""Files that are whole: for those who read them meanwhile, after a write that failed, and after a power cut."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def gone_if_it_fails(path: Path) -> Iterator[None]:
    """A block that writes this file: on any error, Ctrl-C included, nothing is left of it.

    On a full disk each try would leave another half file, and take the room that a person makes.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "file")
        >>> with contextlib.suppress(OSError), gone_if_it_fails(path):
        ...     _ = path.write_text("half")
        ...     raise OSError("No space left on device")
        >>> path.exists()
        False
    """
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def write_whole(path: Path, content: bytes, mode: int = 0o666) -> None:
    """Write a file: whoever reads it finds the old content or the new, and nothing between.

    Args:
        path: The file, in a folder that is there.
        content: All of it.
        mode: Who may read it, as in `os.open`.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with gone_if_it_fails(part):
        part.touch(mode=mode, exist_ok=False)
        part.write_bytes(content)
        put(part, path)


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
        keep_names(new)
    new.replace(path)
    keep_names(path.parent)


def keep_names(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where that can be asked for: on Windows it cannot."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
