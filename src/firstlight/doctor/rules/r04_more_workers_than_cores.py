"""R04 more-workers-than-cores: a loader starts more processes than there are cores for them."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import argument, call_at, with_argument
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.rule_programs import LOADERS
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """Loaders with more workers than cores. Examples use 4 or less whatever the machine: those are no alarm."""
    for one in (newest(run, "resources") or {"loaders": []})["loaders"]:
        workers, cores = one["workers"], one["cores"]
        if workers <= cores:
            continue
        place = Place.from_json(one["place"])
        many = workers > 2 * cores and workers > 4
        yield Finding(
            evidence=_("num_workers={workers}; this process may use {cores} cores.", workers=workers, cores=cores),
            voice="alarm" if many else "question",
            step=one["step"],
            place=place,
            edits=_fewer(Code.of(run), place, cores) if many else (),
            check="import os\nprint(os.cpu_count())",
        )


def _fewer(code: Code, place: Place | None, cores: int) -> tuple[Edit, ...]:
    found = call_at(code, place, ("DataLoader",))
    there = argument(found[1], "num_workers") if found is not None else None
    if found is None or there is None or isinstance(there, ast.Name):
        return ()
    return with_argument(found[2], found[1], "num_workers", str(min(cores, 2)))


BROKEN = LOADERS.replace("import torch\n", "import warnings\n\nimport torch\n", 1).replace(
    "batch_size=40)",
    'batch_size=40)\nwarnings.simplefilter("ignore")\nunused = DataLoader(TensorDataset(x, y), num_workers=99)',
)

rule = Rule(
    code="R04",
    name="more-workers-than-cores",
    voice="alarm",
    stage="resources",
    question="Has each worker of a loader a core of its own?",
    needs=("resources",),
    find=find,
    text=Text(
        what="The loader starts more worker processes than this computer has cores.",
        why="They take turns and wait for each other. Each one also takes memory and time to start.",
        do="Set num_workers to the number of cores or less; often 0 or 2 is fastest.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("num_workers=99", "num_workers=1"),
    lookalikes={"no workers": LOADERS},
)
