"""The formula of a loss: read from the graph that autograd built above a model's output, and computed again elsewhere.

What stands between a model and its loss is the learner's code, which cannot be run a second time. The graph says what
it computed. What a graph does not say, such as the other side of a hand-written difference, makes a formula `Unknown`.

Shapes: B batch, K classes.
"""
# ruff: noqa: ARG002, ARG005 - what reads a node, and what computes an operation, is all called alike

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from firstlight.doctor.losses import Node, base, tensor_of

MARK = "firstlight.film"
"""In the metadata of the nodes of what a root gave: output number of the node -> (number of the call, which output)."""

_DEEPEST = 64
_REDUCTIONS = ("none", "mean", "sum")


class Unknown(Exception):
    """A graph holds something that cannot be computed again from what it says."""


@dataclass(frozen=True)
class Formula:
    """One operation and what it is applied to.

    Attributes:
        op: Its name; `output`, `given`, `weight` and `number` are applied to nothing.
        parts: What it is applied to.
        values: Its settings.
    """

    op: str
    parts: tuple["Formula", ...] = ()
    values: tuple[Any, ...] = ()

    def changed(self, change: Callable[["Formula"], "Formula"]) -> "Formula":
        """With each operation as `change` gives it, the innermost first.

        Example:
            >>> whole = Formula("mean", (Formula("sigmoid", (Formula("output"),)),))
            >>> whole.changed(lambda one: one.parts[0] if one.op == "sigmoid" else one).parts[0].op
            'output'
        """
        return self._changed(change, {})

    def _changed(self, change: Callable[["Formula"], "Formula"], known: dict[int, "Formula"]) -> "Formula":
        if id(self) not in known:
            known[id(self)] = change(replace(self, parts=tuple(part._changed(change, known) for part in self.parts)))
        return known[id(self)]

    def ops(self) -> set[str]:
        """The names of all operations."""
        return {self.op}.union(*(part.ops() for part in self.parts))


