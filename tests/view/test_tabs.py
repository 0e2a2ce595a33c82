"""What the tabs show, and the talk with the pages: real runs, real graphs, no widget."""

import gc
import json
import math
import re
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from firstlight.graph import Graph, trace
from firstlight.run import Run
from firstlight.view import panels
from firstlight.view.frontend import TABS, module, style, tab_titles
from firstlight.view.graphs import Asked, Graphs
from firstlight.view.looks import MOST_GRAPHS, MOST_LOOKS, Looks, Strips, folded
from firstlight.view.state import Board
from firstlight.view.still import still
from firstlight.view.tabs import Tabs

NAMES = ["first.weight", "first.bias", "second.weight", "frozen"]
MEMORY = {
    "before": 4096, "parameters": 2048, "gradients": 1024, "state": 512, "peak": 1_572_864,
    "at": {"phase": "backward", "module": "first", "operation": "mm"},
    "phases": {"forward": 1_000_000, "backward": 1_572_864, "optimizer": 9000},
    "saved": {"first": 800_000, "second": 200_000},
    "curve": [["forward", 4096], ["forward", 1_000_000], ["backward", 1_572_864], ["optimizer", 9000]],
}  # fmt: skip


def add_look(run: Run, step: int, *, grad: list[float | None] | None = None) -> None:
    if step == 0:
        shapes = [[10, 10], [10], [4, 10], [2]]
        run.add_fact(0, "parameters", {"names": NAMES, "shapes": shapes, "trained": [True, True, True, False]})
    grads = grad or [1.0, 0.1, 0.5, None]
    run.add_fact(step, "weights", {"grad": grads, "weight": [1.0] * 4, "update": [1e-3, 2e-3, 1e-3, None]})


def add_graph(run: Run, step: int, graph: Graph, before: Graph | None = None) -> None:
    difference = before.diff(graph) if before is not None else None
    changes = None if difference is None else len(difference.marks) + len(difference.removed)
    run.add_operations(step, graph.rows())
    data = {"rows_at": step, "operations": len(graph), "changes": changes, "saved": graph.saved_bytes}
    run.add_fact(step, "graph", data)


def looked(run: Run) -> Looks:
    looks = Looks(run)
    looks.gather(wait=True)
    return looks


def small() -> Graph:
    return trace(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), torch.zeros(2, 4))


def larger() -> Graph:
    return trace(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3)), torch.zeros(2, 4))


def test_strips_stay_small_and_keep_the_first_and_the_newest_look() -> None:
    strips = Strips()
    for step in range(5000):
        strips.add(step, {"a": float(step), **({"b": 1.0} if step > 4000 else {})})
        assert strips.steps[0] == 0
        assert strips.steps[-1] == step
        assert len(strips.steps) < MOST_LOOKS
        assert {len(row) for row in strips.rows.values()} == {len(strips.steps)}
        assert strips.rows["a"] == [float(one) for one in strips.steps]
    gaps = [b - a for a, b in zip(strips.steps, strips.steps[1:], strict=False)]
    assert max(gaps[1:-1]) <= 2 * min(gaps[1:-1]), "evenly spread"
    assert strips.rows["b"][0] is None
    assert strips.newest("b") == 1.0


def test_the_slider_has_a_bounded_number_of_places() -> None:
    run = Run()
    for step in range(0, 3 * MOST_GRAPHS):
        run.add_fact(step * step, "graph", {"rows_at": 0, "operations": 3, "changes": 0, "saved": 0})
    looks = looked(run)
    assert len(looks.graphs) == MOST_GRAPHS
    assert looks.graphs[0].step == 0
    assert looks.graphs[-1].step == (3 * MOST_GRAPHS - 1) ** 2
    assert looks.graph_at(10**9) == looks.graphs[-1]
    assert looks.graph_at(-5) == looks.graphs[0]


