"""`firstlight runs`: what was trained, as a table or as JSON."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from firstlight.lab import running
from firstlight.lab.folder import default_folder
from firstlight.locale import _
from firstlight.run.values import plain

if TYPE_CHECKING:
    from firstlight.run.listing import RunList


def show_runs(folder: Path | None, *, as_json: bool) -> int:
    """Print the runs of a folder, or of all folders that are known, the newest first."""
    places = _places(folder)
    found = _runs(places)
    if as_json:
        print(
            json.dumps(
                [
                    {
                        "name": run.name,
                        "status": run.status,
                        "started": run.started,
                        "duration_s": run.duration,
                        "steps": run.steps,
                        "folder": str(run.folder),
                        "metrics": plain(run.metrics),  # JSON has no NaN
                        "problem": run.problem,
                    }
                    for run in found
                ],
                indent=2,
            )
        )
    elif found:
        print(found)
    else:
        print(_("No runs in {folder}.", folder=", ".join(map(str, places))), file=sys.stderr)
    return 0


def _places(folder: Path | None) -> list[Path]:
    """Where to look: runs of the lab stand in the learner's folder, runs of scripts in the data folder."""
    from firstlight.run import runs_folder  # brings torch with it

    if folder is not None:
        return [folder / "runs" if (folder / "runs").is_dir() else folder]
    if os.environ.get("FIRSTLIGHT_RUNS"):
        return [runs_folder()]
    labs = [default_folder(), *(Path(lab.folder) for lab in running.labs())]
    return list(dict.fromkeys([*(lab / "runs" for lab in labs), runs_folder()]))


def _runs(places: list[Path]) -> "RunList":
    from firstlight.run import runs
    from firstlight.run.listing import RunList

    return RunList(sorted((run for place in places for run in runs(place)), key=lambda run: run.started, reverse=True))
