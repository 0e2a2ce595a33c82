"""What the cells of a gym notebook do, and how such a notebook comes into the learner's folder.

While a notebook of the gym is open the doctor does not speak by itself: the hunt is the point. The third hint shows
what it finds.
"""

import contextlib
import hashlib
import io
import json
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from firstlight.files import gone_if_it_fails, write_whole
from firstlight.lessons import gym
from firstlight.lessons.exercise import Exercise
from firstlight.lessons.notes import note, table
from firstlight.locale import _, language
from firstlight.picture import Picture

STATE = ".firstlight-gym.json"
_HINTS: dict[str, int] = {}  # name -> how many hints were given


def enter(name: str) -> None:
    """Begin an exercise: the doctor falls silent until the third hint.

    Raises:
        NoSuchExercise: There is none of that name.
    """
    words = gym.find(name).words()
    _HINTS.pop(name, None)
    _hush()
    note(
        "info",
        _("Exercise: {title}. The doctor is silent here: the hunt is yours.", title=words.title),
        _("Change the code, run its cell, then the cell with {call}.", call=f'`gym.grade("{name}", ...)`'),
    ).display()


def grade(name: str, *made: Any) -> bool:
    """Look at what the learner's code does, never at its text; say whether it does what it should.

    Args:
        name: The exercise.
        made: Its functions and classes, in the order in which the notebook hands them over.

    Returns:
        Whether it passed.

    Raises:
        NoSuchExercise: There is none of that name.
    """
    exercise = gym.find(name)
    if len(made) != len(exercise.needs):
        call = f'`gym.grade("{name}", {", ".join(exercise.needs)})`'
        note("todo", _("Hand over what the exercise asks for: {call}.", call=call)).display()
        return False
    wrong = verdict(exercise, SimpleNamespace(**dict(zip(exercise.needs, made, strict=True))))
    if wrong:
        call = f'`gym.hint("{name}")`'
        note("no", _("Not yet."), *wrong, _("A hint: {call}", call=call)).display()
        return False
    _remember(name, Path.cwd())
    note("yes", _("Mended. It does what it should, with other data too."), exercise.words().after).display()
    return True


