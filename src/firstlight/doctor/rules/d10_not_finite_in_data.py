"""D10 not-finite-in-data: the inputs or the labels hold values that are no numbers, or infinite."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import LOADERS
from firstlight.locale import Text, _
from firstlight.run import Run

_COUNTS = {"n", "total", "count", "epoch", "len", "batches", "size", "steps", "num"}


def find(run: Run) -> Iterator[Finding]:
    """A batch with such values: an alarm where they reach the output or the loss, else a question."""
    lost = (newest(run, "outputs") or {}).get("lost")
    found = next((one["missing"] for one in newest(run, "inputs") or [] if one["missing"]), None)
    bad = lost or found
    if bad is None:
        return
    spoils = (lost is not None and not lost.get("left_out")) or bad.get("finite_output") is False
    said = (
        _(
            "In {rows} of {size} rows of a batch of inputs, there are values that are nan or infinite; first in row "
            "{row}, position {column}.",
            rows=bad["bad_rows"],
            size=bad["size"],
            row=bad["rows"][0],
            column=bad["columns"][0],
        )
        if bad["what"] == "inputs"
        else _(
            "In {rows} of {size} labels of a batch there is nan or an infinite value.",
            rows=bad["bad_rows"],
            size=bad["size"],
        )
    )
    place = _maker(Code.of(run), Place.from_json(bad.get("place")), nan=bad["nan"])
    yield Finding(
        evidence=said,
        step=bad["step"],
        place=place,
        voice=None if spoils else "question",
        check="assert torch.isfinite(inputs).all(), inputs[~torch.isfinite(inputs)]" if bad["what"] == "inputs" else "",
    )


def _maker(code: Code, call: Place | None, *, nan: bool) -> Place | None:
    """The line that most likely made them: a logarithm, a root, or one column divided by another."""
    logs, quotients = [], []
    own = [one for one in code.units if call is not None and one.file == call.file and one.cell is None]
    for unit in own or code.units:
        inside = {id(n) for c in unit.nodes if isinstance(c, ast.ClassDef) for n in ast.walk(c)}
        for statement in unit.nodes:
            if not isinstance(statement, ast.Assign | ast.AugAssign | ast.Return) or id(statement) in inside:
                continue
            for node in ast.walk(statement):
                if isinstance(node, ast.Call) and callee(node) in (
                    "log",
                    "log2",
                    "log10",
                    "sqrt",
                    "arccos",
                    "reciprocal",
                ):
                    if not (node.args and isinstance(node.args[0], ast.Constant)):
                        logs.append(unit.place(statement))
                elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                    names = {n.id for n in ast.walk(node.right) if isinstance(n, ast.Name)}
                    if names and not names & _COUNTS and not isinstance(node.right, ast.Call):
                        quotients.append(unit.place(statement))
                elif isinstance(node, ast.Call) and callee(node) in ("div", "divide", "true_divide"):
                    quotients.append(unit.place(statement))
    first = quotients + logs if nan and quotients else logs + quotients
    return first[0] if first else call


BROKEN = LOADERS.replace("test_y =", "x[7, 3] = float('nan')\ntest_y =", 1)

rule = Rule(
    code="D10",
    name="not-finite-in-data",
    voice="alarm",
    stage="data",
    question="Are all inputs and labels finite numbers?",
    needs=("inputs", "outputs"),
    find=find,
    text=Text(
        what="The data hold values that are not finite: nan, or infinity.",
        why="One such value makes the loss nan, and one step with that loss makes every weight nan.",
        do="Find where they arise (a division by zero, the logarithm of zero, an empty field) and mend them there.",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace("float('nan')", "0.0"),
    lookalikes={
        "gaps are filled before they reach the model": BROKEN.replace(
            "model(inputs), labels)", "model(torch.nan_to_num(inputs)), labels)"
        ),
        "a row that is infinite in a loss, not in the data": LOADERS.replace(
            "        loss.backward()\n",
            "        loss = loss + 0 * torch.log(labels.float() + 1).sum()\n        loss.backward()\n",
        ),
    },
    explains=("L19", "L18", "D01", "E11", "E12", "D04", "M17", "L14"),
)
