"""The graph of a loss, as autograd built it: which nodes lie beneath, which weights are reached, what feeds a loss.

Nodes are read before `backward` frees them, and never changed. `run/loss.py` names the nodes of losses.

Shapes: N batch, K classes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from firstlight.run.loss import KINDS, saved, soft_labels

Node = Any

_MOST = 20_000  # nodes that are walked
_OUTPUT = "firstlight.output"

# What changes the shape, the memory or the type of values but not the values: to be looked through.
SHAPES = {
    "ViewBackward", "UnsafeViewBackward", "ReshapeAliasBackward", "SqueezeBackward", "UnsqueezeBackward",
    "TransposeBackward", "TBackward", "PermuteBackward", "CloneBackward", "SliceBackward", "SelectBackward",
    "IndexBackward", "IndexSelectBackward", "MaskedSelectBackward", "AliasBackward", "ToCopyBackward",
    "AsStridedBackward", "UnbindBackward", "SplitBackward", "SplitWithSizesBackward", "CatBackward", "StackBackward",
    "ContiguousBackward", "ExpandBackward", "NarrowBackward", "DetachBackward", "FlattenBackward", "ViewAsBackward",
    "CopyBackwards", "CopyBackward", "MovedimBackward", "AdjointBackward", "MhBackward", "SwapaxesBackward",
}  # fmt: skip

# What works on each number alone, so that the shape of its result is the shape of what it was given.
POINTWISE = {
    "PowBackward", "AbsBackward", "NegBackward", "AddBackward", "SubBackward", "RsubBackward", "MulBackward",
    "DivBackward", "LogBackward", "Log1PBackward", "ExpBackward", "SigmoidBackward", "TanhBackward", "ClampBackward",
    "ClampMinBackward", "ClampMaxBackward", "SqrtBackward", "SoftplusBackward", "LogSigmoidBackward", "ReluBackward",
    "SquareBackward", "SmoothL1LossBackward", "HuberLossBackward", "MseLossBackward", "WhereBackward", "CoshBackward",
}  # fmt: skip


def base(node: Node) -> str:
    """The name of a node without its number, as `MulBackward`.

    Example:
        >>> import torch
    >>> base((torch.ones(2, requires_grad=True) * 2).grad_fn)
        'MulBackward'
    """
    return str(node.name()).rstrip("0123456789")


def below(node: Node, at: int = 0) -> Node:
    """What lies directly under a node; None where nothing does."""
    following = node.next_functions
    return following[at][0] if at < len(following) else None


def through_shapes(node: Node) -> Node:
    """The first node from here down that changes values."""
    for _turn in range(64):
        if node is None or base(node) not in SHAPES:
            return node
        node = next((one for one, _at in node.next_functions if one is not None), None)
    return node


@dataclass
class LossGraph:
    """What lies beneath some losses.

    Attributes:
        nodes: All of them, those nearest to the losses first.
        leaves: The tensors that get a gradient: weights, by `id`.
        whole: Whether all was walked.
        above: The nodes that use a node.
    """

    nodes: list[Node]
    leaves: dict[int, Tensor]
    whole: bool = True
    above: dict[Node, list[Node]] = field(default_factory=dict)

    @classmethod
    def of(cls, losses: Iterable[Tensor], most: int = _MOST) -> "LossGraph":
        """Walk down from losses that are about to go backward.

        Example:
            >>> import torch
            >>> weight = torch.ones(3, requires_grad=True)
            >>> graph = LossGraph.of([(weight * 2).sum()])
            >>> [base(node) for node in graph.nodes][:2], len(graph.leaves), graph.whole
            (['SumBackward', 'MulBackward'], 1, True)
        """
        roots = [loss.grad_fn for loss in losses if isinstance(loss, Tensor) and loss.grad_fn is not None]
        nodes: list[Node] = list(dict.fromkeys(roots))
        seen = set(nodes)
        leaves: dict[int, Tensor] = {}
        above: dict[Node, list[Node]] = {}
        for node in nodes:  # it grows as it is walked
            leaf = getattr(node, "variable", None)
            if isinstance(leaf, Tensor):
                leaves[id(leaf)] = leaf
                continue
            for following, _input in node.next_functions:
                if following is None:
                    continue
                above.setdefault(following, []).append(node)
                if following not in seen:
                    seen.add(following)
                    nodes.append(following)
            if len(nodes) > most:
                return cls(nodes, leaves, False, above)
        return cls(nodes, leaves, True, above)

    def outputs(self) -> list[tuple[Node, tuple[int, ...]]]:
        """The nodes that gave what a root gave, with its shape: those of `mark_output` that the losses reach."""
        found = []
        for node in self.nodes:
            if getattr(node, "variable", None) is None and _OUTPUT in node.metadata:
                found.append((node, node.metadata[_OUTPUT]))
        return found

    def heads(self) -> "Iterator[Head]":
        """What losses are made of and what they are fed with: softmax under softmax, logits where none are wanted."""
        picked = _picked_by_hand(self.nodes[0]) if self.nodes else None
        if picked is not None:
            yield Head("nll", picked, under="hand")
        for node in self.nodes:
            kind = base(node)
            if kind in ("LogSoftmaxBackward", "LogSigmoidBackward", "BinaryCrossEntropyWithLogitsBackward"):
                yield Head(_HEADS[kind], node, under=self._use_of(node))
            elif kind == "LogsumexpBackward":
                if self._is_taken_off(node):
                    yield Head("log_softmax", node, under="gather")
            elif kind == "LogBackward":
                head = Head("bce", node, under="hand")  # `log(p)` and `log(1 - p)` of a cross-entropy by hand
                if head.clamped:
                    yield head
            elif kind in _HEADS or kind in KINDS:
                yield Head(_HEADS.get(kind, KINDS.get(kind, kind)), node)

    def _is_taken_off(self, node: Node) -> bool:
        """Whether a logsumexp is subtracted from the scores that it is of, or one of these from it: cross-entropy."""
        scores = through_shapes(below(node))
        waiting = list(self.above.get(node, ()))
        for one in waiting[:8]:
            if base(one) in SHAPES:
                waiting += self.above.get(one, ())
            elif base(one) in ("SubBackward", "RsubBackward"):
                sides = [through_shapes(under) for under, _at in one.next_functions]
                sides = [through_shapes(below(side)) if side is not None and base(side) in _PICKING else side
                         for side in sides]  # fmt: skip
                if scores is not None and any(side is scores for side in sides):
                    return True
        return False

    def _use_of(self, node: Node) -> str:
        """What uses a log-softmax: `nll`, `soft` (labels are probabilities), or `other`."""
        waiting = list(self.above.get(node, ()))
        for _turn in range(8):
            if not waiting:
                break
            one = waiting.pop(0)
            kind = base(one)
            if kind.startswith("NllLoss"):
                return "nll"
            if kind == "MulBackward" and soft_labels(one) is not None:
                return "soft"
            if kind in ("GatherBackward",):
                return "gather"
            if kind in SHAPES:
                waiting += self.above.get(one, ())
        return "other"


_PICKING = {"GatherBackward", "IndexBackward"}
_HEADS = {
    "LogSoftmaxBackward": "log_softmax",
    "LogSigmoidBackward": "log_sigmoid",
    "BinaryCrossEntropyWithLogitsBackward": "bce_logits",
    "BinaryCrossEntropyBackward": "bce",
    "NllLossBackward": "nll",
    "NllLoss2DBackward": "nll",
}


def _picked_by_hand(node: Node) -> Node | None:
    """Where a loss is minus the mean of one picked number per row, as nll_loss is: what picks; None elsewhere."""
    turned = False
    for _deep in range(8):
        if node is None or getattr(node, "variable", None) is not None:
            return None
        kind = base(node)
        if kind == "NegBackward":
            turned = not turned
        elif kind in ("GatherBackward", "IndexBackward"):
            return node if turned else None
        elif kind not in ("MeanBackward", "SumBackward", "SqueezeBackward", "ViewBackward", "ReshapeAliasBackward"):
            return None
        node = below(node)
    return None


@dataclass
class Head:
    """One node that a loss is made of, and what feeds it.

    Attributes:
        kind: `log_softmax`, `log_sigmoid`, `bce_logits`, `bce`, `nll`, `mse`, `smooth_l1`, `huber`, ...; `nll` with
            `under` = `hand` picks the numbers of the labels by hand.
        node: The node itself.
        under: For a log-softmax, what uses it.
        fed: The node that feeds it, `feeder` its name, and `clamped` that of what it cuts off, where it does.
    """

    kind: str
    node: Node
    under: str = ""

    def __post_init__(self) -> None:
        self.fed = through_shapes(below(self.node))
        self.feeder = base(self.fed) if self.fed is not None else ""
        if self.feeder == "DivBackward" and _is_softmax_by_hand(self.fed):
            self.feeder = "SoftmaxBackward"
        if self.feeder in ("MulBackward", "ReciprocalBackward", "DivBackward") and _is_sigmoid_by_hand(self.fed):
            self.feeder = "SigmoidBackward"
        if self.feeder == "MaximumBackward" and _is_relu_by_hand(self.fed):
            self.feeder = "ReluBackward"
        self.clamped = ""
        if self.feeder in ("ClampBackward", "HardtanhBackward", "ClampMinBackward", "ClampMaxBackward"):
            inner = through_shapes(below(self.fed))
            self.clamped = base(inner) if inner is not None else ""

    def dim(self) -> int | None:
        """Over which dimension a softmax node normalises, counted from 0; None where it is none or not known."""
        return dim_of(self.node)


def dim_of(node: Node) -> int | None:
    """Over which dimension a softmax node normalises, counted from 0."""
    dim = getattr(node, "_saved_dim", None)
    result = tensor_of(node, "result")
    if not isinstance(dim, int) or result is None:
        return None
    dim = dim - (1 << 64) if dim >= 1 << 63 else dim
    return int(dim + result.dim() if dim < 0 else dim)


def tensor_of(node: Node, name: str) -> Tensor | None:
    """A tensor that a node keeps; None where it keeps none of that name, or where looking would change something."""
    try:
        found = saved(node, name)
    except (RuntimeError, AttributeError):
        return None
    return None if found is None else found.detach()


def mark_output(output: Any) -> None:
    """Note in the nodes of what a root gave that they are its output, and of which shape."""
    for tensor in tensors_in(output):
        node = tensor.grad_fn
        if node is not None:
            metadata: Any = node.metadata
            metadata[_OUTPUT] = tuple(tensor.shape)


def classes_lie_last(labels: Tensor) -> bool:
    """Whether one-hot labels (N, ..., K) have their classes in the last dimension, where a loss looks in the second."""
    if labels.dim() < 3 or not labels.is_floating_point() or labels.numel() > 1_000_000 or labels.shape[-1] < 2:
        return False
    whole = bool(((labels == 0) | (labels == 1)).all())
    return whole and bool((labels.sum(-1) == 1).all()) and not bool((labels.sum(1) == 1).all())


def tensors_in(value: Any, deep: int = 3) -> Iterator[Tensor]:
    """The tensors in what a module was given or gave: alone, in lists, tuples, dictionaries and data classes."""
    if isinstance(value, Tensor):
        yield value
    elif deep and isinstance(value, dict):
        for one in value.values():
            yield from tensors_in(one, deep - 1)
    elif deep and isinstance(value, list | tuple):
        for one in value:
            yield from tensors_in(one, deep - 1)
    elif deep and hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from tensors_in(getattr(value, name, None), deep - 1)


def is_wrapped(value: Any) -> bool:
    """Whether a tensor in this value, or a weight of this module, stands for many, as under `torch.func.vmap`."""
    asked = getattr(getattr(torch._C, "_functorch", None), "is_functorch_wrapped_tensor", None)
    if asked is None:
        return False
    tensors = value.parameters() if isinstance(value, nn.Module) else tensors_in(value)
    return any(asked(tensor) for tensor in tensors)


def _is_softmax_by_hand(node: Node) -> bool:
    """`exp(x) / exp(x).sum()`, with one `exp` or two of the same."""
    top, under = through_shapes(below(node, 0)), through_shapes(below(node, 1))
    if top is None or under is None or base(top) != "ExpBackward" or base(under) != "SumBackward":
        return False
    other = through_shapes(below(under))
    return other is top or (other is not None and base(other) == "ExpBackward" and below(other) is below(top))


def _is_relu_by_hand(node: Node) -> bool:
    """`maximum(x, 0)`, of which only x is learned."""
    alone = [one is not None for one, _at in node.next_functions] in ([True, False], [False, True])
    other = tensor_of(node, "other" if below(node, 1) is None else "self")
    return alone and other is not None and not bool(other.any())


def _is_sigmoid_by_hand(node: Node) -> bool:
    """`1 / (1 + exp(-x))`, however the division is written."""
    kinds = []
    for _deep in range(5):
        if node is None:
            return False
        kinds.append(base(node))
        if kinds[-1] == "NegBackward":
            return kinds[-4:-1] == ["ReciprocalBackward", "AddBackward", "ExpBackward"]
        node = next((one for one, _at in node.next_functions if one is not None), None)
    return False
