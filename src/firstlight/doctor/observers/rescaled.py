"""Rows of a table that are known again though each column was shifted and scaled anew, as by another split's mean.

Shapes: N and M rows, F columns.
"""

import math

import torch
from torch import Tensor

_ROUNDS = 6
_EQUAL = 1e-3  # of a column's spread: rounding is far below
_NEAR, _NEAR_ROWS = 20 * _EQUAL, 0.02  # of the rows, at most, may be so near to another row of the same samples
_FEWEST, _COLUMNS = 3, 32


def rescaled_rows(old: Tensor, new: Tensor) -> int:
    """How many rows of `new` (M, F) are rows of `old` (N, F) but for a factor and a shift of each column.

    It is taken that both are parts of the same samples, so that their columns lie near each other to begin with:
    nearest rows are paired, the factors and shifts that the closest pairs ask for are taken, and so on until pairs are
    equal or are not. Rows that are equal as they are do not count, and nothing is said of rows that are near each other
    anyway, as on a curve. Of many columns, some are asked.

    Example:
        >>> import torch
        >>> rows = torch.randn(200, 5, generator=torch.Generator().manual_seed(0))
        >>> rescaled_rows(rows[:150], 1.1 * rows[100:] + 0.05), rescaled_rows(rows[:100], 1.1 * rows[100:])
        (50, 0)
        >>> curve = torch.linspace(-1, 1, 4000)[:, None] ** torch.arange(1, 4)
        >>> rescaled_rows(curve[::2], 1.1 * curve[1::2])
        0
    """
    if min(len(old), len(new)) < 20 or old.shape[1] != new.shape[1]:
        return 0
    if not bool(old.isfinite().all() & new.isfinite().all()):
        return 0
    varied = [at for at, column in enumerate(old.T) if len(torch.unique(column)) > len(old) // 2]
    if len(varied) < _FEWEST:
        return 0
    varied = varied[:: -(-len(varied) // _COLUMNS)]
    old, new = old[:, varied].double(), new[:, varied].double()
    new = new[torch.cdist(new, old).amin(dim=1) > 0]
    if len(new) < 20:
        return 0
    spread, center = torch.std_mean(old, dim=0)
    old, moved = (old - center) / spread, (new - new.mean(0)) / new.std(0)
    itself = torch.cdist(old, old, p=math.inf).fill_diagonal_(math.inf).amin(dim=1)
    if float((itself < _NEAR).double().mean()) > _NEAR_ROWS:
        return 0
    apart = torch.cdist(moved, old)
    for turn in range(_ROUNDS):
        near, at = apart.min(dim=1)
        best = near.argsort()[: max(10, len(near) // 4 if turn < 3 else len(near) // 8)]
        mine, theirs = moved[best], old[at[best]]
        slope = ((mine - mine.mean(0)) * (theirs - theirs.mean(0))).mean(0) / mine.var(0, unbiased=False)
        moved = (moved - mine.mean(0)) * slope + theirs.mean(0)
        apart = torch.cdist(moved, old)
    near, at = apart.min(dim=1)
    equal = (moved - old[at]).abs().amax(dim=1) < _EQUAL
    return int(equal.sum())
