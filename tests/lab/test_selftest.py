"""The self-test, on notebooks that take no minutes."""

import json
from pathlib import Path

import pytest

from firstlight.lab.selftest import Report, selftest
from tests.lab.labs import small_notebook

pytestmark = pytest.mark.jupyter
TRAIN = """
import torch, firstlight as fl
from torch import nn
train, test = fl.load((torch.randn(200, 4).sign(), (torch.arange(200) % 2)))
model = nn.Linear(4, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
with fl.watch(model, optimizer):
    for images, labels in train.batches(32):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
"""


def test_a_notebook_that_trains_is_reported(tmp_path: Path) -> None:
    notebook = small_notebook(tmp_path / "small.ipynb", TRAIN, "second = fl.evaluate(model, test)", "")
    said: list[str] = []
    report = selftest(notebook=notebook, accuracy=0.0, say=said.append)
    assert report.problems == []
    assert report.ok
    assert (report.cells, report.cells_run) == (2, 2)
    assert report.accuracy is not None
    assert report.seconds_per_step
    assert report.runs[0]["status"] == "finished"
    assert report.device == "cpu"
    assert len(said) == 2
    assert json.loads(json.dumps(report.as_json()))["ok"] is True
    text = report.as_text()
    assert "All is well." in text
    assert "torch" in text


def test_what_is_off_is_said_in_words(tmp_path: Path) -> None:
    notebook = small_notebook(tmp_path / "small.ipynb", "1 + 1", "raise ValueError('too bad')", "2 + 2")
    report = selftest(notebook=notebook)
    assert not report.ok
    assert report.problems == ["Cell 2 of 3 ended with an error: ValueError: too bad"]
    assert "- Cell 2 of 3" in report.as_text()
    assert report.as_json()["ok"] is False


def test_a_kernel_that_dies_is_said_to(tmp_path: Path) -> None:
    notebook = small_notebook(tmp_path / "small.ipynb", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    (problem,) = selftest(notebook=notebook).problems
    assert "out of memory" in problem


def test_a_lesson_that_leaves_nothing_is_off(tmp_path: Path) -> None:
    report = selftest(notebook=small_notebook(tmp_path / "small.ipynb", "1 + 1"))
    assert report.cells_run == 1
    assert len(report.problems) == 2
    assert "no evaluation" in " ".join(report.problems)


def test_a_lab_that_does_not_start_is_said_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "jupyterlab").mkdir()
    (tmp_path / "jupyterlab" / "__init__.py").write_text("raise ImportError('broken installation')")
    (problem,) = selftest(notebook=small_notebook(tmp_path / "small.ipynb")).problems
    assert "did not start" in problem
    assert "broken installation" in problem or "lab.log" in problem


def test_a_low_accuracy_is_off() -> None:
    report = Report(accuracy=0.5)
    assert report.ok
    report.problems.append("x")
    assert not report.ok
