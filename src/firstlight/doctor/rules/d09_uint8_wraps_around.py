"""D09 uint8-wraps-around: pictures in whole numbers from 0 to 255 are computed with, and begin again at 0."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from firstlight.doctor.code import Code, Unit, callee
from firstlight.doctor.editing import dotted
from firstlight.doctor.places import Place
from firstlight.doctor.pointing import argument, instead
from firstlight.doctor.rule import Edit, Finding, Rule
from firstlight.doctor.rule_programs import CLASSES
from firstlight.doctor.source_lines import words_in
from firstlight.locale import Text, _
from firstlight.run import Run

_PICTURES = {"img", "imgs", "image", "images", "picture", "pictures", "photo", "photos", "pixel", "pixels", "frame",
             "frames", "digits", "grey", "gray", "rgb", "channel", "channels", "brightness", "tiles", "scan",
             "scans"}  # fmt: skip
_LOADED = ("imread", "read_image", "decode_image", "decode_jpeg", "decode_png")
# What leaves the type and the numbers as they are.
_SAME = ("view", "reshape", "permute", "transpose", "clone", "copy", "unsqueeze", "squeeze", "flatten", "contiguous",
         "numpy", "cpu", "cuda", "expand", "repeat", "flip", "roll", "detach", "swapaxes", "moveaxis", "rot90",
         "fliplr",
         "flipud", "ascontiguousarray", "asarray", "array", "from_numpy", "as_tensor", "tensor", "stack", "cat",
         "concatenate", "vstack", "pad", "rearrange", "__getitem__")  # fmt: skip
_WRAPS = (ast.Add, ast.Sub, ast.Mult, ast.LShift, ast.Pow)


@dataclass
class Scope:
    """What names hold: `uint8`, `int` (a whole number), or something else."""

    held: dict[str, str] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    classes: dict[str, list[str]] = field(default_factory=dict)  # what their objects are made of
    made: dict[str, dict[str, str]] = field(default_factory=dict)  # and what that was
    found: list[tuple[Unit, ast.AST, str]] = field(default_factory=list)
    depth: int = 0
    most: dict[str, float] = field(default_factory=dict)  # the largest number that a name may hold, where that is known
    added: set[int] = field(default_factory=set)  # changes in place that were counted


def find(run: Run) -> Iterator[Finding]:
    """Sums, differences and products of pictures that are uint8, in a program that makes floats of them later."""
    code = Code.of(run)
    text = "\n".join(unit.text for unit in code.units)
    if "uint8" not in text and "byte()" not in text and not any(name in text for name in _LOADED):
        return
    every = {node.name: node for _place, node, _unit in code.walk(ast.FunctionDef)}
    scope = Scope(classes={node.name: _parts_of(node) for _place, node, _unit in code.walk(ast.ClassDef)})
    for unit in code.units:
        own = {node.name: node for node in unit.nodes if isinstance(node, ast.FunctionDef)}
        scope.functions = {**every, **own}
        _run(unit, unit.tree.body, scope)
    for _place, node, unit in code.walk(ast.ClassDef):
        methods = [one for one in node.body if isinstance(one, ast.FunctionDef)]
        for name, kind in scope.made.get(node.name, {}).items():
            scope.held[name] = scope.held[f"self.{name}"] = kind
        for method in sorted(methods, key=lambda one: one.name != "__init__"):
            _run(unit, method.body, scope)
    done: set[tuple[str, int]] = set()
    for unit, node, what in scope.found:
        place: Place = unit.place(node)
        if (place.file, place.line) in done:
            continue
        done.add((place.file, place.line))
        yield Finding(
            evidence=_(
                "{text} is computed in uint8: 200 + 100 gives 44, 2 * 200 gives 144, 10 - 20 gives 246.", text=what
            ),
            place=place,
            edits=_in_floats(unit, node),
            check="print(image.dtype, image.max())  # directly above this line",
        )
        return


def _parts_of(node: ast.ClassDef) -> list[str]:
    """What an object is made of: the fields of a data class, or what `__init__` takes."""
    for one in node.body:
        if isinstance(one, ast.FunctionDef) and one.name == "__init__":
            return [arg.arg for arg in one.args.args[1:]]
    return [one.target.id for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)]


def _run(unit: Unit, block: list[ast.stmt], scope: Scope) -> None:
    """Follow statements in their order."""
    for node in block:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.Assign):
            kind, most = _kind(unit, node.value, scope), _most(node.value, scope)
            parts_of = _parts_returned(unit, node.value, scope)
            for target in node.targets:
                parts = target.elts if isinstance(target, ast.Tuple) else [target]
                values = node.value.elts if isinstance(node.value, ast.Tuple) else []
                for at, part in enumerate(parts):
                    name = dotted(part)
                    if name is None:
                        whole = dotted(part.value) if isinstance(part, ast.Subscript) else None
                        if whole is not None and kind == "uint8" and scope.held.get(whole) == "maybe":
                            scope.held[whole] = kind  # bytes that pictures are put into
                        continue
                    own = _kind(unit, values[at], scope) if at < len(values) else kind if len(parts) == 1 else ""
                    if len(parts) > 1 and at < len(parts_of):
                        own = parts_of[at]
                    bound = _most(values[at], scope) if at < len(values) else most if len(parts) == 1 else None
                    scope.most.pop(name, None)
                    if bound is not None:
                        scope.most[name] = bound
                    scope.held[name] = "uint8" if own == "maybe" and words_in(name) & _PICTURES else own
        elif isinstance(node, ast.AugAssign):
            owner = node.target.value if isinstance(node.target, ast.Subscript) else node.target
            in_part = isinstance(node.target, ast.Subscript)
            if in_part and id(node) in scope.added:
                continue  # other parts each time, as those of each class
            _computed(unit, node, owner, node.value, node.op, scope)
            name, more = dotted(owner), _after(owner, node.value, node.op, scope)
            if name is not None and id(node) not in scope.added:
                scope.added.add(id(node))
                if more is None:
                    scope.most.pop(name, None)
                elif name in scope.most:
                    scope.most[name] = max(more, scope.most[name]) if in_part else more
        elif isinstance(node, ast.For):
            named = dotted(node.target)
            over = _kind(unit, node.iter, scope)
            if named is not None:
                scope.held[named] = over if over == "uint8" else "int" if _is_range(node.iter) else ""
            for _round in range(2):  # what a round leaves behind is there in the next
                _run(unit, node.body, scope)
        else:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    _kind(unit, child, scope)
            for name in ("body", "orelse", "finalbody"):
                _run(unit, getattr(node, name, []) or [], scope)


def _kind(unit: Unit, node: ast.expr, scope: Scope) -> str:
    """What an expression holds; `maybe` for a uint8 of which nothing says that it is a picture."""
    name = dotted(node)
    if name is not None:
        return scope.held.get(name, "")
    if isinstance(node, ast.Constant):
        return "int" if isinstance(node.value, int) and not isinstance(node.value, bool) else ""
    if isinstance(node, ast.UnaryOp):
        return _kind(unit, node.operand, scope)
    if isinstance(node, ast.Subscript):
        return _kind(unit, node.value, scope)
    if isinstance(node, ast.IfExp):
        kinds = {_kind(unit, node.body, scope), _kind(unit, node.orelse, scope)}
        return kinds.pop() if len(kinds) == 1 else ""
    if isinstance(node, ast.List | ast.Tuple):
        kinds = {_kind(unit, one, scope) for one in node.elts}
        return kinds.pop() if len(kinds) == 1 else ""
    if isinstance(node, ast.ListComp):
        for one in node.generators:
            over = _kind(unit, one.iter, scope)
            held = dotted(one.target)
            if held is not None and over == "uint8":
                scope.held[held] = over
        return _kind(unit, node.elt, scope)
    if isinstance(node, ast.BinOp):
        return _computed(unit, node, node.left, node.right, node.op, scope)
    if isinstance(node, ast.Call):
        return _called(unit, node, scope)
    return ""


def _computed(unit: Unit, node: ast.AST, left: ast.expr, right: ast.expr, op: ast.operator, scope: Scope) -> str:
    """The kind of a sum or product, noting one that may leave 0 to 255."""
    a, b = _kind(unit, left, scope), _kind(unit, right, scope)
    reach = _after(left, right, op, scope)
    if reach is not None and isinstance(op, ast.Add | ast.Mult):
        if reach <= 255:
            return a if a in ("uint8", "maybe") else b  # it stays within 0 to 255, whatever it is
        a, b = ("uint8" if one == "maybe" else one for one in (a, b))  # it does not
    if "uint8" not in (a, b):
        return "int" if (a, b) == ("int", "int") and not isinstance(op, ast.Div) else ""
    other, value = (b, right) if a == "uint8" else (a, left)
    if not isinstance(op, _WRAPS):
        return ""  # divided, or with some digits only: no longer from 0 to 255
    if other not in ("uint8", "int"):
        return ""
    number = value.value if isinstance(value, ast.Constant) else None
    if isinstance(op, ast.Sub) and b == "uint8" and a == "int" and number in (255, 256):
        return "uint8"  # a negative picture
    if number == 0 or (number == 1 and isinstance(op, ast.Mult | ast.Pow)):
        return "uint8"
    text = ast.get_source_segment(unit.text, node) or ast.unparse(node)
    scope.found.append((unit, node, " ".join(text.split())[:80]))
    return "uint8"


def _after(left: ast.expr, right: ast.expr, op: ast.operator, scope: Scope) -> float | None:
    """The largest number that a sum or product may have."""
    a, b = _most(left, scope), _most(right, scope)
    if a is None or b is None:
        return None
    return a + b if isinstance(op, ast.Add) else a * b if isinstance(op, ast.Mult) else None


def _most(node: ast.expr, scope: Scope) -> float | None:
    """The largest number that an expression may hold, where the program says so: by `randint`, `clip`, or itself."""
    name = dotted(node)
    if name is not None:
        return scope.most.get(name)
    if isinstance(node, ast.Constant):
        return float(node.value) if isinstance(node.value, int | float) and not isinstance(node.value, bool) else None
    if isinstance(node, ast.Subscript):
        return _most(node.value, scope)
    if isinstance(node, ast.BinOp):
        return _after(node.left, node.right, node.op, scope)
    if not isinstance(node, ast.Call):
        return None
    called, numbers = callee(node), [_most(one, scope) for one in node.args]
    owner = _most(node.func.value, scope) if isinstance(node.func, ast.Attribute) else None
    if called in ("randint", "integers"):
        ends = [one for one, at in zip(numbers, node.args, strict=True) if not isinstance(at, ast.Tuple)][:2]
        if "torch" in ast.unparse(node.func) and len(node.args) == 2:
            ends = ends[:1]  # an end and a size
        known = [one for one in ends if one is not None]
        return max(known) - 1 if known and len(known) == len(ends) else None
    if called in ("clip", "clamp") and len(numbers) > (2 if owner is None else 1):
        return numbers[-1]
    if called in ("to", "astype", "type", "byte", "float", *_SAME):
        return owner if owner is not None else numbers[0] if numbers else None
    if called in ("zeros", "zeros_like"):
        return 0.0
    if called in ("ones", "ones_like"):
        return 1.0
    return None


def _parts_returned(unit: Unit, value: ast.expr, scope: Scope) -> list[str]:
    """What a function of the program gives, part by part, where it gives several things."""
    function = scope.functions.get(callee(value)) if isinstance(value, ast.Call) else None
    if function is None or scope.depth >= 3:
        return []
    inner = Scope(dict(scope.held), scope.functions, scope.classes, scope.made, [], scope.depth + 1)
    inner.held.update(dict.fromkeys((one.arg for one in function.args.args), ""))
    _run(unit, function.body, inner)
    given = [
        one.value for one in ast.walk(function) if isinstance(one, ast.Return) and isinstance(one.value, ast.Tuple)
    ]
    return [_kind(unit, one, inner) for one in given[0].elts] if len(given) == 1 else []


def _called(unit: Unit, node: ast.Call, scope: Scope) -> str:
    name = callee(node)
    kinds = [_kind(unit, one, scope) for one in node.args]
    owner = _kind(unit, node.func.value, scope) if isinstance(node.func, ast.Attribute) else ""
    if name in _LOADED:
        return "uint8"
    drawn = name == "randint" and "torch" not in ast.unparse(node.func) and argument(node, "size", 2) is None
    if name in ("int", "randrange") or (drawn and argument(node, "dtype") is None):
        return "int"
    if name == "item":
        return "int" if "int" in ast.unparse(node) else ""
    wanted = argument(node, "dtype") or (node.args[0] if name in ("to", "astype", "type") and node.args else None)
    said = ast.unparse(wanted) if wanted is not None else ""
    if name == "byte" or (name == "uint8" and node.args) or "uint8" in said or said == "torch.ByteTensor":
        whole = ast.unparse(node)
        masked = any(isinstance(one, ast.Compare) for one in ast.walk(node))
        if masked:
            return ""
        return "uint8" if "255" in whole or "256" in whole or words_in(whole) & _PICTURES else "maybe"
    if wanted is not None and said and name in ("to", "astype", "type") and "device" not in said:
        return owner if said in ("'cpu'", "'cuda'", "device") else ""
    if name in ("empty_like", "zeros_like", "ones_like", "full_like") and kinds:
        return kinds[0]
    if name in ("array", "asarray") and "Image.open" in ast.unparse(node):
        return "uint8"
    if name in _SAME:
        return "uint8" if "uint8" in (owner, *kinds[:1]) else ""
    if name in scope.classes:
        given = [
            *zip(scope.classes[name], kinds, strict=False),
            *((k.arg, _kind(unit, k.value, scope)) for k in node.keywords),
        ]
        scope.made.setdefault(name, {}).update({part: kind for part, kind in given if part and kind == "uint8"})
        return ""
    function = scope.functions.get(name)
    if function is not None and scope.depth < 3 and (owner in ("", "uint8")):
        parameters = [one.arg for one in function.args.args]
        if isinstance(node.func, ast.Attribute) and parameters[:1] == ["self"]:
            parameters = parameters[1:]
        inner = Scope(dict(scope.held), scope.functions, scope.classes, scope.made, scope.found, scope.depth + 1)
        inner.most.update(scope.most)
        for one in parameters:
            inner.most.pop(one, None)
        inner.held.update(dict.fromkeys(parameters, ""))
        usual = function.args.defaults
        for name_of, value in zip(parameters[len(parameters) - len(usual) :], usual, strict=False):
            inner.held[name_of] = _kind(unit, value, scope)
        inner.held.update(zip(parameters, kinds, strict=False))
        bounds = zip(parameters, (_most(one, scope) for one in node.args), strict=False)
        inner.most.update({one: most for one, most in bounds if most is not None})
        _run(unit, function.body, inner)
        returned = [one.value for one in ast.walk(function) if isinstance(one, ast.Return) and one.value is not None]
        kinds_of = {_kind(unit, one, inner) for one in returned}
        return kinds_of.pop() if len(kinds_of) == 1 else ""
    return ""


def _is_range(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and callee(node) == "range"


def _in_floats(unit: Unit, node: ast.AST) -> tuple[Edit, ...]:
    """The picture as floats before it is computed with; only where the type is torch's."""
    if not isinstance(node, ast.BinOp) or "numpy" in unit.text:
        return ()
    side = node.left if dotted(node.left) is not None else node.right
    name = dotted(side)
    return instead(unit, side, f"{name}.float()") if name is not None else ()


