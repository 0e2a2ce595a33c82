"""R03 workers-in-a-notebook: worker processes of a loader that have to find what only a cell defines."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.raised import workers
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A loader in a notebook, with workers that are started afresh, and a dataset of a cell."""
    yield from workers(run)
    for one in (newest(run, "resources") or {"loaders": []})["loaders"]:
        if one["in_cell"] and one["method"] in ("spawn", "forkserver"):
            yield Finding(
                evidence=_(
                    "num_workers={workers} with start method {method}, and {name} is defined in a cell.",
                    workers=one["workers"],
                    method=one["method"],
                    name=one["in_cell"][0],
                ),
                step=one["step"],
                place=Place.from_json(one["place"]),
                check="import torch.multiprocessing\nprint(torch.multiprocessing.get_start_method())",
            )
            return


BROKEN = """\
# %%
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Points(Dataset):
    def __len__(self):
        return 64

    def __getitem__(self, index):
        return torch.full((4,), float(index)), index % 2


# %%
loader = DataLoader(Points(), batch_size=8, num_workers=2, multiprocessing_context="spawn")
"""

rule = Rule(
    code="R03",
    name="workers-in-a-notebook",
    voice="alarm",
    stage="resources",
    question="Do the loader's workers find the dataset's class?",
    needs=("resources", "failure"),
    find=find,
    text=Text(
        what="The loader starts worker processes, and they cannot find a class or function that a cell defines.",
        why="A new process imports files. It does not see the cells of this notebook, so it stops or waits forever.",
        do="Use num_workers=0, or put the class into a file of its own and import it.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace('num_workers=2, multiprocessing_context="spawn"', "num_workers=0"),
    lookalikes={
        "a dataset of PyTorch": BROKEN.replace("Points()", "torch.utils.data.TensorDataset(torch.arange(64))"),
        "workers that are copies of this process": BROKEN.replace('"spawn"', '"fork"'),
    },
)