def test_many_layers_are_joined_by_module() -> None:
    names = [f"encoder.{layer}.{part}.weight" for layer in range(30) for part in "qkv"]
    groups = folded(names, 60)
    assert [name for name, _places in groups] == [f"encoder.{layer}" for layer in range(30)]
    assert sorted(at for _name, places in groups for at in places) == list(range(90))
    flat = folded([f"w{at}" for at in range(200)], 60)
    assert len(flat) <= 60
    assert flat[0] == ("w0 … w3", [0, 1, 2, 3])


def test_gradients_compare_layers_of_any_size() -> None:
    run = Run()
    add_look(run, 0)
    add_look(run, 1, grad=[2.0, 0.2, 1.0, None])
    panel = panels.gradients(looked(run))
    assert [row["name"] for row in panel["rows"]] == NAMES
    per_element = 2.0 / math.sqrt(100)
    assert panel["rows"][0]["values"]["gradient"][-1] == panels.level(per_element)
    assert panel["rows"][0]["now"] == {"gradient": "0.2", "update": "0.001"}
    assert panel["rows"][0]["detail"] == "10 × 10"
    assert panel["steps"] == [0, 1]
    assert panel["notable"] == ["No layer stands out."]
    assert panel["rows"][3]["said"] == "frozen: it is not trained"
    assert json.loads(json.dumps(panel, allow_nan=False)) == panel


@pytest.mark.parametrize(
    ("grad", "sign", "word"),
    [
        ([None, 0.1, 0.5, None], "∅", "no gradient reaches it"),
        ([math.nan, 0.1, 0.5, None], "✕", "not finite"),
        ([math.inf, 0.1, 0.5, None], "✕", "not finite"),
        ([0.0, 0.1, 0.5, None], "▼", "exactly zero"),
        ([1e-9, 0.1, 0.5, None], "▼", "vanishing"),
        ([5000.0, 0.1, 0.5, None], "▲", "exploding"),
    ],
)
def test_a_layer_that_stands_out_is_named_with_a_sign_and_words(grad: list[float | None], sign: str, word: str) -> None:
    run = Run()
    for step in range(5):
        add_look(run, step)
    add_look(run, 5, grad=grad)
    panel = panels.gradients(looked(run))
    row = panel["rows"][0]
    assert row["sign"] == sign
    assert word in row["said"]
    assert any(said.startswith("first.weight: ") for said in panel["notable"])
    json.dumps(panel, allow_nan=False)


def test_steps_that_are_too_large_or_too_small_are_said() -> None:
    run = Run()
    run.add_fact(0, "parameters", {"names": ["a", "b"], "shapes": [[1], [1]], "trained": [True, True]})
    run.add_fact(0, "weights", {"grad": [1.0, 1.0], "weight": [1.0, 1.0], "update": [0.2, 1e-9]})
    rows = panels.gradients(looked(run))["rows"]
    assert ("large steps" in rows[0]["said"], rows[0]["sign"]) == (True, "▲")
    assert ("hardly moves" in rows[1]["said"], rows[1]["sign"]) == (True, "▼")


def test_activations_say_which_module_passes_nothing_on() -> None:
    run = Run()
    for step in range(3):
        data = {"names": ["conv", "relu", "relu"], "kinds": ["Conv2d", "ReLU", "ReLU"], "mean": [0.1, 0.2, 0.0]}
        run.add_fact(step, "activations", {**data, "std": [1.0, 0.5, 0.0], "zero": [0.0, 0.5, 1.0]})
    panel = panels.activations(looked(run))
    assert [row["name"] for row in panel["rows"]] == ["conv", "relu", "relu #2"]
    assert panel["rows"][1]["now"] == {"mean": "0.2", "std": "0.5", "zero": "50.0%"}
    assert panel["rows"][2]["sign"] == "∅"
    assert panel["notable"] == ["relu #2: nothing but zeros: it passes nothing on"]
    assert panel["rows"][1]["values"]["zero"] == [500, 500, 500]


