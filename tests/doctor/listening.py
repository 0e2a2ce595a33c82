"""Running a program under a witness of its own, as a script is run."""

import contextlib
import linecache
from typing import Any

from firstlight.doctor import witness as listening
from firstlight.run import Run


def listen_to(source: str, name: str = "program.py", *, fails: bool = False) -> Run:
    """The record of what a witness heard while this program ran.

    Args:
        source: The program.
        name: The file that its lines are said to stand in.
        fails: Whether it is to end with an exception, which the witness is told of.
    """
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    space: dict[str, Any] = {"__name__": "__main__", "__file__": name}
    witness = listening.attend()
    try:
        with contextlib.redirect_stdout(None):
            try:
                exec(compile(source, name, "exec"), space)
            except Exception as error:
                if not fails:
                    raise
                witness.failed(error)
        witness.probe()
        run = witness.tell(Run())
        assert not witness.lost, witness.lost
        return run
    finally:
        listening.leave()
