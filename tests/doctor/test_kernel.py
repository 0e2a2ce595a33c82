"""The doctor in a notebook's kernel: what appears under which cell, and what it remembers."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from tests.view.kernels import running_page

from firstlight.doctor import kernel
from firstlight.doctor.running import examine_program

pytestmark = pytest.mark.timeout(180)  # each starts a process that loads torch

SETUP = """\
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""
MENDED = """\
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
BROKEN = MENDED.replace("    optimizer.zero_grad()\n", "")
TRAIN = "def train():\n" + "".join(f"    {line}\n" for line in BROKEN.splitlines())
MODEL = "model = nn.Linear(8, 3)\n"
EXAMINE = (
    "import firstlight as fl\nprint('CODES', [one.code for one in fl.examine().findings if one.speaks == 'alarm'])"
)

# Runs cells and says for each what appeared under it.
DRIVER = """\
import contextlib, io, json, signal, sys, threading
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
from firstlight.doctor.kernel import attend_kernel
names = set(shell.user_ns)
attendant = attend_kernel(shell)
said = []
for code in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        shell.run_cell(code, store_history=True)
    said.append(out.getvalue())
names = sorted(name for name in set(shell.user_ns) - names if not name.startswith("_"))
json.dump({"said": said, "names": names}, sys.stdout)
"""


def cells(*codes: str) -> dict[str, Any]:
    """Run them one after the other in a shell of a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        input=json.dumps(codes),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "FIRSTLIGHT_DOCTOR": "strict", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


FAILING = {
    "backward": "hidden = model(x).tanh(); out = hidden * 1; hidden += 1; (hidden + out).sum().backward()",
    "loss": "loss = nn.functional.cross_entropy(model(x), y.float())",
    "layer": "model(x[:, :5])",
    "optimizer": "optimizer.step(lambda: 1 / 0)",
}


@pytest.mark.skipif(sys.version_info < (3, 11), reason="before 3.11, Python puts the frames back")
def test_an_error_shows_the_lines_of_the_learner_and_of_torch_alone() -> None:
    *_before, trained, backward, loss, layer, step = cells(SETUP, MENDED, *FAILING.values())["said"]
    assert not trained
    for said, kind in ((backward, "RuntimeError"), (loss, "Error"), (layer, "RuntimeError"), (step, "ZeroDivision")):
        plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
        assert kind in plain
        assert "Cell In[" in plain
        assert f"firstlight{os.sep}" not in plain, plain


def test_an_alarm_appears_once_and_is_gone_when_the_cell_is_mended() -> None:
    found = cells(SETUP, BROKEN, BROKEN, "1 + 1", EXAMINE, SETUP, MENDED, EXAMINE)
    _setup, first, again, other, before, _setup, mended, after = found["said"]
    assert "ALARM L01" in first
    assert "cell 2, line 3: loss.backward()" in first
    assert "ALARM" not in again + other + mended
    assert "CODES ['L01']" in before
    assert "CODES []" in after
    assert found["names"] == ["fl", "loss", "model", "nn", "optimizer", "step", "torch", "x", "y"]


def test_a_function_of_an_earlier_cell_trains_and_intended_settles_it() -> None:
    said = cells(SETUP, TRAIN, "train()", EXAMINE, SETUP, TRAIN.replace("ward()", "ward()  # doctor: intended"),
                 "train()", EXAMINE)["said"]  # fmt: skip
    assert "ALARM L01" in said[2]
    assert "CODES ['L01']" in said[3]
    assert "ALARM" not in said[6]
    assert "CODES []" in said[7]


def test_what_libraries_call_is_not_searched_for_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[CodeType] = []
    names = kernel._names
    monkeypatch.setattr(kernel, "_names", lambda code: looked.append(code) or names(code))
    assert not kernel._does_train(InteractiveShell.run_line_magic)
    assert len(looked) == 1
    assert kernel._does_train(_outer)
    assert not kernel._does_train(_round_and_round)
    assert looked.count(_round_and_round.__code__) == 1


