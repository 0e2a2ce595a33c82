"""`examine`: what is wrong with a training, why, and what to do; or that nothing was found, and what was asked."""

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from firstlight.doctor import witness as listening
from firstlight.doctor.code import Code
from firstlight.doctor.proof import with_proofs
from firstlight.doctor.report import Report
from firstlight.doctor.rule import STAGES, VOICES, Finding, Rule, newest
from firstlight.doctor.rules import all_rules
from firstlight.errors import FirstlightError
from firstlight.locale import Text, _
from firstlight.run import Run
from firstlight.run.foreign import believed
from firstlight.run.record import SavedRun
from firstlight.run.store import FILE

_INTENDED = re.compile(r"#\s*doctor:\s*intended\b[ \t]*(?P<codes>[A-Z]\d\d(?:[ ,]+[A-Z]\d\d)*)?")


class NotARun(FirstlightError, TypeError):
    """Something was given to `examine` that is no run."""

    text = Text(
        what="examine() cannot examine something of type {kind}.",
        why="It reads the record of a training: what fl.watch, fl.fit or fl.Run.open gave, or the folder of a run.",
        do="Write run = fl.watch(model, optimizer) before the loop, and fl.examine(run) after it.",
    )


def examine(run: Run | str | Path | None = None, *, proof: bool = True, proof_s: float = 3.0) -> Report:
    """Say what is wrong with a training, with evidence, why it matters and what to do.

    Your model, optimizer, files and random numbers stay as they are. What was trained in this process is tried on
    copies, as written and as mended, and both curves are shown where they really differ.

    Args:
        run: A run, live or saved, or the folder of one. None: what this process has trained since the lab's cell, or
            the script, began.
        proof: Whether to try on copies what would mend the findings.
        proof_s: Seconds that this may take for all of them together.

    Returns:
        A report: shown in a notebook, printed in a terminal. It says what was checked, and what could not be.

    Raises:
        NotARun: When it is something else.
        RecordNotFound: When the folder holds no record.

    Example:
        >>> report = examine(Run())
        >>> report.findings
        ()
    """
    heard = listening.witness
    live = heard is not None and (run is None or (isinstance(run, Run) and heard.follows(run)))
    if heard is not None and live:
        heard.probe()
    if run is None:
        run = heard.tell(Run()) if heard is not None else Run()
    elif isinstance(run, str | Path):
        run = Run.open(run)
    elif not isinstance(run, Run):
        raise NotARun(kind=type(run).__name__)
    elif heard is not None and heard.follows(run):
        run = heard.tell(_copy(run))
    with believed(run.folder / FILE) if isinstance(run, SavedRun) and run.folder else contextlib.nullcontext():
        report = examined(run, all_rules())
    if heard is None or not live or not proof or not report.findings:
        return report
    from firstlight.doctor.replay import prove

    proved = prove(heard, run, report.findings, proof_s)
    if proved is None:
        return report
    run.add_fact(heard.step, "proof", proved)
    return examined(run, all_rules())


def examined(run: Run, rules: Sequence[Rule]) -> Report:
    """Ask these rules of a record.

    A record of a notebook's cells may hold more than one training: what the newest shows comes first.
    """
    report = _examined(run, rules)
    findings = list(report.findings)
    for facts in newest(run, "earlier") or []:
        before = Run()
        for step, kind, data in facts:
            before.add_fact(step, kind, data)
        for fact in run.facts("code")[-1:]:
            before.add_fact(fact.step, fact.kind, fact.data)
        said = {_same(one) for one in findings} | {_same(two) for one in findings for two in one.consequences}
        findings += [one for one in _examined(before, rules).findings if _same(one) not in said]
    findings.sort(key=lambda one: VOICES.index(one.speaks))
    return replace(report, findings=tuple(findings))


def _same(finding: Finding) -> tuple[Any, ...]:
    """What makes findings of two trainings of a notebook one: a note is made once, others once for each line."""
    return (finding.code, finding.speaks == "note" or (finding.place.text if finding.place is not None else None))


