"""Runs a script or a notebook in this process under a witness, and leaves what it heard in a file.

Started by `firstlight.doctor.running`, in a process of its own: `python -m firstlight.doctor.child OUT FILE ARGS...`
"""

import contextlib
import json
import os
import runpy
import signal
import sys
import traceback
import warnings
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from firstlight.doctor import witness as listening
from firstlight.doctor.running import in_order
from firstlight.run import Run


def main(words: list[str]) -> int:
    """Run the program; the exit status is the one that it would have had without us."""
    out, program = Path(words[0]), words[1]
    proof_s = float(os.environ.pop("FIRSTLIGHT_DOCTOR_PROOF_S", "3"))
    sys.argv = [program, *words[2:]]
    sys.path[0] = str(Path(program).resolve().parent)
    folder = Path.cwd()
    out = out.resolve()
    witness = listening.attend()
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _interrupt)  # a wish from outside ends it as Ctrl-C does: with a report
    ended: dict[str, Any] = {"how": "finished", "status": 0, "detail": ""}
    try:
        if program.endswith(".ipynb"):
            run_notebook(Path(program))
        else:
            runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if end.code is not None and not isinstance(end.code, int):  # as Python does
            sys.stderr.write(f"{end.code}\n")
        ended = {"how": "exit", "status": status, "detail": ""}
    except KeyboardInterrupt:
        ended = {"how": "interrupted", "status": 130, "detail": ""}
    except BaseException as error:  # noqa: BLE001 - whatever ends the script is told, as Python tells it
        witness.failed(error)
        _show(error, program)
        ended = {"how": "failed", "status": 1, "detail": "".join(traceback.format_exception_only(error)).strip()}
    finally:
        with contextlib.suppress(OSError):
            os.chdir(folder)
        _write(out, witness, ended, proof_s)
    return int(ended["status"])


def _interrupt(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def _write(out: Path, witness: listening.Witness, ended: dict[str, Any], proof_s: float) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        witness.probe()
    run = witness.tell(Run())
    with contextlib.suppress(KeyboardInterrupt, Exception):  # the findings are worth more than their proofs
        _prove(witness, run, proof_s)
    witness.leave()
    facts = [[fact.step, fact.kind, fact.data] for fact in run.facts()]
    out.write_text(json.dumps({"facts": facts, "ended": ended}), encoding="utf-8")


def _prove(witness: listening.Witness, run: Run, proof_s: float) -> None:
    """Try on copies what would mend the findings: only here are the model and its samples."""
    from firstlight.doctor.examining import examined
    from firstlight.doctor.replay import prove
    from firstlight.doctor.rules import all_rules

    if proof_s:
        proved = prove(witness, run, examined(run, all_rules()).findings, proof_s)
        if proved is not None:
            run.add_fact(witness.step, "proof", proved)


def _show(error: BaseException, program: str) -> None:
    """The traceback without the frames that are ours."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != program:
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace or error.__traceback__)


def run_notebook(path: Path) -> dict[str, Any]:
    """Run its code cells, in the order in which they were run last; from top to bottom where that is not known.

    The record says what the newest training shows, and what is to be said of those before it that no cell has done
    anew since (`firstlight.doctor.kernel`).

    Returns:
        The names that the cells have defined.
    """
    from IPython.core.interactiveshell import InteractiveShell

    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    os.chdir(path.resolve().parent)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        shell = InteractiveShell.instance()
    shell.history_manager.enabled = False
    return run_cells(shell, in_order(cells))


def run_cells(shell: Any, cells: Iterable[str]) -> dict[str, Any]:
    """Run these cells one after the other, heard as in a kernel where somebody listens; the first error ends it.

    Returns:
        The names that they have defined.
    """
    from firstlight.doctor.kernel import Attendant

    attendant = Attendant(shell, shows=False).attend() if listening.witness is not None else None
    try:
        for code in cells:
            result = shell.run_cell(code, store_history=True)
            error = result.error_before_exec or result.error_in_exec
            if error is not None:
                raise error
    finally:
        if attendant is not None:
            attendant.leave()
    names: dict[str, Any] = shell.user_ns
    return names


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
