"""A net of plain tensors is seen in the graph of its loss, several modules as one model, and prints as they are."""

import torch
from tests.doctor.listening import listen_to

from firstlight.doctor.observers.stand_in import labels_by_hand
from firstlight.doctor.rule import newest

FUNCTIONAL = """\
import torch
from torch.nn import functional as F

torch.manual_seed(0)
x = torch.randn(300, 4)
y = (x[:, 0] > 0).long()
w, b = torch.randn(4, 2).requires_grad_(), torch.zeros(2, requires_grad=True)
optimizer = torch.optim.SGD([w, b], lr=0.1)
for start in range(0, 200, 20):
    loss = F.cross_entropy(x[start : start + 20] @ w + b, y[start : start + 20])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
with torch.no_grad():
    right = ((x[150:] @ w + b).argmax(1) == y[150:]).float().mean()
print(f"test {right:.4f}")
"""


def test_rows_of_a_net_of_functions_are_known_again() -> None:
    run = listen_to(FUNCTIONAL)
    (rows,) = newest(run, "rows")
    assert rows["distinct"] == 200
    assert rows["part"]["rows"] == 150
    assert rows["part"]["before"] == 50
    (evaluation,) = newest(run, "evaluations")
    assert evaluation["last"]["rows"] == 150
    assert evaluation["direct"]


def test_nothing_of_it_stays_in_torch() -> None:
    before = torch.Tensor.__matmul__, torch.nn.functional.linear, torch.matmul
    listen_to(FUNCTIONAL)
    assert (torch.Tensor.__matmul__, torch.nn.functional.linear, torch.matmul) == before


def test_an_encoder_and_a_head_are_one_model() -> None:
    run = listen_to("""\
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(200, 6), torch.randint(3, (200,))
encoder, head = nn.Linear(6, 8), nn.Linear(8, 3)
optimizer = torch.optim.SGD([*encoder.parameters(), *head.parameters()], lr=0.1)
for start in range(0, 200, 20):
    loss = nn.functional.cross_entropy(head(encoder(x[start : start + 20]).relu()), y[start : start + 20])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
""")
    (rows,) = newest(run, "rows")
    (inputs,) = newest(run, "inputs")
    assert (rows["distinct"], rows["labelled"]) == (200, 1.0)
    assert list(inputs["shape"]) == [20, 6]


def test_what_was_printed_tells_the_count_that_it_was_divided_by() -> None:
    wrong = FUNCTIONAL.replace(".float().mean()", ".sum() / 200")
    (said,) = newest(listen_to(FUNCTIONAL), "printed")
    assert said["what"] == "right"
    (said,) = newest(listen_to(wrong), "printed")
    assert said["what"] == "training"


def test_labels_of_a_loss_by_hand() -> None:
    weight = torch.randn(5, 3, requires_grad=True)
    x, y = torch.randn(8, 5), torch.randint(3, (8,))
    scores = x @ weight
    loss = (scores.logsumexp(1) - scores.gather(1, y[:, None])[:, 0]).mean()
    found = labels_by_hand(loss, 8, scores)
    assert found is not None
    assert torch.equal(found[0], y)
    target, output = torch.randn(8), (x @ weight)[:, 0]
    for error in ((output - target), (target - output)):
        found = labels_by_hand(error.square().mean(), 8, output.detach())
        assert found is not None
        assert torch.allclose(found[0], target, atol=1e-5)
