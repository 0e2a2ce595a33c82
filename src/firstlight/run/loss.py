"""Reading a loss from the graph that autograd built: which kind it is, and how many samples were classified right.

The graph knows what every style of code meant, whether a module, a function or a line written by hand computed it.
It is only read: saved tensors are looked at, never changed, and no random number is drawn. Node names and their saved
values are those of torch/csrc/autograd; what a version of PyTorch lacks is simply not read.

Shapes: B batch, K classes.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

# Node name without its number -> kind. The kinds in _CLASSIFYING have labels and so an accuracy.
KINDS = {
    "NllLossBackward": "cross_entropy",
    "NllLoss2DBackward": "cross_entropy",
    "BinaryCrossEntropyWithLogitsBackward": "binary_cross_entropy",
    "BinaryCrossEntropyBackward": "binary_cross_entropy",
    "MultiMarginLossBackward": "multi_margin",
    "MseLossBackward": "mse",
    "SmoothL1LossBackward": "smooth_l1",
    "HuberLossBackward": "huber",
    "CtcLossBackward": "ctc",
    "SoftMarginLossBackward": "soft_margin",
}
_CLASSIFYING = ("cross_entropy", "binary_cross_entropy", "multi_margin")
_SOFT = "cross_entropy_soft"  # labels are probabilities
_LOOKED_AT = 200  # nodes at most in one search
_WAYS = 6  # ways from a loss to its node that are remembered
_MOST_LABELS = 100  # columns up to which binary targets are labels and not the pixels of a picture

Node = Any  # torch.autograd.graph.Node has no saved values in its type


@dataclass
class Reading:
    """What the graph of one loss says.

    Attributes:
        kind: Such as `cross_entropy`, or `custom`.
        correct: Number of samples classified right, a tensor without dimensions; None where there are no labels.
        total: Number of samples that count; a tensor or a number.
        samples: Labels in the batch, None where there are no labels.
        classes: K, None where there are no labels.
    """

    kind: str = "custom"
    correct: Tensor | None = None
    total: Tensor | int = 0
    samples: int | None = None
    classes: int | None = None


class LossReader:
    """Finds the node of a loss, and remembers the way to it, since a loop computes the same loss again and again."""

    def __init__(self) -> None:
        self._ways: list[tuple[str, tuple[int, ...], str, str]] = []  # name of root, indices, name of node, kind
        self._misses: dict[str, tuple[int, int]] = {}  # name of root, searches in vain, calls to let pass
        self._binary: dict[tuple[int, ...], bool] = {}

    def read(self, root: Node) -> Reading:
        """Look at the graph below `root`, the loss's `grad_fn`, before `backward` frees it."""
        found = self._known(root) or self._search(root)
        if found is None:
            return Reading()
        node, kind = found
        reading = Reading("cross_entropy" if kind == _SOFT else kind)
        if kind in _CLASSIFYING or kind == _SOFT:
            try:
                self._labels(reading, node, kind)
            except (RuntimeError, AttributeError):  # changed in place or already freed; a name of another version
                reading.correct = None
        return reading

    def _known(self, root: Node) -> tuple[Node, str] | None:
        name = root.name()
        for at, (start, way, end, kind) in enumerate(self._ways):
            if start != name:
                continue
            node = root
            for index in way:
                following = node.next_functions
                node = following[index][0] if index < len(following) else None
                if node is None:
                    break
            if node is not None and node.name() == end and (kind != _SOFT or soft_labels(node) is not None):
                if at:
                    self._ways.insert(0, self._ways.pop(at))
                return node, kind
        return None

    def _search(self, root: Node) -> tuple[Node, str] | None:
        misses, pause = self._misses.get(root.name(), (0, 0))
        if pause:
            self._misses[root.name()] = (misses, pause - 1)
            return None
        found: tuple[Node, tuple[int, ...], str] | None = None
        queue: deque[tuple[Node, tuple[int, ...]]] = deque([(root, ())])
        seen = {root}
        while queue and len(seen) <= _LOOKED_AT:
            node, way = queue.popleft()
            name = node.name()
            kind = KINDS.get(name.rstrip("0123456789"))
            if kind is None and name.startswith("MulBackward") and soft_labels(node) is not None:
                kind = _SOFT
            if kind is not None:
                if found is None or kind in _CLASSIFYING or kind == _SOFT:
                    found = (node, way, kind)
                if kind in _CLASSIFYING or kind == _SOFT:
                    break
                continue  # what lies below a loss is the model
            for index, (following, _input) in enumerate(node.next_functions):
                if following is not None and following not in seen:
                    seen.add(following)
                    queue.append((following, (*way, index)))
        if found is None:
            misses = min(misses + 1, 10)
            self._misses[root.name()] = (misses, 2**misses - 2)  # 0, 2, 6, ... 1022: soon it costs nothing
            return None
        self._misses.pop(root.name(), None)
        node, way, kind = found
        self._ways.insert(0, (root.name(), way, node.name(), kind))
        del self._ways[_WAYS:]
        return node, kind

    def _labels(self, reading: Reading, node: Node, kind: str) -> None:
        if kind == _SOFT:
            scores, labels = soft_labels(node) or (None, None)
            if scores is None or labels is None:
                return
            reading.classes, reading.samples = scores.shape[1], len(labels)
            reading.correct = (scores.argmax(1) == labels.argmax(1)).sum()
            reading.total = labels.numel() // scores.shape[1]
            return
        scores, labels = saved(node, "self"), saved(node, "target")
        if scores is None or labels is None:
            return
        scores, labels = scores.detach(), labels.detach()
        if kind == "binary_cross_entropy":
            if not self._is_labels(scores, labels):
                return
            reading.classes, reading.samples = 2, len(labels) if labels.dim() else 1
            edge = 0.0 if "Logits" in node.name() else 0.5
            reading.correct, reading.total = ((scores > edge) == (labels > 0.5)).sum(), labels.numel()
            return
        dim = 1 if scores.dim() > 1 else 0
        reading.classes, reading.samples = scores.shape[dim], len(labels) if labels.dim() else 1
        reading.correct = (scores.argmax(dim) == labels).sum()  # an ignored label is no class, so never right
        reading.total = labels.numel()
        if kind == "cross_entropy":
            weighted = node._saved_weight is not None
            if not weighted and node._saved_reduction == 1:  # mean: the sum of weights is the number that counts
                reading.total = node._saved_total_weight
            else:
                ignored = node._saved_ignore_index
                reading.total = (labels != (ignored - (1 << 64) if ignored >= 1 << 63 else ignored)).sum()

    def _is_labels(self, scores: Tensor, labels: Tensor) -> bool:
        """Whether the targets of a binary cross-entropy are labels: one column, or few columns of 0 and 1."""
        if labels.shape != scores.shape:
            return False
        columns = labels.numel() // max(len(labels), 1) if labels.dim() else 1
        if columns <= 1:
            return True
        if columns > _MOST_LABELS or labels.dim() > 2:
            return False
        shape = tuple(labels.shape[1:])
        if shape not in self._binary:  # asked once: it waits for the device
            self._binary[shape] = bool(((labels == 0) | (labels == 1)).all())
        return self._binary[shape]


