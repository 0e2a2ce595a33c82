"""`Report`: what the doctor found, as text, as a page's HTML and as JSON."""

import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding
from firstlight.locale import _


@dataclass(frozen=True)
class Report:
    """The answer of `examine`.

    Attributes:
        findings: The first causes first; what they explain is folded beneath them.
        checked: Codes of the rules that were asked.
        not_checked: What could not be asked, each with the reason.
        overhead: What listening cost, as a share of the time of the training; None where nobody listened.
        settled: Findings that the learner has marked with `# doctor: intended`.
        tried: Seconds that trying on copies what would mend them took, and might have taken; None where not tried.
        heard: Whether the doctor listened while this was trained; else there is only a text, or a record of curves.
        trained: Whether anything was computed that there is something to ask about.
    """

    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    not_checked: tuple[tuple[str, str], ...]
    overhead: float | None = None
    settled: tuple[Finding, ...] = ()
    tried: tuple[float, float] | None = None
    trained: bool = True
    heard: bool = True

    @property
    def alarms(self) -> tuple[Finding, ...]:
        """Those that claim that something is wrong."""
        return tuple(finding for finding in self.findings if finding.speaks == "alarm")

    def as_json(self) -> dict[str, Any]:
        """What `firstlight doctor --json` prints."""
        return {
            "findings": [_as_json(finding) for finding in self.findings],
            "checked": list(self.checked),
            "not_checked": [{"what": code, "reason": reason} for code, reason in self.not_checked],
            "settled": [_as_json(finding) for finding in self.settled],
            "overhead": self.overhead,
        }

    def as_text(self) -> str:
        """What `firstlight doctor` prints: findings, then what was asked."""
        return "\n\n".join(filter(None, [self.findings_as_text(), self.summary()]))

    def findings_as_text(self) -> str:
        """The findings alone."""
        return "\n\n".join(_one_as_text(finding) for finding in self.findings)

    def summary(self) -> str:
        """One or two lines: how much was asked, and how much was found."""
        if self.findings:
            alarms = len(self.alarms)
            said = _(
                "{alarms} of {found} findings are alarms; {asked} questions were asked.",
                alarms=alarms, found=len(self.findings), asked=len(self.checked),
            )  # fmt: skip
        elif self.checked and self.trained:
            said = _("Nothing found: {asked} questions were asked.", asked=len(self.checked))
        else:
            said = _("Nothing was asked: there is no training in this record.")
        lines = [said]
        if not self.heard:
            lines.append(_("Nobody listened while this was trained: firstlight doctor train.py runs it and listens."))
        if self.not_checked:
            codes = ", ".join(code for code, _reason in self.not_checked)
            lines.append(_("Could not be asked here: {codes}.", codes=codes))
        if self.settled:
            codes = ", ".join(sorted({finding.code for finding in self.settled}))
            lines.append(_("Marked by you as intended: {codes}.", codes=codes))
        if self.tried is not None:
            took, most = self.tried
            lines.append(
                _("Trying on copies took {took:.1f} s of at most {most:g} s; yours is as it was.", took=took, most=most)
            )
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.as_text()

    def _repr_html_(self) -> str:
        summary = "<br>".join(html.escape(line) for line in self.summary().split("\n"))
        return f'<div class="firstlight-doctor">{self.findings_as_html()}<p>{summary}</p></div>'

    def findings_as_html(self) -> str:
        """The findings alone, as a page's HTML."""
        return "".join(_one_as_html(finding) for finding in self.findings)

    def __repr__(self) -> str:
        return self.as_text()


def voice_word(voice: str) -> str:
    """How a voice is called."""
    return {"alarm": _("alarm"), "question": _("question"), "note": _("note")}[voice]


def where(place: Place | None) -> str:
    """File and line, or cell and line, in words."""
    if place is None:
        return ""
    if place.cell is not None:
        return _("cell {cell}, line {line}", cell=place.cell, line=place.line)
    return _("{file}, line {line}", file=Path(place.file).name, line=place.line)


def _one_as_text(finding: Finding) -> str:
    place = where(finding.place)
    lines = [f"{voice_word(finding.speaks).upper()} {finding.code}: {finding.message}"]
    if place and finding.place is not None:
        lines.append(f"  {place}: {finding.place.text}")
    lines += [f"  {finding.evidence}", f"  {finding.why}", f"  -> {finding.fix}"]
    if finding.proof is not None:
        lines.append(f"  {finding.proof.sentence()}")
    if finding.check:
        lines += ["  " + _("See for yourself:"), *(f"    {line}" for line in finding.check.splitlines())]
    lines += [
        "  " + _("This explains {code} too: {what}", code=other.code, what=other.message)
        for other in finding.consequences
    ]
    return "\n".join(lines)


def _one_as_html(finding: Finding) -> str:
    colours = {"alarm": "#c4314b", "question": "#b36b00", "note": "#4a6785"}
    place = where(finding.place)
    text = f": <code>{html.escape(finding.place.text)}</code>" if finding.place is not None else ""
    parts = [
        f'<div role="note" style="border-left: 4px solid {colours[finding.speaks]}; padding: 2px 10px; margin: 6px 0">',
        f"<b>{html.escape(voice_word(finding.speaks))} {finding.code}: {html.escape(finding.message)}</b>",
        f"<div>{html.escape(place)}{text}</div>" if place else "",
        f"<div>{html.escape(finding.evidence)}</div>",
        f"<div>{html.escape(finding.why)}</div>",
        f"<div><b>→ {html.escape(finding.fix)}</b></div>",
    ]
    if finding.proof is not None:
        parts.append(f"<div>{html.escape(finding.proof.sentence())}</div>{finding.proof.picture()}")
    if finding.check:
        summary = html.escape(_("See for yourself:"))
        parts.append(f"<details><summary>{summary}</summary><pre>{html.escape(finding.check)}</pre></details>")
    for other in finding.consequences:
        said = _("This explains {code} too: {what}", code=other.code, what=other.message)
        parts.append(f"<div><small>{html.escape(said)}</small></div>")
    return "".join([*parts, "</div>"])


def _as_json(finding: Finding) -> dict[str, Any]:
    place = finding.place
    return {
        "rule": finding.code,
        "name": finding.rule.name if finding.rule is not None else "",
        "voice": finding.speaks,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "cell": place.cell if place else None,
        "text": place.text if place else None,
        "step": finding.step,
        "message": finding.message,
        "why": finding.why,
        "fix": finding.fix,
        "evidence": finding.evidence,
        "check": finding.check,
        "edits": [{"file": e.file, "line": e.line, "old": e.old, "new": list(e.new)} for e in finding.edits],
        "proof": finding.proof.as_json() if finding.proof is not None else None,
        "consequences": [_as_json(other) for other in finding.consequences],
    }
