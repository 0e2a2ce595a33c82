"""From nothing to a trained PyTorch classifier that you understand.

Every public name is loaded on first use: `import firstlight` imports no torch, reads no file and opens no connection.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from firstlight.data import Dataset as Dataset
    from firstlight.data import load as load
    from firstlight.data import read_picture as read_picture
    from firstlight.data import show as show
    from firstlight.doctor import examine as examine
    from firstlight.errors import FirstlightError as FirstlightError
    from firstlight.graph import memory as memory
    from firstlight.graph import shapes as shapes
    from firstlight.graph import trace as trace
    from firstlight.run import Run as Run
    from firstlight.run import resume as resume
    from firstlight.run import runs as runs
    from firstlight.train import choose_device as choose_device
    from firstlight.train import evaluate as evaluate
    from firstlight.train import fit as fit
    from firstlight.train import nest as nest
    from firstlight.train import recipes as recipes
    from firstlight.view import watch as watch

# Public name -> room that defines it.
_ROOMS = {
    "Dataset": "data",
    "FirstlightError": "errors",
    "Run": "run",
    "choose_device": "train",
    "evaluate": "train",
    "examine": "doctor",
    "fit": "train",
    "load": "data",
    "memory": "graph",
    "nest": "train",
    "read_picture": "data",
    "recipes": "train",
    "resume": "run",
    "runs": "run",
    "shapes": "graph",
    "show": "data",
    "trace": "graph",
    "watch": "view",
}

__all__ = sorted([*_ROOMS, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "fit":  # whoever trains through the public name sees it: the view listens to every run that starts
        import_module("firstlight.view").listen()
    value = getattr(import_module(f"firstlight.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