def test_memory_shows_the_peak_of_the_newest_look() -> None:
    run = Run()
    run.add_fact(0, "memory", {"peak": 1})
    run.add_fact(7, "memory", MEMORY)
    panel = panels.memory(looked(run))
    assert panel["peak"] == MEMORY["peak"]
    assert panel["said"] == "At step 7 most was held in backward, at first · mm: 1.6 MB."
    assert [part["bytes"] for part in panel["parts"]] == [2048, 1024, 512, 800_000, 200_000]
    assert panel["parts"][3]["share"] == 1.0
    many = {f"layer{at}": 1000 + at for at in range(40)}
    run.add_fact(8, "memory", {**MEMORY, "saved": many})
    parts = panels.memory(looked(run))["parts"]
    assert len(parts) == 3 + panels.MOST_PARTS + 1
    assert sum(part["bytes"] for part in parts[3:]) == sum(many.values())


def test_time_is_shared_among_the_phases_and_the_rest() -> None:
    run = Run()
    board = Board(run)
    assert panels.times(board)["phases"] == []
    times = {"time/data": 0.006, "time/forward": 0.002, "time/backward": 0.001, "time/optimizer": 0.0005}
    run.log({**times, "step_s": 0.01}, step=0)
    board.gather()
    panel = panels.times(board)
    assert [phase["key"] for phase in panel["phases"]] == [*panels.PHASES, "other"]
    assert sum(phase["share"] for phase in panel["phases"]) == pytest.approx(1.0, abs=0.001)
    assert panel["phases"][0]["text"] == "6 ms"
    assert "waits for its data" in panel["said"][1]


def test_a_step_may_be_seen_again_with_what_changed_marked() -> None:
    run = Run()
    before, after = small(), larger()
    add_graph(run, 0, before)
    run.add_fact(1, "graph", {"rows_at": 0, "operations": len(before), "changes": 0, "saved": 0})
    add_graph(run, 2, after, before)
    tabs = Tabs(Board(run))
    assert tabs.hear({"t": "open", "page": "p", "tab": "graph"})
    (told,) = tabs.news()
    assert told["data"]["looks"] == [[0, 2, None], [1, 2, 0], [2, 3, 1]]
    assert tabs.news() == [], "nothing new"

    def ask(**wish: int | None) -> dict[str, object]:
        tabs.hear({"t": "graph", "page": "p", "ask": 5, **wish})
        (answer,) = tabs.news()
        assert (answer["t"], answer["page"], answer["ask"]) == ("graph", "p", 5)
        return answer

    newest = ask(step=None)
    assert (newest["step"], newest["operations"], newest["changed"]) == (2, 3, 1)
    assert len(re.findall(r'<li class="[^"]*" data-op="', str(newest["html"]))) == 3
    assert "<script" not in str(newest["html"])
    assert re.search(r'<li class="fl-weights fl-changed" data-op="2">.*?added', str(newest["html"]))
    assert re.search(r'<g tabindex="0"[^>]* data-ops="2" class="fl-box fl-changed"', str(newest["html"]))
    assert 'class="fl-add" data-op="2"' in str(newest["changes"])
    assert newest["changes_title"] == "What changed since the look at step 1"
    same = ask(step=1)
    assert (same["step"], same["changed"], same["changes"]) == (1, 0, "")
    assert "Nothing changed since the look at step 0." in str(same["changes_title"])
    assert "as at step 0" in str(same["said"])
    first = ask(step=0)
    assert "first look" in str(first["changes_title"])
    inside = ask(step=2, within=1)
    assert (inside["within"], inside["crumbs"]) == (1, [{"call": 1, "title": "0 (Linear)"}])
    assert re.findall(r'data-ops="([^"]*)"', str(inside["html"])) == ["0"]
    folded_ = ask(step=2, level=1)
    assert (folded_["level"], folded_["coarser"], folded_["finer"]) == (1, None, 2)
    assert (newest["coarser"], newest["finer"]) == (1, None), "one operation in each module: the same boxes"
    assert re.findall(r'data-ops="([^"]*)"', str(folded_["html"])) == ["0 1 2"]
    assert ask(step=2, within=99)["within"] is None, "a call of another graph"
    assert tabs.hear({"t": "graph", "page": "p", "step": "x"}), "no number: the newest"
    assert tabs.news()[0]["step"] == 2


