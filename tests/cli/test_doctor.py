"""`firstlight doctor`, really run: on scripts that train well and badly, crash, hang, ask and leave."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

GOOD = """\
import sys
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(256, 8), torch.randint(3, (256,))
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print("loss", loss.item(), sys.argv[1:])
"""
BAD = GOOD.replace("    optimizer.zero_grad()\n", "")


def doctor(
    folder: Path, *words: str, stdin: str | None = None, timeout: float = 55
) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "FIRSTLIGHT_LANG": "en", "FIRSTLIGHT_RUNS": str(folder / "runs"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "firstlight", "doctor", *words],
        cwd=folder, env=env, capture_output=True, text=True, input=stdin, timeout=timeout, check=False,
    )  # fmt: skip


def test_a_script_with_a_fault_is_told_and_its_output_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(BAD)
    done = doctor(tmp_path, "train.py", "--", "--lr", "3")
    assert done.returncode == 1
    assert done.stdout.startswith("loss ")
    assert done.stdout.endswith("['--lr', '3']\n")
    assert len(done.stdout.splitlines()) == 1
    assert "ALARM L01" in done.stderr
    assert "train.py, line 11: loss.backward()" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["train.py"], "nothing is left behind"


def test_a_script_without_a_fault_is_told_what_was_asked(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(GOOD)
    done = doctor(tmp_path, "train.py")
    assert done.returncode == 0
    assert "Nothing found" in done.stderr


def test_json_is_alone_on_standard_output(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(BAD)
    done = doctor(tmp_path, "train.py", "--json")
    said = json.loads(done.stdout)
    assert done.returncode == 1
    assert "loss " in done.stderr
    finding = said["findings"][0]
    assert (finding["rule"], finding["voice"], finding["line"], finding["cell"]) == ("L01", "alarm", 11, None)
    assert Path(finding["file"]).name == "train.py"
    assert finding["message"]
    assert finding["why"]
    assert finding["fix"]
    assert "19 of 19" in finding["evidence"]
    assert "L01" in said["checked"]
    assert said["not_checked"]
    assert 0 < said["overhead"] < 1
    assert said["ended"] == {"how": "finished", "status": 0, "detail": ""}


def test_what_is_marked_as_intended_is_no_finding(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(BAD.replace("loss.backward()", "loss.backward()  # doctor: intended"))
    done = doctor(tmp_path, "train.py")
    assert done.returncode == 0
    assert "Marked by you as intended: L01" in done.stderr


def test_a_script_that_crashes_keeps_its_traceback_and_is_examined(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(BAD + "raise RuntimeError('the disk is gone')\n")
    done = doctor(tmp_path, "train.py")
    assert done.returncode == 1
    assert 'train.py", line 14, in <module>' in done.stderr
    assert "runpy" not in done.stderr
    assert "The program ended with an error: RuntimeError: the disk is gone" in done.stderr
    assert "ALARM L01" in done.stderr


@pytest.mark.parametrize(("leaves", "status"), [("sys.exit(3)", 1), ("sys.exit()", 1), ("raise SystemExit('bye')", 1)])
def test_a_script_that_leaves_early_is_examined(leaves: str, status: int, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(BAD + leaves + "\n")
    done = doctor(tmp_path, "train.py")
    assert done.returncode == status
    assert "ALARM L01" in done.stderr


def test_a_script_that_never_ends_is_stopped_and_examined(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(BAD.replace("for step in range(20)", "step = 0\nwhile True"))
    began = time.monotonic()
    done = doctor(tmp_path, "train.py", "--timeout", "12")
    assert time.monotonic() - began < 50
    assert done.returncode == 1
    assert "The time was up" in done.stderr
    assert "ALARM L01" in done.stderr


def test_a_script_that_dies_without_a_word_is_told(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import os\nos._exit(7)\n")
    done = doctor(tmp_path, "train.py")
    assert done.returncode == 1
    assert "ended without a word (7)" in done.stderr


def test_a_script_that_asks_gets_what_is_piped_to_it(tmp_path: Path) -> None:
    (tmp_path / "ask.py").write_text("print('Hello', input())\n")
    done = doctor(tmp_path, "ask.py", stdin="Ada\n")
    assert done.returncode == 0
    assert done.stdout == "Hello Ada\n"
    assert "no training" in done.stderr


def test_processes_that_a_script_started_end_with_it(tmp_path: Path) -> None:
    (tmp_path / "start.py").write_text(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
        "print(child.pid)\n"
    )
    done = doctor(tmp_path, "start.py")
    number = int(done.stdout)
    deadline = time.monotonic() + 10
    while psutil.pid_exists(number) and psutil.Process(number).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "it lives on"
        time.sleep(0.05)


def test_a_script_may_change_its_folder_and_patch_torch(tmp_path: Path) -> None:
    change = "import os, tempfile, torch\nos.chdir(tempfile.gettempdir())\ntorch.Tensor.backward = lambda *a: 1 / 0\n"
    (tmp_path / "train.py").write_text(change + "print('fine')\n")
    done = doctor(tmp_path, "train.py")
    assert (done.returncode, done.stdout) == (0, "fine\n")


@pytest.mark.parametrize("text", ["this is no Python", "\x00", "def f(:\n"])
def test_what_is_no_python_is_wrong_usage(text: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(text)
    done = doctor(tmp_path, "train.py")
    assert done.returncode == 2
    assert "train.py cannot be run" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("word", ["missing.py", "missing.ipynb", "no-such-run"])
def test_what_is_not_there_is_wrong_usage(word: str, tmp_path: Path) -> None:
    done = doctor(tmp_path, word)
    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_target_and_with_bad_seconds_it_says_what_is_missing(tmp_path: Path) -> None:
    assert doctor(tmp_path).returncode == 2
    done = doctor(tmp_path, "train.py", "--timeout", "soon")
    assert done.returncode == 2
    assert "soon is no number of seconds" in done.stderr


def test_a_notebook_is_run_cell_by_cell(tmp_path: Path) -> None:
    head, loop = BAD.split("for step", 1)
    cells = [
        {"cell_type": "markdown", "source": "# Training", "metadata": {}},
        *(
            {"cell_type": "code", "source": text, "execution_count": None, "metadata": {}, "outputs": []}
            for text in (head.splitlines(keepends=True), "for step" + loop)
        ),
    ]
    (tmp_path / "train.ipynb").write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    done = doctor(tmp_path, "train.ipynb", "--json")
    finding = json.loads(done.stdout)["findings"][0]
    assert (finding["rule"], finding["cell"], finding["line"]) == ("L01", 2, 3)
    (tmp_path / "broken.ipynb").write_text("{}")
    assert doctor(tmp_path, "broken.ipynb").returncode == 2


def test_static_reads_and_runs_nothing(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("open('ran', 'w')\n")
    done = doctor(tmp_path, "train.py", "--static")
    assert done.returncode == 0
    assert not (tmp_path / "ran").exists()


def test_a_recorded_run_is_examined(tmp_path: Path) -> None:
    watched = BAD.replace("for step", "import firstlight as fl\nfl.watch(model, optimizer)\nfor step")
    (tmp_path / "train.py").write_text(watched)
    assert doctor(tmp_path, "train.py").returncode == 1
    done = doctor(tmp_path, "Linear")
    assert done.returncode == 1
    assert "ALARM L01" in done.stdout


def test_the_rules_are_listed(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--list", "--json")
    rules = json.loads(done.stdout)
    assert {"rule", "name", "voice", "question"} == set(rules[0])
    assert "L01" in {rule["rule"] for rule in rules}
    assert len(doctor(tmp_path, "--list").stdout.splitlines()) == len(rules)
