"""The gym: each exercise is broken, any right mending passes, and what only looks like one does not.

The exercises are run as a learner runs them: their code is executed, and what it made is handed to the judge.
"""

import contextlib
import io
import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
import torch
from nbclient import NotebookClient

from firstlight.cli.main import main
from firstlight.doctor import witness
from firstlight.lessons import coach, gym
from firstlight.lessons.build import _prose_in_code
from firstlight.lessons.exercise import Edit, Exercise
from firstlight.lessons.guide import begin
from firstlight.lessons.problems import NoSuchExercise
from firstlight.lessons.quizzes import Quiz
from firstlight.picture import Picture
from tests.lessons.learner import run_whole, text_of

NAMES = gym.names()
LANGUAGES = ("en", "ja", "ko")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]):
    return lambda: capsys.readouterr().out


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def nobody_listens() -> Iterator[None]:
    yield
    witness.leave()
    coach._HINTS.clear()


def edited(exercise: Exercise, edits: Sequence[Edit] = ()) -> str:
    code = exercise.code
    for old, new in edits:
        assert old in code, (exercise.name, old)
        code = code.replace(old, new)
    return code


def made_by(exercise: Exercise, edits: Sequence[Edit] = ()) -> list[Any]:
    space: dict[str, Any] = {}
    exec(edited(exercise, edits), space)
    return [space[name] for name in exercise.needs]


def judged(exercise: Exercise, edits: Sequence[Edit] = ()) -> list[str]:
    made = dict(zip(exercise.needs, made_by(exercise, edits), strict=True))
    return coach.verdict(exercise, SimpleNamespace(**made))


# Each exercise.


@pytest.mark.parametrize("name", NAMES)
def test_it_is_broken_a_mending_passes_and_a_cosmetic_change_does_not(name: str) -> None:
    exercise = gym.find(name)
    wrong = judged(exercise)
    assert wrong
    assert not any("ended with an error" in sentence for sentence in wrong), wrong
    assert len(exercise.mended) >= 2
    for edits in exercise.mended:
        assert judged(exercise, edits) == [], edits
    assert len(exercise.cosmetic) >= 2
    for edits in exercise.cosmetic:
        assert judged(exercise, edits), edits


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # some exercises are about what PyTorch warns of
@pytest.mark.parametrize("name", NAMES)
def test_its_trial_runs_before_and_after(name: str) -> None:
    exercise = gym.find(name)
    for edits in ((), exercise.mended[0]):
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            exec(f"{edited(exercise, edits)}\n{exercise.trial}", {})
        assert shown.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_it_says_all_that_is_needed(name: str) -> None:
    exercise = gym.find(name)
    words = exercise.words()
    assert exercise.subject in ("data", "model", "loop", "evaluation")
    assert exercise.level in (1, 2, 3)
    assert len(set(words.hints)) == 3
    assert len({text for text, _why in words.causes}) == 4
    assert words.causes[0][1].startswith("Right.")
    assert not any(why.startswith("Right") for _text, why in words.causes[1:])
    question = exercise.question()
    assert sum(option.right for option in question.options) == 1
    assert list(_prose_in_code(exercise.code)) == []
    assert list(_prose_in_code(exercise.trial)) == []


@pytest.mark.parametrize("name", NAMES)
def test_its_notebook_tells_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exercise = gym.find(name)
    code = []
    for lang in LANGUAGES:
        monkeypatch.setenv("FIRSTLIGHT_LANG", lang)
        text = coach.as_notebook(exercise)
        book = nbformat.reads(text, as_version=4)
        nbformat.validate(book)
        assert book.metadata.firstlight.lang == lang
        words = exercise.words()
        assert words.title in text
        for secret in (words.after, *words.hints, *(cause for cause, _why in words.causes)):
            assert json.dumps(secret, ensure_ascii=False)[1:-1] not in text
        code.append([(cell.id, cell.source) for cell in book.cells if cell.cell_type == "code"])
    assert code[0] == code[1] == code[2]


