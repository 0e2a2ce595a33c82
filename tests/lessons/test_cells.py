"""What lesson cells say, ask and check, without a notebook around them."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from firstlight.lessons.alive import RESULTS as ALIVE
from firstlight.lessons.checks import Checks
from firstlight.lessons.notes import note, table
from firstlight.lessons.problems import NoSuchCheck
from firstlight.lessons.quizzes import _QUESTIONS, Quiz, picture
from firstlight.lessons.results import _RESULTS, say
from firstlight.lessons.speed import RESULTS as SPEED


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]):
    return lambda: capsys.readouterr().out


class Sized:
    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length


CONTEXT = {"elements": torch.zeros(128, 1, 28, 28), "weights": 10, "direction": -0.1, "steps": Sized(10_000)}
RIGHT = {"elements": 100_352, "weights": 1010, "direction": "up", "steps": 79}


@pytest.mark.parametrize("name", CONTEXT)
def test_the_right_answer_is_right_in_every_form(name: str, said) -> None:
    check = Checks()
    answer = RIGHT[name]
    forms = [answer, str(answer), f" {answer} "]
    if isinstance(answer, int):
        forms += [float(answer), np.int64(answer), torch.tensor(answer), np.array([answer])]
    for form in forms:
        check(name, form, CONTEXT[name])
        assert said().startswith("✓ Right"), form
    assert check.wrong == {}


@pytest.mark.parametrize("name", CONTEXT)
def test_hints_grow_with_each_new_wrong_answer(name: str, said) -> None:
    check = Checks()
    seen = []
    for wrong in (-1, -2, -2, -3, -4) if isinstance(RIGHT[name], int) else ("left", "right", "right", "back", "on"):
        check(name, wrong, CONTEXT[name])
        text = said()
        assert text.startswith("✗ Not yet")
        seen.append(text.count("Hint:"))
    assert seen == [1, 2, 2, 3, 3], "the same wrong answer twice earns no new hint"


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("steps", 78, "Nearly. 16 samples are left over"),
        ("steps", 128, "128 is the size of one batch"),
        ("steps", 10_000, "one step for each sample"),
        ("weights", 850, "the layer in the table"),
        ("weights", 1000, "Those are the weights"),
        ("weights", 110, "multiply, do not add"),
        ("elements", 784, "That is one picture"),
        ("elements", 128, "the number of pictures"),
        ("elements", 185, "You have added"),
        ("direction", 5, "a word in quotation marks"),
        ("steps", "many", "a whole number"),
        ("steps", [79], "a whole number"),
        ("steps", torch.zeros(3), "a whole number"),
        ("steps", float("nan"), "a whole number"),
        ("steps", True, "a whole number"),
        ("steps", print, "a whole number"),
    ],
)
def test_a_wrong_answer_is_understood_and_never_an_error(name: str, answer: object, words: str, said) -> None:
    Checks()(name, answer, CONTEXT[name])
    assert words in said()


@pytest.mark.parametrize("nothing", [None, ...])
def test_no_answer_yet_is_no_mistake(nothing: object, said) -> None:
    check = Checks()
    check("steps", nothing, CONTEXT["steps"])
    assert said().startswith("✎ No answer yet")
    assert check.wrong == {}


def test_a_whole_number_of_batches_leaves_nothing_over(said) -> None:
    Checks()("steps", 10, Sized(1280))
    assert said().startswith("✓")
    Checks()("direction", "down", 0.25)
    assert said().startswith("✓")


def test_equal_compares_numbers_arrays_and_tensors(said) -> None:
    check = Checks()
    check.equal(torch.ones(2, 3, requires_grad=True), np.ones((2, 3)))
    assert said().startswith("✓ Equal: the largest difference is 0")
    check.equal(1.0, 1.1)
    assert said().startswith("✗ Not equal")
    check.equal(float("nan"), float("nan"))
    assert said().startswith("✗ Not equal")
    check.equal([1, 2], [1, 2, 3])
    assert "shape (2,)" in said()
    check.equal([], [])
    assert said().startswith("✓")


def test_that_takes_booleans_tensors_and_arrays(said) -> None:
    check = Checks()
    for good in (True, torch.tensor([True, True]), np.array([1, 2]) > 0):
        check.that(good)
        assert said().startswith("✓")
    check.that(torch.tensor([True, False]))
    assert said().startswith("✗ No")


def test_unknown_names_are_named() -> None:
    for call in (Checks(), Quiz(), say):
        with pytest.raises(NoSuchCheck, match="nothing called cooking"):
            call("cooking", 1) if isinstance(call, Checks) else call("cooking")


@pytest.mark.parametrize("lang", ["en", "ja", "ko"])
def test_every_question_explains_every_option(lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLIGHT_LANG", lang)
    assert len(_QUESTIONS) >= 4
    for name, make in _QUESTIONS.items():
        question = make()
        assert len(question.options) >= 3
        assert sum(option.right for option in question.options) == 1
        assert all(len(option.why) > 10 for option in question.options)
        shown = picture(name, question)
        assert "<script" not in shown.html
        assert shown.html.count("<details") == len(question.options)
        assert all(option.text in shown.text for option in question.options)


def test_the_quiz_is_graded_and_keeps_plain_json(said) -> None:
    quiz = Quiz()
    quiz("gradient")
    assert 'quiz.answer("gradient", "a")' in said()
    quiz.answer("gradient", "A)")
    assert said().startswith("✗ a)")
    quiz.answer("gradient", "c")
    assert said().startswith("✓ c) Right")
    quiz.answer("batch", "b")
    said()
    for nonsense in ("z", "", "ab", 7, None):
        quiz.answer("gradient", nonsense)
        assert said().startswith("✎ Answer with one of these letters: a, b, c, d.")
    assert quiz.answers == {"gradient": ["a", "c"], "batch": ["b"]}
    assert quiz.score() == {"gradient": False, "batch": True}


@pytest.mark.parametrize("lang", ["en", "ja", "ko"])
def test_results_are_said_in_each_language(lang: str, monkeypatch: pytest.MonkeyPatch, said) -> None:
    monkeypatch.setenv("FIRSTLIGHT_LANG", lang)
    model = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)), nn.Flatten(), nn.Linear(8, 3))
    before = [value.clone() for value in model.state_dict().values()]
    shares = torch.tensor([0.1, 0.7, 0.2])
    calls = {
        "features": [
            {"heights": [28, 4], "widths": [28, 4], "features": 256},
            {"heights": [28, 4], "widths": [32, 5], "features": 320},
        ],
        "layers": [{"model": model, "inputs": torch.rand(5, 1, 4, 4)}],
        "shares": [{"shares": shares, "classes": ("a", "b", "c"), "label": 2}, {"shares": shares[:2], "classes": "ab"}],
        "slope": [{"weight": 0.1, "loss": 2.3, "slope": -0.2}],
        "step": [{"before": 2.3, "after": 2.2}],
        "two_splits": [{"train": train, "test": 0.8} for train in (0.9, 0.83, 0.8)],
        "better": [{"before": 0.8, "after": after, "samples": 2000} for after in (0.9, 0.7)],
        "saved": [{"file": "model.pt", "size": 125_000}],
        "products": [
            {"products": {64: {"cpu": 0.001}}, "device": torch.device("cpu")},
            {"products": {64: {"cpu": 0.001, "cuda": 0.0001}}, "device": "cuda"},
        ],
    }
    # test_making_it_fast.py has those of speed.py, test_the_graph_is_alive.py those of alive.py
    assert set(calls) | set(SPEED) | set(ALIVE) == set(_RESULTS)
    for name, many in calls.items():
        for values in many:
            say(name, **values)
            assert said().strip()
    after = model.state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True)), "looking changes nothing"
    assert model.training


def test_the_numbers_of_the_net_are_said(said) -> None:
    say("features", heights=[32, 28, 14, 10, 5], widths=[32, 28, 14, 10, 5], features=400)
    assert "16 × 5 × 5 = 400" in said()


def test_a_note_and_a_table_escape_what_they_show() -> None:
    assert "<b>" not in note("no", "<b>").html
    shown = table(("層", "n"), [("<i>", "1"), ("b", "22")], before="first", after="last")
    assert "<i>" not in shown.html
    assert shown.text.splitlines() == ["first", "層    n", "<i>   1", "b    22", "last"]


def test_importing_the_room_is_cheap() -> None:
    code = (
        "import sys, firstlight.lessons as l; assert l.lessons(); "
        "bad = {'torch', 'numpy', 'PIL', 'IPython', 'jupytext', 'markdown_it', 'polib'} & set(sys.modules);"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=None)


def test_there_is_no_other_name() -> None:
    import firstlight.lessons

    with pytest.raises(AttributeError):
        _ = firstlight.lessons.cooking


@pytest.mark.parametrize("answer", [10**400, "--5", "-", "5" * 5000, float("inf"), 1j, True, [1], torch.ones(2), len])
@pytest.mark.parametrize("name", CONTEXT)
def test_no_answer_is_an_error(name: str, answer: object, said) -> None:
    Checks()(name, answer, CONTEXT[name])
    assert said().startswith("✗ Not yet")


@pytest.mark.parametrize("other", [None, "a", ..., [[1], [1, 2]]])
def test_what_is_no_number_is_not_equal(other: object, said) -> None:
    Checks().equal(torch.ones(2), other)
    assert said().startswith("✗ Only numbers can be compared; here are Tensor and ")