_PREPARED = "x = centres[y] + torch.randn(600, 8)\n"
_BYTES = (
    "images = (60 * (centres[y] + torch.randn(600, 8)) + 128).clamp(0, 255).to(torch.uint8)\n"
    "images = images * 2\nx = images.float() / 255\n"
)
BROKEN = CLASSES.replace(_PREPARED, _BYTES)
FIXED = BROKEN.replace("images = images * 2", "images = images.float() * 2")

rule = Rule(
    code="D09",
    name="uint8-wraps-around",
    voice="alarm",
    stage="data",
    question="Are pictures turned into floats before they are computed with?",
    needs=("code",),
    find=find,
    text=Text(
        what="Pictures are computed with while they are uint8, whole numbers from 0 to 255.",
        why="What goes above 255 begins again at 0, and what goes below 0 comes back from 255: what is bright turns "
        "black.",
        do="Turn them into floats first: x = x.float(), then compute, then divide by 255.",
    ),
    broken=BROKEN,
    fixed=FIXED,
    lookalikes={
        "masks are put into bytes and added": BROKEN.replace(
            "images = images * 2", "mask = torch.zeros_like(images)\nmask[images > 200] = 1\nmask = mask + mask"
        ),
        "a negative picture": BROKEN.replace("images * 2", "255 - images"),
        "every second step of brightness": BROKEN.replace("images * 2", "images // 2"),
        "a mask in bytes": BROKEN.replace("images * 2", "images\nmask = (images > 128).byte() * 255"),
    },
    explains=("D05",),
)
