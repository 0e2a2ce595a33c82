"""What a learner does with a lesson: runs it from the first cell to the last, and answers its exercises."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from firstlight.lessons import notebook_path
from firstlight.lessons.checks import _EXERCISES, Checks


def run_whole(
    lesson: str, lang: str, quicker: Mapping[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> list[Any]:
    """All code cells after a run in a real kernel, with their outputs.

    Args:
        lesson: Which one.
        lang: In which language.
        quicker: What to write for what, so that measurements are shorter; each must stand in the lesson.
        folder: For records and caches.
        monkeypatch: For the environment of the kernel.
    """
    for name, value in {"LANG": lang, "RUNS": folder / "runs", "CACHE": folder / "cache"}.items():
        monkeypatch.setenv(f"FIRSTLIGHT_{name}", str(value))
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    monkeypatch.setenv("KINETO_LOG_LEVEL", "6")  # as in the lab
    book = nbformat.read(notebook_path(lesson, lang), as_version=4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    for long, short in quicker.items():
        assert any(long in cell.source for cell in code), long
        for cell in code:
            cell.source = cell.source.replace(long, short)
    NotebookClient(book, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.get("name") == "stderr"], "nothing warns"
    return code


def text_of(output: Any) -> str:
    """What an output of a cell says."""
    found: str = output.get("text") or output.get("data", {}).get("text/plain", "")
    return found


def answer_rightly_and_wrongly(name: str, right: Any, context: Sequence[Any], said: Callable[[], str]) -> None:
    """The right answer is right, each foreseen mistake gets its own sentence, and hints grow with wrong answers."""
    check = Checks()
    check(name, right, *context)
    assert said().startswith("✓ Right")
    exercise = _EXERCISES[name](*context)
    assert not {exercise.right, -2} & set(exercise.mistakes)
    for wrong, sentence in exercise.mistakes.items():
        check(name, wrong, *context)
        assert sentence in said()
    check(name, -2, *context)
    assert said().count("Hint:") == 3
