"""E03 graph-in-evaluation: the evaluation keeps what a backward pass would need."""

from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Edit, Finding, Rule, newest
from firstlight.doctor.rule_programs import LOADERS
from firstlight.doctor.source_lines import evaluation_block, indent_of, unit_of
from firstlight.locale import Text, _
from firstlight.run import Run

_TIMES = 5
_ROWS = 100


def find(run: Run) -> Iterator[Finding]:
    """Calls in eval mode with gradients on, whose outputs never went backward."""
    for one in newest(run, "evaluations") or []:
        if not one["learned"] or (one["graph"] < _TIMES and one["graph_rows"] < _ROWS):
            continue
        place = Place.from_json(one["graph_place"])
        yield Finding(
            evidence=_("{count} evaluations recorded a graph that no backward pass used.", count=one["graph"]),
            step=one["graph_step"],
            place=place,
            # Whole evaluations, whose answers were compared with labels: no graph of theirs is wanted for anything.
            voice=None if one["graph_apart"] >= _TIMES else "note",
            edits=_without_graph(Code.of(run), place),
            check="print(model(inputs).requires_grad)",
        )


def _without_graph(code: Code, place: Place | None) -> tuple[Edit, ...]:
    unit = unit_of(code, place)
    block = evaluation_block(unit, place.line) if unit is not None and place is not None else None
    if unit is None or block is None:
        return ()
    line, end = getattr(block, "lineno", 0), getattr(block, "end_lineno", 0)
    lines = unit.text.splitlines()[line - 1 : end]
    if any('"""' in text for text in lines):
        return ()
    new = [
        f"{indent_of(unit, line)}with torch.no_grad():",
        *(f"    {text}" if text.strip() else text for text in lines),
    ]
    return (Edit(line=line, old=len(lines), new=tuple(new), file=unit.file),)


BROKEN = LOADERS.replace("    with torch.no_grad():\n", "    if True:\n")

rule = Rule(
    code="E03",
    name="graph-in-evaluation",
    voice="alarm",
    stage="review",
    question="Does the evaluation run without recording a graph?",
    needs=("evaluations",),
    find=find,
    text=Text(
        what="The evaluation records a graph for a backward pass that never comes.",
        why="The results are right, but it takes more memory and time than it needs.",
        do="Put the evaluation under with torch.no_grad():, or write @torch.no_grad() above its function.",
    ),
    broken=BROKEN,
    fixed=LOADERS,
    lookalikes={
        "gradients of the inputs are what is asked for": BROKEN.replace(
            "outputs = model(inputs)\n",
            "outputs = model(inputs.requires_grad_())\n            outputs.sum().backward()\n",
        ).replace("range(3)", "range(2)"),
    },
)
