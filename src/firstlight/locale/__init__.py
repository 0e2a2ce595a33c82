"""The one mechanism for every sentence that a person reads.

English stands in the code, in `_("...")` or `Text(...)`; Japanese and Korean stand in gettext files, one per room:
`locale/ja/data.po`, `locale/ko/data.po`. `firstlight lang check` reports what is missing, stale or malformed.

The language is `FIRSTLIGHT_LANG` where it is set (the lab sets it for its kernels), else the system's, else English.
"""

import locale as _system
import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TextIO

LANGUAGES = ("en", "ja", "ko")


def language() -> str:
    """The language that the person reads: `en`, `ja` or `ko`.

    Example:
        >>> language() in LANGUAGES
        True
    """
    for name in ("FIRSTLIGHT_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return _known(value)
    return _known(_system.getlocale()[0] or "en")  # Windows sets none of the variables


def _(message: str, **values: object) -> str:
    """Translate an English sentence and fill its named placeholders.

    Args:
        message: The English sentence, a literal where it is called, so that the catalogue tool finds it.
        values: One value per `{placeholder}`.

    Returns:
        The sentence in the learner's language, in English where no translation stands.

    Example:
        >>> _("{count} samples", count=3)
        '3 samples'
    """
    return translated(message, **values)


def translated(message: str, **values: object) -> str:
    """The same for a sentence that stands elsewhere: in a `Text`, or as the question of a rule.

    Example:
        >>> translated(Text(what="{count} samples", why="", do="").what, count=3)
        '3 samples'
    """
    lang = language()
    found = message if lang == "en" else _catalogue(lang).get(message, message)
    return found.format(**values) if values else found


def say(line: str, stream: TextIO | None = None) -> None:
    """Write one line where the person reads it.

    A sign that the terminal's encoding lacks (Windows, redirected to a file) becomes `?`: saying something never fails.

    Args:
        line: What to say, already in the learner's language.
        stream: Where; else standard output.
    """
    stream = stream or sys.stdout
    try:
        stream.write(line + "\n")
    except UnicodeEncodeError as error:
        stream.write((line + "\n").encode(error.encoding, errors="replace").decode(error.encoding))


@dataclass(frozen=True)
class Text:
    """Three sentences: what happened, why, what to do. Each may hold named placeholders."""

    what: str
    why: str
    do: str

    def fill(self, **values: object) -> str:
        """The three sentences in the learner's language, one per line."""
        return "\n".join(translated(sentence, **values) for sentence in (self.what, self.why, self.do))


def _known(value: str) -> str:
    short = value.replace("-", "_").split("_")[0].split(".")[0].lower()
    short = {"japanese": "ja", "korean": "ko"}.get(short, short)  # Windows spells them out
    return short if short in LANGUAGES else "en"


@cache
def _catalogue(lang: str) -> dict[str, str]:
    import polib  # only those who read Japanese or Korean wait for it

    folder = Path(__file__).with_name(lang)
    return {
        entry.msgid: entry.msgstr
        for path in sorted(folder.glob("*.po"))
        for entry in polib.pofile(str(path))
        if entry.translated() and not entry.obsolete
    }
