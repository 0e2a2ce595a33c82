"""A graph as a picture: HTML with a drawing of the flow, and a tree that folds by module. No scripts.

Colours follow the page: text and lines are `currentColor`, so both light and dark pages can be read. The colour of a
box says what kind of operation it is, and so does its name: nothing is told by colour alone (Okabe and Ito 2008).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from firstlight.graph.arithmetic import explain
from firstlight.graph.operations import Call, Graph, Operation
from firstlight.graph.writing import branches, described, flow, heading, line, tree
from firstlight.locale import _
from firstlight.locale.units import size
from firstlight.picture import Picture

_MOST_BOXES = 48  # in one drawing; beyond, boxes are whole modules
_MOST_ASKED = 400  # where somebody asks for a finer one
_MOST_OPEN = 80  # operations up to which the tree is open from the start
_MOST_DETAILS = 600  # operations up to which each says its line and arithmetic in the tree, too

STYLE = """<style>
.fl-graph{--fl-blue:#0072b2;--fl-green:#009e73;--fl-orange:#d98a00;--fl-red:#d55e00;--fl-pink:#b2588f;--fl-grey:#80868b;
color:inherit;font-family:var(--jp-ui-font-family,system-ui,"Noto Sans CJK JP","Noto Sans CJK KR",sans-serif);
font-size:13px;line-height:1.5;max-width:100%}
.fl-graph .fl-head{margin:0 0 8px;font-weight:600}
.fl-graph .fl-draw{overflow:auto;max-height:640px;margin:0 0 8px;
border:1px solid rgba(128,134,139,.4);border-radius:8px}
.fl-graph svg{display:block;margin:auto;color:inherit}
.fl-graph svg text{fill:currentColor;font-size:12px}
.fl-graph svg .fl-sub{font-size:11px;opacity:.75}
.fl-graph svg rect{fill:rgba(128,134,139,.1);stroke:rgba(128,134,139,.75)}
.fl-graph svg .fl-bar{stroke:none}
.fl-graph svg .fl-fwd{fill:none;stroke:currentColor;stroke-width:1.3;opacity:.6}
.fl-graph svg .fl-bwd{fill:none;stroke:#e07b00;stroke-width:1.3;stroke-dasharray:4 3;opacity:.9}
.fl-graph svg g:focus{outline:none}.fl-graph svg g:focus rect:first-of-type,.fl-graph svg g:hover rect:first-of-type
{stroke:currentColor;stroke-width:2}
.fl-graph details{margin:0 0 0 4px}.fl-graph summary{cursor:pointer;padding:1px 4px;border-radius:4px}
.fl-graph summary:focus-visible{outline:2px solid var(--fl-blue)}
.fl-graph summary small{opacity:.75;margin-left:6px}
.fl-graph.fl-graph ul{list-style:none;margin:0 0 0 7px;padding:0 0 0 10px;
border-left:1px solid rgba(128,134,139,.4)}
.fl-graph.fl-graph li{margin:0;padding:1px 6px;border-left:3px solid var(--fl-grey);overflow-wrap:anywhere}
.fl-graph.fl-graph li.fl-mod{padding:0;border:0}
.fl-graph.fl-graph li code,.fl-graph.fl-graph td code{font-size:12px;background:none;color:inherit;padding:0}
.fl-graph li small{display:block;opacity:.8}.fl-graph summary small{display:inline}
.fl-graph.fl-graph .fl-weights{border-color:var(--fl-blue)}.fl-graph.fl-graph .fl-act{border-color:var(--fl-orange)}
.fl-graph.fl-graph .fl-shape{border-color:var(--fl-green)}.fl-graph.fl-graph .fl-loss{border-color:var(--fl-red)}
.fl-graph.fl-graph .fl-join{border-color:var(--fl-pink)}
.fl-graph .fl-key span{display:inline-block;margin:0 12px 4px 0;padding-left:6px;border-left:4px solid var(--fl-grey)}
.fl-graph .fl-key .fl-weights{border-color:var(--fl-blue)}.fl-graph .fl-key .fl-act{border-color:var(--fl-orange)}
.fl-graph .fl-key .fl-shape{border-color:var(--fl-green)}.fl-graph .fl-key .fl-loss{border-color:var(--fl-red)}
.fl-graph .fl-key .fl-join{border-color:var(--fl-pink)}.fl-graph .fl-key .fl-dash{border-left:4px dashed #e07b00}
.fl-graph.fl-graph .fl-diff{margin:0;padding:0;border:0}.fl-graph .fl-diff i{opacity:.75;font-style:normal}
.fl-graph .fl-diff abbr{display:inline-block;width:1.2em;text-align:center;font-weight:700;text-decoration:none}
.fl-graph.fl-graph .fl-add{border-color:var(--fl-blue);background:rgba(0,114,178,.16)}
.fl-graph.fl-graph .fl-gone{border-color:var(--fl-red);background:rgba(213,94,0,.16)}
.fl-graph.fl-graph .fl-other{border-color:var(--fl-orange);background:rgba(230,159,0,.16)}
.fl-graph ins{text-decoration:none;font-weight:600}.fl-graph.fl-graph .fl-skip{border:0;opacity:.7;padding-left:24px}
.fl-graph li.fl-changed{background:rgba(230,159,0,.16)}.fl-graph .fl-sign{text-decoration:none;font-weight:700}
.fl-graph .fl-signs{margin-left:6px;padding:0 5px;border-radius:4px;background:rgba(230,159,0,.22)}
.fl-graph svg .fl-changed rect:first-of-type{fill:rgba(230,159,0,.24);stroke:var(--fl-orange);stroke-width:2}
.fl-graph .fl-scroll{overflow-x:auto;max-width:100%}
.fl-graph table{border-collapse:collapse;margin:0 0 8px;font-size:13px}
.fl-graph th,.fl-graph td{text-align:left;vertical-align:top;padding:3px 12px 3px 6px;background:none;color:inherit;
border-bottom:1px solid rgba(128,134,139,.3);white-space:normal}
.fl-graph th{font-weight:600;white-space:nowrap}.fl-graph td.fl-nowrap{white-space:nowrap}
.fl-graph tr.fl-bad td{border-top:2px solid var(--fl-red);background:rgba(213,94,0,.14)}
.fl-graph .fl-why{margin:8px 0;padding:8px 12px;border:1px solid var(--fl-red);border-left-width:5px;border-radius:6px}
.fl-graph .fl-why dt{font-weight:600;float:left;clear:left;min-width:9em}.fl-graph .fl-why dd{margin:0 0 2px 9.5em}
</style>"""


@dataclass(frozen=True)
class Wish:
    """How a page wants a graph to be drawn. Its operations are then numbered, so that a script finds them.

    Attributes:
        within: Draw only what happened in this call of a module.
        level: How deep modules are unfolded in the drawing, from 1; None for as deep as there is room.
        marks: Operations to point out, by number, with the sign of `Change`: `+` or `~`.
    """

    within: int | None = None
    level: int | None = None
    marks: Mapping[int, str] = field(default_factory=dict)


def boxes_by_level(graph: Graph, within: int | None = None) -> dict[int, int]:
    """How many boxes a drawing has at each level, from 1; at the last, each operation is a box of its own."""
    paths = _paths(graph, within)
    deepest = max(map(len, paths.values()), default=0) + 1
    return {level: len(set(_owners(paths, level).values())) for level in range(1, deepest + 1)}


def shown_level(graph: Graph, wish: Wish) -> int:
    """The level at which a drawing shows modules; 0 where it has too many boxes to be drawn at all."""
    return _level(_paths(graph, wish.within), wish.level, on_page=True)


def draw(graph: Graph, wish: Wish | None = None, *, whole: bool = True) -> Picture:
    """The graph as HTML and text.

    Args:
        graph: What to draw.
        wish: Of a page that has scripts; None for a picture that stands alone.
        whole: With the tree of all operations; else the drawing alone, which is small however large the graph is.

    Example:
        >>> import torch
        >>> from firstlight.graph import trace
        >>> picture = draw(trace(torch.nn.Linear(4, 3), torch.zeros(2, 4)))
        >>> "<svg" in picture.html, "<script" in picture.html
        (True, False)
    """
    html = (
        f'<div class="fl-graph" role="group" aria-label="{escape(heading(graph))}">{STYLE}'
        f'<p class="fl-head">{escape(heading(graph))}</p>{_notes(graph)}{_flow(graph, wish)}'
        f"{''.join(_tree(graph, wish)) if whole else ''}</div>"
    )
    return Picture(html=html, text=tree(graph))


def marked_words(sign: str) -> str:
    """What a sign of a change means."""
    return {"+": _("added"), "-": _("removed"), "~": _("other shapes")}.get(sign, "")


# What kind of operation it is: one colour for each.
_WEIGHTS = "fl-weights"
_KINDS = {
    "fl-shape": {
        "flatten", "view", "reshape", "permute", "transpose", "squeeze", "unsqueeze", "expand", "getitem", "t", "T",
        "mT", "chunk", "split", "unbind", "select", "narrow", "pad", "pixel_shuffle", "unfold", "fold", "contiguous",
        "to", "unflatten", "repeat", "detach", "movedim", "float", "interpolate", "setitem", "index_select", "gather",
    },
    "fl-act": {
        "relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid", "softmax", "log_softmax", "elu", "selu", "hardswish",
        "mish", "softplus", "dropout", "dropout1d", "dropout2d", "prelu", "glu", "relu6", "hardtanh", "logsigmoid",
    },
    "fl-join": {"add", "cat", "stack", "mul", "sub", "div", "matmul", "bmm", "mm", "einsum", "where", "concat"},
}  # fmt: skip


def kind_of(operation: Operation) -> str:
    """The class of style that an operation is drawn in."""
    name = operation.name.removesuffix("_")
    if name.endswith("_loss") or name in ("cross_entropy", "kl_div") or name.startswith("binary_cross_entropy"):
        return "fl-loss"
    if any(value.what == "parameter" for value in operation.inputs):
        return _WEIGHTS
    return next((kind for kind, names in _KINDS.items() if name in names), "fl-other-kind")


COLOURS = {
    "fl-weights": "#0072b2", "fl-act": "#d98a00", "fl-shape": "#009e73", "fl-loss": "#d55e00", "fl-join": "#b2588f",
}  # fmt: skip


def _notes(graph: Graph) -> str:
    said = []
    if graph.compiled:
        said.append(_("Part of this model is compiled: PyTorch runs it as a whole, and its inside cannot be seen."))
    if graph.operations and not graph.nodes:
        said.append(_("No way back: no gradient was asked for (torch.no_grad, or no weights)."))
    return "".join(f"<p>{escape(one)}</p>" for one in said)


def _key(dashed: bool) -> str:
    words = {
        "fl-weights": _("has weights"), "fl-act": _("activation"), "fl-shape": _("changes shape"),
        "fl-join": _("joins tensors"), "fl-loss": _("loss"), "fl-other-kind": _("other"),
    }  # fmt: skip
    if dashed:
        words["fl-dash"] = _("backward")
    return '<p class="fl-key">' + "".join(f'<span class="{k}">{escape(w)}</span>' for k, w in words.items()) + "</p>"


# The drawing.


@dataclass
class _Box:
    """One operation, or one call of a module with everything in it."""

    title: str
    sub: str
    kind: str
    hover: str
    layer: int = 0
    x: float = 0.0
    y: float = 0.0
    wide: float = 0.0
    given: set[int] = field(default_factory=set)
    back: set[int] = field(default_factory=set)
    ids: Sequence[int] = ()
    call: int | None = None
    signs: str = ""


def _flow(graph: Graph, wish: Wish | None) -> str:
    boxes = _boxes(graph, wish or Wish(), on_page=wish is not None)
    if not boxes:
        return ""
    drawing = _svg(boxes, numbered=wish is not None)
    return f'<div class="fl-draw" tabindex="0">{drawing}</div>{_key(any(box.back for box in boxes))}'


def _paths(graph: Graph, within: int | None) -> dict[int, tuple[Call, ...]]:
    """The calls around each operation that is drawn, from below `within` inwards."""
    found = {}
    for operation in graph.operations:
        path = graph.path(operation)
        if within is not None:
            inside = [at for at, call in enumerate(path) if call.id == within]
            if not inside:
                continue
            path = path[inside[0] + 1 :]
        found[operation.id] = path
    return found


def _owners(paths: Mapping[int, tuple[Call, ...]], level: int) -> dict[int, int]:
    """The box of each operation at a level, numbered in the order of execution."""
    owners = {at: path[level - 1].id if len(path) >= level else -1 - at for at, path in paths.items()}
    order = {owner: number for number, owner in enumerate(dict.fromkeys(owners.values()))}
    return {at: order[owner] for at, owner in owners.items()}


def _level(paths: Mapping[int, tuple[Call, ...]], wanted: int | None, *, on_page: bool) -> int:
    deepest = max(map(len, paths.values()), default=0) + 1
    if wanted is not None:
        wanted = min(max(1, wanted), deepest)
        return wanted if len(set(_owners(paths, wanted).values())) <= _MOST_ASKED else 0
    if len(paths) <= _MOST_BOXES:
        return deepest
    boxes = {level: len(set(_owners(paths, level).values())) for level in range(deepest, 0, -1)}
    for most in (_MOST_BOXES, _MOST_ASKED if on_page else 0):  # a page can move and shrink a large drawing
        for level, count in boxes.items():
            if 1 < count <= most:
                return level
    return 0


def _boxes(graph: Graph, wish: Wish, *, on_page: bool) -> list[_Box]:
    """Operations, or calls of modules where there are too many of them; none where even these are too many."""
    paths = _paths(graph, wish.within)
    level = _level(paths, wish.level, on_page=on_page)
    if not paths or not level:
        return []
    chosen = _owners(paths, level)
    members: list[list[int]] = [[] for _box in range(max(chosen.values()) + 1)]
    for at, owner in chosen.items():
        members[owner].append(at)
    whole = len(members) < len(paths)
    boxes = [_box(graph, ids, whole) for ids in members]
    for box in boxes:
        box.signs = _signs(box.ids, wish.marks)
    for start, end in graph.edges:
        if start in chosen and end in chosen and chosen[start] != chosen[end]:
            boxes[chosen[end]].given.add(chosen[start])
    owner_of = graph.operation_of_node
    for one, other in graph.backward_edges:
        begin, to = chosen.get(owner_of[one]), chosen.get(owner_of[other])
        if begin is not None and to is not None and begin != to:
            boxes[begin].back.add(to)
    return boxes


def _signs(ids: Sequence[int], marks: Mapping[int, str]) -> str:
    """`+3 ~1` of several operations, `+` of one; empty where none is marked."""
    found = [marks[at] for at in ids if at in marks]
    if len(ids) == 1:
        return "".join(found)
    return " ".join(f"{sign}{found.count(sign)}" for sign in "+~" if sign in found)


def _box(graph: Graph, ids: Sequence[int], whole: bool) -> _Box:
    first, last = graph[ids[0]], graph[ids[-1]]
    if whole and len(ids) > 1 and first.call is not None:
        path = graph.path(first)
        shared = [call for call in path if all(call in graph.path(graph[at]) for at in ids[-1:])]
        call = shared[-1] if shared else path[-1]
        sub = flow(last).rsplit("→", 1)[-1].strip()
        count = _("{count} operations", count=len(ids))
        weights = any(kind_of(graph[at]) == _WEIGHTS for at in ids)
        kind, hover = _WEIGHTS if weights else "fl-other-kind", f"{call.title}: {count}\n→ {sub}"
        return _Box(call.title, f"{count} → {sub}", kind, hover, ids=ids, call=call.id)
    place = graph.place(first)
    hover = "\n".join([f"{first.name} {place}".strip(), *(f"{k}: {v}" for k, v in described(graph, first))])
    out = ", ".join(value.sides for value in first.outputs[:2]) + (" …" if len(first.outputs) > 2 else "")
    module = graph.calls[first.call].module if first.call is not None else ""
    return _Box(first.name, f"{out}" + (f"  ·  {module}" if module else ""), kind_of(first), hover, ids=ids)


_ROW, _HIGH, _GAP, _EDGE = 62, 38, 22, 26


def _svg(boxes: list[_Box], *, numbered: bool = False) -> str:
    for at, box in enumerate(boxes):
        box.layer = max((boxes[other].layer + 1 for other in box.given if other < at), default=0)
    rows: dict[int, list[int]] = {}
    for at, box in enumerate(boxes):
        box.wide = max(84.0, 7.0 * max(_wide(box.title) + _wide(box.signs) + 1, 0.92 * _wide(box.sub)) + 24)
        rows.setdefault(box.layer, []).append(at)
    for layer in sorted(rows):  # each below the middle of what it is made from: fewer lines cross
        rows[layer].sort(key=lambda at: _middle(boxes, boxes[at].given))
        x = 0.0
        for at in rows[layer]:
            boxes[at].x = x
            boxes[at].y = _EDGE + layer * _ROW
            x += boxes[at].wide + _GAP
    widest = max(sum(boxes[at].wide + _GAP for at in row) - _GAP for row in rows.values())
    for row in rows.values():
        shift = (widest - (sum(boxes[at].wide + _GAP for at in row) - _GAP)) / 2
        for at in row:
            boxes[at].x += shift + _EDGE + 18
    width, height = widest + 2 * _EDGE + 36, 2 * _EDGE + (max(rows) + 1) * _ROW - (_ROW - _HIGH)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="list" aria-label="{escape(_("Flow of the forward pass"))}">',
    ]
    for at, box in enumerate(boxes):
        parts += [_forward(boxes[start], box) for start in sorted(box.given)]
        parts += [_backward(box, boxes[end]) for end in sorted(box.back) if end < at]
    for box in boxes:
        colour = COLOURS.get(box.kind, "#80868b")
        middle = box.x + box.wide / 2 + 2
        hover, title, extra = box.hover, box.title, ""
        if box.signs:
            said = [word for sign in "+~" if sign in box.signs and (word := marked_words(sign))]
            hover, title = f"{hover}\n{box.signs} {', '.join(said)}", f"{box.signs} {title}"
        if numbered:
            extra = f' data-ops="{" ".join(map(str, box.ids))}"' + (
                f' data-call="{box.call}"' if box.call is not None else ""
            )
            extra += f' class="fl-box{" fl-changed" if box.signs else ""}"'
        parts.append(
            f'<g tabindex="0" role="listitem"{extra} aria-label="{escape(hover)}"><title>{escape(hover)}</title>'
            f'<rect x="{box.x:.0f}" y="{box.y:.0f}" width="{box.wide:.0f}" height="{_HIGH}" rx="6"/>'
            f'<rect class="fl-bar" x="{box.x:.0f}" y="{box.y:.0f}" width="5" height="{_HIGH}" rx="2" '
            f'style="fill:{colour}"/>'
            f'<text x="{middle:.0f}" y="{box.y + 16:.0f}" text-anchor="middle">{escape(title)}</text>'
            f'<text class="fl-sub" x="{middle:.0f}" y="{box.y + 31:.0f}" text-anchor="middle">'
            f"{escape(box.sub)}</text></g>"
        )
    return "".join([*parts, "</svg>"])


def _wide(text: str) -> float:
    return sum(1.75 if ord(sign) > 0x2E80 else 1 for sign in text)


def _middle(boxes: Sequence[_Box], given: set[int]) -> float:
    found = [boxes[at].x + boxes[at].wide / 2 for at in given]
    return sum(found) / len(found) if found else 0.0


def _forward(start: _Box, end: _Box) -> str:
    x, y = start.x + start.wide / 2 - 6, start.y + _HIGH
    to, bottom = end.x + end.wide / 2 - 6, end.y
    bend = (bottom - y) / 2
    if end.layer - start.layer > 1 and abs(x - to) < 60:  # past the boxes between: a skip connection goes around them
        x, to = start.x + 14, end.x + 14
        out = min(start.x, end.x) - 26 - 3 * min(6, end.layer - start.layer)
        return _curve("fl-fwd", (x, y), (out, y + 30), (out, bottom - 30), (to, bottom))
    arrow = f"M{to - 4:.0f} {bottom - 6:.0f}L{to:.0f} {bottom:.0f}L{to + 4:.0f} {bottom - 6:.0f}"
    return _curve("fl-fwd", (x, y), (x, y + bend), (to, bottom - bend), (to, bottom), arrow)


def _backward(start: _Box, end: _Box) -> str:
    x, y = start.x + start.wide / 2 + 10, start.y
    to, bottom = end.x + end.wide / 2 + 10, end.y + _HIGH
    bend = (y - bottom) / 2
    if start.layer - end.layer > 1 and abs(x - to) < 60:
        right = max(start.x + start.wide, end.x + end.wide) + 26
        x, to = start.x + start.wide - 14, end.x + end.wide - 14
        return _curve("fl-bwd", (x, y), (right, y - 30), (right, bottom + 30), (to, bottom))
    return _curve("fl-bwd", (x, y), (x, y - bend), (to, bottom + bend), (to, bottom))


_Point = tuple[float, float]


def _curve(kind: str, start: _Point, first: _Point, second: _Point, end: _Point, arrow: str = "") -> str:
    points = [f"{x:.0f} {y:.0f}" for x, y in (start, first, second, end)]
    return f'<path class="{kind}" d="M{points[0]}C{" ".join(points[1:])}{arrow}"/>'


# The tree.


def _tree(graph: Graph, wish: Wish | None = None) -> Iterator[str]:
    inside = branches(graph)
    is_open = len(graph.operations) <= _MOST_OPEN
    detailed = len(graph.operations) <= _MOST_DETAILS
    counts = _counts(graph)
    signs = _signs_of_calls(graph, wish.marks) if wish is not None else {}
    yield "<ul>"
    stack: list[Call | Operation | str] = list(reversed(inside[None]))
    while stack:
        part = stack.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, Operation):
            yield _leaf(part, detailed, wish)
        else:
            operations, saved = counts[part.id]
            said = [_("{count} operations", count=f"{operations:,}")] + ([size(saved)] if saved else [])
            settings = f" <small>{escape(part.settings)}</small>" if part.settings else ""
            if part.id in signs:
                settings += f' <b class="fl-signs">{escape(signs[part.id])}</b>'
            yield (
                f'<li class="fl-mod"><details{" open" if is_open or part.parent is None else ""}><summary>'
                f"{escape(part.title)}<small>{escape(', '.join(said))}</small>{settings}</summary><ul>"
            )
            stack.append("</ul></details></li>")
            stack.extend(reversed(inside[part.id]))
    yield "</ul>"


def _counts(graph: Graph) -> dict[int, tuple[int, int]]:
    """Operations and bytes held in each call, those of the calls inside of it too."""
    counts = {call.id: [0, 0] for call in graph.calls}
    for operation in graph.operations:
        if operation.call is not None:
            counts[operation.call][0] += 1
            counts[operation.call][1] += operation.saved_bytes
    for call in reversed(graph.calls):  # a call has a larger number than the one that it is in
        if call.parent is not None:
            counts[call.parent][0] += counts[call.id][0]
            counts[call.parent][1] += counts[call.id][1]
    return {call: (operations, saved) for call, (operations, saved) in counts.items()}


def _signs_of_calls(graph: Graph, marks: Mapping[int, str]) -> dict[int, str]:
    """What changed in each call, those inside of it too."""
    inside: dict[int, list[int]] = {}
    for at in marks:
        for call in graph.path(graph[at]):
            inside.setdefault(call.id, []).append(at)
    return {call: _signs([*ids, -1], marks) for call, ids in inside.items()}


def _leaf(operation: Operation, detailed: bool, wish: Wish | None = None) -> str:
    why = str(explain(operation))
    more = ""
    if detailed:
        said = [why] if why else []
        if operation.source is not None:
            said.append(f"{operation.source}  {operation.source.text}")
        more = f"<small>{escape(' — '.join(said))}</small>" if said else ""
        hover = ""
    else:
        hover = f' title="{escape(why)}"' if why else ""
    name, _space, shapes = line(operation).partition("  ")
    number, sign, changed = "", "", ""
    if wish is not None:
        number = f' data-op="{operation.id}"'
        if mark := wish.marks.get(operation.id):
            word = escape(marked_words(mark))
            changed = " fl-changed"
            sign = f'<abbr class="fl-sign" title="{word}" aria-label="{word}">{mark}</abbr> '
    return (
        f'<li class="{kind_of(operation)}{changed}"{number}{hover}>{sign}<b>{escape(name)}</b> '
        f"<code>{escape(shapes)}</code>{more}</li>"
    )
