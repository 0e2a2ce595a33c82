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
    from firstlight.run.listing import RunList, Table


def show_runs(folder: Path | None, *, as_json: bool) -> int:
    """Print the runs of a folder, or of all folders that are known, the newest first."""
    from firstlight.view.following import runs_in

    places = places_of(folder)
    found = runs_in(places)
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
        print(_numbered(found))
    else:
        print(_("No runs in {folder}.", folder=", ".join(map(str, places))), file=sys.stderr)
    return 0


def places_of(folder: Path | None) -> list[Path]:
    """Where to look: runs of the lab stand in the learner's folder, runs of scripts in the data folder."""
    from firstlight.run import runs_folder

    if folder is not None:
        return [folder / "runs" if (folder / "runs").is_dir() else folder]
    if os.environ.get("FIRSTLIGHT_RUNS"):
        return [runs_folder()]
    labs = [default_folder(), *(Path(lab.folder) for lab in running.labs())]
    return list(dict.fromkeys([*(lab / "runs" for lab in labs), runs_folder()]))


def _numbered(found: "RunList") -> "Table":
    """The table with the number by which `firstlight watch` knows a run; `fl.runs()` counts from 0, too."""
    from firstlight.run.listing import Table

    table = found.table()
    rows = tuple((str(number), *row) for number, row in enumerate(table.rows))
    return Table((_("no."), *table.header), rows)
