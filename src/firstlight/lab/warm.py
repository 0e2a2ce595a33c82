"""Inside a kernel, before the learner's first cell: load what takes seconds, in the background.

`import torch` takes about 1.6 s, and the first optimizer as much again (it loads `torch._dynamo`). Meanwhile the kernel
answers at once. A cell that imports something waits for the thread: two threads that import parts of torch at the same
time can meet in the middle of each other's half-loaded modules. The guide of the lessons is put beside the shell at
once: after a restart it has to know a lesson's cells before the lesson's first cell has run. When torch is there, the
threads and the memory of the learner's own loops are looked after as well (`firstlight.train.threads`, `malloc`), and
the doctor begins to listen (`firstlight.doctor.kernel`).
"""

import importlib
import sys
import threading
from typing import Any

from firstlight.lab import lastwords
from firstlight.lessons import guide

MODULES = ("torch", "torch._dynamo", "firstlight.data", "firstlight.train", "firstlight.view", "firstlight.lessons")


def load_ipython_extension(_shell: Any) -> None:
    """Start loading: IPython calls this before the first cell, when the kernel's command line names this module."""
    start()


def start() -> threading.Thread:
    """Start loading. Leaves no name behind in the notebook, prints nothing, and never raises."""
    shell = _shell()
    thread = threading.Thread(target=_load, args=(shell,), name="firstlight-warm", daemon=True)
    if shell is not None:
        lastwords.keep(shell)
        _hold_back_imports(shell, thread)
        guide.attend(shell)
    thread.start()
    return thread


def _load(shell: Any) -> None:
    try:
        for name in MODULES:
            importlib.import_module(name)
        _use_profiler()
        importlib.import_module("firstlight.train.threads").attend_kernel(shell)
        importlib.import_module("firstlight.train.malloc").attend_kernel(shell)
        importlib.import_module("firstlight.doctor.kernel").attend_kernel(shell)
    except Exception:  # noqa: BLE001  whatever is wrong with it, the learner's own import will say so, in its place
        return


def _use_profiler() -> None:
    """Once, in the thread that imported torch; else its first use in a cell writes an error below it."""
    import torch

    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
        pass


def _shell() -> Any:
    """The IPython that runs this kernel, if it is IPython."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _hold_back_imports(shell: Any, thread: threading.Thread) -> None:
    def before_cell(info: Any) -> None:
        if thread.is_alive() and "import" not in (info.raw_cell or ""):
            return
        thread.join()
        shell.events.unregister("pre_run_cell", before_cell)

    shell.events.register("pre_run_cell", before_cell)
