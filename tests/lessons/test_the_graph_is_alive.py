"""The lesson on the living graph, from its first cell to its last, in a real kernel and in each language.

Its nets are taken from its cells, as a learner has them, and held against plain recursion and one sample at a time.
What was fast is not asserted: it depends on the machine, and the lesson says so itself.
"""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import firstlight as fl
from firstlight.data.trees import Tree, expressions
from firstlight.lessons import notebook_path
from firstlight.lessons.alive import RESULTS
from firstlight.lessons.checks import Checks
from firstlight.lessons.quizzes import _QUESTIONS
from firstlight.lessons.results import say
from tests.lessons.learner import answer_rightly_and_wrongly, run_whole, text_of

LESSON = "the_graph_is_alive"
# Shorter measurements and less training: that numbers are steady is no matter here.
QUICKER = {"SECONDS = 2.0": "SECONDS = 0.3", "EPOCHS = 6": "EPOCHS = 2"}
CELLS = [
    "".join(cell["source"])
    for cell in json.loads(notebook_path(LESSON, "en").read_text(encoding="utf-8"))["cells"]
    if cell["cell_type"] == "code"
]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]):
    return lambda: capsys.readouterr().out


def cells(*marks: str) -> dict[str, Any]:
    """The names that these cells make, run as they stand in the lesson, with what they need before them."""
    space: dict[str, Any] = {"torch": torch, "nn": nn, "fl": fl, "np": np, "check": Checks(), "STEPS": 12}
    space["train"], space["test"] = fl.load("arithmetic")
    for mark in marks:
        (code,) = [code for code in CELLS if mark in code]
        exec(code, space)
    return space


@pytest.fixture(scope="module")
def nets() -> SimpleNamespace:
    made = cells("small = next(", "class TreeNet", "class DepthNet")
    return SimpleNamespace(one_by_one=made["TreeNet"], by_depth=made["DepthNet"], plan=made["by_depth"])


