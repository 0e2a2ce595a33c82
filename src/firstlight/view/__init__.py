"""Seeing a run while it happens.

What this room promises to the others:

- `watch` makes a `Run` from an unchanged PyTorch loop and shows it live; `listen` shows every run that starts.
- A view reads the record only. It never waits for a step, and no step waits for it.
- Stop, Ctrl-C and the notebook's ■ end a loop between two steps. In a notebook the cell then ends without an error.
- At rest, a view in a notebook is a picture with HTML and text, and stays so in the saved file.
- `FIRSTLIGHT_VIEW=off` shows nothing; recording and stopping work as ever.

`watch` and `listen` need torch and are loaded on first use; looking at a run of another process waits for no torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firstlight.view.watching import listen as listen
    from firstlight.view.watching import watch as watch

__all__ = ["listen", "watch"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from firstlight.view import watching

    return getattr(watching, name)
