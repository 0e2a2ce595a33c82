"""Notebooks on disk: whole or as before, and a clear word where one could not be saved."""

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any
from uuid import uuid4

from jupyter_server.services.contents.filecheckpoints import AsyncFileCheckpoints
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError

from firstlight.lab.keeping import SETTING, Keeper
from firstlight.locale import Text

DISK_FULL = Text(
    what="{name} could not be saved: the disk is full.",
    why="What was saved before is whole and still there; the newest changes are in this page only.",
    do="Make room on the disk of {folder}. This page saves by itself then; do not close it before.",
)
READ_ONLY = Text(
    what="{name} could not be saved: the folder {folder} cannot be written to.",
    why="What was saved before is whole and still there; the newest changes are in this page only.",
    do="Allow writing there, or take a copy to another place: File, Download. Do not close this page before.",
)
FOLDER_GONE = Text(
    what="{name} could not be saved: the folder {folder} is gone.",
    why="It was removed, renamed, or its disk was taken away. The notebook is in this page only.",
    do="Bring the folder back, and this page saves by itself; or take a copy: File, Download. Do not close it before.",
)
LEFT_S = 60.0
TOLD = {
    errno.ENOSPC: DISK_FULL,
    errno.EDQUOT: DISK_FULL,
    errno.EROFS: READ_ONLY,
    errno.EACCES: READ_ONLY,
    errno.EPERM: READ_ONLY,
    errno.ENOENT: FOLDER_GONE,
    errno.ENOTDIR: FOLDER_GONE,
}


class Checkpoints(AsyncFileCheckpoints):  # type: ignore[misc]  # jupyter_server is read without its types
    """The copy to which File, Revert goes back: whole, too."""

    async def _copy(self, src: str, dest: str) -> None:
        with Path(src).open("rb") as source, written_whole(Path(dest), text=False) as file:
            shutil.copyfileobj(source, file)


class Contents(AsyncLargeFileManager):  # type: ignore[misc]  # jupyter_server is read without its types
    """The files of the learner's folder."""

    checkpoints_class = Checkpoints

    @contextmanager
    def atomic_writing(self, os_path: str, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """A file to write to that takes the other's place once it is whole."""
        if self.use_atomic_writing and _may_be_replaced(Path(os_path)):
            with written_whole(Path(os_path), *args, **kwargs) as file:
                yield file
        else:
            with super().atomic_writing(os_path, *args, **kwargs) as file:
                yield file

    async def get(self, path: str, content: bool = True, type: str | None = None, **more: Any) -> Any:  # noqa: A002
        """A file; in a notebook stands also what its cells printed while no page was there."""
        model = await super().get(path, content=content, type=type, **more)
        keeper: Keeper | None = self.parent.web_app.settings.get(SETTING)
        if keeper is not None and model["type"] == "notebook" and content and model["content"]:
            await keeper.add_to(path, model["content"])
        return model

    async def save(self, model: Any, path: str = "") -> Any:
        """Save a file.

        Raises:
            HTTPError: It could not be saved; says why and what to do, in the person's language.
        """
        try:
            found = await super().save(model, path)
        except HTTPError as error:
            folder = Path(self._get_os_path(path)).parent
            text = _told(error, folder)
            if text is None:
                raise
            name = path.rpartition("/")[2]
            raise HTTPError(507 if text is DISK_FULL else 403, text.fill(name=name, folder=folder)) from error
        keeper: Keeper | None = self.parent.web_app.settings.get(SETTING)
        if keeper is not None and model.get("type") == "notebook":
            await keeper.page_saved(path)
        return found


@contextmanager
def written_whole(path: Path, text: bool = True, encoding: str = "utf-8", **_kwargs: Any) -> Iterator[Any]:
    """Write a file beside the old one and put it in its place: at any moment the old one is there, or the new one.

    Jupyter Server copies the old file aside and writes into the file itself: a kill in between leaves half a notebook.
    """
    path = Path(os.path.realpath(path))  # a link stays one
    part = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    _sweep(path)
    try:
        with part.open("w" if text else "wb", encoding=encoding if text else None, newline="\n" if text else None) as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        with suppress(OSError):
            part.chmod(path.stat().st_mode & 0o7777)  # as the old one was
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    with suppress(OSError):  # Windows opens no folders
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _sweep(path: Path) -> None:
    """Take away what a kill in the middle of writing has left."""
    for old in path.parent.glob(f".{escape(path.name)}.????????.part"):
        with suppress(OSError):
            if time.time() - old.stat().st_mtime > LEFT_S:
                old.unlink()


def _may_be_replaced(path: Path) -> bool:
    """Whether a file can be written by replacing it; one that is write-protected, or has other names, cannot."""
    try:
        found = path.stat()
    except OSError:
        return True  # a new one
    return found.st_nlink == 1 and os.access(path, os.W_OK) and os.access(os.path.realpath(path.parent), os.W_OK)


def _told(error: BaseException | None, folder: Path) -> Text | None:
    """What to tell of an error of the disk, however far below it lies."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            text = TOLD.get(error.errno)
            return FOLDER_GONE if text is not None and not folder.is_dir() else text
        error = error.__cause__ or error.__context__
    return None if folder.is_dir() else FOLDER_GONE
