"""D05 scaled-twice: bytes are divided by 255 two times, or inputs are standardized once more within the model."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.doctor.source_lines import replaced, unit_of
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """Inputs that are tiny, or whole numbers of 1/255 of 1/255; standardized ones that the first layer gets moved."""
    for one in newest(run, "inputs") or []:
        if one.get("again") is not None:
            yield Finding(
                evidence=_(
                    "{model} is given inputs with mean 0 and spread 1; its first layer gets, in one column, mean "
                    "{mean} and spread {spread}: a mean is subtracted and a spread divided by once more.",
                    model=one["model"],
                    mean=f"{one['again']['mean']:.2g}",
                    spread=f"{one['again']['spread']:.2g}",
                ),
                step=1,
                place=_within(Code.of(run)) or Place.from_json(one["place"]),
                voice="question",
                text=_STANDARDIZED,
            )
            return
        values = [use for use in one["train"] if "mean" in use and use["finite"]]
        if values and max(use["high"] for use in values) > 0.02:
            values = [use for use in one["first"] if use["high"] == use["high"]]  # divided again inside of the model
        if len(values) < 3:
            continue
        largest = max(use["high"] for use in values)
        if not 0 < largest <= 0.02 or min(use["low"] for use in values) < 0:
            continue
        # All values on the lattice k / 255 / 255 with k up to 255: nothing but bytes divided twice is like that.
        exact = largest <= 1 / 255 + 1e-6 and all(use.get("twice", 0) > 0.99 for use in values) and largest > 0.001
        code = Code.of(run)
        places = _scaling(code)
        if not exact and (len(values) < 8 or len(places) < 2):
            continue
        place = places[-1] if places else Place.from_json(one["place"])
        unit = unit_of(code, place)
        edits: tuple[Edit, ...] = ()
        if exact and unit is not None and place is not None and len(places) > 1:
            edits = next(
                (
                    e
                    for old in (" / 255.0", " / 255", "/255.0", "/255", ".div(255)", ".div(255.0)")
                    if (e := replaced(unit, place.line, old, ""))
                ),
                (),
            )
        yield Finding(
            evidence=_(
                "No input is larger than {largest}: bytes divided by 255 twice give that.", largest=f"{largest:.4f}"
            ),
            step=2 if exact else 9,
            place=place,
            places=tuple(places[:-1]),
            voice=None if exact else "question",
            edits=edits,
            check="print(inputs.max() * 255)",
        )


def _within(code: Code) -> Place | None:
    """The line of a method that subtracts something of its own and divides by something of its own."""
    for place, node, _unit in code.walk(ast.BinOp):
        left = node.left if isinstance(node.op, ast.Div) else None
        if isinstance(left, ast.BinOp) and isinstance(left.op, ast.Sub):
            own = [ast.unparse(one).startswith("self.") for one in (left.right, node.right)]
            if all(own):
                return place
    return None


_STANDARDIZED = Text(
    what="The inputs are standardized twice.",
    why="The second time takes a mean away and divides by a spread that are no longer those of the inputs, so they "
    "end up far from 0 or all alike.",
    do="Standardize in one place only: before the model, or in it.",
)


def _scaling(code: Code) -> list[Place]:
    found = []
    for unit in code.units:
        for node in unit.nodes:
            divides = isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
            by = getattr(node, "right", getattr(node, "value", None)) if divides else None
            if isinstance(node, ast.Call) and callee(node) in ("div", "div_", "true_divide") and node.args:
                by = node.args[0]
            if (isinstance(node, ast.Call) and callee(node) in ("ToTensor", "to_tensor")) or (
                isinstance(by, ast.Constant) and by.value in (255, 256)
            ):
                found.append(unit.place(node))
    return sorted(set(found), key=lambda one: one.line)


BYTES = CLASSES.replace(
    "train_x, train_y,", "x = (20 * x + 128).round().clamp(0, 255)\nx = x / 255\ntrain_x, train_y,", 1
)
BROKEN = BYTES.replace("x = x / 255\n", "x = x / 255\nx = x / 255\n")

rule = Rule(
    code="D05",
    name="scaled-twice",
    voice="alarm",
    stage="data",
    question="Are the inputs scaled once?",
    needs=("inputs",),
    find=find,
    text=Text(
        what="The inputs are divided by 255 twice.",
        why="They end up below 0.004, so all samples look nearly the same to the model, and it learns very slowly.",
        do="Scale in one place only; ToTensor() has divided by 255 already.",
    ),
    broken=BROKEN,
    fixed=BYTES,
    lookalikes={
        "small numbers of another kind": CLASSES.replace(
            "train_x, train_y,", "x = 0.001 * x.abs()\ntrain_x, train_y,", 1
        ),
    },
    explains=("L15", "M18", "E12", "E11"),
)
