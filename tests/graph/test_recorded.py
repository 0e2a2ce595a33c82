"""What looks have left in a record is read back: by whom, when, and what is said where there is nothing."""

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import firstlight as fl
from firstlight.graph.recorded import MeasuredMemory, NoLook
from firstlight.run import Run


@pytest.fixture(autouse=True)
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLIGHT_VIEW", "off")


def with_looks(*steps: int, **info: Any) -> Run:
    """A record in which these steps were looked at."""
    run, graph = Run("looked"), fl.trace(nn.Linear(2, 1), torch.ones(1, 2))
    for step in steps:
        run.add_operations(step, graph.rows())
        run.add_fact(step, "graph", {"rows_at": step, "operations": len(graph), "changes": 0, "saved": 0})
    run.set_info(**info)
    return run


def train(steps: int, **wishes: Any) -> Run:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with fl.watch(model, optimizer, **wishes) as run:
        for _ in range(steps):
            model(torch.ones(1, 2)).sum().backward()
            optimizer.step()
    return run


@pytest.mark.parametrize("ask", [Run.graph, Run.memory])
def test_a_run_that_was_not_looked_at_says_how_to_look(ask: Any) -> None:
    run = train(3, looks=False)
    with pytest.raises(NoLook, match=r"looks=False") as caught:
        ask(run)
    assert "at any step" in str(caught.value)
    assert "looked at: –" in str(caught.value)
    assert isinstance(caught.value, LookupError)
    with pytest.raises(NoLook, match="at step 2 or before"):
        ask(run, 2)


def test_a_run_that_has_just_begun_says_so() -> None:
    run = Run("young")
    with pytest.raises(NoLook, match="still going"):
        run.graph()
    run.finish()
    with pytest.raises(NoLook, match="there was none"):
        run.graph()


def test_before_the_first_look_there_is_none_and_the_first_ones_are_named() -> None:
    run = with_looks(5, 9)
    for step in (-1, 0, 4):
        with pytest.raises(NoLook, match=r"looked at: 5, 9\. ") as caught:
            run.graph(step)
        assert "still going" not in str(caught.value)
    assert [run.graph(step).step for step in (5, 8, 9, 10_000, None)] == [5, 5, 9, 9, 9]
    with pytest.raises(NoLook, match="looked at: 10, 11, 12, 13, 14, …"):
        with_looks(*range(10, 20)).graph(3)


@pytest.mark.parametrize(("code", "words"), [("compile", r"torch\.compile"), ("capture", "CUDA graph")])
def test_what_hides_the_inside_of_a_step_is_said(code: str, words: str) -> None:
    with pytest.raises(NoLook, match=words):
        with_looks(sees_less=[code]).memory()


def test_the_same_graph_at_a_later_look_bears_its_step() -> None:
    run = with_looks(0)
    run.add_fact(7, "graph", {"rows_at": 0, "operations": 1, "changes": 0, "saved": 0})
    assert run.graph().step == 7
    assert run.graph(6).step == 0
    assert run.graph().operations == run.graph(0).operations


def test_a_run_that_another_process_still_writes(tmp_path: Path) -> None:
    code = """
    import sys, torch, firstlight as fl
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = fl.watch(model, optimizer, looks=[40])
    print(run.folder, flush=True)
    def train(steps):
        for _ in range(steps):
            model(torch.ones(1, 2)).sum().backward()
            optimizer.step()
        run.facts()  # waits for the disk
        print("there", flush=True)
        sys.stdin.readline()
    train(2)
    train(60)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path,
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        folder = Path(child.stdout.readline().strip())
        assert child.stdout.readline() == "there\n"
        run = Run.open(folder)
        assert run.status == "running"
        assert run.graph().step == run.memory().step == 1
        assert [one.name for one in run.graph()] == ["ones", "linear", "sum"]
        child.stdin.write("on\n")
        child.stdin.flush()
        assert child.stdout.readline() == "there\n"
        assert run.graph().step is not None
        assert run.graph().step >= 40
        assert run.graph(40).step == run.memory(40).step == 40
        child.communicate("done\n")
    assert run.graph(1).step == 1


def memory(**changes: Any) -> MeasuredMemory:
    values: dict[str, Any] = {
        "step": 3, "parameters": 4000, "gradients": 0, "state": 0, "peak": 9000, "phase": "backward", "where": "",
        "operation": "aten::mm", "phases": {"forward": 5000, "backward": 9000},
        "saved": {"": 1000, "<layer>": 2000}, "curve": (("forward", 5000), ("backward", 9000)),
    }  # fmt: skip
    return MeasuredMemory(**values | changes)


def test_measured_memory_is_read_as_text_and_as_a_page() -> None:
    text, html = repr(memory()), memory().picture().html
    assert text.startswith("Memory of step 3, measured")
    assert "Most was held in the backward pass of the model itself or the loss (aten::mm)." in text
    assert "9.0 kB" in text
    assert "gradients" not in text, "what takes nothing is left out"
    assert text.index("<layer>") < text.rindex("the model itself"), "the largest first"
    assert "&lt;layer&gt;" in html
    assert "<layer>" not in html
    assert html.count("<rect") == 4, "two modules, two stretches of the curve"
    assert "during the step of the optimizer" in repr(memory(phase="optimizer"))
    assert "in the forward pass of conv" in repr(memory(phase="forward", where="conv"))


def test_measured_memory_of_many_modules_of_none_and_of_a_phase_of_another_version() -> None:
    many = repr(memory(saved={f"layer{at}": 1000 + at for at in range(100)}))
    assert "layer99" in many
    assert "layer3 " not in many
    assert "…" in many
    none = memory(saved={}, curve=(), phases={}, peak=0, parameters=0)
    assert "<rect" not in none.picture().html
    assert "peak, all together" in repr(none)
    other = memory(phases={"sharding": 7000}, curve=(("sharding", 7000),))
    assert "most in phase sharding" in repr(other)
    assert "<svg" in other.picture().html


@pytest.mark.parametrize("lang", ["ja", "ko"])
def test_what_is_read_back_speaks_the_learners_language(lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run("young")
    monkeypatch.setenv("FIRSTLIGHT_LANG", lang)
    with pytest.raises(NoLook) as caught:
        run.memory()
    said = str(caught.value) + repr(memory()) + memory().picture().html
    for english in ("looked at", "still going", "measured", "parameters", "peak", "backward pass"):
        assert english not in said
