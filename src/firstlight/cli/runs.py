"""`firstlight runs`: what was trained, as a table or as JSON."""

import json
import sys
from pathlib import Path

from firstlight.locale import _


def show_runs(folder: Path | None, *, as_json: bool) -> int:
    """Print the runs of a folder, the newest first."""
    from firstlight.run import runs, runs_folder  # brings torch with it

    where = folder or runs_folder()
    found = runs(where)
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
                        "metrics": run.metrics,
                        "problem": run.problem,
                    }
                    for run in found
                ],
                indent=2,
                ensure_ascii=False,
            )
        )
    elif found:
        print(found)
    else:
        print(_("No runs in {folder}.", folder=where), file=sys.stderr)
    return 0
