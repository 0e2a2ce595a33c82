"""The doctor in a notebook's kernel: always there, with nothing to type. Alarms appear under the cell, each once.

It remembers across cells. What is said of a training is said of the newest one: when another cell begins to train, what
was seen of the training before is put aside, since the learner may have mended it. What only a memory can tell stays:
which cell made a model, what it had learned before, and from which rows (`firstlight.doctor.observers.memory`).
"""

import ast
import html
import inspect
import os
import re
import sys
import time
from types import CodeType, FunctionType, ModuleType
from typing import Any

from firstlight.doctor import witness as listening
from firstlight.doctor.examining import examined
from firstlight.doctor.observers.memory import keep
from firstlight.doctor.places import is_installed
from firstlight.doctor.replay import MENDS
from firstlight.doctor.report import Report
from firstlight.doctor.rule import Finding
from firstlight.doctor.rules import all_rules
from firstlight.graph.source import kind_of_file
from firstlight.locale import _
from firstlight.run import Run

_MOST_EARLIER = 8  # episodes
_LONG_S = 20.0  # a cell that took longer may end with experiments on copies; fl.examine() makes them after any
_NO_TRAINING = ("sklearn", "numpy", "scipy", "pandas")  # libraries whose `fit` trains no weights of ours


class Attendant:
    """Listens between and in the cells of one shell.

    Args:
        shell: The IPython of the kernel.
        shows: Whether alarms appear under cells. Else episodes are kept for the report at the end, each until the cell
            that trained is run again.
    """

    def __init__(self, shell: Any, *, shows: bool = True) -> None:
        self._shell, self._shows = shell, shows
        self._shown: set[tuple[Any, ...]] = set()
        self._training: set[str] = set()  # names of functions and classes of the learner's that train
        self._before = (0, 0)
        self._began = time.monotonic()
        self._failed = False

    def attend(self) -> "Attendant":
        """Begin."""
        listening.attend()
        self._shell.events.register("pre_run_cell", self.before_cell)
        self._shell.events.register("post_run_cell", self.after_cell)
        return self

    def leave(self) -> None:
        """Stop. The witness goes on."""
        self._shell.events.unregister("pre_run_cell", self.before_cell)
        self._shell.events.unregister("post_run_cell", self.after_cell)

    def before_cell(self, info: Any) -> None:
        """A cell is about to run: where it trains and one before it has trained, what was seen of that is put aside."""
        witness = listening.witness
        if witness is None:
            return
        try:
            self._begin(witness, info)
        except Exception as error:  # noqa: BLE001 - the cell is worth more
            _tell(error)

    def _begin(self, witness: listening.Witness, info: Any) -> None:
        self._began = time.monotonic()
        code, session = str(getattr(info, "raw_cell", "") or ""), witness.session
        key = getattr(info, "cell_id", None) or _plain(code)
        number = len(self._shell.user_ns.get("In") or [""])  # its number, whichever way this IPython counts
        trains = self._trains(code)
        if self._failed and "examine" not in code:  # asking about an error does not end it
            witness.recovered()
        if trains and (witness.backwards or self._failed):
            keep(witness)
            if not self._shows:
                self._put_aside(witness)
            witness.renew()
            session["training"] = None
        self._failed = self._failed and "examine" in code
        if trains:
            # Run again, the cell has the last word on what it trains.
            session["earlier"] = [one for one in session.get("earlier", []) if one["key"] != key]
            session["training"] = (number, key)
        session["cell"] = number
        cells = session.setdefault("cells", {})
        cells[number] = key
        if len(cells) > 2_000:
            del cells[next(iter(cells))]
        self._before = (witness.backwards, witness.calls)

    @staticmethod
    def _put_aside(witness: listening.Witness) -> None:
        witness.probe()
        session = witness.session
        _number, key = session.get("training") or (0, "")
        told = witness.tell(Run()).facts()
        facts = [[fact.step, fact.kind, fact.data] for fact in told if fact.kind not in ("earlier", "code")]
        session["earlier"] = [*session.get("earlier", []), {"key": key, "facts": facts}][-_MOST_EARLIER:]

    def after_cell(self, result: Any) -> None:
        """It has run: show alarms that were not shown before."""
        witness = listening.witness
        if witness is None:
            return
        try:
            self._end(witness, getattr(result, "error_in_exec", None))
        except KeyboardInterrupt:
            return  # who stops us wants to go on with something else
        except Exception as error:  # noqa: BLE001 - as above
            _tell(error)

    def _end(self, witness: listening.Witness, error: BaseException | None) -> None:
        if isinstance(error, Exception):
            self._failed = True
            if self._shows:
                witness.failed(error)
        elif (witness.backwards, witness.calls) == self._before:
            return
        if not self._shows:
            return
        long = time.monotonic() - self._began > _LONG_S
        if long and (error is None or isinstance(error, Exception)):
            witness.probe()  # not after Ctrl-C: who stops a cell does not wait for us
        report = examined(witness.tell(Run()), all_rules())
        new = [finding for finding in report.alarms if _key(finding) not in self._shown]
        if new:
            self._shown.update(map(_key, new))
            self._show(Report(tuple(new), report.checked, report.not_checked, report.overhead))

    def _show(self, report: Report) -> None:
        from IPython.display import display

        display(Alarms(report))

    # Whether a cell trains.

    def _trains(self, code: str) -> bool:
        """Whether a cell trains: calls `backward`, or what does so; learns from definitions which functions do."""
        try:
            tree = ast.parse(self._shell.transform_cell(code))
        except (SyntaxError, ValueError, RecursionError):
            return False
        defined = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        for _round in range(3):  # a function that trains may stand behind another
            self._training.update(node.name for node in defined if any(map(self._is_training, _calls(node))))
        outside = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
        return any(self._is_training(call) for node in outside for call in _calls(node))

    def _is_training(self, call: ast.Call) -> bool:
        name = _name(call.func)
        if name == "backward" or name in self._training or ast.unparse(call.func).endswith("autograd.grad"):
            return True
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        if name == "fit":
            found = self._value(owner.func if isinstance(owner, ast.Call) else owner)
            home = getattr(found if isinstance(found, type | ModuleType) else type(found), "__module__", "") or ""
            return not home.startswith(_NO_TRAINING)
        return _does_train(self._value(call.func)) or (isinstance(owner, ast.Call) and self._is_training(owner))

    def _value(self, node: ast.AST | None) -> Any:
        """What a name, or an attribute of one, stands for now; None where that cannot be said without running code."""
        if isinstance(node, ast.Name):
            return self._shell.user_ns.get(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = self._shell.user_ns.get(node.value.id)
            if isinstance(owner, ModuleType):
                return vars(owner).get(node.attr)
            return inspect.getattr_static(type(owner), node.attr, None) if owner is not None else None
        return None


class Alarms:
    """What appears under a cell."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def _repr_html_(self) -> str:
        hint = self._hint()
        below = f"<div><small>{html.escape(hint)}</small></div>" if hint else ""
        return self._report.findings_as_html() + below

    def __repr__(self) -> str:
        return "\n\n".join(filter(None, [self._report.findings_as_text(), self._hint()]))

    def _hint(self) -> str:
        """How to see more, where there may be more to see."""
        if not any(finding.code in MENDS for finding in self._report.findings):
            return ""
        return _("fl.examine() tries on copies what would mend this, and shows both curves where they differ.")


def attend_kernel(shell: Any) -> Attendant | None:
    """Begin to listen in this kernel; nothing where there is no IPython."""
    return Attendant(shell).attend() if shell is not None else None


def _does_train(value: Any) -> bool:
    """Whether a function or class of the learner's, from a file or a cell, calls `backward` on its way.

    What their functions call is followed, each function once; what libraries' functions call is not: each of pandas'
    leads to hundreds of others.
    """
    met: set[CodeType] = set()
    now = [value]
    for _depth in range(3):
        following: list[Any] = []
        for one in now:
            for function in _functions(one):
                code = function.__code__
                if code in met or kind_of_file(code.co_filename) != "own":
                    continue
                met.add(code)
                names = _names(code)
                if "backward" in names:
                    return True
                if not is_installed(code.co_filename):
                    space = function.__globals__
                    following += [space[name] for name in names if name in space]
        now = following
    return False


def _functions(value: Any) -> list[FunctionType]:
    """The Python functions that a value is, or has as a class."""
    several = vars(value).values() if isinstance(value, type) else [value]
    inside = [getattr(one, "__func__", one) for one in several if callable(one) or isinstance(one, classmethod)]
    plain = [inspect.unwrap(one) for one in inside]
    return [one for one in plain if isinstance(one, FunctionType)]


def _names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names


def _calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _name(func: ast.expr) -> str:
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def _plain(code: str) -> str:
    """A cell's text without what is often changed between two runs: numbers, spaces, comments."""
    return re.sub(r"#.*|\d+(\.\d+)?(e-?\d+)?|\s+", "", code)


def _key(finding: Finding) -> tuple[Any, ...]:
    """What makes two alarms the same to the learner: the rule, and the line's own text, wherever it stands now."""
    return (finding.code, finding.place.text if finding.place is not None else None)


def _tell(error: Exception) -> None:
    if os.environ.get("FIRSTLIGHT_DOCTOR") == "strict":  # for those who write rules
        sys.excepthook(type(error), error, error.__traceback__)
