"""Fetching files so that they are right: mirrors in order, resumed, checked, and put in place only when whole."""

import contextlib
import email.utils
import errno
import hashlib
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import filelock
import requests
import urllib3

from firstlight.data.card import Download
from firstlight.data.errors import CannotWrite, DataError, DiskFull, DownloadFailed, Offline
from firstlight.data.places import data_folder, own_mirrors
from firstlight.data.progress import Progress, note
from firstlight.files import put
from firstlight.locale import _
from firstlight.locale.units import size

BLOCK = 1 << 18


@dataclass(frozen=True)
class Patience:
    """How long to wait for what.

    Attributes:
        connect_s: For an answer to the first knock.
        stall_s: For the next byte.
        longest_wait_s: When a busy server asks us to come back later than this, the next mirror is asked.
        tries: Attempts on one mirror that bring nothing new.
        pause_s: Before another attempt; doubled each time.
        slow_bytes_per_s: Below this, after `slow_after_s`, another mirror is tried while there is one...
        slow_left_s: ...unless no more than this is left to wait.
    """

    connect_s: float = 10
    stall_s: float = 30
    longest_wait_s: float = 60
    tries: int = 3
    pause_s: float = 0.5
    slow_bytes_per_s: float = 150_000
    slow_after_s: float = 15
    slow_left_s: float = 60


class _NextMirrorError(Exception):
    """This mirror will not give the file; the text says why."""

    def __init__(self, reason: str, *, reached: bool = True) -> None:
        super().__init__(reason)
        self.reached = reached  # some server answered: the machine is not offline


class _AgainError(Exception):
    """Worth another attempt at the same mirror, after a pause."""

    def __init__(self, reason: str, *, wait_s: float | None = None, reached: bool = True) -> None:
        super().__init__(reason)
        self.wait_s = wait_s
        self.reached = reached


def fetch(file: Download, dataset: str, *, progress: bool = True, patience: Patience | None = None) -> Path:
    """The file, from the data folder where it is, else from the first mirror that gives it.

    An interrupted download leaves `NAME.part` and goes on from there next time, also from another mirror. Two processes
    that want the same file fetch it once.

    Args:
        file: What to fetch.
        dataset: The folder below the data folder (and below a mirror of one's own) where it belongs.
        progress: Show how far it is.
        patience: How long to wait for what.

    Raises:
        Offline: No mirror could be reached.
        DownloadFailed: Mirrors answered, but none gave the right file.
        DiskFull: There is no room for it.
        CannotWrite: The data folder cannot be written to.
    """
    path = data_folder() / dataset / file.name
    if path.exists():
        return path
    patience = patience or Patience()
    with _own_errors(file, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(path.with_name(file.name + ".lock"))
        try:
            lock.acquire(timeout=2)
        except filelock.Timeout:
            note(_("Another program is fetching {file}; waiting for it.", file=file.name), quiet=not progress)
            lock.acquire()
        try:
            if not path.exists():  # the other process may have finished it meanwhile
                _from_any_mirror(file, dataset, path, progress, patience)
        finally:
            lock.release()
    return path


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def _own_errors(file: Download, path: Path) -> Iterator[None]:
    """Turn what the operating system says about the disk into words."""
    try:
        yield
    except DataError:  # some of them are OSErrors too
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)):
            raise _disk_full(file, path) from error
        raise CannotWrite(folder=path.parent, reason=error.strerror or str(error)) from error


def _disk_full(file: Download, path: Path) -> DiskFull:
    free = size(shutil.disk_usage(path.parent).free)
    return DiskFull(file=file.name, folder=path.parent, needed=size(file.size_bytes), free=free)


def _from_any_mirror(file: Download, dataset: str, path: Path, progress: bool, patience: Patience) -> None:
    part = path.with_name(file.name + ".part")
    there = part.stat().st_size if part.exists() else 0
    if file.size_bytes - there > shutil.disk_usage(path.parent).free:
        raise _disk_full(file, path)
    mirrors = [f"{mirror.rstrip('/')}/{dataset}/{file.name}" for mirror in own_mirrors()] + list(file.urls)
    reasons, reached = [], False
    for number, url in enumerate(mirrors):
        last = number == len(mirrors) - 1
        title = _("{file} from {host}", file=file.name, host=urlsplit(url).hostname or url)
        try:
            with Progress(title, file.size_bytes, quiet=not progress) as shown:
                _from_mirror(file, url, part, shown, patience, may_give_up=not last)
            put(part, path)
            return
        except _NextMirrorError as error:
            reasons.append(f"{urlsplit(url).hostname or url}: {error}.")
            reached = reached or error.reached
    kind = DownloadFailed if reached else Offline
    raise kind(file=file.name, reasons=" ".join(reasons), path=path, sha256=file.sha256)


