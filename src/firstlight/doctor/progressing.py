"""What several rules read from how a training went."""

from typing import Any


def runs_away_by_itself(one: dict[str, Any]) -> bool:
    """Whether the first gradient is far too large for a usual learning rate: the model, or its data, blows it up.

    A healthy first gradient is as long as the weights at most; one that is a hundred times as long throws them away
    with any learning rate that others train with.

    Example:
        >>> runs_away_by_itself({"norms": [[0, 8.7, 2668.1]], "numbers": {"lr": 0.01}})
        True
        >>> runs_away_by_itself({"norms": [[0, 3.8, 0.5]], "numbers": {"lr": 10.0}})
        False
    """
    norms = one.get("norms") or [[0, 0.0, 0.0]]
    at, weights, gradients = norms[0]
    rate = one["numbers"].get("lr")
    return at == 0 and rate is not None and 0 < rate <= 0.05 and weights > 0 and gradients > 100 * weights