@dataclass
class Reader:
    """Reads one loss.

    Attributes:
        call: The number of the root's call that it must come from.
        names: Weights by `id`.
        candidates: Tensors that may be the other side of a difference, the likeliest last.
        rows: Rows of the batch: where a loss is divided by just this number, it is divided by the rows.
        given: What is no output and no weight: targets, class weights. Filled while reading.
    """

    call: int
    names: Mapping[int, str]
    candidates: Sequence[Tensor] = ()
    rows: int | None = None
    given: list[Tensor] = field(default_factory=list)
    _known: dict[tuple[Node, int], Formula] = field(default_factory=dict)

    def read(self, loss: Tensor) -> Formula:
        """The formula of a loss that is about to go backward.

        Raises:
            Unknown: Where the graph does not say it all.
        """
        try:
            return self._node(loss.grad_fn, loss.output_nr, None, 0)
        except (RuntimeError, AttributeError) as error:  # freed, changed in place, a name of another version
            raise Unknown(str(error)) from None

    def _node(self, node: Node, number: int, shape: Sequence[int] | None, deep: int) -> Formula:
        if node is None or deep > _DEEPEST:
            raise Unknown  # nothing known lies here
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            if id(leaf) not in self.names:
                raise Unknown  # a tensor that no model holds
            return Formula("weight", values=(self.names[id(leaf)],))
        mark = node.metadata.get(MARK, {}).get(number)
        if mark is not None:
            if mark[0] != self.call:
                raise Unknown  # an earlier output
            return Formula("output", values=(mark[1],))
        kind = base(node).removesuffix("Backward")
        read = getattr(self, f"_{_NAMES.get(kind, kind).lower()}", None)
        if read is None:
            raise Unknown(kind)
        if (node, number) not in self._known:  # what is used twice stays one: its gradients are added up first
            self._known[node, number] = read(node, shape, deep + 1)
        return self._known[node, number]

    def _under(self, node: Node, at: int, shape: Sequence[int] | None, deep: int) -> Formula:
        following = node.next_functions
        if at >= len(following) or following[at][0] is None:
            raise Unknown  # a side of a node without a gradient
        return self._node(following[at][0], following[at][1], shape, deep)

    def _has(self, node: Node, at: int) -> bool:
        return at < len(node.next_functions) and node.next_functions[at][0] is not None

    def _keep(self, tensor: Tensor | None) -> Formula:
        """A tensor that is only given, without what broadcasting has repeated."""
        if tensor is None:
            raise Unknown  # a tensor that is not kept
        repeated = [at for at, step in enumerate(tensor.stride()) if step == 0 and tensor.shape[at] > 1]
        for at in repeated:
            tensor = tensor.narrow(at, 0, 1)
        while tensor.dim() and repeated and repeated[0] == 0:
            tensor, repeated = tensor[0], [at - 1 for at in repeated[1:]]
        self.given.append(tensor.detach())
        return Formula("given", values=(len(self.given) - 1,))

    def _maybe(self, node: Node, name: str) -> tuple[Formula, ...]:
        tensor = tensor_of(node, name)
        return () if tensor is None else (self._keep(tensor),)

    def _number(self, node: Node, name: str) -> Formula:
        value = getattr(node, f"_saved_{name}")
        if isinstance(value, Tensor):
            if value.dim():
                return self._keep(value)
            value = value.item()
        return Formula("rows") if self.rows is not None and value == self.rows else Formula("number", values=(value,))

    # Losses.

    def _nllloss(self, node: Node, shape: Any, deep: int) -> Formula:
        scores, ignored = tensor_of(node, "self"), _signed(node._saved_ignore_index)
        if scores is None:
            raise Unknown  # scores
        parts = (self._under(node, 0, scores.shape, deep), self._keep(tensor_of(node, "target")))
        return Formula("nll", (*parts, *self._maybe(node, "weight")), (node._saved_reduction, ignored))

    _nllloss2d = _nllloss

    def _sides(self, node: Node, deep: int) -> tuple[Formula, Formula]:
        left, right = tensor_of(node, "self"), tensor_of(node, "target")
        if left is None or right is None:
            raise Unknown  # sides
        return (
            self._under(node, 0, left.shape, deep) if self._has(node, 0) else self._keep(left),
            self._under(node, 1, right.shape, deep) if self._has(node, 1) else self._keep(right),
        )

    def _mseloss(self, node: Node, shape: Any, deep: int) -> Formula:
        return Formula("mse", self._sides(node, deep), (node._saved_reduction,))

    def _smoothl1loss(self, node: Node, shape: Any, deep: int) -> Formula:
        return Formula("smooth_l1", self._sides(node, deep), (node._saved_reduction, node._saved_beta))

    def _huberloss(self, node: Node, shape: Any, deep: int) -> Formula:
        return Formula("huber", self._sides(node, deep), (node._saved_reduction, node._saved_delta))

    def _binarycrossentropy(self, node: Node, shape: Any, deep: int) -> Formula:
        parts = (*self._sides(node, deep), *self._maybe(node, "weight"))
        return Formula("bce", parts, (node._saved_reduction,))

    def _binarycrossentropywithlogits(self, node: Node, shape: Any, deep: int) -> Formula:
        weight, positive = tensor_of(node, "weight"), tensor_of(node, "pos_weight")
        parts = (*self._sides(node, deep), *self._maybe(node, "weight"), *self._maybe(node, "pos_weight"))
        return Formula("bce_logits", parts, (node._saved_reduction, weight is not None, positive is not None))

    # What changes each number alone, and what adds them up.

    def _logsoftmax(self, node: Node, shape: Any, deep: int) -> Formula:
        result, dim = tensor_of(node, "result"), _signed(node._saved_dim)
        if result is None:
            raise Unknown  # result
        op = "log_softmax" if base(node).startswith("Log") else "softmax"
        return Formula(op, (self._under(node, 0, result.shape, deep),), (dim,))

    _softmax = _logsoftmax

    def _pointwise(self, node: Node, shape: Any, deep: int) -> Formula:
        return Formula(base(node).removesuffix("Backward").lower(), (self._under(node, 0, shape, deep),))

    _sigmoid = _relu = _tanh = _log = _exp = _neg = _abs = _sqrt = _logsigmoid = _pointwise

    def _pow(self, node: Node, shape: Any, deep: int) -> Formula:
        exponent = node._saved_exponent
        if not isinstance(exponent, int | float):
            raise Unknown  # exponent
        seen = tensor_of(node, "self")
        return Formula("pow", (self._under(node, 0, seen.shape if seen is not None else shape, deep),), (exponent,))

    def _mean(self, node: Node, shape: Any, deep: int) -> Formula:
        op = base(node).removesuffix("Backward").lower()
        under = self._under(node, 0, tuple(node._saved_self_sym_sizes), deep)
        if not hasattr(node, "_saved_dim"):
            return Formula(op, (under,))
        dims = node._saved_dim
        dims = tuple(map(_signed, dims if isinstance(dims, tuple) else (dims,)))
        return Formula(op, (under,), (dims, node._saved_keepdim))

    _sum = _mean

    def _mul(self, node: Node, shape: Any, deep: int) -> Formula:
        op = base(node).removesuffix("Backward").lower()
        left, right = self._has(node, 0), self._has(node, 1)
        parts = (
            self._under(node, 0, shape, deep) if left else self._number(node, "self"),
            self._under(node, 1, shape, deep) if right else self._number(node, "other"),
        )
        return Formula(op, parts)

    _div = _xlogy = _mul

    def _add(self, node: Node, shape: Any, deep: int) -> Formula:
        if node._saved_alpha != 1:
            raise Unknown  # alpha
        if self._has(node, 0) and self._has(node, 1):
            return Formula("add", (self._under(node, 0, shape, deep), self._under(node, 1, shape, deep)))
        # A number is not kept. It is the 0 that Python's sum() begins with; another one shows in the replay.
        return self._under(node, 0 if self._has(node, 0) else 1, shape, deep)

    def _sub(self, node: Node, shape: Any, deep: int) -> Formula:
        if node._saved_alpha != 1:
            raise Unknown  # alpha
        other = self._other(shape) if not (self._has(node, 0) and self._has(node, 1)) else None
        return Formula(
            "sub",
            (
                self._under(node, 0, shape, deep) if self._has(node, 0) else self._keep(other),
                self._under(node, 1, shape, deep) if self._has(node, 1) else self._keep(other),
            ),
        )

    def _other(self, shape: Sequence[int] | None) -> Tensor | None:
        """The likeliest tensor that may have been the other side of a difference, which the graph does not keep."""
        if shape is None:
            return None
        wanted = tuple(shape)
        fitting = [one for one in self.candidates if one.dim() and len(one) == self.rows and _fits(one.shape, wanted)]
        same = [one for one in fitting if tuple(one.shape) == wanted]
        return next(iter([*reversed(same), *reversed(fitting)]), None)

    def _maskedfill(self, node: Node, shape: Any, deep: int) -> Formula:
        mask = tensor_of(node, "mask")
        if mask is None or bool(mask.any()):
            raise Unknown  # mask
        return self._under(node, 0, shape, deep)

    # Shapes.

    def _view(self, node: Node, shape: Any, deep: int) -> Formula:
        if shape is None:
            raise Unknown  # shape
        under = self._under(node, 0, tuple(node._saved_self_sym_sizes), deep)
        return Formula("view", (under,), tuple(int(size) for size in shape))

    def _unsqueeze(self, node: Node, shape: Any, deep: int) -> Formula:
        if shape is None:
            raise Unknown  # shape
        return Formula("view", (self._under(node, 0, None, deep),), tuple(int(size) for size in shape))

    def _same(self, node: Node, shape: Any, deep: int) -> Formula:
        return self._under(node, 0, shape, deep)

    def _expand(self, node: Node, shape: Any, deep: int) -> Formula:
        return self._under(node, 0, tuple(node._saved_self_sym_sizes), deep)

    def _transpose(self, node: Node, shape: Any, deep: int) -> Formula:
        dims = (_signed(node._saved_dim0), _signed(node._saved_dim1))
        return Formula("transpose", (self._under(node, 0, None, deep),), dims)

    def _permute(self, node: Node, shape: Any, deep: int) -> Formula:
        dims = tuple(map(_signed, node._saved_dims))
        return Formula("permute", (self._under(node, 0, None, deep),), dims)

    def _gather(self, node: Node, shape: Any, deep: int) -> Formula:
        index = self._keep(tensor_of(node, "index"))
        return Formula("gather", (self._under(node, 0, None, deep), index), (_signed(node._saved_dim),))


