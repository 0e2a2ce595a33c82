"""What a learner reads when something is wrong: what happened, why, what to do."""

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

    def __reduce__(self) -> tuple[object, ...]:  # an exception crosses processes with its values
        return (_rebuild, (type(self), self.values))


def _rebuild(kind: type[FirstlightError], values: dict[str, object]) -> FirstlightError:
    return kind(**values)
