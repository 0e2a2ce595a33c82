"""The programs, and running one of them."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.doctor.once import forked

FOLDER = Path(__file__).parent / "programs"
LONGEST_S = 60


@dataclass(frozen=True)
class Program:
    """One program: of twins `broken` or `fixed`, else `clean`."""

    name: str
    file: Path
    kind: str
    facts: dict[str, Any]

    @property
    def lines(self) -> list[int]:
        """Where in the file the fault may be pointed at, counted from 1."""
        wanted = {line.strip() for line in self.facts.get("lines", [])}
        return [at for at, line in enumerate(self.file.read_text().splitlines(), 1) if line.strip() in wanted]


def programs(part: str) -> Iterator[Program]:
    """All of a set: `dev`, `clean` or `held`, which is empty between two sets of unknown programs."""
    for folder in sorted((FOLDER / part).glob("*/")):
        if part == "clean":
            yield Program(folder.name, folder / "program.py", "clean", json.loads((folder / "clean.json").read_text()))
            continue
        facts = json.loads((folder / "twin.json").read_text())
        for kind in ("broken", "fixed"):
            yield Program(f"{folder.name}/{kind}", folder / f"{kind}.py", kind, facts)


def run(program: Program, mode: str, folder: Path, text: str | None = None) -> dict[str, Any]:
    """What became of a program, run in a copy of this process, which has loaded what it needs.

    Args:
        program: Which.
        mode: `plain` or `doctor`.
        folder: For files that are made on the way.
        text: In place of its own text.
    """
    file = program.file
    if program.facts.get("style") == "notebook":
        file = folder / f"{program.name.replace('/', '-')}-{os.getpid()}.ipynb"
        file.write_text(json.dumps(notebook(text or program.file.read_text(), program.facts.get("order"))))
    elif text is not None:
        file = folder / f"{program.name.replace('/', '-')}.py"
        file.write_text(text)
    return forked(mode, file, LONGEST_S)


def notebook(text: str, order: list[int] | None = None) -> dict[str, Any]:
    """A notebook of a file in percent format; cells that are run again stand in it again."""
    cells = [part.split("\n", 1)[1] if "\n" in part else "" for part in ("\n" + text).split("\n# %%")[1:]]
    code = [
        {"cell_type": "code", "source": cells[at].strip("\n"), "execution_count": None, "metadata": {}, "outputs": []}
        for at in (order if order is not None else range(len(cells)))
    ]
    return {"cells": code, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def cell_lines(program: Program) -> list[tuple[str, int]]:
    """For a notebook: the text of each accepted line and its place within its cell."""
    found = []
    wanted = {line.strip() for line in program.facts.get("lines", [])}
    for cell in notebook(program.file.read_text())["cells"]:
        found += [(line.strip(), at) for at, line in enumerate(cell["source"].split("\n"), 1) if line.strip() in wanted]
    return found
