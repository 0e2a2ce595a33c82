"""Expression trees: small sums and products whose shape differs from sample to sample."""

import random
from dataclasses import dataclass

OPERATIONS = ("+", "-", "*")


@dataclass(frozen=True)
class Tree:
    """An operation on two parts, each a digit or a tree again.

    Example:
        >>> tree = Tree("*", Tree("+", 2, 3), 4)
        >>> print(tree, "=", tree.value, "depth", tree.depth)
        (2 + 3) * 4 = 20 depth 2
    """

    operation: str
    left: "Tree | int"
    right: "Tree | int"

    @property
    def value(self) -> int:
        """What the expression comes to."""
        left, right = (part if isinstance(part, int) else part.value for part in (self.left, self.right))
        return left + right if self.operation == "+" else left - right if self.operation == "-" else left * right

    @property
    def depth(self) -> int:
        """How many operations stand above one another."""
        return 1 + max(0 if isinstance(part, int) else part.depth for part in (self.left, self.right))

    def __str__(self) -> str:
        left, right = (str(part) if isinstance(part, int) else f"({part})" for part in (self.left, self.right))
        return f"{left} {self.operation} {right}"


def grow(digits: int, source: random.Random) -> Tree | int:
    """A random tree with this many digits at its leaves."""
    if digits == 1:
        return source.randrange(10)
    left = source.randint(1, digits - 1)
    return Tree(source.choice(OPERATIONS), grow(left, source), grow(digits - left, source))


def expressions(count: int, seed: int) -> list[Tree]:
    """Different random expressions of two to eight digits; the same seed gives the same ones.

    Example:
        >>> trees = expressions(100, seed=0)
        >>> len(set(trees)), trees == expressions(100, seed=0)
        (100, True)
    """
    source = random.Random(seed)
    found: dict[Tree, None] = {}
    while len(found) < count:
        tree = grow(source.randint(2, 8), source)
        if isinstance(tree, Tree):
            found[tree] = None
    return list(found)
