"""Where in the learner's own code something happened: file, line, text of the line, cell of the notebook."""

import linecache
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from types import FrameType

import torch

from firstlight.graph.operations import Source

_TORCH = str(Path(torch.__file__).parent)
_OURS = str(Path(__file__).parents[1])
_PYTHON = sysconfig.get_path("stdlib")


_APART: set[str] = set()


def set_apart(*files: str) -> None:
    """Files of what runs the programs of others: they are no part of any program that they run."""
    _APART.update(files)
    kind_of_file.cache_clear()


@lru_cache(maxsize=4096)
def kind_of_file(name: str) -> str:
    """Whose file it is: `own` (the learner's, another library's), `torch`, `optimizer`, `data`, `compiled`, `system`.

    Example:
        >>> kind_of_file(torch.__file__), kind_of_file("train.py")
        ('torch', 'own')
    """
    path = name.replace("\\", "/")
    torch_path, ours = _TORCH.replace("\\", "/"), _OURS.replace("\\", "/")
    if path.startswith(torch_path + "/"):
        part = path[len(torch_path) + 1 :]
        if part.startswith(("_dynamo/", "_functorch/", "_inductor/")):
            return "compiled"
        return "optimizer" if part.startswith("optim/") else "data" if part.startswith("utils/data/") else "torch"
    if "/torchinductor_" in path:
        return "compiled"
    if path.startswith(ours + "/"):
        return "data" if path[len(ours) + 1 :].startswith("data/") else "torch"
    if path.startswith("<frozen ") or name in _APART:
        return "system"
    library = _PYTHON.replace("\\", "/") + "/"
    return "system" if path.startswith(library) and "-packages/" not in path else "own"


def own_frame(frame: FrameType | None) -> tuple[FrameType | None, str]:
    """The nearest frame of the learner's, and through what the call went on its way.

    Returns:
        The frame, None if there is none, and `optimizer`, `data`, `compiled` or an empty text.
    """
    way = ""
    while frame is not None:
        kind = kind_of_file(frame.f_code.co_filename)
        if kind == "own":
            return frame, way
        if kind in ("optimizer", "data", "compiled"):
            way = kind
        frame = frame.f_back
    return None, way


def read_source(file: str, line: int) -> Source:
    """Fill in the text of the line and the number of the cell."""
    return Source(file, line, linecache.getline(file, line).strip()[:200], cell_number(file))


def cell_number(file: str) -> int | None:
    """Which cell of a notebook the kernel means by this file; None for an ordinary file. Never raises.

    IPython's compiler keeps the numbers under a private name. Canary: tests/graph/test_source.py.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    known = getattr(getattr(shell, "compile", None), "_filename_map", None)
    number = known.get(file) if isinstance(known, dict) else None
    return number if isinstance(number, int) else None