def test_there_are_enough_and_no_two_are_alike() -> None:
    everything = gym.exercises()
    assert len(everything) >= 30
    assert len({one.name for one in everything}) == len(everything)
    assert len({one.words().title for one in everything}) == len(everything)
    assert len({one.words().story for one in everything}) == len(everything)
    assert {one.subject for one in everything} == {"data", "model", "loop", "evaluation"}
    assert {one.level for one in everything} == {1, 2, 3}
    places = [[option.right for option in one.question().options].index(True) for one in everything]
    assert set(places) == {0, 1, 2, 3}, "the place tells nothing"


# Judging.


def test_success_is_remembered_in_the_learners_folder(folder: Path, said) -> None:
    exercise = gym.find("harbour")
    assert not gym.grade("harbour", *made_by(exercise))
    assert said().startswith("✗ Not yet.")
    assert coach.finished(folder) == set()
    assert gym.grade("harbour", *made_by(exercise, exercise.mended[0]))
    assert exercise.words().after in said()
    assert gym.grade("orchard", *made_by(gym.find("orchard"), gym.find("orchard").mended[0]))
    assert coach.finished(folder) == {"harbour", "orchard"}
    assert not gym.grade("harbour", *made_by(exercise))
    assert coach.finished(folder) == {"harbour", "orchard"}, "what was done stays done"
    assert f"2 of {len(NAMES)} are done." in gym.show(folder).text


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"done": 3}', '{"done": [["x"]]}'])
def test_a_damaged_state_is_no_obstacle(damage: str, folder: Path) -> None:
    (folder / coach.STATE).write_text(damage, encoding="utf-8")
    assert "0 of" in gym.show().text
    assert gym.grade("harbour", *made_by(gym.find("harbour"), gym.find("harbour").mended[0]))
    assert "harbour" in coach.finished(folder)


def test_code_that_fails_gets_a_sentence(folder: Path, said) -> None:
    def mix(images: Any, labels: Any) -> Any:
        print("a word of the learner's")
        raise ZeroDivisionError("by nothing")

    assert not gym.grade("harbour", mix)
    text = said()
    assert "ZeroDivisionError: by nothing" in text
    assert "a word of the learner's" not in text
    assert not gym.grade("harbour")
    assert 'gym.grade("harbour", mix)' in said()
    for nonsense in (None, lambda _images, _labels: None):
        assert not gym.grade("harbour", nonsense)
    assert coach.finished(folder) == set()


def test_judging_leaves_the_kernel_as_it_was(folder: Path) -> None:
    torch.manual_seed(7)
    random.seed(7)
    before = torch.get_rng_state(), random.getstate(), torch.get_num_threads()
    gym.grade("vineyard", *made_by(gym.find("vineyard")))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), torch.get_num_threads()) == before[1:]
    with torch.no_grad():
        assert gym.grade("brook", *made_by(gym.find("brook"), gym.find("brook").mended[0]))
        assert not torch.is_grad_enabled()


def test_an_unknown_name_is_an_error_that_names_the_others() -> None:
    for call in (gym.enter, gym.grade, gym.hint, gym.hand_out):
        with pytest.raises(NoSuchExercise, match="harbour"):
            call("nowhere")
    with pytest.raises(NoSuchExercise):
        Quiz()("gym/nowhere")


# Hints and causes.