def test_only_open_tabs_are_read_and_each_page_has_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = Run.start("net", folder=tmp_path)
    asked: list[int] = []
    facts_since = run.facts_since
    monkeypatch.setattr(
        run, "facts_since", lambda cursor, wait=False: asked.append(1) or facts_since(cursor, wait=wait)
    )
    run.add_fact(0, "memory", MEMORY)
    tabs = Tabs(Board(run))
    for _time in range(20):
        assert tabs.news() == []
    assert not asked, "a hidden tab costs nothing"
    assert not tabs.hear({"t": "hello", "page": "one"})
    tabs.hear({"t": "open", "page": "one", "tab": "memory"})
    tabs.hear({"t": "open", "page": "two", "tab": "gradients"})
    assert tabs.waiting
    news = {message["tab"]: message["data"] for message in tabs.news(wait=True)}
    assert news["memory"]["peak"] == MEMORY["peak"]
    assert news["gradients"]["empty"].startswith("Nothing has been looked at yet")
    assert not tabs.waiting
    asked.clear()
    began = time.monotonic()
    while time.monotonic() - began < 0.3:
        assert tabs.news() == []
    assert len(asked) <= 1, "at most twice a second"
    tabs.hear({"t": "open", "page": "one", "tab": ""})
    tabs.hear({"t": "open", "page": "two", "tab": "curves"})
    assert tabs.news(wait=True) == []
    for number in range(100):
        tabs.hear({"t": "open", "page": str(number), "tab": "memory"})
    assert len(tabs._open) <= 16
    tabs.forget()
    assert tabs.news() == []
    run.finish()


def test_what_is_sent_stays_small_after_a_million_steps() -> None:
    run = Run()
    names = [f"blocks.{block}.{part}" for block in range(40) for part in ("weight", "bias")]
    run.add_fact(0, "parameters", {"names": names, "shapes": [[64, 64]] * 80, "trained": [True] * 80})
    for look in range(600):
        step = round(1.0235**look)
        run.add_fact(step, "weights", {"grad": [0.123456] * 80, "weight": [1.0] * 80, "update": [1.2345e-3] * 80})
    looks = looked(run)
    assert looks.gradients.steps[-1] > 1_000_000
    assert len(json.dumps(panels.gradients(looks))) < 150_000


def test_a_large_graph_is_drawn_quickly_and_found_by_module() -> None:
    stages = nn.Sequential(*(nn.Sequential(*(nn.Tanh() for _ in range(100))) for _ in range(30)))
    run = Run()
    add_graph(run, 0, trace(stages, torch.zeros(2)))
    tabs = Tabs(Board(run))
    tabs.hear({"t": "graph", "page": "p", "ask": 1, "step": None})
    (answer,) = tabs.news()
    assert (answer["operations"], answer["level"]) == (3000, 2)
    assert answer["html"].count(" data-ops=") == 30
    assert answer["html"].count(" data-op=") == 3000
    tabs.hear({"t": "graph", "page": "p", "ask": 2, "step": 0, "level": 3})
    (answer,) = tabs.news()
    assert answer["level"] == 2, "too fine to be drawn"
    tabs.hear({"t": "graph", "page": "p", "ask": 3, "step": 0, "within": 1, "level": None})
    (answer,) = tabs.news()
    assert answer["html"].count(" data-ops=") == 100, "who looks inside sees each"


