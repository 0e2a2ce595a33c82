"""Notebooks on disk: whole or as before, and a clear word where one could not be saved."""

import errno
import hashlib
import os
import shutil
import stat
import sys
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

from firstlight.files import gone_if_it_fails, keep_names
from firstlight.lab.keeping import SETTING, Keeper, with_names
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
HELD = {errno.EBUSY, errno.EXDEV, errno.EPERM, errno.EACCES}  # a file mounted into a container, another's in a /tmp
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

    async def create_checkpoint(self, contents_mgr: Any, path: str) -> Any:
        """Take the copy; who may not read the file may not read its copy either."""
        src, dest = contents_mgr._get_os_path(path), self.checkpoint_path("checkpoint", path)
        await self._copy(src, dest, like=Path(src))
        return await self.checkpoint_model("checkpoint", dest)

    async def _copy(self, src: str, dest: str, like: Path | None = None) -> None:
        room = os.access(Path(dest).parent, os.W_OK) if like else _has_room_beside(Path(dest))
        if not room:
            await super()._copy(src, dest)
            return
        with Path(src).open("rb") as source, written_whole(Path(dest), text=False, like=like) as file:
            shutil.copyfileobj(source, file)


class Contents(AsyncLargeFileManager):  # type: ignore[misc]  # jupyter_server is read without its types
    """The files of the learner's folder."""

    checkpoints_class = Checkpoints

    @contextmanager
    def atomic_writing(self, os_path: str, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """A file to write to that takes the other's place once it is whole."""
        if self.use_atomic_writing and _has_room_beside(Path(os_path)):
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
            with_names(model["content"])
            await keeper.add_to(path, model["content"])
        return model

    async def save(self, model: Any, path: str = "") -> Any:
        """Save a file.

        Raises:
            HTTPError: It could not be saved; says why and what to do, in the person's language.
        """
        at = time.time()
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
            await keeper.page_saved(path, model["content"], at)
        return found


@contextmanager
def written_whole(
    path: Path, text: bool = True, encoding: str = "utf-8", like: Path | None = None, **_kwargs: Any
) -> Iterator[Any]:
    """Write a file beside the old one and put it in its place: at any moment the old one is there, or the new one.

    Jupyter Server copies the old file aside and writes into the file itself: a kill in between leaves half a notebook.
    It keeps the file's owner and its other names (hard links) so, and we keep them as well: the new file is given the
    old one's rights before it takes the place. Where that is not allowed, or there are other names, its bytes are
    written into the old file, and the new one stays beside it until they are there.

    Args:
        path: The file.
        text: Whether text is written, not bytes.
        encoding: Of the text.
        like: The file whose owner, group, mode and access list it gets; else the old one.
    """
    path = Path(os.path.realpath(path))  # a link stays one
    part = path.with_name(f"{_prefix(path)}{uuid4().hex[:8]}.part")
    like = like or path
    _sweep(path, than=path)
    with gone_if_it_fails(part):
        part.touch(mode=0o600 if like.exists() else 0o666)  # while it is written, nobody reads it who could not before
        with part.open("w" if text else "wb", encoding=encoding if text else None, newline="\n" if text else None) as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        replaced = _replace(path, part, like)
    if not replaced:
        _write_over(path, part)
    keep_names(path.parent)
    _sweep(path)


def _prefix(path: Path) -> str:
    """How the names of files begin that lie beside one while it is written: no longer than a name may be."""
    name = path.name if len(os.fsencode(path.name)) < 200 else hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return f".{name}."


def _sweep(path: Path, than: Path | None = None) -> None:
    """Take away what a kill in the middle of writing has left.

    Args:
        path: The file that was written.
        than: Only what is newer than this: what is older may hold what a kill has torn in the file itself.
    """
    for old in path.parent.glob(f"{escape(_prefix(path))}????????.part"):
        with suppress(OSError):
            written = old.stat().st_mtime
            if time.time() - written > LEFT_S and (than is None or written > than.stat().st_mtime):
                old.unlink()


def _has_room_beside(path: Path) -> bool:
    """Whether a file may be written to, and another one made beside it; where not, Jupyter Server's own way is left."""
    path = Path(os.path.realpath(path))
    return not path.exists() or (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def _replace(path: Path, part: Path, like: Path) -> bool:
    """Put `part` in the place of the old file. False where more than the bytes would change by that."""
    there, alike = path.exists(), not like.exists() or _make_alike(part, like)
    if there and (not alike or path.stat().st_nlink > 1):
        return False
    try:
        part.replace(path)
    except OSError as error:
        if there and error.errno in HELD:
            return False
        raise
    return True


def _make_alike(part: Path, like: Path) -> bool:
    """Give a file the owner, group, access list and mode of another one; whether it has them all now."""
    want = like.stat()
    for owner in (want.st_uid, -1):  # who may not give a file away may still give it to a group of their own
        have = part.stat()
        if (have.st_uid, have.st_gid) != (want.st_uid, want.st_gid):
            with suppress(OSError):
                os.chown(part, owner, want.st_gid)
    if part.stat().st_gid == want.st_gid:  # else its mode would let another group in
        with suppress(OSError):
            _copy_attributes(part, like)
            if part.stat().st_mode != want.st_mode:  # the last: another owner, and an access list, change bits of it
                part.chmod(stat.S_IMODE(want.st_mode))
    have = part.stat()  # asked for: some file systems take an owner without a word and do not keep it
    same = (have.st_uid, have.st_gid, have.st_mode) == (want.st_uid, want.st_gid, want.st_mode)
    return same and _attributes(part) == _attributes(like)


def _copy_attributes(part: Path, like: Path) -> None:
    if sys.platform != "linux":
        return
    wanted, had = _attributes(like), _attributes(part)
    for name in had.keys() - wanted.keys():  # of the folder's own list for new files
        os.removexattr(part, name)
    for name, value in wanted.items():
        if had.get(name) != value:
            os.setxattr(part, name, value)


def _attributes(path: Path) -> dict[str, bytes]:
    """The access list of a file and what its owner has noted on it. Python reads them on Linux only."""
    if sys.platform != "linux":
        return {}
    try:
        names = [name for name in os.listxattr(path) if name.startswith("user.") or "acl" in name]
        return {name: os.getxattr(path, name) for name in names}
    except OSError:  # a file system without them
        return {}


def _write_over(path: Path, part: Path) -> None:
    """Write the bytes of `part` into the file itself. An error puts the old ones back; a kill leaves `part` there."""
    whole = True  # the file itself, old or new
    try:
        with path.open("r+b", buffering=0) as file:
            old, new = file.read(), part.read_bytes()
            whole = False
            try:
                _fill(file, new[len(old) :], len(old))  # a disk that is full says so here, before an old byte is lost
                _fill(file, new[: len(old)], 0)
                file.truncate(len(new))
                os.fsync(file.fileno())
            except BaseException:
                _fill(file, old, 0)
                file.truncate(len(old))
                whole = True
                raise
            whole = True
    finally:
        if whole:
            part.unlink()


def _fill(file: Any, content: bytes, start: int) -> None:
    file.seek(start)
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]


def _told(error: BaseException | None, folder: Path) -> Text | None:
    """What to tell of an error of the disk, however far below it lies."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            text = TOLD.get(error.errno)
            return FOLDER_GONE if text is not None and not folder.is_dir() else text
        error = error.__cause__ or error.__context__
    return None if folder.is_dir() else FOLDER_GONE
