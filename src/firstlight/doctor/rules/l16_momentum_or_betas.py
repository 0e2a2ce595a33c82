"""L16 momentum-or-betas: momentum of one or more, betas in the wrong order."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.editing import spot_of
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """Numbers with which an optimizer forgets nothing, or remembers the wrong thing."""
    for one in newest(run, "optimizers") or []:
        numbers, place = one["numbers"], Place.from_json(one["place"])
        momentum, betas = numbers.get("momentum", 0), numbers.get("betas") or []
        if momentum >= 1:
            yield Finding(
                evidence=_("{optimizer} has momentum={momentum}: nothing of earlier steps ever fades.",
                           optimizer=one["optimizer"], momentum=momentum),
                step=0,
                place=place,
            )  # fmt: skip
        elif len(betas) == 2 and (betas[0] >= 1 or betas[0] > betas[1]):
            # The mean of gradients over a longer time than that of their squares: (0.999, 0.9) is (0.9, 0.999) swapped.
            yield Finding(
                evidence=_("{optimizer} has betas=({first}, {second}); usual are (0.9, 0.999).",
                           optimizer=one["optimizer"], first=betas[0], second=betas[1]),
                step=0,
                place=place,
                # From here on steps grow where gradients get smaller: beta1 < sqrt(beta2) is what Adam's proofs ask for
                # (Reddi et al. 2018, theorem 4).
                voice=None if betas[0] ** 2 > betas[1] else "question",
                edits=_swapped(Code.of(run), place, betas),
            )  # fmt: skip


def _swapped(code: Code, place: Place | None, betas: list[float]) -> tuple[Edit, ...]:
    spot = spot_of(code, place)
    edit = spot.replaced(f"({betas[0]}, {betas[1]})", f"({betas[1]}, {betas[0]})") if spot is not None else None
    return (edit,) if edit is not None else ()


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.999, 0.9))
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

rule = Rule(
    code="L16",
    name="momentum-or-betas",
    voice="alarm",
    stage="optimizer",
    question="Do momentum and betas let earlier gradients fade?",
    needs=("optimizers",),
    find=find,
    text=Text(
        what="The optimizer's momentum or betas cannot be meant like this.",
        why="They say how much of earlier gradients stays in each step. With 1 or more, the steps grow without end.",
        do="Use momentum=0.9 for SGD, and betas=(0.9, 0.999) for Adam.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("(0.999, 0.9)", "(0.9, 0.999)"),
    lookalikes={
        "as GANs have it": BROKEN.replace("(0.999, 0.9)", "(0.5, 0.999)"),
        "both remember as long": BROKEN.replace("(0.999, 0.9)", "(0.9, 0.9)"),
        "much momentum": BROKEN.replace("Adam", "SGD").replace("betas=(0.999, 0.9)", "momentum=0.95"),
    },
    explains=("L14", "L18", "L19"),
)
