"""The page on the doctor lists every fault of the catalogue: the rule that asks for it, or why there is none."""

from tools import doctor_page

from firstlight.doctor.rules import all_rules


def test_the_table_of_faults_is_current() -> None:
    assert doctor_page.PAGE.read_text(encoding="utf-8") == doctor_page.page(), "python -m tools.doctor_page writes it"


def test_every_fault_has_a_rule_or_a_reason() -> None:
    assert len(doctor_page.FAULTS) == 135
    rules = {rule.code for rule in all_rules()}
    assert len(rules & doctor_page.FAULTS.keys()) >= 80
    assert doctor_page.FAULTS.keys() - rules <= doctor_page.WHY_NOT.keys()
    assert not rules & doctor_page.WHY_NOT.keys(), "a reason for what is asked"
