"""What can go wrong in this room, each in three sentences."""

from firstlight.errors import FirstlightError
from firstlight.locale import Text


class NoSuchLesson(FirstlightError, LookupError):
    """A lesson, or a lesson in a language, that is not there."""

    text = Text(
        what="There is no lesson {name} in the language {lang}.",
        why="These lessons are here, each in en, ja and ko: {known}.",
        do="Choose one of them; mind the spelling.",
    )


class NoSuchCheck(FirstlightError, LookupError):
    """A name that no check, question or sentence of the lessons bears."""

    text = Text(
        what="The lessons know nothing called {name}.",
        why="These names are known here: {known}.",
        do="Choose one of them; mind the spelling.",
    )


class NoSuchExercise(FirstlightError, LookupError):
    """An exercise that the gym does not have."""

    text = Text(
        what="The gym has no exercise called {name}.",
        why="These exercises are here: {known}.",
        do="Choose one of them; mind the spelling.",
    )


class BuildToolsMissing(FirstlightError, ImportError):
    """Building lessons needs packages that a learner does not have."""

    text = Text(
        what="Building lessons needs the package {package}, which is not installed.",
        why="It is for those who write lessons; learners only read the built notebooks.",
        do="Install the developer packages: pip install firstlight[dev].",
    )
