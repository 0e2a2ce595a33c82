"""A notebook on a disk that fills up, becomes read-only, or goes away: a real lab on a real small disk.

    python -m benchmarks.reliability.disk_full_lab [--times 30] [--json]

The lab's folder is a tmpfs of a few megabytes of its own (root mounts it; without root the script says so and ends
with 2). Each time a random part of the disk is taken, from nothing left to a little more than the notebook needs, and a
changed notebook is saved as a page saves it. Then either the new notebook stands on disk, whole, or the old one does,
byte for byte, and the answer says in the person's language that the disk is full; no other file is left behind. Then
there is room again and the same save goes through. The same once with the disk made read-only, and with the folder
taken away; and what a person who goes back to the checkpoint gets is whole each time.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from benchmarks.harness import ROOT, machine_line

DISK_BYTES = 4_000_000
NAME = "notes.ipynb"
SAID = {"full": "the disk is full", "read-only": "cannot be written to", "gone": "is gone"}


class NoDisk(RuntimeError):
    """A disk of our own cannot be made here; the message says why."""


@contextlib.contextmanager
def small_disk(folder: Path, size: int = DISK_BYTES) -> Iterator[Path]:
    """A folder that is a disk of its own.

    Raises:
        NoDisk: When this person may not mount one.
    """
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NoDisk(f"no small disk can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Trial:
    """One lab on a small disk, and what its notebook was last known to hold.

    Args:
        lab: The running lab, in English.
    """

    def __init__(self, lab: Any) -> None:
        self.lab = lab
        self.file = lab.folder / NAME
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    def save(self, text: str) -> tuple[int, str]:
        """Save a notebook of this text, as a page does; the status and what the answer says."""
        cell = {"cell_type": "markdown", "id": "cell", "metadata": {}, "source": text}
        content = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        return self.ask("PUT", "", {"type": "notebook", "format": "json", "content": content})

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """A request about the notebook."""
        connection = http.client.HTTPConnection("127.0.0.1", self.lab.port, timeout=30)
        headers = {"Authorization": f"token {self.lab.token}", "Content-Type": "application/json"}
        connection.request(method, f"/api/contents/{quote(NAME)}{path}", json.dumps(body), headers)
        answer = connection.getresponse()
        said = answer.read().decode()
        connection.close()
        return answer.status, str(json.loads(said).get("message", "")) if answer.status >= 400 else said

    def refused(self, what: str, text: str) -> None:
        """Save where it cannot be, or may not be; note whether the notebook is old or new, whole, and what was said."""
        before = self.file.read_bytes() if self.file.exists() else None
        status, message = self.save(text)
        after = self.file.read_bytes() if self.file.exists() else None
        if status < 400:
            self.counts["saved"] += 1
            if after is None or text not in after.decode():
                self.wrong.append(f"{what}: said to be saved, and is not")
        else:
            self.counts["refused"] += 1
            if SAID[what] not in message:
                self.wrong.append(f"{what}: {status} {message!r}")
            if after != before and (after is None or text not in after.decode()):
                self.wrong.append(f"{what}: the old notebook is damaged")
        if after is not None:
            json.loads(after)  # whole, whichever it is
        if left := [path.name for path in self.lab.folder.rglob("*.part")]:
            self.wrong.append(f"{what}: left behind {left}")

    def fill_and_save(self, chance: random.Random, number: int) -> None:
        """One random moment of a disk that fills up."""
        text = f"{number} " + chance.randbytes(chance.randrange(50_000, 400_000)).hex()
        usage = shutil.disk_usage(self.lab.folder)
        filler = self.lab.folder / "filler"
        filler.write_bytes(b"x" * max(0, usage.free - chance.randrange(0, int(len(text) * 1.2))))
        self.refused("full", text)
        filler.unlink()
        status, said = self.save(text)
        if status >= 400:
            self.wrong.append(f"with room again: {status} {said!r}")
        self._checkpoint_is_whole()

    def _checkpoint_is_whole(self) -> None:
        for path in (self.lab.folder / ".ipynb_checkpoints").glob("*.ipynb"):
            json.loads(path.read_text(encoding="utf-8"))


@contextlib.contextmanager
def lab_on_small_disk() -> Iterator[Trial]:
    """A lab whose folder is a disk of its own."""
    sys.path.insert(0, str(ROOT))
    from tests.lab.labs import running_lab, small_notebook

    with tempfile.TemporaryDirectory() as name, small_disk(Path(name) / "disk") as disk:
        notebook = small_notebook(disk / NAME)
        with running_lab(Path(name), notebook=notebook, folder=disk) as lab:
            yield Trial(lab)


def measure(times: int, seed: int = 0) -> Trial:
    """Fill the disk so many times, make it read-only, take it away."""
    chance = random.Random(seed)
    with lab_on_small_disk() as trial:
        for number in range(times):
            trial.fill_and_save(chance, number)
        disk = trial.lab.folder
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        trial.refused("read-only", "written to a disk that is read-only")
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
        disk.rmdir()
        trial.refused("gone", "written to a folder that is gone")
        disk.mkdir()
        status, said = trial.save("the folder is back")
        if status >= 400:
            trial.wrong.append(f"with the folder back: {status} {said!r}")
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(disk)], check=True)  # for the end, which takes it away
        return trial


def main() -> int:
    """Measure and print; 1 where anything was lost or not said."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        sys.stderr.write("only root can mount a small disk\n")
        return 2
    try:
        trial = measure(given.times)
    except NoDisk as reason:
        sys.stderr.write(f"{reason}\n")
        return 2
    if given.json:
        print(json.dumps({"times": given.times, **trial.counts, "wrong": trial.wrong}))
    else:
        print(machine_line())
        print(f"disk full {given.times} times, read-only once, gone once:")
        print(f"  {trial.counts['refused']} times refused, {trial.counts['saved']} times saved all the same")
        print(f"  damaged, lost or not said: {len(trial.wrong)} (bar 0)")
        for line in trial.wrong:
            print(f"    {line}")
    return 1 if trial.wrong or not trial.counts["refused"] else 0


if __name__ == "__main__":
    sys.exit(main())
