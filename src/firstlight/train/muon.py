"""Muon: gradient descent that moves a whole filter bank at once, equally far in every direction that it has.

Keller Jordan and others, "Muon: An optimizer for hidden layers in neural networks", 2024,
https://kellerjordan.github.io/posts/muon. `torch.optim.Muon` takes matrices only and nothing else; this one takes
filters as well, and hands what has no rows to Adam (Kingma and Ba 2015).

Shapes: O outputs of a layer, I inputs of one output (channels * height * width of a filter).
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from firstlight.compat import cpu_bfloat16
from firstlight.errors import FirstlightError
from firstlight.locale import Text, _
from firstlight.train.recipe import NotInRange, shown

__all__ = ["Muon", "NotForMuon", "orthogonalize"]

# A polynomial of fifth degree whose repeated use brings every singular value near 1; found by Jordan and others.
_LINEAR, _CUBIC, _QUINTIC = 3.4445, -4.7750, 2.0315


class NotForMuon(FirstlightError, TypeError):
    """A weight, or its gradient, is of a kind that Muon does not know."""

    text = Text(
        what="Muon cannot update a weight of shape {shape}: its numbers are {kind}.",
        why="Muon is written for real numbers that all stand in memory.",
        do="Give it to another optimizer: torch.optim.SGD, or torch.optim.SparseAdam where gradients are sparse.",
    )


class Muon(Optimizer):
    """Steps that are made orthogonal, for weights with rows; Adam for the others.

    The gradient of a layer is a matrix of few strong and many weak directions. A plain step follows the strong ones
    only. Muon keeps the directions and makes all of them equally long, so that the weak ones are learned as well.

    Which weights this is for, a group says with `orthogonal`; without the word, it is for those with two dimensions or
    more. Jordan and others leave the last layer to Adam.

    Args:
        params: Weights, or groups of them, as for every torch optimizer.
        lr: How far a step goes: each direction of an orthogonal one, each number of Adam's.
        momentum: How much of the steps before is kept (for orthogonal steps in Nesterov's form).
        spread: How much of the squared slopes before is kept: Adam's second number.
        orthogonal: Whether steps are made orthogonal; None decides by the dimensions of each weight.
        fixed_length: Whether weights with orthogonal steps are held at the length sqrt(O). Right where a BatchNorm
            follows, which undoes any length: growing weights would then only make the steps smaller.

    Raises:
        NotInRange: A number makes no sense.
        NotForMuon: A weight is complex; or, in `step`, a gradient is sparse.

    Example:
        >>> layer = torch.nn.Conv2d(3, 8, kernel_size=3)
        >>> optimizer = Muon(layer.parameters(), lr=0.1, momentum=0.9)
        >>> layer(torch.ones(1, 3, 4, 4)).sum().backward()
        >>> optimizer.step()
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.02,
        momentum: float = 0.9,
        spread: float = 0.95,
        *,
        orthogonal: bool | None = None,
        fixed_length: bool = False,
    ) -> None:
        if not 0 <= lr < math.inf:
            raise NotInRange(option="lr", value=shown(lr), range=_("a finite number from 0"))
        for option, value in {"momentum": momentum, "spread": spread}.items():
            if not 0 <= value < 1:
                raise NotInRange(option=option, value=shown(value), range=_("a share from 0.0 to below 1.0"))
        defaults = {
            "lr": lr, "momentum": momentum, "spread": spread, "orthogonal": orthogonal, "fixed_length": fixed_length,
        }  # fmt: skip
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Take more weights, as every torch optimizer can."""
        super().add_param_group(param_group)
        for weight in self.param_groups[-1]["params"]:
            if weight.is_complex():
                raise NotForMuon(shape=tuple(weight.shape), kind=_("complex"))

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every weight that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None or weight.numel() == 0:
                    continue
                if weight.grad.layout != torch.strided:
                    raise NotForMuon(shape=tuple(weight.shape), kind=_("sparse"))
                wanted = group["orthogonal"]
                if weight.ndim >= 2 if wanted is None else wanted:
                    self._turn(weight, weight.grad, group)
                else:
                    self._adam(weight, weight.grad, group)
        return loss

    def _turn(self, weight: Tensor, slope: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        kept = state["momentum"].mul_(group["momentum"]).add_(slope)
        ahead = slope.add(kept, alpha=group["momentum"])  # Nesterov: where the next step would go as well
        if group["fixed_length"]:
            weight.mul_(len(weight) ** 0.5 / weight.norm().clamp(min=1e-12))
        weight.add_(_in_rows(ahead, orthogonalize), alpha=-group["lr"])

    def _adam(self, weight: Tensor, slope: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state.update(steps=0, mean=torch.zeros_like(weight), square=torch.zeros_like(weight))
        state["steps"] += 1
        mean = state["mean"].lerp_(slope, 1 - group["momentum"])
        square = state["square"].mul_(group["spread"]).addcmul_(slope, slope, value=1 - group["spread"])
        # Both began at zero and are too small at first: what is missing is known.
        size = (square / (1 - group["spread"] ** state["steps"])).sqrt_().add_(1e-10)
        weight.addcdiv_(mean, size, value=-group["lr"] / (1 - group["momentum"] ** state["steps"]))


def orthogonalize(matrix: Tensor, turns: int = 5) -> Tensor:
    """The orthogonal matrix nearest to this one, roughly: all singular values come to lie between about 0.7 and 1.2.

    A Newton-Schulz iteration: products of matrices only, no decomposition. Being rough is good enough for a step of
    training, and so is bfloat16, where the machine is quick in it.

    Shape:
        matrix: (O, I)
        output: (O, I), of the same type

    Example:
        >>> turned = orthogonalize(torch.diag(torch.tensor([100.0, 1.0, 10.0])))
        >>> [0.5 < value < 1.3 for value in torch.linalg.svdvals(turned).tolist()]
        [True, True, True]
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = (x / x.norm().clamp(min=1e-12)).to(_quick_type(matrix.device))  # no singular value above 1
    for _turn in range(turns):
        square = x @ x.T
        odd = torch.addmm(square, square, square, beta=_CUBIC, alpha=_QUINTIC)
        x = torch.addmm(x, odd, x, beta=_LINEAR)  # linear * x + cubic * (x x^T) x + quintic * (x x^T)^2 x
    return (x.T if tall else x).to(matrix.dtype)


def _in_rows(weight: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Change a weight of any shape as the matrix (O, I).

    The columns stand in the order in which a channels-last filter lies in memory: then nothing is copied, and the
    result is the same, as the order of columns means nothing to an orthogonal matrix.
    """
    if weight.ndim != 4:
        return change(weight.reshape(len(weight), -1)).view(weight.shape)
    filters = weight.permute(0, 2, 3, 1)
    return change(filters.reshape(len(weight), -1)).reshape(filters.shape).permute(0, 3, 1, 2)


def _quick_type(device: torch.device) -> torch.dtype:
    quick = device.type == "cuda" or (device.type == "cpu" and bool(cpu_bfloat16()))
    return torch.bfloat16 if quick else torch.float32
