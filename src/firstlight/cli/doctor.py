"""`firstlight doctor`: what is wrong with a training: of a script, of a notebook, or of a run that was recorded."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from firstlight.errors import FirstlightError
from firstlight.locale import Text, say

FOUND, USAGE = 1, 2


class NothingToExamine(FirstlightError, ValueError):
    """What was named is no file and no run."""

    text = Text(
        what="There is nothing called {word} to examine.",
        why="The doctor takes a script (.py), a notebook (.ipynb), or a run as `firstlight runs` lists it.",
        do="Check the name and the folder: firstlight doctor train.py",
    )


def doctor(
    word: str,
    arguments: Sequence[str],
    *,
    as_json: bool,
    static: bool,
    timeout: float | None,
    folder: Path | None,
    proof_s: float | None = None,
) -> int:
    """Examine what `word` names, and print the findings.

    The findings on a script go to standard error, so that its own output stands alone on standard output; with
    `as_json` it is the other way round.

    Returns:
        0 where no alarm was raised; 1 where one was, or where the program failed or was killed; 2 where there is
        nothing to examine.
    """
    file = Path(word)
    if proof_s is not None:
        os.environ["FIRSTLIGHT_DOCTOR_PROOF_S"] = str(proof_s)  # for the process that runs it
    try:
        if file.suffix in (".py", ".ipynb") or file.is_file():
            return _program(file, arguments, as_json=as_json, static=static, timeout=timeout)
        return _run(word, folder, as_json=as_json)
    except FirstlightError as error:
        print(error, file=sys.stderr)
        return USAGE


def list_rules(*, as_json: bool) -> int:
    """Print the rules: code, name, voice and question."""
    from firstlight.doctor.rules import all_rules

    rules = [{"rule": r.code, "name": r.name, "voice": r.voice, "question": r.asks} for r in all_rules()]
    if as_json:
        print(json.dumps(rules, indent=2, ensure_ascii=False))
    else:
        for rule in rules:
            say(f"{rule['rule']}  {rule['voice']:8}  {rule['question']}")
    return 0


def _program(file: Path, arguments: Sequence[str], *, as_json: bool, static: bool, timeout: float | None) -> int:
    from firstlight.doctor.running import examine_program

    if not file.is_file():
        raise NothingToExamine(word=str(file))
    done = examine_program(file, arguments, static=static, timeout=timeout, quiet=as_json)
    stream: Any = sys.stdout if as_json or static else sys.stderr
    if as_json:
        print(json.dumps(done.as_json(), indent=2, ensure_ascii=False))
    else:
        say(done.report.as_text(), stream)
        if sentence := done.sentence():
            say(sentence, stream)
    return FOUND if done.report.alarms or done.how in ("failed", "killed") else 0


def _run(word: str, folder: Path | None, *, as_json: bool) -> int:
    from firstlight.cli.runs import places_of
    from firstlight.doctor.examining import examine
    from firstlight.view.following import find_run

    report = examine(find_run(word, places_of(folder)))
    print(json.dumps(report.as_json(), indent=2, ensure_ascii=False) if as_json else report.as_text())
    return FOUND if report.alarms else 0
