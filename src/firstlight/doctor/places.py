"""Where in the learner's code something happens."""

import linecache
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from firstlight.graph.source import kind_of_file, own_frame, read_source

_MOST_HELD = 200  # things in one container of the learner's that are looked at for a name


@dataclass(frozen=True)
class Place:
    """A line of the learner's.

    Attributes:
        file: The script, or the file that the kernel compiled a cell under.
        line: Counted from 1.
        text: What stands there.
        cell: The number of the notebook's cell, None for a script.
        function: The function that the line is part of, `<module>` outside of any.
    """

    file: str
    line: int
    text: str = ""
    cell: int | None = None
    function: str = "<module>"

    @property
    def source(self) -> str:
        """The line with its indentation, as far as the file is still there."""
        return linecache.getline(self.file, self.line).rstrip() or self.text

    def as_json(self) -> dict[str, Any]:
        """As a fact holds it."""
        return dict(vars(self))

    @classmethod
    def at(cls, file: str, line: int, function: str) -> "Place":
        """The place of a line, by where Python says that it runs."""
        source = read_source(file, line)
        return cls(source.file, source.line, source.text, source.cell, function)

    @classmethod
    def from_json(cls, data: Any) -> "Place | None":
        """What `as_json` gave; None for None."""
        return cls(**data) if data else None


def here(depth: int = 1) -> Place | None:
    """The learner's line that this call came from, through whatever libraries. None where none of theirs is on the way.

    Args:
        depth: Frames of ours to leave out.
    """
    frame, _way = own_frame(sys._getframe(depth))
    library = frame
    while frame is not None and is_installed(frame.f_code.co_filename):
        frame, _way = own_frame(frame.f_back)
    frame = frame or library  # a program that was installed itself
    if frame is None:
        return None
    return Place.at(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def way_here(depth: int = 1, most: int = 8) -> list[Place]:
    """The learner's lines that led to this call, the innermost first."""
    found: list[Place] = []
    frame, _way = own_frame(sys._getframe(depth))
    while frame is not None and len(found) < most:
        if not is_installed(frame.f_code.co_filename):
            found.append(Place.at(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        frame, _way = own_frame(frame.f_back)
    return found


def is_installed(file: str) -> bool:
    """Whether a file is part of an installed package: nobody learns by changing it.

    Example:
        >>> is_installed("/venv/lib/python3.11/site-packages/timm/models.py"), is_installed("/home/me/train.py")
        (True, False)
    """
    return "-packages/" in file.replace("\\", "/")


def names_of(value: Any) -> str | None:
    """What the learner's files call a value: `w1`, or `params["w1"]`; None where no global name leads to it.

    Of the files whose functions run now. Local names are not looked at: reading those keeps what they stand for alive.
    """
    spaces: dict[int, dict[str, Any]] = {}
    frame: Any = sys._getframe(1)
    while frame is not None:
        if kind_of_file(frame.f_code.co_filename) == "own" and not is_installed(frame.f_code.co_filename):
            spaces[id(frame.f_globals)] = frame.f_globals
        frame = frame.f_back
    for space in spaces.values():
        for name, one in list(space.items()):
            if one is value:
                return name
            for inner, other in _within(one):
                if other is value:
                    return f"{name}{inner}"
    return None


def _within(holder: Any, deep: int = 2) -> Iterator[tuple[str, Any]]:
    """What a dictionary, a list or an object of the learner's own holds, and how one gets at it."""
    found: list[tuple[str, Any]] = []
    if isinstance(holder, dict):
        found = [(f"[{key!r}]", one) for key, one in list(holder.items())[:_MOST_HELD] if isinstance(key, str | int)]
    elif isinstance(holder, list | tuple):
        found = [(f"[{at}]", one) for at, one in enumerate(holder[:_MOST_HELD])]
    elif type(holder).__module__ == "__main__" and hasattr(holder, "__dict__"):
        found = [(f".{name}", one) for name, one in list(vars(holder).items())[:_MOST_HELD]]
    for inner, one in found:
        yield inner, one
        if deep > 1:
            yield from ((inner + further, other) for further, other in _within(one, deep - 1))