def test_hints_grow_and_the_third_shows_what_the_doctor_finds(said, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(coach, "doctors_finding", lambda one: asked.append(one.name) or Picture("", "ALARM L01"))
    hints = gym.find("brook").words().hints
    for count in (1, 2, 3, 3):
        gym.hint("brook")
        text = said()
        assert [hint in text for hint in hints] == [n < count for n in range(3)]
        assert ("ALARM" in text) == (count == 3)
    assert asked == ["brook", "brook"]
    gym.enter("brook")
    said()
    gym.hint("brook")
    assert "Hint 2" not in said(), "entering begins anew"


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_the_doctor_sees_some_of_them() -> None:
    found = coach.doctors_finding(gym.find("meadow"))
    assert found is not None
    assert "M01" in found.text
    assert coach.doctors_finding(gym.find("orchard")) is None


def test_the_doctor_is_silent_in_the_gym(said) -> None:
    witness.attend()
    gym.enter("brook")
    assert witness.witness is None
    assert "The doctor is silent here" in said()


def test_what_the_guide_measures_is_no_training_to_the_doctor(said) -> None:
    heard = witness.attend()
    begin("bug_gym")
    assert "Take about 15 minutes" in said()
    assert heard.backwards == 0


def test_the_cause_is_asked_like_any_question(said) -> None:
    quiz = Quiz()
    quiz("gym/meadow")
    assert 'quiz.answer("gym/meadow", "a")' in said()
    right = [option.right for option in gym.find("meadow").question().options].index(True)
    quiz.answer("gym/meadow", "abcd"[right])
    assert "✓" in said()
    assert quiz.score() == {"gym/meadow": True}


# Handing out.


def test_a_notebook_that_was_changed_is_never_overwritten(folder: Path) -> None:
    first = gym.hand_out("brook")
    assert first == folder / "gym_brook.ipynb"
    assert gym.hand_out("brook") == first
    first.write_text("mine", encoding="utf-8")
    second = gym.hand_out("brook")
    assert second.name == "gym_brook.v2.ipynb"
    assert first.read_text(encoding="utf-8") == "mine"
    assert gym.hand_out("brook") == second
    second.unlink()
    second.mkdir()
    assert gym.hand_out("brook").name == "gym_brook.v3.ipynb"


def test_a_full_disk_gets_no_half_notebook_and_no_half_memory(
    folder: Path, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    coach._remember("brook", folder)
    before = sorted(folder.iterdir())
    for _try in range(2):
        with full_disk(20):
            coach._remember("harbour", folder)
            with pytest.raises(OSError, match="too large"):
                coach.hand_out("brook", folder)
    assert sorted(folder.iterdir()) == before
    assert coach.finished(folder) == {"brook"}
    assert coach.hand_out("brook", folder).name == "gym_brook.ipynb"


def test_the_command_lists_and_hands_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    there = tmp_path / "mine"
    assert main(["gym", "--dir", str(there)]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in NAMES)
    assert not there.exists(), "a list writes nothing"
    assert main(["gym", "brook", "--dir", str(there)]) == 0
    text = capsys.readouterr().out
    assert f"lab --dir {there} --notebook gym_brook.ipynb" in text
    assert (there / "gym_brook.ipynb").is_file()
    coach._remember("brook", there)
    assert main(["gym", "--json", "--dir", str(there)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in rows if row["done"]} == {"brook"}
    assert main(["gym", "nowhere", "--dir", str(there)]) == 1
    assert "The gym has no exercise called nowhere." in capsys.readouterr().err
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    assert main(["gym", "brook", "--dir", str(blocked)]) == 1
    assert "cannot be used" in capsys.readouterr().err


# In a notebook.

in_a_kernel = [
    pytest.mark.jupyter,
    pytest.mark.slow,
    pytest.mark.timeout(150),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the Jupyter client and its event loop
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def marked(function: Any) -> Any:
    for mark in in_a_kernel:
        function = mark(function)
    return function


@marked
def test_an_exercise_from_the_first_cell_to_success(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LANG": "en", "CACHE": folder / "cache"}.items():
        monkeypatch.setenv(f"FIRSTLIGHT_{name}", str(value))
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    exercise = gym.find("chapel")
    shown = []
    for edits in ((), exercise.mended[0]):
        book = nbformat.read(gym.hand_out("chapel"), as_version=4)
        for cell in book.cells:
            if cell.source == exercise.code.strip():
                cell.source = edited(exercise, edits)
        NotebookClient(book, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()
        shown.append({cell.source: "".join(map(text_of, cell.outputs)) for cell in book.cells if "outputs" in cell})
    graded = next(source for source in shown[0] if source.startswith("gym.grade"))
    assert shown[0][graded].startswith("✗")
    assert shown[1][graded].startswith("✓")
    assert coach.finished(folder) == {"chapel"}


@marked
def test_the_lesson_from_its_first_cell_to_its_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = run_whole("bug_gym", "en", {}, tmp_path, monkeypatch)
    shown = {cell.source: "".join(map(text_of, cell.outputs)) for cell in code}
    (checked,) = [text for source, text in shown.items() if "check.that" in source]
    assert checked.startswith("✗"), "it is the learner's turn to mend"
    assert (tmp_path / "gym_harbour.ipynb").is_file()
    assert "harbour" in shown["gym.show()"]