def verdict(exercise: Exercise, space: SimpleNamespace) -> list[str]:
    """What is not as it should be, in sentences; nothing where all is well. Random numbers stay what they are."""
    import torch

    from firstlight.doctor.witness import one_thread

    try:
        with (
            one_thread(),
            torch.random.fork_rng(devices=[]),
            torch.enable_grad(),
            contextlib.redirect_stdout(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            torch.manual_seed(20)
            return list(exercise.judge(space))
    except Exception as error:  # noqa: BLE001 - the learner's code may raise whatever it likes
        return [_("Your code ended with an error: {error}", error=f"{type(error).__name__}: {error}")]


def hint(name: str) -> None:
    """One more hint. The third one also shows what the doctor finds in the code as it was handed out.

    Raises:
        NoSuchExercise: There is none of that name.
    """
    exercise = gym.find(name)
    hints = exercise.words().hints
    level = _HINTS[name] = min(_HINTS.get(name, 0) + 1, len(hints))
    said = [_("Hint {number} of {count}: {text}", number=n + 1, count=len(hints), text=hints[n]) for n in range(level)]
    note("info", *said).display()
    if level == len(hints):
        found = doctors_finding(exercise)
        if found is None:
            note("info", _("The doctor finds nothing here: not every cause shows in what it can see.")).display()
        else:
            found.display()


def doctors_finding(exercise: Exercise) -> Picture | None:
    """What `fl.examine()` says of the code as it was handed out; it runs in a process of its own. None for nothing."""
    from firstlight.doctor.running import examine_program

    with tempfile.TemporaryDirectory(prefix="firstlight-gym-") as folder:
        file = Path(folder) / f"{exercise.name}.py"
        code, quiet = exercise.code.strip(), "import os, sys\nsys.stdout = open(os.devnull, 'w')"
        file.write_text(f"{code}\n\n\n{quiet}\n{exercise.trial}\n", encoding="utf-8")  # its lines are the cell's lines
        report = examine_program(file, timeout=60, quiet=True).report
    report = replace(report, findings=tuple(one for one in report.findings if one.speaks != "note"))
    if not report.findings:
        return None
    return Picture(html=report.findings_as_html(), text=report.findings_as_text())


def show(folder: Path | None = None) -> Picture:
    """All exercises, and which of them are done.

    Args:
        folder: The learner's; else the one that this process works in.
    """
    done = finished(Path.cwd() if folder is None else folder)
    subjects = {"data": _("data"), "model": _("model"), "loop": _("loop"), "evaluation": _("evaluation")}
    rows = []
    for exercise in gym.exercises():
        state = _("done") if exercise.name in done else _("open")
        rows.append((exercise.name, exercise.words().title, subjects[exercise.subject], str(exercise.level), state))
    heads = (_("exercise"), _("title"), _("about"), _("level"), _("state"))
    count = sum(exercise.name in done for exercise in gym.exercises())
    return table(heads, rows, after=_("{count} of {all} are done.", count=count, all=len(rows)))


def finished(folder: Path) -> set[str]:
    """The exercises that were mended in this folder. A damaged file counts for nothing."""
    try:
        return {str(name) for name in json.loads((folder / STATE).read_text(encoding="utf-8"))["done"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _remember(name: str, folder: Path) -> None:
    with contextlib.suppress(OSError):  # a folder that cannot be written to must not spoil the success
        write_whole(folder / STATE, json.dumps({"done": sorted(finished(folder) | {name})}, indent=1).encode())


def hand_out(name: str, folder: Path | None = None) -> Path:
    """Write an exercise's notebook into a folder. A notebook that was changed there stays: ours gets a number.

    Args:
        name: The exercise.
        folder: The learner's; else the one that this process works in.

    Returns:
        The notebook: the one that is there already, where it is unchanged.

    Raises:
        NoSuchExercise: There is none of that name.
    """
    content = as_notebook(gym.find(name))
    folder = Path.cwd() if folder is None else folder
    folder.mkdir(parents=True, exist_ok=True)
    for path in _places(folder, name):
        try:
            file = path.open("x", encoding="utf-8", newline="\n")  # "x": never over what is there
        except FileExistsError:
            if not path.is_file() or path.read_bytes() != content.encode():
                continue
            return path
        with gone_if_it_fails(path), file:
            file.write(content)
        return path
    raise AssertionError  # the places never end


def _places(folder: Path, name: str) -> Iterator[Path]:
    yield folder / f"gym_{name}.ipynb"
    number = 2
    while True:
        yield folder / f"gym_{name}.v{number}.ipynb"
        number += 1


def as_notebook(exercise: Exercise) -> str:
    """The notebook's text, in the learner's language. Its code is the same in each language."""
    name, words = exercise.name, exercise.words()
    made = ", ".join(exercise.needs)
    cells = [
        ("markdown", f"# {words.title}\n\n{words.story}"),
        ("code", f'from firstlight.lessons import gym, quiz\n\ngym.enter("{name}")'),
        ("markdown", "## " + _("The code") + "\n\n" + _("Something in it is not right. Find it and change it.")),
        ("code", exercise.code.strip()),
        ("markdown", _("This shows what it does now:")),
        ("code", exercise.trial.strip()),
        (
            "markdown",
            "## " + _("Is it mended?") + "\n\n" + _("Your code is tried with other data. Its text is not read."),
        ),
        ("code", f'gym.grade("{name}", {made});'),
        ("markdown", _("Each time you run the next cell, it gives one more hint. There are three.")),
        ("code", f'gym.hint("{name}")'),
        ("markdown", "## " + _("What was it?")),
        ("code", f'quiz("gym/{name}")'),
    ]
    book = {
        "cells": [_cell(name, at, kind, source) for at, (kind, source) in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "firstlight": {"lang": language(), "gym": name},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(book, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _cell(name: str, at: int, kind: str, source: str) -> dict[str, Any]:
    about = hashlib.sha256(f"gym/{name}/{at}".encode()).hexdigest()[:8]
    cell: dict[str, Any] = {"cell_type": kind, "id": about, "metadata": {}, "source": source.splitlines(keepends=True)}
    return cell if kind == "markdown" else {**cell, "execution_count": None, "outputs": []}


def _hush() -> None:
    """Let nobody listen to this kernel: then no alarm appears under a cell."""
    witness = sys.modules.get("firstlight.doctor.witness")
    if witness is not None:
        witness.leave()
