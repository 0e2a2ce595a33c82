"""A real `firstlight lab` in a process of its own, for tests of the lab, of the view and of the lessons."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

START_S = 40
STOP_S = 20


@dataclass
class Lab:
    """A running lab with a private home."""

    process: subprocess.Popen[str]
    folder: Path
    home: Path
    messages: Path  # what it wrote to stderr
    printed: list[str] = field(default_factory=list)  # what it wrote to stdout
    url: str = ""

    @property
    def base(self) -> str:
        """Scheme, host and port."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def port(self) -> int:
        return int(urlsplit(self.url).port or 0)

    @property
    def token(self) -> str:
        return self.url.partition("token=")[2]

    @property
    def said(self) -> str:
        return self.messages.read_text(encoding="utf-8")

    def environment(self) -> dict[str, str]:
        """What `firstlight lab --list` and `--stop` need to see this lab."""
        return {**os.environ, "FIRSTLIGHT_HOME": str(self.home)}


@contextlib.contextmanager
def running_lab(
    tmp: Path,
    *,
    lang: str = "en",
    notebook: Path | None = None,
    folder: Path | None = None,
    extra: Sequence[str] = (),
    env: dict[str, str] | None = None,
    port: int | None = 0,
    browser: bool = False,
    program: Sequence[str] = ("-m", "firstlight"),
) -> Iterator[Lab]:
    """Start `firstlight lab` on a folder under `tmp`; stop it, kernels included, at the end.

    Args:
        tmp: A folder of the test's own.
        lang: Language of the lab.
        notebook: A notebook to copy into the folder and open; else the lesson.
        folder: The learner's folder; else `tmp / "lab"`.
        extra: More words for the command line.
        env: More variables of its environment.
        port: The port; 0 for any, None to say nothing about it.
        browser: Whether the lab may open one.
        program: What Python runs; else firstlight as it is.
    """
    folder = folder or tmp / "lab"
    folder.mkdir(parents=True, exist_ok=True)
    words = ["--lang", lang, "--dir", str(folder), "--expose-app", *extra]
    if not browser:
        words += ["--no-browser"]
    if port is not None:
        words += ["--port", str(port)]
    if notebook is not None:
        if not (folder / notebook.name).exists():
            shutil.copy(notebook, folder)
        words += ["--notebook", notebook.name]
    home = tmp / "home"
    messages = tmp / f"lab-messages-{len(list(tmp.glob('lab-messages-*')))}.txt"
    environment = {**os.environ, "FIRSTLIGHT_HOME": str(home), "OMP_NUM_THREADS": "1", **(env or {})}
    environment.pop("SSH_CONNECTION", None)
    environment.update(env or {})
    with messages.open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(
            [sys.executable, *program, "lab", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            encoding="utf-8",
            env=environment,
        )
    lab = Lab(process, folder, home, messages)
    try:
        _wait_for_url(lab)
        yield lab
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def small_notebook(path: Path, *sources: str) -> Path:
    """Write a notebook of these code cells, for tests of the lab that need no lesson."""
    cells = [
        {
            "cell_type": "code",
            "id": f"cell{i}",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": text,
        }
        for i, text in enumerate(sources or ("1 + 1",))
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    path.write_text(
        json.dumps({"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}),
        encoding="utf-8",
    )
    return path


def firstlight(*words: str, env: dict[str, str] | None = None, timeout: float = 50) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "firstlight", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=env,
        timeout=timeout,
        check=False,
    )


def _wait_for_url(lab: Lab) -> None:
    found = threading.Event()

    def read() -> None:
        with contextlib.suppress(ValueError):  # closed at the end of the test
            for line in lab.process.stdout or ():
                lab.printed.append(line)
                if match := re.search(r"https?://\S+", line):
                    lab.url = lab.url or match[0]
                    found.set()
        found.set()

    threading.Thread(target=read, daemon=True).start()
    if not found.wait(START_S) or not lab.url:
        raise AssertionError(f"the lab did not start; it said:\n{lab.said}")
