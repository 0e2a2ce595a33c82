"""M24 state-kept-across-batches: the graph of a loss grows with each step, since it holds earlier batches."""

from collections.abc import Iterator
from itertools import pairwise

from firstlight.doctor.failing import came_back
from firstlight.doctor.places import Place
from firstlight.doctor.raised import state_carried
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.locale import Text, _
from firstlight.run import Run

# Windows of truncated backpropagation that overlap are some steps long: what ten steps do not let go is never let go.
_LOOKS, _LATE = 5, 10


def find(run: Run) -> Iterator[Finding]:
    """The loss reaches a graph of an earlier batch; or its nodes rise by the same count with each backward pass."""
    yield from state_carried(run)
    failure = newest(run, "failure") or {}
    twice = failure.get("twice") or {}
    if came_back(run) or ("second time" in failure.get("message", "") and twice.get("carried")):
        frames = [Place.from_json(frame) for frame in failure["frames"]]
        yield Finding(
            evidence=_(
                "backward() came to a part of the graph that an earlier batch made and that had gone backward then; "
                "what holds it: {names}.",
                names=", ".join(twice["names"]) or "-",
            ),
            step=failure["step"],
            place=frames[-1] if frames else None,
        )
        return
    growth = newest(run, "loss_growth") or {}
    chain = _chain(growth.get("held", []))
    if chain:
        yield Finding(
            evidence=_(
                "The graph of the loss at step {late} still holds parts of that at step {early}, and of each between "
                "them: it went from {first} to {last} nodes.",
                late=chain[-1]["number"],
                early=chain[-1]["oldest"],
                first=chain[0]["nodes"],
                last=chain[-1]["nodes"],
            ),
            step=chain[-1]["number"],
            place=Place.from_json(growth["backward"]),
            check="hidden = hidden.detach()  # before the next batch",
        )
        return
    points = [tuple(one) for one in growth.get("nodes", ()) if len(one) == 3 and one[1] > 0]
    if len(points) < 4 or any(b[2] <= a[2] for a, b in pairwise(points[1:])):
        return  # no step between two losses: they are terms of one sum
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(points[1:])]
    if slopes[0] <= 0 or any(slope != slopes[0] for slope in slopes):
        return
    yield Finding(
        evidence=_(
            "The graph of the loss had {first} nodes at step {early} and {last} at step {late}: {slope} more in each.",
            first=points[1][1],
            early=points[1][0],
            last=points[-1][1],
            late=points[-1][0],
            slope=round(slopes[0]),
        ),
        step=points[3][0],
        place=Place.from_json(growth["backward"]),
        check="hidden = hidden.detach()  # before the next batch",
    )


def _chain(held: list[dict[str, int]]) -> list[dict[str, int]]:
    """Looks at graphs that all hold the same earlier one, and more nodes each time; steps were made between them.

    A state may be set back with each epoch, so it is enough that this goes on for a while. Where backpropagation is
    truncated on purpose, the oldest part is soon let go; where losses of one sequence go backward one by one, no step
    is made between them; what was computed once before the loop does not grow.
    """
    chain: list[dict[str, int]] = []
    for one in held:
        last = chain[-1] if chain else None
        goes_on = last is not None and all(
            (one["oldest"] == last["oldest"], one["nodes"] > last["nodes"], one["steps"] > last["steps"],
             one["earlier"] > last["earlier"])
        )  # fmt: skip
        if last is not None and not goes_on:
            if _is_long(chain):
                break
            chain = []
        chain.append(one)
    return chain if _is_long(chain) else []


def _is_long(chain: list[dict[str, int]]) -> bool:
    return len(chain) >= _LOOKS and chain[-1]["number"] - chain[-1]["oldest"] >= _LATE


BROKEN = """\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(16, 8), torch.randint(3, (16,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
state = torch.zeros(16, 3)
for step in range(20):
    state = 0.5 * state + model(x)
    loss = nn.functional.cross_entropy(state, y)
    optimizer.zero_grad()
    loss.backward(retain_graph=True)
    optimizer.step()
"""

rule = Rule(
    code="M24",
    name="state-kept-across-batches",
    voice="alarm",
    stage="graph",
    question="Does the graph of a loss end with its batch?",
    needs=("loss_growth", "failure"),
    find=find,
    text=Text(
        what="The graph of the loss gets longer with each step: it still holds the batches before.",
        why="A state, such as the hidden state of an RNN, was handed from one batch to the next with all that made it. "
        "Time and memory of a step grow without end.",
        do="Write hidden = hidden.detach() before the next batch, and leave retain_graph=True out.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("0.5 * state", "0.5 * state.detach()").replace("retain_graph=True", ""),
    lookalikes={
        "longer sums by and by": BROKEN.replace(
            "0.5 * state", "sum([model(x)] * (step % 5), torch.zeros(16, 3))"
        ).replace("retain_graph=True", ""),
        "cut with every fourth batch": BROKEN.replace(
            "    optimizer.step()\n",
            "    optimizer.step()\n    if step % 4 == 3:\n        state = state.detach()\n",
        ),
        "one sequence, term by term": BROKEN.replace("    optimizer.zero_grad()\n", "").replace(
            "    optimizer.step()\n",
            "    if step % 8 == 7:\n        optimizer.step()\n        optimizer.zero_grad()\n"
            "        state = torch.zeros(16, 3)\n",
        ),
        "what was computed once before the loop": BROKEN.replace(
            "state = torch.zeros(16, 3)\n", "first = nn.Linear(8, 3)\nstate = first(x)\n"
        ).replace(
            "    state = 0.5 * state + model(x)\n    loss = nn.functional.cross_entropy(state, y)\n",
            "    loss = nn.functional.cross_entropy(state + model(x), y)\n",
        ),
    },
    explains=("L09", "L08", "R06"),
)