def _from_mirror(
    file: Download, url: str, part: Path, progress: Progress, patience: Patience, *, may_give_up: bool
) -> None:
    """Fill `part` from one mirror until its bytes are the right ones."""
    resumed_from_elsewhere = part.exists() and part.stat().st_size > 0
    tries = longest = 0
    while True:
        try:
            if urlsplit(url).scheme in ("http", "https"):
                _download(file, url, part, progress, patience, may_give_up=may_give_up)
            else:
                _copy(Path(url2pathname(urlsplit(url).path)) if url.startswith("file:") else Path(url), part)
            if sha256(part) == file.sha256:
                return
            part.unlink()
            if not resumed_from_elsewhere:
                raise _NextMirrorError(_("its copy has the wrong checksum"))
            resumed_from_elsewhere = False  # the first bytes may have been the wrong ones: once more from the start
        except _AgainError as error:
            length = part.stat().st_size if part.exists() else 0
            tries = 1 if length > longest else tries + 1  # longer than ever before, or it could go on for ever
            longest = max(longest, length)
            wait = error.wait_s if error.wait_s is not None else min(patience.pause_s * 2**tries, 10)
            if tries >= patience.tries or wait > patience.longest_wait_s:
                raise _NextMirrorError(str(error), reached=error.reached) from error
            time.sleep(wait)


def _copy(source: Path, part: Path) -> None:
    """A mirror may be a folder: a shared drive, a USB stick."""
    try:
        shutil.copyfile(source, part)
    except FileNotFoundError as error:
        raise _NextMirrorError(_("the file is not there")) from error
    except OSError as error:
        # Our own disk may be what is full or locked: that is told elsewhere. Else the folder cannot be read.
        if error.filename2 is None and error.filename is not None and Path(error.filename) == source:
            raise _NextMirrorError(_("it cannot be read: {reason}", reason=error.strerror)) from error
        if error.errno in (errno.EIO, getattr(errno, "ESTALE", errno.EIO)):  # a shared drive that went away
            raise _NextMirrorError(_("it cannot be read: {reason}", reason=error.strerror)) from error
        raise


def _download(
    file: Download, url: str, part: Path, progress: Progress, patience: Patience, *, may_give_up: bool
) -> None:
    """One request: append what the server gives to `part`."""
    start = part.stat().st_size if part.exists() else 0
    if start == file.size_bytes:
        return  # whole already: only the checksum was left to do
    if start > file.size_bytes:
        part.unlink()
        start = 0
    # "identity": some servers would otherwise unpack a .gz on the way, and the bytes would be others.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        with requests.get(
            url, headers=headers, stream=True, timeout=(patience.connect_s, patience.stall_s)
        ) as response:
            start = _accept(response, start, part)
            progress.resume_at(start)
            _append(file, response, part, start, progress, patience, may_give_up=may_give_up)
    except requests.exceptions.SSLError as error:
        # Before ConnectionError, its parent. Never answered by trusting blindly.
        raise _NextMirrorError(_("its certificate is not trusted")) from error
    except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise _AgainError(_("no answer in time"), reached=False) from error
    except urllib3.exceptions.HTTPError as error:
        raise _AgainError(_("the connection broke off")) from error
    except requests.exceptions.ConnectionError as error:
        raise _NextMirrorError(_("no connection"), reached=False) from error
    except requests.exceptions.RequestException as error:
        raise _NextMirrorError(type(error).__name__) from error
    if part.stat().st_size < file.size_bytes:
        raise _AgainError(_("the connection broke off"))


def _accept(response: requests.Response, start: int, part: Path) -> int:
    """Look at the answer's first line; where the body will begin."""
    status = response.status_code
    if status == 206:
        begins = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        if begins and int(begins[1]) == start:
            return start
        part.unlink(missing_ok=True)
        raise _AgainError(_("it went on at the wrong place"))
    if status == 200:  # the server does not resume: from the start
        return 0
    if status == 416:  # the part is shorter than the right file, and yet this copy ends there
        part.unlink(missing_ok=True)
        raise _NextMirrorError(_("its copy has the wrong length"))
    if status in (429, 503):
        raise _AgainError(_("it is busy (HTTP {status})", status=status), wait_s=_retry_after(response))
    if status >= 500:
        raise _AgainError(_("it failed (HTTP {status})", status=status))
    raise _NextMirrorError(_("it does not give the file (HTTP {status})", status=status))


def _append(
    file: Download,
    response: requests.Response,
    part: Path,
    start: int,
    progress: Progress,
    patience: Patience,
    *,
    may_give_up: bool,
) -> None:
    began, written = time.monotonic(), start
    # read1 gives what is there, so that a slow server shows progress and a broken one leaves its bytes; old urllib3
    # has none.
    read = getattr(response.raw, "read1", response.raw.read)
    with part.open("r+b" if start else "wb") as stream:
        stream.seek(start)
        while block := read(BLOCK, decode_content=False):
            written += len(block)
            if written > file.size_bytes:
                stream.truncate(0)
                raise _NextMirrorError(_("its copy has the wrong length"))
            stream.write(block)
            progress.advance(len(block))
            spent = time.monotonic() - began
            slow = spent > patience.slow_after_s and (written - start) / spent < patience.slow_bytes_per_s
            left_s = (file.size_bytes - written) * spent / (written - start)
            if may_give_up and slow and left_s > patience.slow_left_s:
                raise _NextMirrorError(_("it is very slow"))


def _retry_after(response: requests.Response) -> float | None:
    """Seconds to wait, as the server asks: a number or a date."""
    value = response.headers.get("Retry-After", "")
    if value.isdigit():
        return float(value)
    date = email.utils.parsedate_tz(value)
    return None if date is None else max(0.0, email.utils.mktime_tz(date) - time.time())
