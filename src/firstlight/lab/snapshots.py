"""Where a kernel has died that trained: its last weights, with one click."""

import json
import time
from contextlib import suppress
from pathlib import Path

from firstlight.errors import FirstlightError
from firstlight.lab.deaths import Action, Death
from firstlight.locale import _
from firstlight.run.listing import checkpoints_in, duration_text, runs_folder
from firstlight.run.process import identity
from firstlight.run.store import FILE, Reader

_LOOKED_AT = 50  # runs, the newest


def offer(death: Death) -> list[Action]:
    """To go on from the newest checkpoint of the training that the kernel was at, if it was at one."""
    here = identity()["host"]
    for path in sorted(runs_folder().glob(f"*/{FILE}"), reverse=True)[:_LOOKED_AT]:
        with suppress(FirstlightError, OSError, ValueError, KeyError, TypeError):
            meta = Reader(path.parent).meta()
            writer = meta["process"]
            if (writer["pid"], writer["host"]) != (death.pid, here) or meta["status"] != "running":
                continue
            return [_action(path.parent, checkpoints_in(path.parent)[0])] if checkpoints_in(path.parent) else []
    return []


def _action(folder: Path, name: str) -> Action:
    told = json.loads((folder / "checkpoints" / f"{name}.json").read_text(encoding="utf-8"))
    step, ago = f"{int(told['step']):,}", duration_text(time.time() - float(told["time"]))
    label = _("Go on with the weights of step {step}, {ago} ago", step=step, ago=ago)
    return Action(label, f"import firstlight as fl\nfl.resume({str(folder)!r})")
