"""The gym: broken code to be mended. One file per exercise; `firstlight gym` hands them out.

A notebook of the gym uses `enter`, `grade` and `hint`; `quiz("gym/NAME")` asks for the cause.
"""

from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firstlight.lessons.coach import enter as enter
    from firstlight.lessons.coach import grade as grade
    from firstlight.lessons.coach import hint as hint
    from firstlight.lessons.coach import hand_out as hand_out
    from firstlight.lessons.coach import show as show
    from firstlight.lessons.exercise import Exercise

_COACH = ("enter", "grade", "hand_out", "hint", "show")
__all__ = [*_COACH, "exercises", "find"]
_SUBJECTS = ("data", "model", "loop", "evaluation")


@cache
def names() -> tuple[str, ...]:
    """The names of all exercises, in the order of the alphabet."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__"))


@cache
def find(name: str) -> "Exercise":
    """The exercise of that name.

    Raises:
        NoSuchExercise: There is none.
    """
    if name not in names():
        from firstlight.lessons.problems import NoSuchExercise

        raise NoSuchExercise(name=name, known=", ".join(names()))
    exercise: Exercise = import_module(f"firstlight.lessons.gym.{name}").exercise
    return replace(exercise, name=name)


def exercises() -> "list[Exercise]":
    """All of them, by subject and then by level."""
    return sorted(map(find, names()), key=lambda one: (_SUBJECTS.index(one.subject), one.level, one.name))


def __getattr__(name: str) -> Any:
    if name not in _COACH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("firstlight.lessons.coach"), name)