def scale_of(root: Node) -> float:
    """The constant that a loss was multiplied with last, as gradient accumulation does; 1 when there is none."""
    name = root.name()
    if not name.startswith(("DivBackward", "MulBackward")):
        return 1.0
    try:
        other = saved(root, "other")
    except (RuntimeError, AttributeError):
        return 1.0
    if other is None or other.dim() or other.requires_grad or other.device.type != "cpu" or not float(other):
        return 1.0
    return 1 / float(other) if name.startswith("Div") else float(other)


def soft_labels(node: Node) -> tuple[Tensor, Tensor] | None:
    """Log-probabilities and labels where `node` multiplies them, as cross-entropy does with probabilities as labels."""
    following = node.next_functions
    for index, (below, _input) in enumerate(following):
        if below is None or not below.name().startswith("LogSoftmaxBackward"):
            continue
        try:
            labels = saved(node, "other" if index == 0 else "self")
            scores = saved(below, "result")
        except (RuntimeError, AttributeError):
            return None
        if (
            labels is not None
            and scores is not None
            and not labels.requires_grad
            and labels.is_floating_point()
            and labels.dim() > 1
            and labels.shape == scores.shape
            and below._saved_dim in (1, (1 << 64) + 1 - labels.dim())
        ):
            return scores.detach(), labels
    return None


def saved(node: Node, name: str) -> Tensor | None:
    """A tensor that a node keeps for backward; None where looking would run a hook, such as that of a checkpoint."""
    raw = getattr(node, f"_raw_saved_{name}")
    if raw is None or getattr(raw, "unpack_hook", None) is not None:
        return None
    value = getattr(node, f"_saved_{name}")
    if not isinstance(value, Tensor) or type(value) not in (Tensor, torch.nn.Parameter):
        return None
    return value
