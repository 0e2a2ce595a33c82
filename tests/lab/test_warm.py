"""What happens in a kernel before the learner's first cell."""

import os
import subprocess
import sys
from pathlib import Path

KERNEL = """
import sys, threading
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
from firstlight.lab import warm

gate = sys.gate = threading.Event()
warm.MODULES = ("slow_module",)
thread = warm.start()

shell.run_cell("quick = 1 + 1")
assert shell.user_ns["quick"] == 2 and thread.is_alive(), "a cell that imports nothing does not wait"
threading.Timer(0.3, gate.set).start()
shell.run_cell("import json")
assert not thread.is_alive(), "a cell that imports waits for the thread"
assert not [c for c in shell.events.callbacks["pre_run_cell"] if "_hold_back" in c.__qualname__], "and then it is over"
assert [t for t in shell.ast_transformers if type(t).__name__ == "Guide"], "the guide stands beside the notebook"
print("ok")
"""


def run(code: str, *folders: Path) -> str:
    # by PYTHONPATH: coverage, when sys.path changes, takes modules back out of sys.modules, from whichever thread
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout.strip()


def test_a_cell_that_imports_waits_and_no_other_does(tmp_path: Path) -> None:
    (tmp_path / "slow_module.py").write_text("import sys\nsys.gate.wait(20)\n")
    assert run(KERNEL, tmp_path).endswith("ok")


def test_torch_and_the_rooms_are_loaded() -> None:
    code = (
        "import sys\n"
        "from firstlight.lab import warm\n"
        "assert 'torch' not in sys.modules\n"
        "warm.start().join()\n"
        "print(all(name in sys.modules for name in warm.MODULES))"
    )
    assert run(code) == "True"


def test_a_missing_torch_is_left_to_the_learners_own_import() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\nfrom firstlight.lab import warm\nwarm.start().join()\nprint('quiet')"
    )
    assert run(code) == "quiet"


def test_a_cell_that_profiles_shows_no_messages_of_the_profiler() -> None:
    code = (
        "import firstlight.lab.warm as warm; warm.start().join(); import torch\n"
        "with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]): torch.rand(3) + 1"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, env={**os.environ, "KINETO_LOG_LEVEL": "6"},
    )  # fmt: skip
    assert done.stderr == ""
