"""What the judges of the gym share: data that nobody has seen, and questions to a model.

Shapes: N rows, F features, K classes.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from firstlight.locale import _


def clouds(seed: int, rows: int = 600, *, classes: int = 4, features: int = 8, spread: float = 1.0) -> tuple[Any, Any]:
    """Points around centres, one centre per class: inputs (N, F) and labels (N,), in a random order."""
    draw = torch.Generator().manual_seed(seed)
    centres = 2 * torch.randn(classes, features, generator=draw)
    labels = torch.randint(classes, (rows,), generator=draw)
    return centres[labels] + spread * torch.randn(rows, features, generator=draw), labels


def rings(seed: int, rows: int = 600) -> tuple[Tensor, Tensor]:
    """An inner disc and a ring around it: no straight line parts them."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(2, (rows,), generator=draw)
    angle = 6.2832 * torch.rand(rows, generator=draw)
    radius = 0.5 + 1.0 * labels + 0.3 * torch.rand(rows, generator=draw)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1), labels


@cache
def _pictures() -> tuple[Tensor, Tensor]:
    import firstlight as fl

    train, _test = fl.load("fashion_mnist_small")
    assert isinstance(train.inputs, Tensor)
    return train.inputs, train.labels


def pictures(seed: int, rows: int = 600) -> tuple[Tensor, Tensor]:
    """Pictures (N, 1, 28, 28) as whole numbers from 0 to 255, and their labels."""
    inputs, labels = _pictures()
    chosen = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))[:rows]
    return inputs[chosen], labels[chosen]


@torch.no_grad()
def accuracy(model: Callable[[Tensor], Any], inputs: Tensor, labels: Tensor) -> float:
    """Share of rows whose largest score is the right class."""
    if isinstance(model, nn.Module):
        model.eval()
    return float((model(inputs).argmax(dim=1) == labels).double().mean())


def too_few(found: float, wanted: float) -> Iterator[str]:
    """A sentence where the accuracy on new rows is too low."""
    if not found >= wanted:
        yield _(
            "Accuracy on rows that it has not seen: {found:.0%}. At least {wanted:.0%} can be reached.",
            found=found,
            wanted=wanted,
        )


def unmoved(model: nn.Module, inputs: Tensor) -> Iterator[str]:
    """A sentence where the loss of a model does not reach all of its weights."""
    model.train()
    for weight in model.parameters():
        weight.grad = None
    model(inputs).square().mean().backward()
    count = sum(weight.grad is None or not weight.grad.any() for weight in model.parameters())
    if count:
        yield _("{count} tensors of weights get no gradient at all.", count=count)


@torch.no_grad()
def depends_on_others(model: Callable[[Tensor], Tensor], inputs: Tensor) -> Iterator[str]:
    """A sentence where the answer for a row depends on what else is in its batch."""
    if isinstance(model, nn.Module):
        model.eval()
    together = model(inputs)
    changed = inputs.clone()
    changed[1:] = inputs[1:].flip(0) * 0.5
    if together.shape[0] != len(inputs):
        yield _("For {rows} rows it gives {found} answers.", rows=len(inputs), found=together.shape[0])
    elif not torch.allclose(together[0], model(changed)[0], atol=1e-4):
        yield _("The answer for a row changes when other rows of its batch change.")


@torch.no_grad()
def undecided(model: nn.Module, inputs: Tensor) -> Iterator[str]:
    """A sentence where a model in eval mode gives two answers to one question."""
    model.eval()
    if not torch.equal(model(inputs), model(inputs)):
        yield _("In eval mode, it gives two answers to the same question.")


def differs(found: Tensor, wanted: Tensor, *, within: float = 1e-4) -> bool:
    """Whether two tensors are not the same in shape and value."""
    return found.shape != wanted.shape or not torch.allclose(found.double(), wanted.double(), atol=within)


def small_net(seed: int, *, features: int = 8, classes: int = 4) -> nn.Module:
    """A net that is the same for the same seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(features, 16), nn.Tanh(), nn.Linear(16, classes))


def batches_of(seed: int, count: int = 6, size: int = 20) -> list[tuple[Tensor, Tensor]]:
    """Batches of clouds."""
    inputs, labels = clouds(seed, count * size)
    return list(zip(inputs.split(size), labels.split(size), strict=True))


def learned(net: nn.Module, optimizer: Any, batches: list[tuple[Tensor, Tensor]], limit: float | None = None) -> None:
    """The plain loop, to compare with: one step of the optimizer for each batch."""
    net.train()
    for inputs, labels in batches:
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(net(inputs), labels))
        if limit is not None:
            nn.utils.clip_grad_norm_(net.parameters(), limit)
        optimizer.step()


def not_as_learned(net: nn.Module, start: nn.Module, wanted: nn.Module) -> Iterator[str]:
    """A sentence where a net's weights did not move as those of the plain loop did."""
    pairs = list(zip(net.parameters(), start.parameters(), strict=True))
    if all(torch.equal(weight, before) for weight, before in pairs):
        yield _("After {count} batches, no weight has moved.", count=6)
    elif any(differs(one, two) for one, two in zip(net.parameters(), wanted.parameters(), strict=True)):
        moved, right = (
            sum(float((w - b).detach().norm()) for w, b in zip(model.parameters(), start.parameters(), strict=True))
            for model in (net, wanted)
        )
        yield _(
            "After {count} batches its weights have moved by {moved:.3g}, elsewhere than one step for each batch "
            "leads. That would be {right:.3g}.",
            count=6,
            moved=moved,
            right=right,
        )
