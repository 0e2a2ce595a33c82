"""D16 target-among-the-columns: one column of the inputs is the target itself."""

from collections.abc import Iterator

from firstlight.doctor.code import Code, callee
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import BINARY
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A column that gives the label by itself, and goes up and down with it."""
    for one in (newest(run, "trials") or {}).get("columns", []):
        said = (
            _(
                "Over {rows} rows, column {column} by itself gives every label; its correlation with them is {alike}.",
                rows=one["rows"],
                column=one["column"],
                alike=f"{one['alike']:.3f}",
            )
            if one["kind"] == "class"
            else _(
                "Over {rows} rows, column {column} and the target have a correlation of {alike}.",
                rows=one["rows"],
                column=one["column"],
                alike=f"{one['alike']:.5f}",
            )
        )
        yield Finding(
            evidence=said,
            step=one["step"],
            place=_table(Code.of(run), Place.from_json(one["place"])),
            voice=None if one["kind"] != "value" and one["alone"] else "question",  # a law without noise is legitimate
            check="print(torch.corrcoef(torch.cat([inputs, labels[:, None]], 1).T)[-1])",
        )


def _table(code: Code, call: Place | None) -> Place | None:
    """The line that puts columns side by side, where there is one alone; else where the model is called."""
    # The cells of a notebook are one program: the table is mostly made in another one than that of the training.
    near = [unit for unit in code.units if call is not None and (unit.file == call.file or call.cell is not None)]
    found = [
        place
        for place, node, _unit in Code(near).calls("stack", "column_stack", "hstack", "concatenate", "cat", "c_")
        if any(
            (word.arg in ("dim", "axis") and getattr(word.value, "value", 0) == 1) for word in node.keywords
        ) or callee(node) in ("column_stack", "hstack") or any(getattr(one, "value", 0) == 1 for one in node.args[1:2])
    ]  # fmt: skip
    return found[0] if len(found) == 1 else call


BROKEN = BINARY.replace("model = nn", "x[:, 3] = 2 * y - 1 + 0.05 * torch.randn(600)\nmodel = nn", 1)

rule = Rule(
    code="D16",
    name="target-among-the-columns",
    voice="alarm",
    stage="data",
    question="Do the inputs leave the answer to the model?",
    needs=("trials",),
    find=find,
    text=Text(
        what="One column of the inputs gives the target by itself.",
        why="The model only needs to copy it. With new samples, that column will not be known.",
        do="Take the target, and what is computed from it, out of the inputs.",
    ),
    broken=BROKEN,
    fixed=BINARY,
    lookalikes={
        "a single column decides, and is no copy": BINARY.replace("(x[:, 0] + x[:, 1] * x[:, 2] > 0)", "(x[:, 0] > 0)"),
        "bits": BINARY.replace("x = torch.randn(600, 6)", "x = torch.randint(2, (600, 6)).float()").replace(
            "(x[:, 0] + x[:, 1] * x[:, 2] > 0)", "(x[:, 0] > 0)"
        ),
    },
)