@pytest.mark.parametrize("collects", [True, False])
def test_the_collector_is_left_as_it_was(collects: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    add_graph(run, 0, trace(nn.Linear(2, 1), torch.zeros(1, 2)))
    looks, seen = looked(run), []
    monkeypatch.setattr("firstlight.view.graphs._count", lambda *_: seen.append(gc.isenabled()) or "")
    was = gc.isenabled()
    try:
        (gc.enable if collects else gc.disable)()
        assert Graphs(looks).answer(Asked()) is not None
        assert gc.isenabled() == collects
        monkeypatch.setattr("firstlight.view.graphs._count", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            Graphs(looks).answer(Asked())
        assert gc.isenabled() == collects
    finally:
        (gc.enable if was else gc.disable)()
    assert seen == [False], "not while a graph is drawn"


def test_the_saved_notebook_keeps_every_tab_without_scripts() -> None:
    run = Run("net")
    run.log({"train/loss": 1.0, "time/forward": 0.01, "time/backward": 0.02}, step=0)
    add_graph(run, 0, small())
    add_graph(run, 1, larger(), small())
    add_look(run, 0)
    data = {"names": ["0"], "kinds": ["Linear"], "mean": [0.0], "std": [1.0], "zero": [0.5]}
    run.add_fact(0, "activations", data)
    run.add_fact(0, "memory", MEMORY)
    board = Board(run)
    board.gather()
    html = still(board, tabs=Tabs(board)).html
    assert "<script" not in html
    for tab in TABS[1:]:
        assert f'<summary style="cursor:pointer">{tab_titles()[tab]}</summary>' in html
    assert "3 operations in 4 calls" in html
    assert "What changed since the look at step 0" in html
    assert "first.weight" in html
    assert "1.6 MB" in html
    assert html.count("data:image/png") >= 1 + 2 * 4 + 1
    assert len(html) < 150_000


def test_the_saved_notebook_stays_small_with_a_large_graph() -> None:
    stages = nn.Sequential(*(nn.Sequential(*(nn.Tanh() for _ in range(100))) for _ in range(30)))
    run = Run()
    run.log({"train/loss": 1.0}, step=0)
    add_graph(run, 0, trace(stages, torch.zeros(2)))
    board = Board(run)
    board.gather()
    html = still(board, tabs=Tabs(board)).html
    assert "3,000 operations" in html
    assert len(html) < 100_000


def test_a_run_without_looks_rests_as_ever() -> None:
    run = Run()
    run.log({"train/loss": 1.0}, step=0)
    board = Board(run)
    board.gather()
    assert "<details" not in still(board, tabs=Tabs(board)).html


def test_the_cost_of_watching_and_what_is_not_seen_are_said() -> None:
    run = Run()
    run.log({"train/loss": 1.0}, step=0)
    run.set_info(overhead=0.014, sees_less=["compile", "something new"])
    board = Board(run)
    board.gather()
    said = board.state()["watching"]
    assert said.startswith("Watching costs 1.4% of the time. Part of the model is compiled")
    assert "something new" in said


def test_a_terminal_says_it_in_a_line() -> None:
    run = Run()
    add_graph(run, 0, small())
    add_graph(run, 5, larger(), small())
    run.add_fact(5, "memory", MEMORY)
    run.log({"time/forward": 0.01, "time/backward": 0.03}, step=0)
    board = Board(run)
    board.gather()
    looks = looked(run)
    said = panels.summary(looks, board)
    assert said == "graph: 3 operations, changed at step 5 · memory: 1.6 MB at most · forward 25.0% backward 75.0%"
    add_look(run, 0)
    add_look(run, 6, grad=[math.nan, 0.1, 0.5, None])
    looks.gather()
    assert "not finite" in panels.summary(looks, board)


def test_the_files_of_the_page_are_whole() -> None:
    assert "export default { initialize" in module()
    names = re.search(r"const TABS = (\[.*?\]);", module())
    assert names is not None
    assert tuple(json.loads(names[1])) == TABS
    assert ".fl-tab" in style()
    assert f"const ZERO = {panels.ZERO};" in module()
    assert f"const BROKEN = {panels.BROKEN};" in module()
