"""Every rule hears its fault in its broken program, and no rule raises an alarm in any right one."""

import re

import pytest
from tests.doctor.listening import listen_to

from firstlight.doctor.examining import examined
from firstlight.doctor.report import Report
from firstlight.doctor.rule import VOICES, Rule
from firstlight.doctor.rules import all_rules
from firstlight.run import Run

RULES = {rule.code: rule for rule in all_rules()}
RIGHT = {
    f"{rule.code}: {name}": source
    for rule in all_rules()
    for name, source in {"fixed": rule.fixed, **rule.lookalikes}.items()
}


def heard(source: str) -> Run:
    return listen_to(source, fails="raises" in source.splitlines()[0])


def asked(source: str) -> Report:
    """What all rules say of a program; none of them may fail while it is asked."""
    report = examined(heard(source), all_rules())
    failed = [(what, reason) for what, reason in report.not_checked if "failed" in reason]
    assert not failed, failed
    return report


@pytest.mark.parametrize("code", RULES)
def test_a_rule_finds_its_fault(code: str) -> None:
    rule = RULES[code]
    report = asked(rule.broken)
    found = {one.code: one for one in (*report.findings, *(c for f in report.findings for c in f.consequences))}
    assert code in found, report.as_text()
    louder = bool(found[code].consequences)  # what it only fears is there
    assert VOICES.index(found[code].speaks) >= VOICES.index(rule.voice) - louder
    others = [one for one in report.alarms if one.code != code and code not in {c.code for c in one.consequences}]
    assert not others, report.as_text()
    for sentence in (found[code].message, found[code].why, found[code].fix, found[code].evidence):
        assert sentence
        assert not re.search(r"[{}]", sentence)


@pytest.mark.parametrize("name", RIGHT)
def test_no_rule_raises_an_alarm_in_a_right_program(name: str) -> None:
    report = asked(RIGHT[name])
    code = name.split(":")[0]
    assert not report.alarms, report.as_text()
    assert code not in {one.code for one in report.findings}, report.as_text()


def test_rules_are_registered_under_their_codes() -> None:
    assert RULES, "no rules"
    for rule in all_rules():
        assert isinstance(rule, Rule)
        assert rule.find.__module__.rsplit(".", 1)[1].startswith(f"{rule.code.lower()}_")
