"""Running a program under a witness of its own, as a script is run."""

import builtins
import contextlib
import io
import linecache
import sys
from collections.abc import Iterator
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from firstlight.doctor import witness as listening
from firstlight.run import Run


@contextlib.contextmanager
def unhurried() -> Iterator[None]:
    """A block in which listening may cost what it will: what is heard does not depend on how busy the machine is."""
    free, listening._FREE_S = listening._FREE_S, 1e9
    try:
        yield
    finally:
        listening._FREE_S = free


def listen_to(
    source: str, name: str = "program.py", *, fails: bool = False, space: dict[str, Any] | None = None
) -> Run:
    """The record of what a witness heard while this program ran.

    Args:
        source: The program; where it begins with `# %%`, a notebook's cells, run one by one.
        name: The file that its lines are said to stand in.
        fails: Whether it is to end with an exception, which the witness is told of.
        space: Gets the program's names, for who wants to look at its values.
    """
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    space = {} if space is None else space
    space.update(__name__="__main__", __file__=name)
    witness = listening.attend()
    try:
        with contextlib.redirect_stdout(io.StringIO()), unhurried():
            try:
                if source.startswith("# %%"):
                    return in_cells(source, witness)
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


def in_cells(source: str, witness: listening.Witness) -> Run:
    """The same for a notebook, in a shell of its own."""
    from firstlight.doctor.child import run_cells

    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    displayhook, builtin = sys.displayhook, vars(builtins).copy()
    try:
        run_cells(shell, [cell.partition("\n")[2] for cell in source.split("# %%")[1:]])
        witness.probe()
        run = witness.tell(Run())
        assert not witness.lost, witness.lost
        return run
    finally:
        shell.restore_sys_module_state()
        sys.displayhook = displayhook
        for name in set(vars(builtins)) - set(builtin):
            delattr(builtins, name)
        InteractiveShell.clear_instance()
