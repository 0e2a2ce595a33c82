"""The pytest fixture `firstlight_doctor`, in a pytest of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """\
import torch
from torch import nn


def train(clear, steps=20):
    torch.manual_seed(0)
    x, y = torch.randn(256, 8), torch.randint(3, (256,))
    model = nn.Linear(8, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(steps):
        loss = nn.functional.cross_entropy(model(x), y)
        if clear:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_clean(firstlight_doctor):
    train(True)
    assert not firstlight_doctor.report().alarms


def test_broken(firstlight_doctor):
    train(False)


def test_intended(firstlight_doctor):
    firstlight_doctor.intended("L01")
    train(False)
    assert [alarm.code for alarm in firstlight_doctor.report().alarms] == ["L01"]


def test_another_code_is_intended(firstlight_doctor):
    firstlight_doctor.intended("D13")
    train(False)


def test_fails_by_itself(firstlight_doctor):
    train(False)
    assert 1 == 2


def test_without_the_fixture():
    train(False)
    assert not hasattr(nn.Module.__call__, "__wrapped__")


def test_without_training(firstlight_doctor):
    pass
"""


@pytest.mark.timeout(180)
def test_an_alarm_fails_the_test_unless_it_is_intended(tmp_path: Path) -> None:
    (tmp_path / "test_training.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "FIRSTLIGHT_LANG": "en", "OMP_NUM_THREADS": "1"},
    )
    words = {line.split("::")[1].split()[0]: line.split()[0] for line in done.stdout.splitlines() if "::" in line}
    assert {name: word for name, word in words.items() if word in ("PASSED", "FAILED")} == {
        "test_clean": "PASSED",
        "test_broken": "FAILED",
        "test_intended": "PASSED",
        "test_another_code_is_intended": "FAILED",
        "test_fails_by_itself": "FAILED",
        "test_without_the_fixture": "PASSED",
        "test_without_training": "PASSED",
    }, done.stdout + done.stderr
    assert done.stdout.count("ALARM L01") >= 2
    assert "assert 1 == 2" in done.stdout
    assert "test_training.py, line" in done.stdout