@pytest.mark.jupyter
@pytest.mark.slow
@pytest.mark.timeout(150)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the Jupyter client and its event loop
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("lang", ["en", "ja", "ko"])
def test_the_whole_lesson(lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = run_whole(LESSON, lang, QUICKER, tmp_path, monkeypatch)
    shown = {cell.source: "".join(text_of(output) for output in cell.outputs) for cell in code}
    assert not [text for text in shown.values() if re.search("^✗", text, re.MULTILINE)]
    assert sum(text.count("✓") for text in shown.values()) >= 14
    looks = next(text for source, text in shown.items() if 'say("looks"' in source)
    assert {0, 1, 3, 9} <= {int(row.split()[0]) for row in looks.splitlines()[1:]}
    change = next(text for source, text in shown.items() if "run.graph(3).diff" in source)
    assert re.search("^  [+-] ", change, re.MULTILINE)
    measured = [text for source, text in shown.items() if 'say("rates"' in source]
    assert [len(re.findall(r"[\d,]+ +[\d.]+ ×", text)) for text in measured] == [2, 3, 2]
    foretold = next(text for source, text in shown.items() if 'say("foretold"' in source)
    assert float(re.search(r"([\d.]+)\s?%", foretold)[1]) < 10


# Trees by depth.


def digit(number: int) -> Tree:
    return Tree("+", number, 0)


BATCHES = {
    "many": expressions(300, seed=5),
    "one": expressions(1, seed=1),
    "flat": [Tree("-", 3, 4), Tree("*", 9, 9)],
    "twice the same": [Tree("*", Tree("+", 2, 3), 4)] * 3,
    "a chain": [Tree("-", Tree("-", Tree("-", Tree("-", Tree("-", 1, 2), 3), 4), 5), 6)],
    "left and right": [Tree("-", Tree("+", 1, 2), 3), Tree("-", 3, Tree("+", 1, 2))],
}


@pytest.mark.parametrize("name", BATCHES)
def test_trees_by_depth_compute_what_recursion_computes(name: str, nets: SimpleNamespace) -> None:
    trees = BATCHES[name]
    torch.manual_seed(1)
    slow, quick = nets.one_by_one(), nets.by_depth()
    quick.load_state_dict(slow.state_dict())
    labels = torch.tensor([tree.value % 10 for tree in trees])
    scores = []
    for model in (slow, quick):
        scores.append(model(trees))
        nn.functional.cross_entropy(scores[-1], labels).backward()
    assert scores[0].shape == (len(trees), 10)
    assert torch.allclose(scores[0], scores[1], rtol=0, atol=1e-5)
    for one, other in zip(slow.parameters(), quick.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, rtol=0, atol=1e-5)


def test_all_nodes_of_a_depth_are_one_operation(nets: SimpleNamespace) -> None:
    trees = BATCHES["many"]
    deepest = max(tree.depth for tree in trees)
    graph = fl.trace(nets.by_depth(), trees)
    combined = [one for one in graph.operations if one.name == "tanh"]
    assert len(combined) == deepest
    plan, roots = nets.plan(trees)
    assert len(plan) == deepest
    assert sum(level.shape[1] for level in plan) == sum(sum(str(tree).count(sign) for sign in "+-*") for tree in trees)
    assert len(roots) == len(trees)
    recursion = fl.trace(nets.one_by_one(), trees[:20])
    assert len([one for one in recursion.operations if one.name == "tanh"]) > 2 * deepest


# Samples of different lengths.


def test_texts_of_different_lengths_give_the_same_in_all_three_ways() -> None:
    made = cells("CHARACTERS = ", "class TextNet")
    model, texts, labels = made["text_net"], made["texts"], made["labels_of_texts"]
    assert len({len(text) for text in texts}) > 5
    padded, jagged = fl.nest(texts, layout="padded"), fl.nest(texts, layout="jagged")
    ways = {
        "one by one": lambda: torch.cat([model(text[None]) for text in texts]),
        "padded": lambda: model(padded.values, mask=padded.mask),
        "jagged": lambda: model(jagged.values),
    }
    found = {}
    for name, way in ways.items():
        model.zero_grad()
        scores = way()
        nn.functional.cross_entropy(scores, labels).backward()
        found[name] = [scores.detach(), *(weight.grad.clone() for weight in model.parameters())]
    for name in ("padded", "jagged"):
        for one, other in zip(found[name], found["one by one"], strict=True):
            assert torch.allclose(one, other, rtol=0, atol=1e-5), name
    assert not torch.allclose(model(padded.values), found["padded"][0], atol=1e-2), "as the quiz says"


# What is said.


class Run:
    """A record of which only the graphs are asked for."""

    def __init__(self, *facts: tuple[int, int, int | None]) -> None:
        self.found = [
            SimpleNamespace(step=step, data={"operations": count, "changes": changes}) for step, count, changes in facts
        ]

    def facts(self, kind: str) -> list[Any]:
        return self.found if kind == "graph" else []


def forecast(activations: int) -> Any:
    return SimpleNamespace(
        parameters=1000, buffers=0, gradients=1000, optimizer=2000, activations=activations, peak=activations + 4000
    )


@pytest.mark.parametrize(
    ("name", "values", "sign", "words"),
    [
        ("looks", {"run": Run((0, 57, None), (3, 20, 7))}, "", "3"),
        ("looks", {"run": Run()}, "✗", "No step was looked at"),
        ("trees", {"accuracy": 0.30, "frequent": 0.19}, "✓", "learned something"),
        ("trees", {"accuracy": 0.20, "frequent": 0.19}, "›", "hardly better"),
        ("foretold", {"forecast": 10_000_000, "measured": 10_100_000}, "✓", "1.0% apart"),
        ("foretold", {"forecast": 10_000_000, "measured": 20_000_000}, "›", "50.0% apart"),
        ("foretold", {"forecast": 10_000_000, "measured": 0}, "✓", "0.0% apart"),
        ("batches", {"forecasts": {32: forecast(10_000), 128: forecast(40_000)}}, "", "4 times as large"),
    ],
)
def test_the_sentences_follow_the_numbers(name: str, values: dict, sign: str, words: str, said) -> None:
    say(name, **values)
    text = said()
    assert words in text
    assert text.startswith(sign)


@pytest.mark.parametrize("lang", ["ja", "ko"])
def test_the_sentences_are_translated(lang: str, monkeypatch: pytest.MonkeyPatch, said) -> None:
    calls = {
        "looks": {"run": Run((0, 57, None))},
        "trees": {"accuracy": 0.3, "frequent": 0.19},
        "foretold": {"forecast": 10, "measured": 10},
        "batches": {"forecasts": {32: forecast(10), 128: forecast(40)}},
    }
    assert set(calls) == set(RESULTS)
    of_trees = {"measured": {"trees": {"one_by_one": [1.0], "by_depth": [0.1], "padded": [0.1], "jagged": [0.1]}}}
    for name, values in {**calls, "rates": {"size": 1, **of_trees}}.items():
        monkeypatch.setenv("FIRSTLIGHT_LANG", "en")
        say(name, **values)
        english = said()
        monkeypatch.setenv("FIRSTLIGHT_LANG", lang)
        say(name, **values)
        text = said()
        assert not {line.strip() for line in english.splitlines() if not line.strip()[0].isdigit()} & {
            line.strip() for line in text.splitlines()
        }


TREE = Tree("-", Tree("*", 2, 3), Tree("+", Tree("+", 1, 1), Tree("-", 5, 4)))  # 5 signs, 6 digits, depth 3
CONTEXT: dict[str, tuple[Any, ...]] = {"tanh": (), "combines": (TREE,), "padding": (), "adamw": ()}
RIGHT = {"tanh": 1, "combines": 5, "padding": 15, "adamw": 400}


@pytest.mark.parametrize("name", RIGHT)
def test_the_right_answer_is_right_and_hints_grow(name: str, said) -> None:
    answer_rightly_and_wrongly(name, RIGHT[name], CONTEXT[name], said)


def test_the_right_answers_are_what_pytorch_does(nets: SimpleNamespace) -> None:
    zero = torch.zeros((), requires_grad=True)
    torch.tanh(zero).backward()
    assert zero.grad.item() == RIGHT["tanh"]
    model = nets.one_by_one()
    calls = []
    model.combine.register_forward_hook(lambda *_: calls.append(1))
    model([TREE])
    assert len(calls) == RIGHT["combines"]
    batch = fl.nest([torch.ones(2), torch.ones(3), torch.ones(10)], layout="padded")
    assert int((~batch.mask).sum()) == RIGHT["padding"]
    layer = nn.Linear(100, 100, bias=False)
    found = fl.memory(layer, torch.zeros(1, 100), torch.optim.AdamW)
    whole = found.parameters + found.gradients + found.optimizer
    assert round(100 * whole / found.parameters) == RIGHT["adamw"]


def test_the_lesson_asks_each_of_its_questions() -> None:
    text = "\n".join(CELLS)
    for name in RIGHT:
        assert f'check("{name}", answer' in text
    for name in ("kept", "when", "levels", "mask", "batch_memory"):
        assert f'quiz("{name}")' in text
        assert sum(option.right for option in _QUESTIONS[name]().options) == 1
