"""What is tricky in reading losses: lines of layers, models that a function owns, and that nothing is changed."""

import torch
from tests.doctor.listening import listen_to
from torch import nn

from firstlight.doctor.losses import LossGraph, base
from firstlight.doctor.rule import newest
from firstlight.doctor.trail import Trail, line_of

OWNED = """\
import torch
from torch import nn


def main():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(dim=1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randn(64, 8), torch.randint(3, (64,))
    for step in range(12):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


main()
"""


def test_a_model_that_a_function_owned_is_still_known() -> None:
    run = listen_to(OWNED)
    reach, models = newest(run, "reach"), newest(run, "graph_models")
    assert reach["reached"] == 2
    assert [model["class"] for model in models] == ["Sequential"]
    head = next(row for row in newest(run, "loss_heads")["heads"] if row["kind"] == "log_softmax")
    assert (head["feeder"], head["layer"], head["shape"]) == ("Softmax", ["Softmax", "3"], [64, 3])


def test_a_trail_names_the_line_and_changes_no_number() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Dropout(0.5)), torch.randn(3, 4)
    torch.manual_seed(1)
    plain = model(x)
    torch.manual_seed(1)
    with Trail() as trail:
        heard = model(x)
        heard.detach()
    assert torch.equal(plain, heard)
    place = line_of(heard.grad_fn)
    assert place is not None
    assert "heard = model(x)" in place.text
    assert [name for kind, name, _line in trail.events if kind == "cut"] == ["detach"]


def test_a_graph_tells_which_weights_are_reached() -> None:
    used, unused = nn.Linear(2, 1), nn.Linear(2, 1)
    graph = LossGraph.of([used(torch.ones(3, 2)).sum()])
    assert id(used.weight) in graph.leaves
    assert id(unused.weight) not in graph.leaves
    assert base(graph.nodes[0]) == "SumBackward"