def _signed(number: int) -> int:
    """Nodes tell negative numbers as if they had no sign."""
    return number - (1 << 64) if number >= 1 << 63 else number


def _fits(shape: Sequence[int], wanted: Sequence[int]) -> bool:
    ends = zip(reversed(tuple(shape)), reversed(tuple(wanted)), strict=False)
    return len(shape) <= len(wanted) and all(one in (1, other) for one, other in ends)


_NAMES = {
    "UnsafeView": "View", "ReshapeAlias": "View", "Squeeze": "View", "Clone": "Same", "Alias": "Same",
    "Contiguous": "Same", "T": "Unknown",
}  # fmt: skip


def compute(
    formula: Formula, outputs: Sequence[Tensor], given: Sequence[Tensor], weights: Mapping[str, Tensor], rows: int
) -> Tensor:
    """What a formula gives for these outputs of a root.

    Args:
        formula: From a `Reader`.
        outputs: All tensors that the root gave.
        given: Targets and class weights, as the reader kept them.
        weights: Of the root, by name.
        rows: Rows of this batch.

    Shape:
        outputs: of a classifier (B, K)
        given: labels (B,)

    Example:
        >>> formula = Formula("nll", (Formula("log_softmax", (Formula("output", values=(0,)),), (1,)),
        ...                           Formula("given", values=(0,))), (1, -100))
        >>> scores, labels = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
        >>> bool(compute(formula, [scores], [labels], {}, 4) == F.cross_entropy(scores, labels))
        True
    """
    return _compute(formula, outputs, given, weights, rows, {})


