"""Inside a kernel, before the learner's first cell: load what takes seconds, in the background.

`import torch` takes about 1.6 s, and the first optimizer as much again (it loads `torch._dynamo`). Meanwhile the kernel
answers at once. A cell that imports something waits for the thread: two threads that import parts of torch at the same
time can meet in the middle of each other's half-loaded modules.
"""

import importlib
import threading
from contextlib import suppress
from typing import Any

MODULES = ("torch", "torch._dynamo", "firstlight.data", "firstlight.train", "firstlight.view", "firstlight.lessons")


def start() -> threading.Thread:
    """Start loading. Leaves no name behind in the notebook, prints nothing, and never raises."""
    thread = threading.Thread(target=_load, name="firstlight-warm", daemon=True)
    with suppress(ImportError):  # a kernel without IPython has no cells to hold back either
        _hold_back_imports(thread)
    thread.start()
    return thread


def _load() -> None:
    for name in MODULES:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001  whatever is wrong with it, the learner's own import will say so, in its place
            return


def _hold_back_imports(thread: threading.Thread) -> None:
    from IPython import get_ipython

    shell = get_ipython()  # type: ignore[no-untyped-call]  # IPython has none
    if shell is None:
        return

    def before_cell(info: Any) -> None:
        if thread.is_alive() and "import" not in (info.raw_cell or ""):
            return
        thread.join()
        shell.events.unregister("pre_run_cell", before_cell)

    shell.events.register("pre_run_cell", before_cell)
