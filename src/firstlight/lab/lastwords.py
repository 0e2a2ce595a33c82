"""Inside a kernel: what is written below Python is in a file before the process can end, for the lab to read.

So is which cell runs: what a kernel says of that goes out in a thread, and would end with the process too.

A library that gives up (a crash, an OpenMP clash) writes why to the standard error of the process and ends it.
ipykernel has a pipe there and a thread that reads it: the words leave the pipe and end with the thread. So the process
writes into a file, and a thread of ours passes on to ipykernel's pipe what has come, for the notebook to show.
"""

import faulthandler
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

STDERR = 2
LOOK_S = 0.1
MOST_BYTES = 1_000_000  # of the file, before it begins anew

_kept: "LastWords | None" = None


def path_beside(connection_file: str) -> Path:
    """Where the words of a kernel are: beside the file that says how to reach it."""
    return Path(connection_file).with_suffix(".words")


def path_of_cell(words: Path) -> Path:
    """Where the cell is named that runs, or ran last."""
    return words.with_suffix(".cell")


def keep(shell: Any) -> None:
    """Begin to keep them, once; and where the process crashes, the lines of Python that ran."""
    global _kept
    with suppress(Exception):  # not under ipykernel, or a disk that is full: a kernel without is a kernel all the same
        from ipykernel.kernelapp import IPKernelApp

        if _kept is None:
            words = _kept = LastWords(path_beside(IPKernelApp.instance().abs_connection_file))
            shell.events.register("pre_run_cell", lambda info: words.begin(getattr(info, "cell_id", None)))
            shell.events.register("post_run_cell", lambda _result: words.pass_on())


class LastWords:
    """The standard error of this process, by way of a file.

    Args:
        path: The file.
        number: The file descriptor that is turned to it.
    """

    def __init__(self, path: Path, number: int = STDERR) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._cell = os.open(path_of_cell(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._onward = os.dup(number)
        self._passed = 0
        self._lock = threading.Lock()
        os.dup2(self._file, number)
        if number == STDERR:
            faulthandler.enable(self._file)
        threading.Thread(target=self._look, name="firstlight-words", daemon=True).start()

    def begin(self, cell: str | None) -> None:
        """A cell begins."""
        with suppress(OSError):
            os.ftruncate(self._cell, 0)
            os.lseek(self._cell, 0, os.SEEK_SET)
            os.write(self._cell, (cell or "").encode())

    def pass_on(self) -> None:
        """Hand on what has come since."""
        with self._lock, suppress(OSError):
            size = os.fstat(self._file).st_size
            while self._passed < size:
                os.lseek(self._file, self._passed, os.SEEK_SET)
                words = os.read(self._file, 65_536)
                if not words:
                    break
                self._passed += len(words)
                os.write(self._onward, words)
            if self._passed > MOST_BYTES and os.fstat(self._file).st_size == self._passed:
                os.ftruncate(self._file, 0)
                self._passed = 0

    def _look(self) -> None:
        pause = threading.Event()
        while not pause.wait(LOOK_S):
            self.pass_on()
