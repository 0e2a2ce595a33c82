"""Examining a record: what comes first, what is folded, settled, asked, and what is said of what could not be."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import firstlight as fl
from firstlight.doctor.code import Code
from firstlight.doctor.examining import NotARun, examined
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule
from firstlight.doctor.rules import all_rules
from firstlight.locale import Text
from firstlight.run import Run

PROGRAM = "one\ntwo\nthree  # doctor: intended\nfour\n"


def rule(code: str, voice: Any = "alarm", stage: Any = "order", line: int | None = 1, **more: Any) -> Rule:
    place = Place("train.py", line, PROGRAM.splitlines()[line - 1]) if line else None

    def find(_run: Run) -> Iterator[Finding]:
        yield Finding(evidence=f"evidence of {code}", step=more.get("step"), place=place)

    left = {name: value for name, value in more.items() if name != "step"}
    return replace(
        Rule(code, "name", voice, stage, "Is it?", find, Text(what="What.", why="Why.", do="Do."), broken="", fixed=""),
        **left,
    )


def record() -> Run:
    run = Run()
    run.add_fact(0, "code", [{"file": "train.py", "text": PROGRAM, "cell": None}])
    return run


def codes(*rules: Rule, run: Run | None = None) -> list[str]:
    return [one.code for one in examined(run or record(), rules).findings]


def test_the_strongest_voice_and_then_the_first_cause_come_first() -> None:
    some = [
        rule("L01", "note", "data"), rule("L02", "question", "data"), rule("L03", "alarm", "evaluation"),
        rule("L04", "alarm", "data"), rule("L05", "alarm", "data", step=3),
    ]  # fmt: skip
    assert codes(*some) == ["L04", "L05", "L03", "L02", "L01"]


def test_what_a_finding_explains_is_folded_beneath_it_in_either_order() -> None:
    early, late = rule("L02", stage="data"), rule("L09", stage="evaluation", explains=("L02", "L03"))
    found = examined(record(), [early, late, rule("L03", "question"), rule("L04")]).findings
    assert [one.code for one in found] == ["L09", "L04"]
    assert [one.code for one in found[0].consequences] == ["L02", "L03"]


def test_two_that_explain_each_other_leave_one() -> None:
    found = examined(record(), [rule("L01", explains=("L02",)), rule("L02", explains=("L01",))]).findings
    assert [(one.code, [two.code for two in one.consequences]) for one in found] == [("L01", ["L02"])]


def test_a_weak_voice_explains_no_alarm_away_from_its_place() -> None:
    assert codes(rule("L01", "note", explains=("L02",)), rule("L02")) == ["L02", "L01"]


def test_curves_are_explained_by_any_alarm_but_by_no_question() -> None:
    assert codes(rule("L01"), rule("L19", "question", "dynamics")) == ["L01"]
    assert codes(rule("L01", "question"), rule("L19", "question", "dynamics")) == ["L01", "L19"]


@pytest.mark.parametrize(
    ("line", "text", "settled"),
    [(3, PROGRAM, True), (4, PROGRAM, True), (1, PROGRAM, False), (1, f"{PROGRAM}# doctor: intended L01\n", True),
     (1, f"{PROGRAM}# doctor: intended D13, L01\n", True), (1, f"{PROGRAM}# doctor: intended D13\n", False),
     (3, PROGRAM.replace("intended", "intended D13"), False)],
)  # fmt: skip
def test_a_comment_settles_what_stands_beside_it_or_bears_its_code(line: int, text: str, settled: bool) -> None:
    run = Run()
    run.add_fact(0, "code", [{"file": "train.py", "text": text, "cell": None}])
    report = examined(run, [rule("L01", line=line)])
    assert [one.code for one in report.settled] == ["L01"] * settled
    assert bool(report.findings) is not settled
    assert ("L01" in report.summary()) is settled


def test_a_rule_finds_a_thing_once_at_each_place() -> None:
    twice = rule("L01")
    assert codes(replace(twice, find=lambda run: [*twice.find(run), *twice.find(run)])) == ["L01"]


def test_what_raises_and_what_has_nothing_to_read_is_not_checked() -> None:
    def fails(_run: Run) -> Iterator[Finding]:
        raise KeyError("place")

    report = examined(record(), [replace(rule("L01"), find=fails), rule("L02", needs=("modes",)), rule("L03")])
    assert [one.code for one in report.findings] == ["L03"]
    assert report.checked == ("L03",)
    assert dict(report.not_checked).keys() == {"L01", "L02"}
    assert "KeyError('place')" in dict(report.not_checked)["L01"]
    assert "L01, L02" in report.summary()


def test_what_was_lost_while_listening_is_said() -> None:
    run = record()
    run.add_fact(9, "witness", {"lost": {"Order": "ValueError()"}, "overhead": 0.01})
    report = examined(run, [rule("L01")])
    assert ("Order" in dict(report.not_checked), report.overhead) == (True, 0.01)


def test_episodes_of_a_notebook_that_still_stand_are_told_after_the_newest() -> None:
    run = record()
    run.add_fact(0, "earlier", [[[0, "modes", {}]], [[0, "modes", {}]]])
    newest = rule("L09", stage="review")
    assert codes(rule("L01", line=2, needs=("modes",)), newest, run=run) == ["L09", "L01"]
    assert codes(rule("L01", "note", line=2, needs=("modes",)), newest, run=run) == ["L09", "L01"]


def test_only_a_run_is_examined() -> None:
    with pytest.raises(NotARun, match="type list"):
        fl.examine([1, 2])  # type: ignore[arg-type]


def test_a_saved_run_is_examined_as_the_live_one_and_left_as_it_was(tmp_path: Path) -> None:
    run = Run.start("one", tmp_path)
    folder = run.folder
    assert folder is not None
    row = {
        "optimizer": "SGD", "steps": 20, "reached": 20, "uncleared": 19, "step": 3, "emptied": 0, "emptied_step": 0,
        "emptied_by": None, "bare": 0, "bare_step": 0, "thrown": 0, "thrown_step": 0, "epochs": 0, "changed": 0,
        "unchanged": 0, "made": None, "stepped": None, "backward": Place("train.py", 2, "two").as_json(),
    }  # fmt: skip
    run.add_fact(20, "order_of_steps", [row])
    run.finish()
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    for given in (run, folder, str(folder), fl.Run.open(folder)):
        assert [one.code for one in fl.examine(given).alarms] == ["L01"]
    assert before == {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_an_empty_record_says_that_there_was_no_training() -> None:
    report = fl.examine(Run())
    assert not report.findings
    assert not report.as_json()["findings"]


def test_a_cell_that_ran_again_and_again_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    through = ast.parse

    def counted(text: str, *more: Any, **options: Any) -> Any:
        read.append(text)
        return through(text, *more, **options)

    monkeypatch.setattr(ast, "parse", counted)
    run = Run()
    texts = ["import torch", *["torch.nn.Linear(2, 2)(torch.ones(1, 2)).sum().backward()"] * 20]
    run.add_fact(0, "code", [{"file": f"<cell {at}>", "text": text, "cell": at} for at, text in enumerate(texts, 1)])
    examined(run, all_rules())
    assert sorted(read) == sorted(set(texts)), "each text once, however many rules ask"
    run.add_fact(1, "code", [{"file": "<cell 1>", "text": "x = 1", "cell": 1}])
    assert [unit.text for unit in Code.of(run).units] == ["x = 1"], "the newest"
