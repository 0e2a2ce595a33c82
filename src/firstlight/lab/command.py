"""How firstlight was started, so that what we tell a person to type is found where they are."""

import shlex
import shutil
import sys
from contextlib import suppress
from pathlib import Path


def command() -> str:
    """What to type for `firstlight`: the word alone where the shell finds it, else the way that was typed.

    Example:
        >>> command().split()[-1].endswith("firstlight")
        True
    """
    started = sys.argv[0] if sys.argv else ""
    path = Path(started)
    if path.name == "__main__.py":
        return f"{_shortest(sys.executable)} -m firstlight"
    if path.stem.removesuffix("-script") != "firstlight":  # a program of the person's own has called us
        return "firstlight"
    return _shortest(started)


def _shortest(program: str) -> str:
    """The name alone where it leads to this very program, else its path; a home folder is nobody else's business."""
    path = Path(program)
    found = shutil.which(path.name)
    with suppress(OSError):
        if found is not None and Path(found).samefile(path):
            return path.name
    if path.is_relative_to(Path.home()):
        return f"~/{shlex.quote(path.relative_to(Path.home()).as_posix())}"
    return shlex.quote(program)
