"""What an exercise of the gym is: code that does not do what it should, and a judge that looks at what it does."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace

from firstlight.lessons.quizzes import Option, Question
from firstlight.locale import _

Edit = tuple[str, str]
"""What stands in the code, and what to write for it."""


@dataclass(frozen=True)
class Words:
    """What an exercise says, in the learner's language.

    Attributes:
        title: A few words that do not tell the cause.
        story: What happened, in two sentences.
        hints: Three, from far to near.
        causes: Four possible causes, each with why it is right or wrong. The first is right; they are shown mixed.
        after: The explanation after success.
    """

    title: str
    story: str
    hints: tuple[str, str, str]
    causes: tuple[tuple[str, str], tuple[str, str], tuple[str, str], tuple[str, str]]
    after: str


@dataclass(frozen=True)
class Exercise:
    """Code to mend, and how to tell that it is mended.

    Attributes:
        subject: `data`, `model`, `loop` or `evaluation`.
        level: 1 to 3.
        needs: The functions and classes of the code that are judged.
        code: The cell to mend. No prose: it is the same in each language.
        trial: A cell that runs it and shows a number.
        words: What it says; a function, since the language is known only when it is asked.
        judge: Yields a sentence for each thing that is not as it should be. It runs what the learner made, on data of
            its own; it never reads its text.
        mended: Ways to mend it, for our tests.
        cosmetic: Changes that look like mending and are none, for our tests.
        name: The name of its file.
    """

    subject: str
    level: int
    needs: tuple[str, ...]
    code: str
    trial: str
    words: Callable[[], Words]
    judge: Callable[[SimpleNamespace], Iterator[str]]
    mended: tuple[tuple[Edit, ...], ...]
    cosmetic: tuple[tuple[Edit, ...], ...]
    name: str = ""

    def question(self) -> Question:
        """Which of four causes it was; in an order that is always the same and has no meaning."""
        words = self.words()
        options = [Option(text, why, right=not at) for at, (text, why) in enumerate(words.causes)]
        turn = hashlib.sha256(self.name.encode()).digest()[0] % len(options)
        return Question(_("What was the cause?"), tuple(options[turn:] + options[:turn]))