def _outer() -> None:
    InteractiveShell.instance()
    _inner()


def _inner() -> None:
    torch.ones(1, requires_grad=True).backward()


def _round_and_round() -> None:
    _round_and_round()


def test_an_error_is_explained_beneath_its_traceback_and_past_when_mended() -> None:
    said = cells(SETUP, "model(torch.randn(4, 5))", EXAMINE, "model(torch.randn(4, 8)).shape", EXAMINE)["said"]
    assert said[1].index("RuntimeError") < said[1].index("ALARM")
    assert "CODES []" not in said[2]
    assert "ALARM" not in said[3]
    assert "CODES []" in said[4]


def test_ctrl_c_stops_a_cell_and_what_it_did_is_examined() -> None:
    endless = BROKEN.replace("for step in range(20):", "import os, signal\nfor step in range(10**9):")
    endless += "    if step == 30:\n        os.kill(os.getpid(), signal.SIGINT)\n"
    said = cells(SETUP, endless, "step")["said"]
    assert "KeyboardInterrupt" in said[1]
    assert said[1].index("KeyboardInterrupt") < said[1].index("ALARM L01")
    assert "30" in said[2] or "31" in said[2]


def test_the_session_is_remembered() -> None:
    said = cells(SETUP, MENDED, MODEL, MENDED, EXAMINE, SETUP, MENDED, EXAMINE)["said"]
    assert "ALARM P04" in said[3]
    assert "This explains L06" in said[3]
    assert "CODES ['P04']" in said[4]
    assert "ALARM" not in said[6]
    assert "CODES []" in said[7]


def notebook(folder: Path, *codes: str) -> Path:
    file = folder / "training.ipynb"
    made = [
        {"cell_type": "code", "source": code, "execution_count": None, "metadata": {}, "outputs": []} for code in codes
    ]
    file.write_text(json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return file


OTHER = MENDED.replace("range(20)", "range(25)").replace("loss", "cost")
WITH = SETUP.replace("lr=0.1)", "lr=0.1)\nclear = optimizer.zero_grad\n")
WITHOUT = SETUP.replace("lr=0.1)", "lr=0.1)\nclear = print\n")
CALLS = MENDED.replace("optimizer.zero_grad()", "clear()")


@pytest.mark.parametrize(
    ("codes", "wanted"),
    {
        "a training before another one": ((SETUP, BROKEN, SETUP, OTHER), [("L01", 2)]),
        "done anew, and mended": ((WITHOUT, CALLS, WITH, CALLS), []),
        "done anew, and worse": ((WITH, CALLS, WITHOUT, CALLS), [("L01", 4)]),
    }.values(),
)
def test_a_notebook_as_a_file_tells_of_all_its_trainings(
    codes: tuple[str, ...], wanted: list[tuple[str, int]], tmp_path: Path
) -> None:
    report = examine_program(notebook(tmp_path, *codes), quiet=True).report
    assert [(one.code, one.place and one.place.cell) for one in report.alarms] == wanted


@pytest.mark.jupyter
def test_a_real_kernel_shows_an_alarm_under_its_cell() -> None:
    with running_page() as page:
        page.run("from firstlight.doctor.kernel import attend_kernel as a; a(get_ipython()); del a")
        page.run(SETUP)
        page.seen.clear()
        page.run(BROKEN)
        shown = [one["data"] for one in page.shown() if "L01" in one["data"].get("text/plain", "")]
        assert len(shown) == 1
        assert 'role="note"' in shown[0]["text/html"]
        page.seen.clear()
        page.run(BROKEN)
        page.run(SETUP + MENDED)
        assert not [one for one in page.shown() if "ALARM" in one["data"].get("text/plain", "")]
        assert "attend_kernel" not in page.value("sorted(globals())")