def _compute(
    formula: Formula,
    outputs: Sequence[Tensor],
    given: Sequence[Tensor],
    weights: Mapping[str, Tensor],
    rows: int,
    known: dict[int, Tensor],
) -> Tensor:
    if id(formula) in known:
        return known[id(formula)]
    op, values = formula.op, formula.values
    if op in ("output", "given"):
        at: int = values[0]
        return outputs[at] if op == "output" else given[at]
    if op == "weight":
        return weights[str(values[0])]
    parts: list[Any] = []
    for part in formula.parts:
        if part.op in ("number", "rows"):
            parts.append(rows if part.op == "rows" else part.values[0])
        else:
            parts.append(_compute(part, outputs, given, weights, rows, known))
    known[id(formula)] = _OPERATIONS[op](parts, values)
    return known[id(formula)]


def _reduced(values: tuple[Any, ...]) -> str:
    return _REDUCTIONS[values[0]]


def _with_logits(parts: list[Tensor], values: tuple[Any, ...]) -> Tensor:
    more = iter(parts[2:])
    weight, positive = next(more) if values[1] else None, next(more) if values[2] else None
    return F.binary_cross_entropy_with_logits(
        parts[0], parts[1], weight=weight, pos_weight=positive, reduction=_reduced(values)
    )


def _matched(loss: Callable[..., Tensor], parts: list[Tensor], values: tuple[Any, ...], **more: Any) -> Tensor:
    left, right = torch.broadcast_tensors(parts[0], parts[1])  # type: ignore[no-untyped-call]
    return loss(left, right, reduction=_reduced(values), **more)


def _applied(name: str) -> Callable[[list[Any], tuple[Any, ...]], Tensor]:
    do: Callable[[Tensor], Tensor] = getattr(torch, name)
    return lambda p, v: do(p[0])


_OPERATIONS: dict[str, Callable[[list[Any], tuple[Any, ...]], Tensor]] = {
    "nll": lambda p, v: F.nll_loss(
        p[0], p[1], p[2] if len(p) > 2 else None, ignore_index=v[1], reduction=_reduced(v)
    ),
    "mse": lambda p, v: _matched(F.mse_loss, p, v),
    "smooth_l1": lambda p, v: _matched(F.smooth_l1_loss, p, v, beta=v[1]),
    "huber": lambda p, v: _matched(F.huber_loss, p, v, delta=v[1]),
    "bce": lambda p, v: F.binary_cross_entropy(
        p[0], p[1], p[2] if len(p) > 2 else None, reduction=_reduced(v)
    ),
    "bce_logits": _with_logits,
    "log_softmax": lambda p, v: torch.log_softmax(p[0], v[0]),
    "softmax": lambda p, v: torch.softmax(p[0], v[0]),
    "logsigmoid": lambda p, v: F.logsigmoid(p[0]),
    **{name: _applied(name) for name in ("sigmoid", "relu", "tanh", "log", "exp", "neg", "abs", "sqrt")},
    "pow": lambda p, v: p[0] ** v[0],
    "mean": lambda p, v: p[0].mean(*v),
    "sum": lambda p, v: p[0].sum(*v),
    "mul": lambda p, v: p[0] * p[1],
    "div": lambda p, v: p[0] / p[1],
    "xlogy": lambda p, v: torch.xlogy(p[0], p[1]),
    "add": lambda p, v: p[0] + p[1],
    "sub": lambda p, v: p[0] - p[1],
    "view": lambda p, v: p[0].reshape(-1, *v[1:]) if v else p[0].reshape(()),
    "like": lambda p, v: p[0].reshape(p[1].shape),
    "transpose": lambda p, v: p[0].transpose(*v),
    "permute": lambda p, v: p[0].permute(v),
    "gather": lambda p, v: p[0].gather(v[0], p[1]),
}  # fmt: skip
