"""E10 chosen-on-the-test: the best model is chosen by its score on the test samples."""

import ast
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import LOADERS
from firstlight.doctor.source_lines import words_in
from firstlight.locale import Text, _
from firstlight.run import Run


def find(run: Run) -> Iterator[Finding]:
    """A comparison of the test's score with the best so far, in a program that keeps no validation samples."""
    code = Code.of(run)
    for unit in code.units:
        for node in unit.nodes:
            if (
                not isinstance(node, ast.If)
                or not isinstance(node.test, ast.Compare)
                or len(node.test.comparators) != 1
            ):
                continue
            sides = words_in(ast.unparse(node.test.left)), words_in(ast.unparse(node.test.comparators[0]))
            for score, best in (sides, sides[::-1]):
                if "test" in score and "best" in best and "best" not in score:
                    yield Finding(
                        evidence=_("{line} decides which weights are kept.", line=ast.unparse(node.test)),
                        place=unit.place(node),
                    )
                    return
    for one in newest(run, "evaluations") or []:
        chosen = one["chosen"]
        named = [place for place in (chosen or {}).get("places", []) if "test" in words_in(place["text"])]
        if chosen is None or not named:
            continue
        yield Finding(
            evidence=_(
                "The weights that were put back are tested with samples that had been tested with {count} times "
                "before.",
                count=chosen["times"],
            ),
            step=chosen["step"],
            place=Place.from_json(named[0]),
        )
        return


RIGHT = LOADERS.replace("model = nn.Seq", "best = 0.0\nmodel = nn.Seq", 1) + (
    "    val_accuracy = correct / total\n    if val_accuracy > best:\n        best = val_accuracy\n"
)

rule = Rule(
    code="E10",
    name="chosen-on-the-test",
    voice="note",
    stage="review",
    question="Is the best model chosen without the test samples?",
    needs=("code",),
    find=find,
    text=Text(
        what="The best weights are chosen by their score on the test samples.",
        why="The best of many scores is partly luck, so the test score is then better than it is on new samples.",
        do="Choose with validation samples, and use the test samples once, at the end.",
    ),
    broken=RIGHT.replace("val_accuracy", "test_accuracy"),
    fixed=RIGHT,
)
