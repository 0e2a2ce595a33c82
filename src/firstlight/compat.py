"""Private names of other packages that we depend on: each guarded, each with a canary test."""

import importlib
import platform
import sys
import threading
from typing import Any

# Lab: two costs at the start of a Jupyter Server that buy a learner nothing. Canary: tests/lab/test_compat_lab.py.


def quick_server_imports() -> None:
    """Make the import of jupyter_server and jupyterlab 2 s shorter. To be called before it; never raises.

    - `rfc3987_syntax` builds a grammar as it is imported (1.2 s), for a format check that jsonschema treats as
      optional: it suppresses the ImportError.
    - `jupyterlab.commands._yarn_config` runs node (0.6 s) to learn of a registry that only extension builders ask.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # documented: None makes the import fail
    try:
        import jupyterlab.commands as commands
    except ImportError:
        return
    if hasattr(commands, "_yarn_config"):
        commands._yarn_config = _no_yarn_config


def _no_yarn_config(_logger: Any = None) -> dict[str, dict[str, str]]:
    return {"yarn config": {}, "npm config": {}}


# View: messages of our widget while a cell keeps the kernel busy. Canary: tests/test_compat.py.


def hear_while_busy(comm: Any) -> None:
    """Let the callback of a comm run in the kernel's subshell thread while the main thread trains. Never raises.

    - ipykernel 7.4 sends the page's messages to the shell that last sent on this comm, the busy one
      (`_reply_subshell_for`); we want the one that the page chose.
    - `handle_msg` fires IPython's events around each message; in a subshell that flushes the running cell's
      matplotlib figures into the void (ipykernel issue 1564). Our callback needs no such events.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = _as_the_page_chose
    if hasattr(comm, "handle_msg") and hasattr(comm, "_msg_callback"):
        comm.handle_msg = lambda message: comm._msg_callback(message) if comm._msg_callback else None


def _as_the_page_chose(_data: Any, default: Any) -> Any:
    return default


# Train: which numbers the CPU computes with. Canary: tests/train/test_plan.py.


def cpu_bfloat16() -> bool | None:
    """Whether this CPU multiplies bfloat16 itself (AVX512-BF16 or AMX); None where only measuring tells."""
    import torch

    if platform.machine().lower() not in ("x86_64", "amd64"):
        return None
    asked = [getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("avx512_bf16", "amx_tile")]
    answers = [bool(ask()) for ask in asked if ask is not None]
    return any(answers) if answers else None


# Lab: which addresses a route stands for. Canary: tests/lab/test_audit.py.


def parsed_pattern(pattern: str) -> Any:
    """The syntax tree of a regular expression; raises `re.error` where it is none."""
    parser = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")
    return parser.parse(pattern)


# Lab: threads that wait for work for ever when the loop has ended. Canary: tests/lab/test_selftest.py.


def end_workers() -> None:
    """Let anyio's idle threads end. Each waits for the task that it was begun under, and that may have been cut off."""
    for thread in threading.enumerate():
        if type(thread).__module__.startswith("anyio.") and hasattr(thread, "stop"):
            thread.stop()


# Doctor: what torch.compile knows of torch's functions, each by itself. Canary: tests/doctor/test_witness.py.


def forget_wrappers() -> None:
    """Have torch.compile look torch's functions up again: wrappers may have stood there when it first did."""
    forget = getattr(sys.modules.get("torch._dynamo.trace_rules"), "clear_lru_cache", None)
    if forget is not None:
        forget()


# Run: an optimizer that has stepped in an earlier process. Canary: tests/run/test_checkpoint.py.


def has_stepped(optimizer: Any) -> None:
    """Spare its schedulers the warning that they step before it does."""
    optimizer._opt_called = True


# Torch: that there was no memory, it says on the CPU by a plain RuntimeError. Canary: tests/test_compat.py.

_NO_MEMORY = ("not enough memory", "can't allocate memory", "out of memory", "could not allocate", "bad_alloc")


def wants_memory(error: BaseException) -> bool:
    """Whether there was no memory for something, as torch says it: on the CPU by a plain RuntimeError.

    Example:
        >>> wants_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory")), wants_memory(ValueError("wrong"))
        (True, False)
    """
    kind = type(error).__name__
    return kind in ("MemoryError", "OutOfMemoryError") or any(word in str(error) for word in _NO_MEMORY)
