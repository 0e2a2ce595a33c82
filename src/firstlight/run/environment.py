"""Where and with what a run was made. Asks nothing that costs: no import of torch, no start of an accelerator."""

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = ("firstlight", "torch", "numpy", "safetensors", "ipykernel", "jupyterlab")
_LONGEST_CODE = 200_000  # characters kept of a script or of all cells


def describe() -> dict[str, Any]:
    """Versions, machine, torch's threads and seed, and the code that is running.

    Example:
        >>> describe()["versions"]["python"].count(".")
        2
    """
    found: dict[str, Any] = {
        "versions": {"python": platform.python_version(), **_versions()},
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "argv": list(sys.argv),
        "folder": str(Path.cwd()),
    }
    found.update(_torch())
    if code := cells():
        found["cells"] = code
    elif script := _script():
        found["script"] = script
    return found


def cells() -> list[str]:
    """The code of the notebook's cells, in the order in which they ran; empty outside a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return []
    kept: list[str] = []
    room = _LONGEST_CODE
    for code in reversed(shell.user_ns.get("In", [])[1:]):  # In[0] is empty
        room -= len(code)
        if room < 0:
            break
        kept.append(str(code))
    return kept[::-1]


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _torch() -> dict[str, Any]:
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "initial_seed"):
        return {}
    found: dict[str, Any] = {
        "threads": torch.get_num_threads(),
        "seed": torch.initial_seed(),
        "cuda": torch.version.cuda,
    }
    if torch.cuda.is_initialized():
        found["devices"] = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return found


def _script() -> dict[str, str] | None:
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    if path is None:
        return None
    try:
        code = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {"path": str(path)}
    return {"path": str(Path(path).absolute()), "code": code[:_LONGEST_CODE]}
