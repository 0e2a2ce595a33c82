"""The lesson on speed from its first cell to its last, in a real kernel and in each language.

What was fast is not asserted: it depends on the machine, and the lesson says so itself.
"""

import json
import re
from pathlib import Path

import pytest

from firstlight.lessons import notebook_path
from firstlight.lessons.results import say
from firstlight.lessons.speed import RESULTS
from tests.lessons.learner import answer_rightly_and_wrongly, run_whole, text_of

LESSON = "making_it_fast"
# Fewer steps for each number: that they are steady is no matter here.
QUICKER = {"STEPS = 30": "STEPS = 4", "EPOCHS = 3": "EPOCHS = 1", "range(min(10_000": "range(min(2_000"}


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]):
    return lambda: capsys.readouterr().out


@pytest.mark.jupyter
@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the Jupyter client and its event loop
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("lang", ["en", "ja", "ko"])
def test_the_whole_lesson(lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = run_whole(LESSON, lang, QUICKER, tmp_path, monkeypatch)
    texts = [text_of(output) for cell in code for output in cell.outputs]
    assert not [text for text in texts if text.startswith("✗")]
    assert sum(text.startswith("✓") for text in texts) >= 5
    bars = texts[-1].splitlines()
    assert len(bars) == 8, "three measurements of each net, below the name of the net"
    for bar in (*bars[1:4], *bars[5:]):
        assert int(re.search(r"([\d,]+) +[\d.]+ ×", bar)[1].replace(",", "")) > 0


def test_code_makes_each_name_once_or_in_its_own_cell() -> None:
    """A cell can be run again by itself: what it changes, it has made."""
    cells = json.loads(notebook_path(LESSON, "en").read_text(encoding="utf-8"))["cells"]
    steps = ["".join(cell["source"]) for cell in cells if "optimizer.step()" in "".join(cell["source"])]
    assert len(steps) >= 4
    assert all("optimizer = " in step or "def train_step" in step or "make(model" in step for step in steps)


@pytest.mark.parametrize(
    ("now", "words", "sign"),
    [
        (300.0, "3.0 times as many samples per second", "✓"),
        (130.0, "30% more samples per second", "✓"),
        (103.0, "makes no difference", "›"),
        (97.0, "makes no difference", "›"),
        (60.0, "40% fewer samples per second", "›"),
    ],
)
def test_what_is_said_follows_what_was_measured(now: float, words: str, sign: str, said) -> None:
    measured = {"lenet": {"loader": [9.0, 9.0, 0.01], "batches": [9.0, 9.0, 1 / now]}, "cnn": {}}
    say("rates", size=1, measured=measured, new="batches", old="loader")
    text = said()
    assert words in text
    assert text.splitlines()[3].startswith(sign)
    assert ("Leave it out" in text) == (now < 90)


def test_an_unsteady_measurement_is_said(said) -> None:
    measured = {"lenet": {"loader": [9.0, 9.0, 0.01, 0.02, 0.01, 0.09, 0.01], "batches": [0.01] * 8}}
    say("rates", size=1, measured=measured, new="batches", old="loader")
    assert "while “one picture at a time” was measured" in said()


def test_a_row_of_ones_own_is_shown_and_escaped(said) -> None:
    measured = {"lenet": {}, "cnn": {"plain": [0.01], "<mine>": [0.02, 0.02]}, "mine": {"x": [1.0]}}
    shown = RESULTS["rates"](size=128, measured=measured)
    assert "<mine>" in shown.text
    assert "<mine>" not in shown.html
    assert "&lt;mine&gt;" in shown.html
    assert "larger net" in shown.text
    assert "LeNet" not in shown.text


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("step_times", {"times": [9.0, 9.0, 0.010, 0.010, 0.010, 0.011]}, "Median of 4 steps: 10.0 ms"),
        ("step_times", {"times": [9.0, 9.0, 0.010, 0.030, 0.090, 0.010]}, "Close other programs"),
        ("step_times", {"times": [0.5]}, "Median of 1 steps: 500.0 ms"),
        ("waiting", {"whole": [0.010], "data": [0.008]}, "spends most of the time waiting"),
        ("waiting", {"whole": [0.010], "data": [0.003]}, "All that time"),
        ("waiting", {"whole": [0.010], "data": [0.0001]}, "hardly waits"),
        ("waiting", {"whole": [0.010], "data": [0.012]}, "100%"),
        ("threads", {"size": 1, "alone": {1: [1 / 10.0], 2: [1 / 18.0]}}, "Best number of threads here: 2."),
        (
            "threads",
            {"size": 1, "alone": {1: [1 / 10.0], 2: [1 / 18.0]}, "beside": {1: [1 / 9.0], 2: [1 / 3.0]}},
            "beside the neighbour: 1. That is 3.0",
        ),
        (
            "threads",
            {"size": 1, "alone": {1: [1 / 10.0], 2: [1 / 18.0]}, "beside": {1: [1 / 9.0], 2: [1 / 9.1]}},
            "stays 2. Beside the neighbour, 51%",
        ),
        (
            "threads",
            {"size": 1, "alone": {1: [1 / 10.0], 8: [1 / 18.0]}, "beside": {1: [1 / 9.0], 8: [1 / 17.9]}},
            "there are cores enough",
        ),
        ("losses", {"float32": [2.0, 1.0, 1.5], "bfloat16": [2.0, 1.01]}, "Rounding does less"),
        ("losses", {"float32": [2.0, 1.9, 1.8], "bfloat16": [2.0, 2.9, 3.8]}, "Rounding does more"),
        ("losses", {"float32": [2.0, 1.9], "bfloat16": [2.0, float("nan")]}, "no number any more"),
        ("losses", {"float32": [2.0], "bfloat16": [2.0]}, "On average"),
        ("race", {"races": {"a": [(1.0, 0.7), (2.0, 0.9)], "b": [(1.0, 0.8)]}, "target": 0.85}, "First at 85%: a."),
        ("race", {"races": {"a": [(1.0, 0.7)]}, "target": 0.85}, "None reached 85% in 1 epochs"),
    ],
)
def test_the_sentences_follow_the_numbers(name: str, values: dict, words: str, said) -> None:
    say(name, **values)
    assert words in said()


