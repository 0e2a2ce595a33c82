"""A forward pass that failed: what the operation expected, what it got, and the change that would fit.

Works on the rows of a graph alone. What training would say too (`firstlight.train.check`) is said by the same errors.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from firstlight.errors import FirstlightError
from firstlight.graph.operations import Graph, Operation, Value
from firstlight.locale import Text, _
from firstlight.train.check import FeaturesMismatch, LayerFailed, NumbersMismatch


class ForwardFailed(FirstlightError, RuntimeError):
    """An operation cannot compute with what it was given. `graph` is what ran until then."""

    graph: Graph
    text: ClassVar[Text] = Text(
        what="{operation} failed in {layer}: it expects {expected}, and gets {got}.",
        why="PyTorch says: {error}",
        do="What would fit: {change}.",
    )


@dataclass(frozen=True)
class Advice:
    """What is wrong with the operation that failed.

    Attributes:
        expected: What it can compute with.
        got: What it was given.
        change: What to write instead; empty where nothing certain can be said.
        features: Of what there are too many or too few, as PyTorch calls it (`in_features`), with both numbers.
        kinds: Number types of weights and input, where these differ.
    """

    expected: str
    got: str
    change: str = ""
    features: tuple[str, int, int] | None = None
    kinds: tuple[str, str] | None = None


def advise(graph: Graph) -> Advice | None:
    """What the failed operation expected, what it got, what would fit; None where nothing certain can be said.

    Example:
        >>> import torch
        >>> from firstlight.graph.tracing import watched
        >>> graph, error = watched(torch.nn.Linear(400, 10), (torch.zeros(2, 576),), {})
        >>> advise(graph).change
        'nn.Linear(576, 10)'
    """
    op = graph.failed
    if op is None:
        return None
    asked: list[Rule] = [_devices, _RULES.get(op.name.removesuffix("_"), _nothing), _dtypes, _of_module]
    for rule in asked:
        try:
            if (found := rule(op, graph)) is not None:
                return found
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            continue  # arguments in a form that the rule does not know
    return None


def translated(graph: Graph, error: Exception, inputs: Any) -> FirstlightError | None:
    """The error in three sentences; None for one that has nothing to do with tensors."""
    op = graph.failed
    if op is None or not isinstance(error, (RuntimeError, ValueError, IndexError, TypeError, AssertionError)):
        return None
    layer = graph.place(op) or op.name
    shape = _said(op.inputs[0]) if op.inputs else "()"
    given = first_input(graph)
    sample = str(given.shape[1:]) if given is not None else type(inputs).__name__
    told = (str(error).strip() or type(error).__name__).splitlines()[0]
    advice = advise(graph)
    if advice is None or not advice.change:
        return LayerFailed(layer=layer, shape=shape, sample=sample, error=told)
    if advice.kinds is not None and op.inputs[0].what != "operation":
        return NumbersMismatch(layer=layer, expected=advice.kinds[0], found=advice.kinds[1])
    if advice.features is not None:
        unit, expected, found = advice.features
        return FeaturesMismatch(
            layer=layer, expected=expected, found=found, unit=unit, shape=shape, sample=sample, advice=advice.change
        )
    return ForwardFailed(
        operation=op.name, layer=layer, expected=advice.expected, got=advice.got, error=told, change=advice.change
    )


def first_input(graph: Graph) -> Value | None:
    """The first tensor that the model was given, as far as an operation has used it."""
    tried = [*graph.operations, *([graph.failed] if graph.failed else [])]
    return next((value for op in tried for value in op.inputs if value.what == "input"), None)


Rule = Callable[[Operation, Graph], Advice | None]
_RULES: dict[str, Rule] = {}


def _nothing(_op: Operation, _graph: Graph) -> Advice | None:
    return None


def _rule(*names: str) -> Callable[[Rule], Rule]:
    def keep(rule: Rule) -> Rule:
        _RULES.update(dict.fromkeys(names, rule))
        return rule

    return keep


def _said(value: Value) -> str:
    return str(tuple(value.shape))


def _sides(value: Value) -> tuple[int, ...]:
    return tuple(int(side) for side in value.shape)


def _variable(value: Value, otherwise: str = "x") -> str:
    return value.name if value.name and value.name != "input" else otherwise


def _devices(op: Operation, _graph: Graph) -> Advice | None:
    places = list(dict.fromkeys(value.device for value in op.inputs if value.shape))
    if len(places) < 2:
        return None
    weight = next((value for value in op.inputs if value.what in ("parameter", "buffer")), op.inputs[-1])
    change = f"x.to('{weight.device}')"
    return Advice(_("all tensors on one device"), _("tensors on {places}", places=", ".join(places)), change)


_FLOATS = ("float32", "float64", "float16", "bfloat16")


def _dtypes(op: Operation, _graph: Graph) -> Advice | None:
    if not op.inputs:
        return None
    x = op.inputs[0]
    weight = next((v for v in op.inputs[1:] if v.dtype in _FLOATS and v.what in ("parameter", "buffer")), None)
    weight = weight or next((v for v in op.inputs[1:] if v.dtype in _FLOATS), None)
    if weight is not None and weight.dtype != x.dtype and op.name not in ("embedding", "embedding_bag"):
        cast = (
            "float"
            if weight.dtype == "float32"
            else "double"
            if weight.dtype == "float64"
            else f"to(torch.{weight.dtype})"
        )
        call = cast if "(" in cast else f"{cast}()"
        change = f"x.{call} / 255" if x.dtype == "uint8" else f"x.{call}"
        return Advice(weight.dtype, x.dtype, change, kinds=(weight.dtype, x.dtype))
    if x.dtype not in _FLOATS and ("dtype" in op.error or "not implemented for" in op.error or "floating" in op.error):
        return Advice("float32", x.dtype, "x.float() / 255" if x.dtype == "uint8" else "x.float()")
    return None


@_rule("linear")
def _linear(op: Operation, graph: Graph) -> Advice | None:
    x, (outside, inside) = _sides(op.inputs[0]), _sides(op.argument("weight"))
    if not x or x[-1] == inside:
        return None
    fits = _("{count} numbers in each row (in_features)", count=inside)
    got = _("{count} in each row of {shape}", count=x[-1], shape=_said(op.inputs[0]))
    if math.prod(x) == inside and _lost_batch(graph):
        return Advice(fits, got, _("x.unsqueeze(0) before the model: one sample is a batch of one"))
    flat = math.prod(x[1:])
    if len(x) > 2 and flat == inside:
        change = f"nn.Flatten(), nn.Linear({inside}, {outside})"
    elif len(x) > 2:
        change = f"nn.Flatten(), nn.Linear({flat}, {outside})"
    else:
        change = f"nn.Linear({x[-1]}, {outside})"
    return Advice(fits, got, change, features=("in_features", inside, x[-1]))


def _lost_batch(graph: Graph) -> bool:
    """Whether the model was given one sample where it wants a batch: so it looks when a convolution got three sides."""
    given = first_input(graph)
    first = next((op for op in graph.operations if op.name.startswith("conv")), None)
    return given is not None and first is not None and len(given.shape) == len(first.argument("weight").shape) - 1


@_rule("conv1d", "conv2d", "conv3d")
def _conv(op: Operation, _graph: Graph) -> Advice | None:
    x, weight = _sides(op.inputs[0]), _sides(op.argument("weight"))
    count, groups = len(weight) - 2, int(op.argument("groups", 1))
    inside, outside = weight[1] * groups, weight[0]
    shape = _said(op.inputs[0])
    wanted = "(B, {}, {})".format(inside, ", ".join("LHWD"[:1] if count == 1 else ("HW" if count == 2 else "DHW")))
    if len(x) not in (count + 1, count + 2):
        change = _missing_sides(x, inside, count)
        return Advice(wanted, shape, change) if change else None
    at = len(x) - count - 1
    if x[at] != inside:
        last = [*range(len(x) - count - 1), len(x) - 1, *range(len(x) - count - 1, len(x) - 1)]
        if x[-1] == inside:
            return Advice(wanted, shape, f"x.permute({', '.join(map(str, last))})")
        if len(x) == count + 1 and inside == 1:
            return Advice(wanted, shape, "x.unsqueeze(1)")
        kernel = weight[2] if len(set(weight[2:])) == 1 else weight[2:]
        change = f"nn.Conv{count}d({x[at]}, {outside}, {kernel})"
        got = _("{count} channels in {shape}", count=x[at], shape=shape)
        return Advice(_("{count} channels (in_channels)", count=inside), got, change, ("in_channels", inside, x[at]))
    padding = op.argument("padding", 0)
    around = (
        [0] * count
        if isinstance(padding, str)
        else (padding * count)[:count]
        if isinstance(padding, list)
        else [padding] * count
    )
    small = [i for i in range(count) if x[at + 1 + i] + 2 * around[i] < weight[2 + i]]
    if small and "size" in op.error:
        n, k, p = x[at + 1 + small[0]], weight[2 + small[0]], around[small[0]]
        fits = _("at least {kernel} pixels on each side, as the kernel has", kernel=k)
        got = _("{n} pixels and a padding of {padding}", n=n, padding=p)
        return Advice(fits, got, f"padding={-(-(k - n) // 2)}")
    return None


def _missing_sides(x: Sequence[int], channels: int, count: int) -> str:
    side = math.isqrt(x[-1] // channels) if x else 0
    if len(x) == 2 and count == 2 and x[0] != x[1] and side > 3 and channels * side * side == x[-1]:
        return f"nn.Unflatten(1, ({channels}, {side}, {side}))"  # rows of pixels rather than one picture
    return "x[None, None]" if len(x) == count and channels == 1 else ""


@_rule("batch_norm")
def _batch_norm(op: Operation, _graph: Graph) -> Advice | None:
    x = _sides(op.inputs[0])
    held = op.argument("running_mean") or op.argument("weight")
    if "more than 1 value" in op.error:
        return Advice(
            _("several values for each channel while it trains"),
            _("a batch of one: {shape}", shape=_said(op.inputs[0])),
            "model.eval()",
        )
    if held is None or len(x) < 2 or _sides(held)[0] == x[1]:
        return None
    features = _sides(held)[0]
    kind = {2: "BatchNorm1d", 3: "BatchNorm1d", 4: "BatchNorm2d", 5: "BatchNorm3d"}[len(x)]
    got = _("{count} channels in {shape}", count=x[1], shape=_said(op.inputs[0]))
    fits = _("{count} channels (num_features)", count=features)
    return Advice(fits, got, f"nn.{kind}({x[1]})", ("num_features", features, x[1]))


@_rule("layer_norm", "rms_norm")
def _layer_norm(op: Operation, _graph: Graph) -> Advice | None:
    x, wanted = _sides(op.inputs[0]), tuple(int(n) for n in op.argument("normalized_shape"))
    found = x[-len(wanted) :]
    if found == wanted:
        return None
    kind = "LayerNorm" if op.name == "layer_norm" else "RMSNorm"
    said = found[0] if len(found) == 1 else found
    return Advice(_("{shape} as its last sides", shape=wanted), _said(op.inputs[0]), f"nn.{kind}({said})")


@_rule("group_norm")
def _group_norm(op: Operation, _graph: Graph) -> Advice | None:
    x, groups = _sides(op.inputs[0]), int(op.argument("num_groups"))
    weight = op.argument("weight")
    if x[1] % groups == 0 and (weight is None or _sides(weight)[0] == x[1]):
        return None
    fitting = math.gcd(x[1], groups)
    held = _sides(weight)[0] if weight is not None else groups
    return Advice(
        _("{count} channels", count=held),
        _("{count} channels in {shape}", count=x[1], shape=_said(op.inputs[0])),
        f"nn.GroupNorm({fitting}, {x[1]})",
    )


@_rule("max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d")
def _pool(op: Operation, _graph: Graph) -> Advice | None:
    if "too small" not in op.error and "greater" not in op.error and "smaller" not in op.error:
        return None
    x, count = _sides(op.inputs[0]), int(op.name[-2])
    kernel = op.argument("kernel_size")
    kernel = kernel if isinstance(kernel, list) else [kernel] * count
    n = min(x[-count:])
    got = _said(op.inputs[0])
    return Advice(
        _("at least {kernel} pixels on each side, as the kernel has", kernel=max(kernel)),
        got,
        f"kernel_size={max(1, n)}",
    )


@_rule("matmul", "mm", "bmm", "addmm", "baddbmm", "mv", "dot")
def _matmul(op: Operation, _graph: Graph) -> Advice | None:
    first, second = op.inputs[-2:]
    a, b = _sides(first), _sides(second)
    if not a or not b:
        return None
    inner = b[-2] if len(b) > 1 else b[0]
    if a[-1] == inner:
        return None
    fits = _("inner sides of the same size")
    got = _("{left} times {right}: {a} and {b}", left=_said(first), right=_said(second), a=a[-1], b=inner)
    if len(b) > 1 and b[-1] == a[-1]:
        return Advice(fits, got, f"{_variable(second, 'b')}.mT")
    if len(a) > 1 and a[-2] == inner:
        return Advice(fits, got, f"{_variable(first, 'a')}.mT")
    return Advice(fits, got)


@_rule("cat", "concat", "concatenate")
def _cat(op: Operation, _graph: Graph) -> Advice | None:
    shapes = [_sides(value) for value in op.inputs]
    got = ", ".join(_said(value) for value in op.inputs[:4])
    if len({len(shape) for shape in shapes}) > 1:
        return Advice(_("tensors with the same number of sides"), got)
    dim = int(op.argument("dim", 0)) % len(shapes[0])
    differing = [i for i, sides in enumerate(zip(*shapes, strict=True)) if len(set(sides)) > 1]
    fits = _("the same sides everywhere but on side {dim}", dim=dim)
    if [i for i in differing if i != dim] and len(differing) == 1:
        return Advice(fits, got, f"dim={differing[0]}")
    return Advice(fits, got)


@_rule("stack")
def _stack(op: Operation, _graph: Graph) -> Advice | None:
    shapes = [_sides(value) for value in op.inputs]
    if len(set(shapes)) < 2:
        return None
    got = ", ".join(_said(value) for value in op.inputs[:4])
    alike = len({len(shape) for shape in shapes}) == 1
    differing = [i for i, sides in enumerate(zip(*shapes, strict=True)) if len(set(sides)) > 1] if alike else []
    change = f"torch.cat(..., dim={differing[0]})" if len(differing) == 1 else ""
    return Advice(_("tensors of one shape"), got, change)


@_rule("view", "reshape", "unflatten")
def _view(op: Operation, _graph: Graph) -> Advice | None:
    x = _sides(op.inputs[0])
    if op.name == "unflatten":
        return None
    wanted = op.argument("shape")
    sides = [int(n) for n in (wanted if isinstance(wanted, list) else [wanted])]
    total = math.prod(x)
    if "stride" in op.error and "-1" not in op.error:
        said = ", ".join(map(str, sides))
        return Advice(
            _("numbers that lie in order in memory"),
            _("a tensor whose sides have changed places"),
            f"x.reshape({said})",
        )
    known = math.prod(n for n in sides if n != -1)
    fits = _("{count} numbers: {product}", count=known, product=" * ".join(str(n) for n in sides if n != -1))
    if -1 in sides:
        fits = _("a multiple of {count}", count=known)
    got = _("{count} numbers: {product}", count=total, product=" * ".join(map(str, x)))
    others = math.prod(sides[1:]) if -1 not in sides[1:] else 0
    if others > 0 and total % others == 0:
        change = f"x.{op.name}({', '.join(map(str, [-1, *sides[1:]]))})"
    else:
        change = f"x.{op.name}({x[0]}, -1)" if x else ""
    return Advice(fits, got, change)


@_rule(
    "add",
    "sub",
    "mul",
    "div",
    "pow",
    "where",
    "maximum",
    "minimum",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "eq",
    "ne",
    "lt",
    "gt",
    "le",
    "ge",
    "rsub",
    "masked_fill",
    "expand",
)
def _broadcasting(op: Operation, _graph: Graph) -> Advice | None:
    if len(op.inputs) < 2 or ("size" not in op.error and "shape" not in op.error):
        return None
    first, second = op.inputs[:2]
    a, b = _sides(first), _sides(second)
    side = next((i for i in range(1, min(len(a), len(b)) + 1) if a[-i] != b[-i] and 1 not in (a[-i], b[-i])), None)
    if side is None:
        return None
    fits = _("sides that are equal, or 1, counted from the last")
    got = _("{left} and {right}: {a} and {b}", left=_said(first), right=_said(second), a=a[-side], b=b[-side])
    few, many, name = (b, a, _variable(second, "b")) if len(b) <= len(a) else (a, b, _variable(first, "a"))
    missing = len(many) - len(few)
    at = next((i for i in range(len(many) - len(few) + 1) if many[i : i + len(few)] == few), None)
    if missing and at is not None:
        behind = len(many) - at - len(few)
        return Advice(fits, got, f"{name}[(...,) + (None,) * {behind}]" if behind > 1 else f"{name}.unsqueeze(-1)")
    return Advice(fits, got)


@_rule("cross_entropy", "nll_loss")
def _cross_entropy(op: Operation, _graph: Graph) -> Advice | None:
    scores, labels = op.argument("input"), op.argument("target")
    x, y = _sides(scores), _sides(labels)
    lowest, highest = _range(op, "target")
    got = _(
        "scores {scores}, labels {labels} ({dtype})", scores=_said(scores), labels=_said(labels), dtype=labels.dtype
    )
    fits = _("one row of scores and one label for each sample: {scores} and {labels}", scores="(B, K)", labels="(B,)")
    if len(x) > 1 and highest is not None and highest >= x[1]:
        change = _("{count} outputs in the last layer, as labels count from 0", count=highest + 1)
        return Advice(_("labels from 0 to {last}", last=x[1] - 1), _("the label {label}", label=highest), change)
    if lowest is not None and lowest < 0 and lowest != op.argument("ignore_index", -100):
        return Advice(
            _("labels from 0 to {last}", last=x[-1] - 1), _("the label {label}", label=lowest), "labels.clamp(min=0)"
        )
    if len(x) == 2 and y == (x[0], 1):
        return Advice(fits, got, "labels.squeeze(1)" if labels.dtype == "int64" else "labels.squeeze(1).long()")
    if len(x) > 2 and len(y) == 1 and math.prod(x) % x[0] == 0 and x[0] == y[0] and set(x[2:]) == {1}:
        return Advice(fits, got, "nn.Flatten()")
    if len(x) == 2 and len(y) == 1 and x[0] == y[0] and labels.dtype != "int64":
        return Advice(fits, got, "labels.long()")
    if x == y and labels.dtype not in _FLOATS:
        return Advice(fits, got, "labels.float()" if set(y) - {1} else "labels.long()")
    return Advice(fits, got)


@_rule("binary_cross_entropy", "binary_cross_entropy_with_logits")
def _binary(op: Operation, _graph: Graph) -> Advice | None:
    scores, labels = op.argument("input"), op.argument("target")
    x, y = _sides(scores), _sides(labels)
    got = _(
        "scores {scores}, labels {labels} ({dtype})", scores=_said(scores), labels=_said(labels), dtype=labels.dtype
    )
    fits = _("scores and labels of one shape, both float32")
    cast = "" if labels.dtype in _FLOATS else ".float()"
    if x == (*y, 1):
        return Advice(fits, got, f"labels.unsqueeze(-1){cast}")
    if (*x, 1) == y:
        return Advice(fits, got, f"labels.squeeze(-1){cast}")
    return Advice(fits, got, f"labels{cast}" if cast and x == y else "")


@_rule("embedding", "embedding_bag")
def _embedding(op: Operation, _graph: Graph) -> Advice | None:
    index, weight = op.inputs[0], op.argument("weight")
    rows, features = _sides(weight)
    lowest, highest = _range(op, "input")
    if index.dtype not in ("int64", "int32"):
        return Advice(_("whole numbers (int64)"), index.dtype, "x.long()")
    if highest is not None and highest >= rows:
        change = f"nn.Embedding({highest + 1}, {features})"
        return Advice(_("indices from 0 to {last}", last=rows - 1), _("the index {index}", index=highest), change)
    if lowest is not None and lowest < 0:
        return Advice(
            _("indices from 0 to {last}", last=rows - 1), _("the index {index}", index=lowest), "x.clamp(min=0)"
        )
    return None


def _range(op: Operation, name: str) -> tuple[int | None, int | None]:
    found = op.arguments.get(f"range of {name}")
    return (None, None) if found is None else (int(found[0]), int(found[1]))


def _of_module(op: Operation, graph: Graph) -> Advice | None:
    """Modules that look at their input themselves, before any operation: recurrent layers, BatchNorm, attention."""
    if op.call is None or not op.inputs:
        return None
    call, x = graph.calls[op.call], op.inputs[0]
    numbers = [int(n) for n in re.findall(r"\d+", op.error)]
    if call.kind in ("LSTM", "GRU", "RNN") and "input_size" in op.error and len(numbers) >= 2:
        rest = call.settings.split(",", 1)[1].strip() if "," in call.settings else ""
        expected, found = numbers[-2], numbers[-1]
        got = _("{count} in each row of {shape}", count=found, shape=_said(x))
        fits = _("{count} numbers in each row ({name})", count=expected, name="input_size")
        return Advice(fits, got, f"nn.{call.kind}({found}, {rest})", ("input_size", expected, found))
    if call.kind.startswith("BatchNorm") and "input" in op.error and x.shape:
        kind = {2: "BatchNorm1d", 3: "BatchNorm1d", 4: "BatchNorm2d", 5: "BatchNorm3d"}.get(len(x.shape), "")
        if kind and kind != call.kind:
            fits = _("an input with {count} sides", count=numbers[0]) if numbers else call.kind
            return Advice(fits, _said(x), f"nn.{kind}({x.shape[1]})")
    return None
