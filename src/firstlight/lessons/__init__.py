"""Learning by doing: the notebooks, and what their cells say, ask and check.

A lesson is one jupytext source in `sources/`, with its Japanese and Korean in `locale/{ja,ko}/LESSON.po`. `build.py`
makes one notebook per language of it, with identical code cells and cell ids. At run time only the notebooks are read.

What a lesson's cells use:

- `begin(lesson, data=...)` says what is coming and how long it takes here, and from then on a cell that is run too
  early, or twice, gets a sentence that helps.
- `check` answers at once: `check.that(condition)`, `check.equal(a, b)`, `check("name", answer)` with hints that grow.
- `quiz("name")` asks; `quiz.answer("name", "b")` answers without a mouse.
- `say("name", ...)` prints a result in the learner's language.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firstlight.lessons.checks import check as check
    from firstlight.lessons.guide import begin as begin
    from firstlight.lessons.quizzes import quiz as quiz
    from firstlight.lessons.results import say as say

_HOMES = {"begin": "guide", "check": "checks", "quiz": "quizzes", "say": "results"}

__all__ = ["begin", "check", "lessons", "notebook_path", "quiz", "say"]


def lessons() -> tuple[str, ...]:
    """The names of the lessons, in the order of the alphabet.

    Example:
        >>> "first_pytorch_classifier" in lessons()
        True
    """
    return tuple(sorted(path.stem for path in (_FOLDER / "notebooks" / "en").glob("*.ipynb")))


def notebook_path(name: str, lang: str) -> Path:
    """The built notebook of a lesson, to be copied and never to be written to.

    Args:
        name: A name that `lessons()` lists.
        lang: `en`, `ja` or `ko`.

    Raises:
        NoSuchLesson: There is no lesson of that name in that language.

    Example:
        >>> notebook_path("first_pytorch_classifier", "ja").name
        'first_pytorch_classifier.ipynb'
    """
    path = _FOLDER / "notebooks" / lang / f"{name}.ipynb"
    if not path.is_file():
        from firstlight.lessons.problems import NoSuchLesson

        raise NoSuchLesson(name=name, lang=lang, known=", ".join(lessons()))
    return path


_FOLDER = Path(__file__).parent


def load_ipython_extension(shell: Any) -> None:
    """Let the guide stand beside every notebook of a kernel, also after a restart: `%load_ext firstlight.lessons`."""
    from firstlight.lessons.guide import attend

    attend(shell)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"firstlight.lessons.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