def _examined(run: Run, rules: Sequence[Rule]) -> Report:
    """Ask these rules of the newest training of a record."""
    kinds = {fact.kind for fact in run.facts()} | {"metrics" for _one in run.metrics()[:1]}
    findings: list[Finding] = []
    checked: list[str] = []
    not_checked: list[tuple[str, str]] = []
    for rule in rules:
        if rule.needs and not kinds & set(rule.needs):
            not_checked.append((rule.code, _("The record holds nothing of what this question is about.")))
            continue
        try:
            findings += rule.ask(run)
        except Exception as error:  # noqa: BLE001 - a rule that fails says so; the others are asked all the same
            not_checked.append((rule.code, _("The rule itself failed: {error}", error=repr(error))))
            continue
        checked.append(rule.code)
    code = Code.of(run)
    settled = [finding for finding in findings if _is_settled(finding, code)]
    findings = _ordered(with_proofs([finding for finding in findings if finding not in settled], run))
    told = newest(run, "witness") or {}
    for name, how in told.get("lost", {}).items():
        not_checked.append((name, _("The part that listens for this failed: {error}", error=how)))
    overhead = told.get("overhead", run.info.get("overhead"))
    proved = newest(run, "proof")
    tried = (proved["took_s"], proved["budget_s"]) if proved is not None else None
    trained = not told or any(told.get(what) for what in ("calls", "backwards", "steps"))
    return Report(
        tuple(findings), tuple(checked), tuple(not_checked), overhead, tuple(settled), tried, trained, bool(told)
    )


def _ordered(found: Iterable[Finding]) -> list[Finding]:
    """The first causes first, what they explain folded beneath them."""
    once = _once(found)
    findings = sorted(
        (_louder(one, once) for one in once),
        key=lambda one: (VOICES.index(one.speaks), STAGES.index(_stage(one)), one.step or 0, one.code),
    )
    roots: list[Finding] = []
    for finding in findings:
        cause = next((at for at, root in enumerate(roots) if _explains(root, finding)), None)
        if cause is None:
            roots = _after(roots, finding)
        else:
            roots[cause] = replace(roots[cause], consequences=(*roots[cause].consequences, finding))
    return roots


def _after(roots: list[Finding], finding: Finding) -> list[Finding]:
    """The same with one more, in front of which none of the same voice is left that it explains."""
    folded = [one for one in roots if one.speaks == finding.speaks and _explains(finding, one)]
    if not folded:
        return [*roots, finding]
    below = [two for one in folded for two in (replace(one, consequences=()), *one.consequences)]
    at = next(at for at, one in enumerate(roots) if one in folded)
    left = [one for one in roots if one not in folded]
    return [*left[:at], replace(finding, consequences=(*finding.consequences, *below)), *left[at:]]


def _louder(finding: Finding, others: list[Finding]) -> Finding:
    """A question is an alarm where there is an alarm that its rule explains: the harm that was feared is there."""
    if finding.speaks != "question" or finding.rule is None:
        return finding
    harm = any(one.speaks == "alarm" and one.code in finding.rule.explains for one in others)
    return replace(finding, voice="alarm") if harm else finding


def _explains(root: Finding, other: Finding) -> bool:
    """Whether one finding makes another: named so by its rule, or curves that an alarm's cause has spoilt."""
    if root.rule is None or other.rule is None:
        return False
    if other.code in (root.rule.explains if root.explains is None else root.explains):
        return True
    return root.speaks == "alarm" and other.rule.stage == "dynamics" and root.rule.stage != "dynamics"


def _once(found: Iterable[Finding]) -> list[Finding]:
    """One finding of each rule at each place."""
    kept: dict[tuple[Any, ...], Finding] = {}
    for finding in found:
        place = finding.place
        kept.setdefault((finding.code, place.file if place else None, place.line if place else None), finding)
    return list(kept.values())


def _stage(finding: Finding) -> Any:
    return finding.rule.stage if finding.rule is not None else "review"


def _is_settled(finding: Finding, code: Code) -> bool:
    """Whether the learner has written `# doctor: intended` at the line, or with the rule's code anywhere."""
    places = [place for place in (finding.place, *finding.places) if place is not None]
    for unit in code.units:
        near = {line for place in places if place.file == unit.file for line in (place.line - 1, place.line)}
        for number, line in enumerate(unit.text.splitlines(), start=1):
            said = _INTENDED.search(line)
            codes = re.findall(r"[A-Z]\d\d", said["codes"] or "") if said is not None else []
            if said is not None and (finding.code in codes or (not codes and number in near)):
                return True
    return False


def _copy(run: Run) -> Run:
    """What a run holds so far, in memory: examining writes nothing into somebody's record."""
    copy = Run(run.name)
    for fact in run.facts():
        copy.add_fact(fact.step, fact.kind, fact.data)
    rows, _cursor = run.points_since(0)
    copy.extend(rows)
    copy.set_info(**run.info)
    copy._environment = run.environment
    return copy
