"""The doctor in a notebook's kernel: always there, with nothing to type. Alarms appear under the cell, each once.

It remembers across cells. What is said of a training is said of the newest one: when another cell begins to train, what
was seen of the training before is put aside, since the learner may have mended it.
"""

import ast
from typing import Any

from firstlight.doctor import witness as listening
from firstlight.doctor.examining import examined
from firstlight.doctor.report import Report
from firstlight.doctor.rule import Finding
from firstlight.doctor.rules import all_rules
from firstlight.run import Run

_TRAINING = ("backward", "fit", "step")  # a call of one of these in a cell, or in a function that the cell calls


class Attendant:
    """Listens between and in the cells of one shell.

    Args:
        shell: The IPython of the kernel.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._shown: set[tuple[Any, ...]] = set()
        self._training: set[str] = set()  # names of functions and classes of the learner's that train
        self._before = (0, 0)

    def attend(self) -> "Attendant":
        """Begin."""
        listening.attend()
        self._shell.events.register("pre_run_cell", self.before_cell)
        self._shell.events.register("post_run_cell", self.after_cell)
        return self

    def before_cell(self, info: Any) -> None:
        """A cell is about to run: where it trains and one before it has trained, what was seen of that is put aside."""
        witness = listening.witness
        if witness is None:
            return
        if self._trains(str(getattr(info, "raw_cell", "") or "")) and witness.backwards:
            witness.renew()
        self._before = (witness.backwards, witness.calls)

    def after_cell(self, result: Any) -> None:
        """It has run: show alarms that were not shown before."""
        witness = listening.witness
        if witness is None:
            return
        error = getattr(result, "error_in_exec", None)
        if error is not None and isinstance(error, Exception):
            witness.failed(error)
        elif (witness.backwards, witness.calls) == self._before:
            return
        witness.probe()
        report = examined(witness.tell(Run()), all_rules())
        new = [finding for finding in report.alarms if _key(finding) not in self._shown]
        if new:
            self._shown.update(map(_key, new))
            self._show(Report(tuple(new), report.checked, report.not_checked, report.overhead))

    def _show(self, report: Report) -> None:
        from IPython.display import display

        display(Alarms(report))

    def _trains(self, code: str) -> bool:
        """Whether a cell trains: calls `backward`, or what does so; learns from definitions which functions do."""
        try:
            tree = ast.parse(self._shell.transform_cell(code))
        except (SyntaxError, ValueError, RecursionError):
            return False
        defined = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        for _round in range(3):  # a function that trains may stand behind another
            self._training.update(node.name for node in defined if self._called(node) & {*_TRAINING, *self._training})
        outside = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
        return any(self._called(node) & {"backward", "fit", *self._training} for node in outside)

    @staticmethod
    def _called(tree: ast.AST) -> set[str]:
        calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
        return {func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "") for func in calls}


class Alarms:
    """What appears under a cell."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def _repr_html_(self) -> str:
        return self._report.findings_as_html()

    def __repr__(self) -> str:
        return self._report.findings_as_text()


def attend_kernel(shell: Any) -> Attendant | None:
    """Begin to listen in this kernel; nothing where there is no IPython."""
    return Attendant(shell).attend() if shell is not None else None


def _key(finding: Finding) -> tuple[Any, ...]:
    """What makes two alarms the same to the learner: the rule, and the line's own text, wherever it stands now."""
    return (finding.code, finding.place.text if finding.place is not None else None)