@pytest.mark.parametrize("lang", ["ja", "ko"])
def test_the_sentences_are_translated(lang: str, monkeypatch: pytest.MonkeyPatch, said) -> None:
    say("waiting", whole=[0.01], data=[0.008])
    english = said()
    monkeypatch.setenv("FIRSTLIGHT_LANG", lang)
    say("waiting", whole=[0.01], data=[0.008])
    text = said()
    assert text != english
    assert "10.0 ms" in text
    assert "80%" in text


CONTEXT = {"calls": (range(10_000),), "stride": (), "bfloat16": (), "amdahl": ()}
RIGHT = {"calls": 10_000, "stride": 784, "bfloat16": 256, "amdahl": 82}


@pytest.mark.parametrize("name", RIGHT)
def test_the_right_answer_is_right_and_hints_grow(name: str, said) -> None:
    answer_rightly_and_wrongly(name, RIGHT[name], CONTEXT[name], said)


def test_the_right_answers_are_what_pytorch_does() -> None:
    import torch

    assert torch.empty(128, 32, 28, 28).stride()[1] == RIGHT["stride"]
    assert torch.empty(128, 32, 28, 28, memory_format=torch.channels_last).stride()[1] == 1
    assert (torch.tensor(256.0, dtype=torch.bfloat16) + 1).item() == RIGHT["bfloat16"]


def test_the_sizes_name_the_fastest_and_the_best(said) -> None:
    sizes = {
        32: {"steps": 300, "rate": 1e3, "loss": 0.5},
        128: {"steps": 79, "rate": 2e3, "loss": 0.6},
    }
    say("sizes", sizes=sizes)
    assert "with batches of 128. Lowest loss after an epoch: with batches of 32." in said()
    say("sizes", sizes={32: sizes[32]})
    assert "both with batches of 32" in said()


def test_the_bits_are_those_of_the_numbers(said) -> None:
    import torch

    say("bits", numbers=torch.tensor([1.0, -2.5, 257.0]))
    text = said()
    assert "0 01111111 00000000000000000000000" in text
    assert "1 10000000 0100000" in text
    assert text.splitlines()[3].split()[0] == "257"
    assert text.splitlines()[3].split()[-1] == "256"


def test_the_profile_names_operations(said) -> None:
    import torch

    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        torch.relu(torch.rand(64, 64) @ torch.rand(64, 64)).sum()
    say("profile", profile=profile)
    text = said()
    assert "aten::mm (gradients of a linear layer)" in text
    assert "%" in text
