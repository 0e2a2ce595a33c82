"""What a learner reads when something is wrong: what happened, why, what to do."""

import traceback
from pathlib import Path
from typing import ClassVar

from firstlight.locale import Text


class FirstlightError(Exception):
    """An error with three sentences in the learner's language.

    A subclass gives `text`, a `Text` with named placeholders, and is raised with one keyword for each placeholder. A
    subclass of a built-in error too (`class LabelOutOfRange(FirstlightError, ValueError)`) is caught by those who
    expect the built-in.

    Example:
        >>> class FeatureMismatch(FirstlightError, ValueError):
        ...     text = Text(
        ...         what="The first layer expects {expected} features; each sample has {found}.",
        ...         why="nn.Linear reads the last dimension only.",
        ...         do="Put nn.Flatten() in front of it.",
        ...     )
        >>> print(FeatureMismatch(expected=784, found=28))
        The first layer expects 784 features; each sample has 28.
        nn.Linear reads the last dimension only.
        Put nn.Flatten() in front of it.
    """

    text: ClassVar[Text]

    def __init__(self, **values: object) -> None:
        super().__init__()
        self.values = values

    def __str__(self) -> str:
        return self.text.fill(**self.values)

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: the person's own line, and the three sentences."""
        lines = [f"{type(self).__name__}: {self}"]
        own = [frame for frame in traceback.extract_tb(self.__traceback__) if _is_of_the_person(frame.filename)]
        if own and own[-1].line:
            lines.insert(0, f"----> {own[-1].lineno} {own[-1].line}\n")
        return lines

    def __reduce__(self) -> tuple[object, ...]:  # an exception crosses processes with its values
        return (_rebuild, (type(self), self.values))


def _is_of_the_person(filename: str) -> bool:
    """Whether a file is a cell or a script of the person's, not a library's."""
    path = Path(filename)
    libraries = {Path(__file__).parent, Path(traceback.__file__).parent}  # firstlight, and Python's own
    return not libraries & set(path.parents) and not {"site-packages", "dist-packages"} & set(path.parts)


def _rebuild(kind: type[FirstlightError], values: dict[str, object]) -> FirstlightError:
    return kind(**values)
