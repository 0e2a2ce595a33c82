"""R01 waiting-for-batches: much of the time of a training goes by until the loader has a batch."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import LOADERS
from firstlight.locale import Text, _
from firstlight.run import Run

_BATCHES = 20
_SHARE = 0.4
_STEP_S = 0.005  # where a step takes less, everything takes microseconds, and nobody waits


def find(run: Run) -> Iterator[Finding]:
    """Passes over a loader that were learned from, and mostly waited for."""
    rows = [
        one for one in (newest(run, "resources") or {"feeds": []})["feeds"] if one["learned"] > 0.5 * one["batches"]
    ]
    batches, all_s = sum(one["batches"] for one in rows), sum(one["all_s"] for one in rows)
    waited_s = sum(one["waited_s"] for one in rows)
    if batches < _BATCHES or all_s < _STEP_S * batches or waited_s <= _SHARE * all_s:
        return
    yield Finding(
        evidence=_(
            "Of {all} ms for each batch, {waited} ms went by until the loader had it ({share} %).",
            all=round(1000 * all_s / batches, 1),
            waited=round(1000 * waited_s / batches, 1),
            share=round(100 * waited_s / all_s),
        ),
        step=rows[0]["step"] + _BATCHES,
        place=Place.from_json(rows[0]["place"]),
    )


BROKEN = (
    LOADERS.replace(
        "train_loader = DataLoader(TensorDataset(x, y)",
        """
class Slow(TensorDataset):
    def __getitem__(self, index):
        time.sleep(0.0005)
        return super().__getitem__(index)


train_loader = DataLoader(Slow(x, y)""",
    )
    .replace("import torch\n", "import time\n\nimport torch\n", 1)
    .replace("range(3)", "range(1)")
)

rule = Rule(
    code="R01",
    name="waiting-for-batches",
    voice="question",
    stage="resources",
    question="Does the training spend its time on learning, and not on waiting for batches?",
    needs=("resources",),
    find=find,
    text=Text(
        what="Much of the time goes by until the next batch is there. Is that the time it has to take?",
        why="While the loader reads and prepares samples one by one, the model does nothing.",
        do="Do once what is the same in each epoch, before the loop; or try num_workers=2 in the DataLoader.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("        time.sleep(0.0005)\n", ""),
    lookalikes={"small steps": LOADERS},
)
