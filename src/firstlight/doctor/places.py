"""Where in the learner's code something happens."""

import linecache
import sys
from dataclasses import asdict, dataclass
from typing import Any

from firstlight.graph.source import own_frame, read_source


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
        return asdict(self)

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
    if frame is None:
        return None
    source = read_source(frame.f_code.co_filename, frame.f_lineno)
    return Place(source.file, source.line, source.text, source.cell, frame.f_code.co_name)
