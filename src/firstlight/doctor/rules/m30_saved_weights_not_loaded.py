"""M30 saved-weights-not-loaded: most of a saved state found no place in the model, and strict=False hid it."""

from collections.abc import Iterator

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A `load_state_dict` with strict=False in which less than half of the keys had the model's names."""
    for row in newest(run, "loaded") or []:
        possible = min(row["given"], row["own"])
        if row["strict"] or not possible or row["matched"] >= 0.5 * possible:
            continue
        place = Place.from_json(row["place"])
        yield Finding(
            evidence=_(
                "{matched} of {given} saved tensors were loaded into {model}. The state has {unexpected}, the model "
                "wants {missing}.",
                matched=row["matched"],
                given=row["given"],
                model=row["class"],
                unexpected=", ".join(row["unexpected"]) or "-",
                missing=", ".join(row["missing"]) or "-",
            ),
            step=row["step"],
            place=place,
            voice="alarm" if not row["matched"] and row["sure"] else "question",
            check="print(model.load_state_dict(state, strict=False))  # what is missing, and what was not expected",
        )


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(128, 8), torch.randint(3, (128,))
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
saved = {"module." + name: weight.clone() for name, weight in model.state_dict().items()}
model.load_state_dict(saved, strict=False)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="M30",
    name="saved-weights-not-loaded",
    voice="alarm",
    stage="graph",
    question="Were the saved weights loaded?",
    needs=("loaded",),
    find=find,
    text=Text(
        what="The saved weights were not loaded: their names are not those of the model.",
        why="With strict=False, load_state_dict passes over all names that it does not know, and says nothing. The "
        "model keeps its random weights.",
        do="Leave strict=False out to see which names differ, and rename them, for example without a prefix.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace('"module." + name', "name"),
    lookalikes={
        "only the first layer": BROKEN.replace('"module." + name', "name").replace(
            ".items()}", '.items() if name.startswith("0.")}'
        ),
        "loaded at the second try": BROKEN.replace(
            "strict=False)\n",
            "strict=False)\nmodel.load_state_dict({name[7:]: one for name, one in saved.items()}, strict=False)\n",
        ),
        "a state with more than the model": BROKEN.replace('"module." + name', "name").replace(
            "model.load", "saved |= {f'decoder.{at}': x for at in range(9)}\nmodel.load"
        ),
    },
)
