"""How the shape of a result follows from what went in, in numbers: (32 + 2*0 - 5) / 1 + 1 = 28.

Each function below explains some functions of torch. What it says is held against the shape that came out, and is not
said where they differ: an explanation is right, or it is not there. Tests compute every expression.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from firstlight.graph.operations import Operation, Value
from firstlight.locale import _

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """One side of the result and how it is computed.

    Attributes:
        what: Which side, in the learner's language.
        expression: The computation, with `floor`, `ceil` and `max`; Python computes it as it stands.
        value: What it comes to.
        side: Which side of the first result it is, counted from 0; None if it is a number on the way.
    """

    what: str
    expression: str
    value: int
    side: int | None = None

    def __str__(self) -> str:
        said = self.expression if self.expression == str(self.value) else f"{self.expression} = {self.value}"
        return f"{self.what}: {said}" if self.what else said


@dataclass(frozen=True)
class Explanation:
    """Why the result has its shape.

    Attributes:
        steps: The sides that are computed.
        note: What is to be said in words; may be empty.
        shape: The whole shape of the first result, where the rule knows it.
    """

    steps: tuple[Step, ...] = ()
    note: str = ""
    shape: Shape | None = None

    def __bool__(self) -> bool:
        return bool(self.steps or self.note)

    def __str__(self) -> str:
        said = "; ".join(map(str, _joined(self.steps)))
        return "; ".join(part for part in (said, self.note) if part)


def explain(operation: Operation) -> Explanation:
    """Why the result of an operation has its shape; empty where nothing certain can be said.

    Example:
        >>> import torch
        >>> from firstlight.graph import trace
        >>> graph = trace(torch.nn.Conv2d(3, 6, 5), torch.zeros(1, 3, 32, 32))
        >>> print(explain(graph[0]))
        channels: 6; height and width: (32 + 2*0 - 5) / 1 + 1 = 28
    """
    found = attempt(operation)
    if found is None or not operation.outputs:
        return Explanation()
    shape = operation.outputs[0].shape
    right = found.shape is None or found.shape == shape
    right = right and all(
        s.side is None or (0 <= s.side < len(shape) and shape[s.side] == s.value) for s in found.steps
    )
    return found if right else Explanation()


def attempt(operation: Operation) -> Explanation | None:
    """What the rules say, not yet held against the real shape; None without a rule."""
    rule = _RULES.get(operation.name.removesuffix("_"))
    if operation.name in _RULES:
        rule = _RULES[operation.name]
    if rule is None or operation.kind != "operation" or operation.error:
        return None
    shapes = [value.shape for value in (*operation.inputs, *operation.outputs)]
    if any(isinstance(side, str) for shape in shapes for side in shape):
        return None  # nested tensors
    try:
        return rule(operation)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ZeroDivisionError):
        return None  # arguments in a form that the rule does not know


def window(n: int, kernel: int, stride: int, padding: int, dilation: int, *, up: bool = False) -> tuple[str, int]:
    """How often a window fits into `n`: the expression and its value.

    Example:
        >>> window(32, 5, 1, 0, 1)
        ('(32 + 2*0 - 5) / 1 + 1', 28)
        >>> window(33, 3, 2, 1, 1)
        ('(33 + 2*1 - 3) / 2 + 1', 17)
        >>> window(32, 3, 2, 0, 1)
        ('floor((32 + 2*0 - 3) / 2) + 1', 15)
    """
    wide = f"{kernel}" if dilation == 1 else f"{dilation}*({kernel} - 1) - 1"
    rest = n + 2 * padding - dilation * (kernel - 1) - 1
    inside = f"({n} + 2*{padding} - {wide}) / {stride}"
    if rest % stride == 0:
        return f"{inside} + 1", rest // stride + 1
    if not up:
        return f"floor({inside}) + 1", rest // stride + 1
    value = -(-rest // stride) + 1
    if (value - 1) * stride >= n + padding:  # a window may not begin in the padding behind the end
        return f"ceil({inside}) + 1 - 1", value - 1
    return f"ceil({inside}) + 1", value


def _joined(steps: Sequence[Step]) -> list[Step]:
    """Height and width that are computed alike become one step."""
    found: list[Step] = []
    for step in steps:
        last = found[-1] if found else None
        if last is not None and (last.expression, last.value) == (step.expression, step.value) and step.what:
            found[-1] = Step(_("{first} and {second}", first=last.what, second=step.what), step.expression, step.value)
        else:
            found.append(step)
    return found


_RULES: dict[str, Callable[[Operation], Explanation | None]] = {}
Rule = Callable[[Operation], Explanation | None]


def _rule(*names: str) -> Callable[[Rule], Rule]:
    def keep(rule: Rule) -> Rule:
        _RULES.update(dict.fromkeys(names, rule))
        return rule

    return keep


def _shape(value: Any) -> Shape:
    return tuple(int(side) for side in value.shape)


def _many(value: Any, count: int) -> list[int]:
    found = [int(part) for part in value] if isinstance(value, (list, tuple)) else [int(value)] * count
    return found * count if len(found) == 1 else found


def _axes(count: int) -> list[str]:
    return [[_("length")], [_("height"), _("width")], [_("depth"), _("height"), _("width")]][count - 1]


def _times(sides: Sequence[int]) -> str:
    return " * ".join(map(str, sides)) or "1"


def _side(number: int) -> str:
    return _("side {number}", number=number)


def _over(n: int, parts: int) -> tuple[str, int]:
    return (f"{n} / {parts}" if n % parts == 0 else f"floor({n} / {parts})"), n // parts


def _first(operation: Operation, *names: str) -> Value:
    for name in names:
        if isinstance(found := operation.argument(name), Value):
            return found
    return operation.inputs[0]


# Windows that slide: convolution, pooling, unfold.


@_rule("conv1d", "conv2d", "conv3d")
def _conv(op: Operation) -> Explanation:
    x, weight = _shape(op.argument("input")), _shape(op.argument("weight"))
    count = len(weight) - 2
    start = len(x) - count
    stride, dilation = (_many(op.argument(name, 1), count) for name in ("stride", "dilation"))
    steps = [Step(_("channels"), str(weight[0]), weight[0], start - 1)]
    padding = op.argument("padding", 0)
    if padding == "same":
        steps += [
            Step(name, str(n), n, start + i) for i, (name, n) in enumerate(zip(_axes(count), x[start:], strict=True))
        ]
        return Explanation(tuple(steps), _("padding='same' keeps height and width") if count == 2 else "")
    for i, name in enumerate(_axes(count)):
        around = 0 if padding == "valid" else _many(padding, count)[i]
        steps.append(Step(name, *window(x[start + i], weight[2 + i], stride[i], around, dilation[i]), start + i))
    return Explanation(tuple(steps), "", (*x[: start - 1], *(step.value for step in steps)))


@_rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _conv_transpose(op: Operation) -> Explanation:
    x, weight = _shape(op.argument("input")), _shape(op.argument("weight"))
    count = len(weight) - 2
    start, groups = len(x) - count, int(op.argument("groups", 1))
    stride, dilation = (_many(op.argument(name, 1), count) for name in ("stride", "dilation"))
    padding, more = (_many(op.argument(name, 0), count) for name in ("padding", "output_padding"))
    said = str(weight[1]) if groups == 1 else f"{weight[1]} * {groups}"
    steps = [Step(_("channels"), said, weight[1] * groups, start - 1)]
    for i, name in enumerate(_axes(count)):
        n, k, s, p, d, o = x[start + i], weight[2 + i], stride[i], padding[i], dilation[i], more[i]
        wide = f"{k}" if d == 1 else f"{d}*({k} - 1) + 1"
        said = f"({n} - 1)*{s} - 2*{p} + {wide}" + (f" + {o}" if o else "")
        steps.append(Step(name, said, (n - 1) * s - 2 * p + d * (k - 1) + 1 + o, start + i))
    return Explanation(tuple(steps), "", (*x[: start - 1], *(step.value for step in steps)))


@_rule("max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d")
def _pool(op: Operation) -> Explanation:
    x = _shape(op.inputs[0])
    count = int(op.name.rstrip("d")[-1])
    start = len(x) - count
    kernel = _many(op.argument("kernel_size"), count)
    stride = _many(op.argument("stride") or kernel, count)
    padding, dilation = _many(op.argument("padding", 0), count), _many(op.argument("dilation", 1), count)
    up = bool(op.argument("ceil_mode", False))
    steps = []
    for i, name in enumerate(_axes(count)):
        n, k, s, p, d = x[start + i], kernel[i], stride[i], padding[i], dilation[i]
        plain = k == s and p == 0 and d == 1 and (not up or n % k == 0)
        steps.append(Step(name, *(_over(n, k) if plain else window(n, k, s, p, d, up=up)), start + i))
    return Explanation(tuple(steps), "", (*x[:start], *(step.value for step in steps)))


@_rule(*(f"adaptive_{kind}_pool{count}d" for kind in ("avg", "max") for count in (1, 2, 3)))
def _adaptive(op: Operation) -> Explanation:
    x, count = _shape(op.inputs[0]), int(op.name.rstrip("d")[-1])
    start, wanted = len(x) - count, op.argument("output_size")
    sizes = wanted if isinstance(wanted, list) else [wanted] * count
    steps = [
        Step(name, str(n), n, start + i)
        for i, name in enumerate(_axes(count))
        for n in [x[start + i] if sizes[i] is None else int(sizes[i])]
    ]
    shape = (*x[:start], *(step.value for step in steps))
    return Explanation(tuple(steps), _("as asked for, whatever the size of the input"), shape)


@_rule("unfold")
def _unfold(op: Operation) -> Explanation:
    x = _shape(op.inputs[0])
    if "kernel_size" not in op.arguments:  # Tensor.unfold
        dim = int(op.argument("dimension")) % len(x)
        size, step = int(op.argument("size")), int(op.argument("step"))
        said, value = _over(x[dim] - size, step)
        said = said.replace(str(x[dim] - size), f"({x[dim]} - {size})", 1)
        last = Step(_("window"), str(size), size, len(x))
        return Explanation((Step(_side(dim), f"{said} + 1", value + 1, dim), last))
    kernel, stride = _many(op.argument("kernel_size"), 2), _many(op.argument("stride", 1), 2)
    padding, dilation = _many(op.argument("padding", 0), 2), _many(op.argument("dilation", 1), 2)
    start = len(x) - 2
    fits = [window(x[start + i], kernel[i], stride[i], padding[i], dilation[i]) for i in range(2)]
    sides = [x[start - 1], *kernel]
    steps = [Step(name, *fit) for name, fit in zip(_axes(2), fits, strict=True)]
    steps.append(Step(_("channels of a window"), _times(sides), math.prod(sides), start - 1))
    steps.append(Step(_("windows"), _times([f[1] for f in fits]), fits[0][1] * fits[1][1], start))
    return Explanation(tuple(steps))


@_rule("fold")
def _fold(op: Operation) -> Explanation:
    x, size, kernel = _shape(op.inputs[0]), _many(op.argument("output_size"), 2), _many(op.argument("kernel_size"), 2)
    start = len(x) - 2
    said, value = f"{x[start]} / ({_times(kernel)})", x[start] // math.prod(kernel)
    steps = [Step(_("channels"), said, value, start)]
    steps += [Step(name, str(n), n, start + 1 + i) for i, (name, n) in enumerate(zip(_axes(2), size, strict=True))]
    return Explanation(tuple(steps))


@_rule("pixel_shuffle")
def _shuffle(op: Operation) -> Explanation:
    *_rest, c, h, w = x = _shape(op.inputs[0])
    r, at = int(op.argument("upscale_factor")), len(x) - 3
    return Explanation((
        Step(_("channels"), f"{c} / ({r} * {r})", c // (r * r), at),
        Step(_("height"), f"{h} * {r}", h * r, at + 1),
        Step(_("width"), f"{w} * {r}", w * r, at + 2),
    ))  # fmt: skip


@_rule("pixel_unshuffle")
def _unshuffle(op: Operation) -> Explanation:
    *_rest, c, h, w = x = _shape(op.inputs[0])
    r, at = int(op.argument("downscale_factor")), len(x) - 3
    return Explanation((
        Step(_("channels"), f"{c} * {r} * {r}", c * r * r, at),
        Step(_("height"), f"{h} / {r}", h // r, at + 1),
        Step(_("width"), f"{w} / {r}", w // r, at + 2),
    ))  # fmt: skip


@_rule("interpolate", "upsample")
def _interpolate(op: Operation) -> Explanation:
    x = _shape(op.inputs[0])
    count, size, scale = len(x) - 2, op.argument("size"), op.argument("scale_factor")
    steps = []
    for i, name in enumerate(_axes(count)):
        n = x[2 + i]
        if size is not None:
            value = _many(size, count)[i]
            steps.append(Step(name, str(value), value, 2 + i))
        else:
            by = scale[i] if isinstance(scale, list) else scale
            by = int(by) if float(by).is_integer() else by
            value = math.floor(n * by)
            steps.append(Step(name, f"{n} * {by}" if value == n * by else f"floor({n} * {by})", value, 2 + i))
    return Explanation(tuple(steps))


@_rule("pad")
def _pad(op: Operation) -> Explanation:
    x, pads = _shape(op.inputs[0]), [int(n) for n in op.argument("pad")]
    steps = []
    for i in reversed(range(len(pads) // 2)):
        side = len(x) - 1 - i
        before, after = pads[2 * i : 2 * i + 2]
        if before or after:
            steps.append(Step(_side(side), f"{before} + {x[side]} + {after}", before + x[side] + after, side))
    return Explanation(tuple(steps))


# Products.


@_rule("linear")
def _linear(op: Operation) -> Explanation:
    x, weight = _shape(op.argument("input")), _shape(op.argument("weight"))
    if len(weight) == 1:
        return Explanation((), _("the last side, {n} numbers, becomes one", n=x[-1]))
    note = _("each row of {inside} numbers becomes {outside}", inside=x[-1], outside=weight[0])
    return Explanation((Step(_("last side"), str(weight[0]), weight[0], len(x) - 1),), note)


@_rule("bilinear")
def _bilinear(op: Operation) -> Explanation:
    weight, x = _shape(op.argument("weight")), _shape(op.inputs[0])
    return Explanation((Step(_("last side"), str(weight[0]), weight[0], len(x) - 1),))


@_rule("matmul", "mm", "bmm", "mv", "dot", "inner")
def _matmul(op: Operation) -> Explanation:
    a, b = _shape(op.inputs[0]), _shape(op.inputs[-1])
    return _product(a, b, len(op.outputs[0].shape))


@_rule("addmm", "baddbmm")
def _addmm(op: Operation) -> Explanation:
    a, b = _shape(op.inputs[1]), _shape(op.inputs[2])
    return _product(a, b, len(op.outputs[0].shape))


def _product(a: Shape, b: Shape, count: int) -> Explanation:
    inner = a[-1]
    steps = []
    if len(a) > 2 or len(b) > 2:
        batch = _broadcast([a[:-2], b[:-2]])
        steps += [Step(_("batch"), str(n), n, i) for i, n in enumerate(batch)]
    columns = len(b) > 1
    if len(a) > 1:
        steps.append(Step(_("rows"), str(a[-2]), a[-2], count - 1 - columns))
    if columns:
        steps.append(Step(_("columns"), str(b[-1]), b[-1], count - 1))
    return Explanation(tuple(steps), _("the inner sides are summed over: {n} and {n}", n=inner))


@_rule("outer", "ger")
def _outer(op: Operation) -> Explanation:
    (a,), (b,) = _shape(op.inputs[0]), _shape(op.inputs[-1])
    return Explanation((Step(_("rows"), str(a), a, 0), Step(_("columns"), str(b), b, 1)))


@_rule("einsum")
def _einsum(op: Operation) -> Explanation | None:
    equation = str(op.argument("equation")).replace(" ", "")
    if "." in equation:
        return None
    left, arrow, right = equation.partition("->")
    sizes: dict[str, int] = {}
    for letters, value in zip(left.split(","), op.inputs, strict=True):
        for letter, n in zip(letters, _shape(value), strict=True):
            sizes[letter] = max(sizes.get(letter, 1), n)
    if not arrow:
        right = "".join(sorted(letter for letter in sizes if left.count(letter) == 1))
    gone = [letter for letter in sizes if letter not in right]
    steps = tuple(Step(letter, str(sizes[letter]), sizes[letter], at) for at, letter in enumerate(right))
    said = ", ".join(f"{letter} = {sizes[letter]}" for letter in gone)
    return Explanation(steps, _("summed over {sides}", sides=said) if gone else "")


@_rule("scaled_dot_product_attention")
def _attention(op: Operation) -> Explanation:
    q, k, v = (_shape(op.argument(name)) for name in ("query", "key", "value"))
    last = len(op.outputs[0].shape)
    steps = (Step(_("positions"), str(q[-2]), q[-2], last - 2), Step(_("features"), str(v[-1]), v[-1], last - 1))
    note = _(
        "{queries} positions look at {keys} each, by products of {inner} numbers",
        queries=q[-2],
        keys=k[-2],
        inner=q[-1],
    )
    return Explanation(steps, note)


@_rule("multi_head_attention_forward")
def _heads(op: Operation) -> Explanation:
    q, heads = _shape(op.argument("query")), int(op.argument("num_heads"))
    k = _shape(op.argument("key"))
    steps = [Step(_("features of a head"), *_over(q[-1], heads)), Step(_("positions"), str(q[0]), q[0], 0)]
    steps.append(Step(_("features"), str(q[-1]), q[-1], len(q) - 1))
    note = _(
        "{queries} positions look at {keys} each, by products of {inner} numbers",
        queries=q[0],
        keys=k[0],
        inner=q[-1] // heads,
    )
    return Explanation(tuple(steps), note)


# Recurrent layers.


@_rule("lstm", "gru", "rnn_tanh", "rnn_relu")
def _recurrent(op: Operation) -> Explanation:
    both = 2 if op.argument("bidirectional") else 1
    weights = [_shape(value) for value in op.argument("params")]
    hidden = weights[1][1]  # of weight_hh: with proj_size= what is handed on, not what is held
    last = len(op.outputs[0].shape) - 1
    said = str(hidden) if both == 1 else f"2 * {hidden}"
    x = _shape(op.argument("input"))
    if "batch_sizes" in op.arguments:
        return Explanation((Step(_("features"), said, both * hidden, last),))
    time = 1 if op.argument("batch_first") else 0
    steps = [Step(_("steps in time"), str(x[time]), x[time], time)] if len(x) == 3 else []
    return Explanation((*steps, Step(_("features"), said, both * hidden, last)))


@_rule("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")
def _cell(op: Operation) -> Explanation:
    hidden = _shape(op.argument("w_hh"))[1]
    return Explanation((Step(_("features"), str(hidden), hidden, len(op.outputs[0].shape) - 1),))


# Numbers stay, sides change.


@_rule("flatten", "ravel")
def _flatten(op: Operation) -> Explanation:
    x = _shape(op.inputs[0])
    if not x:
        return Explanation((Step(_side(0), "1", 1, 0),))
    start, end = int(op.argument("start_dim", 0)) % len(x), int(op.argument("end_dim", -1)) % len(x)
    count = math.prod(x[start : end + 1])
    step = Step(_side(start), _times(x[start : end + 1]), count, start)
    return Explanation((step,), "", (*x[:start], count, *x[end + 1 :]))


@_rule("view", "reshape")
def _view(op: Operation) -> Explanation:
    x = _shape(op.inputs[0])
    wanted = op.argument("shape", op.argument("size"))
    sides = [int(n) for n in (wanted if isinstance(wanted, list) else [wanted])]
    total, others = math.prod(x), [n for n in sides if n != -1]
    note = _("{count} numbers before and after", count=f"{total}")
    steps = []
    if -1 in sides and total:
        at, known = sides.index(-1), math.prod(others)
        if others:
            steps.append(Step(_side(at), f"{_times(x)} / ({_times(others)})", total // known, at))
        else:
            steps.append(Step(_side(at), _times(x), total, at))
    elif total:
        steps.append(Step(_("numbers"), _times(sides), total))
    return Explanation(tuple(steps), note)


@_rule("unflatten")
def _unflatten(op: Operation) -> Explanation:
    x, sizes = _shape(op.inputs[0]), [int(n) for n in op.argument("sizes")]
    dim = int(op.argument("dim")) % len(x)
    known = [n for n in sizes if n != -1]
    sizes = [x[dim] // math.prod(known) if n == -1 else n for n in sizes]
    return Explanation((Step(_("numbers"), _times(sizes), x[dim]),), _("side {side} is divided", side=dim))


@_rule("permute")
def _permute(op: Operation) -> Explanation:
    x, dims = _shape(op.inputs[0]), op.argument("dims")
    return Explanation(_moved([int(d) % len(x) for d in dims], x), _("the sides change places"))


@_rule("transpose", "swapaxes", "swapdims")
def _transpose(op: Operation) -> Explanation:
    x = _shape(op.inputs[0])
    order = list(range(len(x)))
    if order:
        a, b = int(op.argument("dim0", 0)) % len(x), int(op.argument("dim1", 1)) % len(x)
        order[a], order[b] = order[b], order[a]
    return Explanation(_moved(order, x), _("the sides change places"))


@_rule("t", "T", "mT", "H", "mH", "adjoint")
def _turned(op: Operation) -> Explanation:
    x = _shape(op.inputs[0])
    order = list(range(len(x)))
    order = order[::-1] if op.name in ("t", "T") else [*order[:-2], *order[:-3:-1]]
    return Explanation(_moved(order, x), _("the sides change places"))


@_rule("movedim", "moveaxis")
def _movedim(op: Operation) -> Explanation:
    x = _shape(op.inputs[0])
    ends = [op.argument(name) for name in ("source", "destination")]
    source, destination = ([int(d) % len(x) for d in (e if isinstance(e, list) else [e])] for e in ends)
    placed = dict(zip(destination, source, strict=True))
    others = iter(d for d in range(len(x)) if d not in source)
    order = [placed[i] if i in placed else next(others) for i in range(len(x))]
    return Explanation(_moved(order, x), _("the sides change places"))


def _moved(order: Sequence[int], x: Shape) -> tuple[Step, ...]:
    return tuple(
        Step(_("side {to} was side {source}", to=to, source=source), str(x[source]), x[source], to)
        for to, source in enumerate(order)
        if to != source
    )


@_rule("squeeze")
def _squeeze(op: Operation) -> Explanation:
    x, dim = _shape(op.inputs[0]), op.argument("dim")
    dims = range(len(x)) if dim is None else [int(d) % len(x) for d in (dim if isinstance(dim, list) else [dim])]
    gone = [d for d in dims if x[d] == 1]
    left = tuple(n for d, n in enumerate(x) if d not in gone)
    if not gone:
        return Explanation((), _("no side of 1 there: nothing changes"), x)
    return Explanation((), _("sides of 1 go away: {sides}", sides=", ".join(map(str, gone))), left)


@_rule("unsqueeze")
def _unsqueeze(op: Operation) -> Explanation:
    x = _shape(op.inputs[0])
    dim = int(op.argument("dim")) % (len(x) + 1)
    return Explanation((Step(_("new side {side}", side=dim), "1", 1, dim),), "", (*x[:dim], 1, *x[dim:]))


@_rule("expand", "broadcast_to", "expand_as")
def _expand(op: Operation) -> Explanation:
    x, out = _shape(op.inputs[0]), _shape(op.outputs[0])
    new = len(out) - len(x)
    steps = [
        Step(_("side {side} is repeated", side=i), str(n) if i < new else f"{x[i - new]} * {n}", n, i)
        for i, n in enumerate(out)
        if i < new or x[i - new] != n
    ]
    return Explanation(tuple(steps), "" if steps else _("the shape stays"))


@_rule("repeat", "tile")
def _repeat(op: Operation) -> Explanation:
    x = _shape(op.inputs[0])
    times = [int(n) for n in op.argument("repeats" if op.name == "repeat" else "dims")]
    times = [1] * (len(x) - len(times)) + times
    x = (1,) * (len(times) - len(x)) + x
    return Explanation(
        tuple(Step(_side(i), f"{n} * {t}", n * t, i) for i, (n, t) in enumerate(zip(x, times, strict=True)) if t != 1)
    )


@_rule("repeat_interleave")
def _interleave(op: Operation) -> Explanation | None:
    x, times, dim = _shape(op.inputs[0]), op.argument("repeats"), op.argument("dim")
    if not isinstance(times, int):
        return None
    if dim is None:
        return Explanation((Step(_side(0), f"{_times(x)} * {times}", math.prod(x) * times, 0),))
    at = int(dim) % len(x)
    return Explanation((Step(_side(at), f"{x[at]} * {times}", x[at] * times, at),))


# Several tensors become one, one becomes several.


@_rule("cat", "concat", "concatenate", "hstack", "vstack")
def _cat(op: Operation) -> Explanation | None:
    shapes = [_shape(value) for value in op.inputs]
    shapes = [shape for shape in shapes if shape != (0,)] or shapes  # an empty list may stand among them
    dim = int(op.argument("dim", 0)) % len(shapes[0])
    if op.name in ("hstack", "vstack"):
        if any(len(shape) < 2 for shape in shapes):
            return None
        dim = int(op.name == "hstack")
    sides = [shape[dim] for shape in shapes]
    said = " + ".join(map(str, sides)) if len(sides) <= 6 or len(set(sides)) > 1 else f"{len(sides)} * {sides[0]}"
    if len(sides) > 12 and len(set(sides)) > 1:
        said = f"{' + '.join(map(str, sides[:10]))} + {sum(sides[10:])}"
    return Explanation((Step(_side(dim), said, sum(sides), dim),))


@_rule("stack")
def _stack(op: Operation) -> Explanation:
    count, dims = len(op.inputs), len(op.inputs[0].shape) + 1
    dim = int(op.argument("dim", 0)) % dims
    return Explanation((Step(_("new side {side}, one for each tensor", side=dim), str(count), count, dim),))


@_rule("split", "chunk", "tensor_split", "split_with_sizes")
def _split(op: Operation) -> Explanation:
    x = _shape(op.inputs[0])
    dim = int(op.argument("dim", 0)) % len(x)
    sides = [_shape(value)[dim] for value in op.outputs]
    alike = len(set(sides)) == 1 and len(sides) > 1
    said = f"{len(sides)} * {sides[0]}" if alike else " + ".join(map(str, sides))
    steps = [Step(_("side {side}, all parts together", side=dim), said, x[dim])]
    if op.name == "chunk":
        n = int(op.argument("chunks"))
        steps = [
            Step(_side(dim), f"{x[dim]} / {n}" if x[dim] % n == 0 else f"ceil({x[dim]} / {n})", -(-x[dim] // n), dim),
            *steps,
        ]
    elif isinstance(size := op.argument("split_size", op.argument("split_size_or_sections")), int):
        steps = [Step(_side(dim), str(min(size, x[dim])), min(size, x[dim]), dim), *steps]
    return Explanation(tuple(steps))


@_rule("unbind")
def _unbind(op: Operation) -> Explanation:
    x = _shape(op.inputs[0])
    dim = int(op.argument("dim", 0)) % len(x)
    return Explanation((Step(_("results, one for each place on side {side}", side=dim), str(x[dim]), x[dim]),))


# A part of a tensor.


@_rule("getitem")
def _getitem(op: Operation) -> Explanation | None:
    x = _shape(op.inputs[0])
    index = op.arguments["index"]
    parts = index if isinstance(index, list) else [index]
    if any(isinstance(part, (dict, list, bool)) for part in parts):
        return _picked(op, x, parts)
    used = sum(part is not None and part != "..." for part in parts)
    if "..." not in parts:
        parts = [*parts, "..."]
    steps, at, side = [], 0, 0
    for part in parts:
        if part is None:
            steps.append(Step(_("new side {side}", side=side), "1", 1, side))
            side += 1
        elif part == "...":
            at, side = at + len(x) - used, side + len(x) - used
        elif isinstance(part, str):
            ends = [int(end) if end else None for end in part.split(":")]
            start, stop, step = slice(*ends).indices(x[at])
            count = len(range(start, stop, step))
            if count != x[at]:
                said = f"{stop} - {start}" if step == 1 else f"ceil(({stop} - {start}) / {step})"
                steps.append(Step(_side(side), said if count else "0", count, side))
            at, side = at + 1, side + 1
        else:
            at += 1
    gone = sum(isinstance(part, int) for part in parts)
    return Explanation(
        tuple(steps), _("sides that are chosen by a single number go away: {count}", count=gone) if gone else ""
    )


def _picked(op: Operation, x: Shape, parts: Sequence[Any]) -> Explanation | None:
    if len(parts) != 1 or not isinstance(parts[0], dict):
        return None
    chosen = op.inputs[parts[0]["tensor"]]
    if chosen.dtype in ("bool", "uint8"):
        return Explanation((), _("as many as the mask has True in it"))
    steps = tuple(Step(_("chosen places"), str(n), n, i) for i, n in enumerate(_shape(chosen)))
    return Explanation(steps, _("side {side}, of {n}, gives way to the shape of the index", side=0, n=x[0]))


@_rule("select")
def _select(op: Operation) -> Explanation:
    x = _shape(op.inputs[0])
    dim = int(op.argument("dim")) % len(x)
    left = tuple(n for d, n in enumerate(x) if d != dim)
    return Explanation((), _("side {side} goes away: one of {n} is chosen", side=dim, n=x[dim]), left)


@_rule("narrow")
def _narrow(op: Operation) -> Explanation:
    dim, n = int(op.argument("dim")) % len(op.inputs[0].shape), int(op.argument("length"))
    return Explanation((Step(_side(dim), str(n), n, dim),))


@_rule("index_select")
def _index_select(op: Operation) -> Explanation:
    dim, n = int(op.argument("dim")) % len(op.inputs[0].shape), math.prod(_shape(op.argument("index")))
    return Explanation((Step(_("chosen places"), str(n), n, dim),))


@_rule("gather", "take_along_dim")
def _gather(op: Operation) -> Explanation:
    index = _shape(op.argument("index", op.argument("indices")))
    steps = tuple(Step(_side(i), str(n), n, i) for i, n in enumerate(index))
    return Explanation(steps, _("the shape of the index"))


@_rule("topk")
def _topk(op: Operation) -> Explanation:
    dim, k = int(op.argument("dim", -1)) % len(op.inputs[0].shape), int(op.argument("k"))
    return Explanation((Step(_side(dim), str(k), k, dim),))


@_rule("diagonal")
def _diagonal(op: Operation) -> Explanation:
    x = _shape(op.inputs[0])
    a, b = int(op.argument("dim1", 0)) % len(x), int(op.argument("dim2", 1)) % len(x)
    offset = int(op.argument("offset", 0))
    n = max(0, min(x[a], x[b] - offset) if offset >= 0 else min(x[a] + offset, x[b]))
    return Explanation((Step(_("diagonal"), str(n), n, len(x) - 2),))


@_rule("embedding", "embedding_bag")
def _embedding(op: Operation) -> Explanation:
    weight, out = _shape(op.argument("weight")), _shape(op.outputs[0])
    if op.name == "embedding_bag":
        return Explanation((Step(_("features"), str(weight[1]), weight[1], len(out) - 1),))
    note = _(
        "each index becomes its row of {features} numbers in a table of {rows}", features=weight[1], rows=weight[0]
    )
    return Explanation((Step(_("features"), str(weight[1]), weight[1], len(out) - 1),), note)


@_rule("one_hot")
def _one_hot(op: Operation) -> Explanation:
    out, n = _shape(op.outputs[0]), int(op.argument("num_classes", -1))
    n = out[-1] if n == -1 else n
    return Explanation((Step(_("classes"), str(n), n, len(out) - 1),))


# Many numbers become one.


@_rule(
    "sum", "mean", "prod", "amax", "amin", "std", "var", "argmax", "argmin", "median", "logsumexp", "all", "any",
    "nansum", "nanmean", "count_nonzero", "norm",
)  # fmt: skip
def _reduce(op: Operation) -> Explanation:
    x, dim, keep = _shape(op.inputs[0]), op.argument("dim"), op.argument("keepdim") is True
    if not x:
        return Explanation((), _("one number, as before"))
    dims = (
        range(len(x))
        if dim is None or dim == []
        else [int(d) % len(x) for d in (dim if isinstance(dim, list) else [dim])]
    )
    over = [x[d] for d in dims]
    left = tuple(1 if d in dims else n for d, n in enumerate(x) if keep or d not in dims)
    return Explanation((Step(_("numbers that become one"), _times(over), math.prod(over)),), "", left)


@_rule("max", "min")
def _extreme(op: Operation) -> Explanation | None:
    return _broadcasting(op) if len(op.inputs) == 2 else _reduce(op)


@_rule(
    "cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
    "kl_div", "binary_cross_entropy_with_logits", "gaussian_nll_loss", "poisson_nll_loss", "hinge_embedding_loss",
    "soft_margin_loss",
    "margin_ranking_loss", "cosine_embedding_loss", "multi_margin_loss", "triplet_margin_loss",
    "multilabel_margin_loss", "multilabel_soft_margin_loss", "ctc_loss",
)  # fmt: skip
def _loss(op: Operation) -> Explanation:
    way, out = op.argument("reduction", "mean"), _shape(op.outputs[0])
    if way == "none":
        return Explanation(
            (Step(_("numbers"), _times(out), math.prod(out)),), _("reduction='none' keeps one loss for each")
        )
    each = _shape(op.inputs[0])
    if op.name in ("cross_entropy", "nll_loss"):
        each = each[:1] + each[2:] if len(each) > 1 else ()
    elif op.name in _OF_ROWS:
        each = each[:1]
    note = _("their sum is one number") if way == "sum" else _("their mean is one number")
    return Explanation((Step(_("losses"), _times(each), math.prod(each)),), note)


_OF_ROWS = {
    "cosine_embedding_loss", "multi_margin_loss", "triplet_margin_loss", "multilabel_margin_loss",
    "multilabel_soft_margin_loss", "ctc_loss",
}  # fmt: skip


@_rule("cosine_similarity", "pairwise_distance")
def _similarity(op: Operation) -> Explanation:
    shape = _broadcast([_shape(op.inputs[0]), _shape(op.inputs[1])])
    dim = (int(op.argument("dim", 1)) if op.name == "cosine_similarity" else -1) % len(shape)
    return Explanation((Step(_("numbers that become one"), str(shape[dim]), shape[dim]),))


@_rule("cdist")
def _cdist(op: Operation) -> Explanation:
    a, b, last = _shape(op.inputs[0]), _shape(op.inputs[1]), len(op.outputs[0].shape) - 1
    return Explanation((Step(_("rows"), str(a[-2]), a[-2], last - 1), Step(_("columns"), str(b[-2]), b[-2], last)))


# Each number by itself, or with its partner.


def _broadcast(shapes: Sequence[Shape]) -> Shape:
    count = max(map(len, shapes), default=0)
    wide = [(1,) * (count - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(next((n for n in column if n != 1), 1) for column in zip(*wide, strict=True))


@_rule(
    "add", "sub", "mul", "div", "pow", "rsub", "rpow", "true_divide", "floor_divide", "remainder", "fmod", "maximum",
    "minimum", "fmax", "fmin", "atan2", "where", "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or",
    "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor", "masked_fill", "lerp", "addcmul", "addcdiv",
    "multiply", "divide", "subtract", "xlogy", "hypot", "logaddexp", "copysign", "and", "or", "xor",
)  # fmt: skip
def _broadcasting(op: Operation) -> Explanation:
    shapes = [_shape(value) for value in op.inputs]
    out = _broadcast(shapes)
    steps = []
    for side, n in enumerate(out):
        sides = [shape[side - len(out) + len(shape)] if side - len(out) + len(shape) >= 0 else None for shape in shapes]
        if any(found != n for found in sides):
            known = [1 if found is None else found for found in sides]
            steps.append(
                Step(_("side {side}, where 1 is repeated", side=side), f"max({', '.join(map(str, known))})", n, side)
            )
    if len(shapes) > 1 and steps:
        return Explanation(tuple(steps), "", out)
    return Explanation((), _("number by number: the shape stays"), out)


@_rule(
    "relu", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "hardswish", "hardsigmoid", "hardtanh",
    "relu6", "softplus", "softsign", "softshrink", "hardshrink", "tanhshrink", "threshold", "prelu", "rrelu",
    "logsigmoid", "tanh", "sigmoid", "exp", "log", "log1p", "expm1", "sqrt", "rsqrt", "square", "abs", "neg", "sign",
    "sin", "cos", "clamp", "clip", "round", "floor", "ceil", "reciprocal", "erf", "dropout", "dropout1d",
    "dropout2d", "dropout3d",
    "alpha_dropout", "feature_alpha_dropout", "feature_dropout", "to", "float", "double", "half", "bfloat16", "long",
    "int", "bool", "type", "clone", "detach", "contiguous", "data", "zeros_like", "ones_like", "rand_like",
    "randn_like", "full_like", "empty_like", "isnan", "isfinite", "isinf", "logical_not", "bitwise_not", "nan_to_num",
    "cpu", "cuda", "trunc", "frac", "sinh", "cosh", "tan", "reciprocal_mul", "bernoulli", "fill", "zero", "copy",
)  # fmt: skip
def _each(op: Operation) -> Explanation:
    return Explanation((), _("number by number: the shape stays"), _shape(op.inputs[0]))


@_rule(
    "softmax", "log_softmax", "softmin", "gumbel_softmax", "cumsum", "cumprod", "flip", "roll", "tril", "triu",
    "normalize", "batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "local_response_norm", "sort",
    "argsort", "masked_softmax", "logcumsumexp",
)  # fmt: skip
def _same(op: Operation) -> Explanation:
    return Explanation((), _("the shape stays"), _shape(op.inputs[0]))


@_rule("glu")
def _glu(op: Operation) -> Explanation:
    x = _shape(op.inputs[0])
    dim = int(op.argument("dim", -1)) % len(x)
    return Explanation((Step(_side(dim), f"{x[dim]} / 2", x[dim] // 2, dim),))


@_rule("zeros", "ones", "randn", "rand", "empty", "full")
def _created(op: Operation) -> Explanation:
    size = op.argument("size")
    sides = [int(n) for n in (size if isinstance(size, list) else [size])]
    return Explanation(
        (Step(_("numbers"), _times(sides), math.prod(sides)),), _("new, of the shape that was asked for")
    )


@_rule("arange")
def _arange(op: Operation) -> Explanation:
    n = _shape(op.outputs[0])[0]
    return Explanation((), _("new, with {n} numbers", n=n))
