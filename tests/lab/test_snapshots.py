"""A kernel that died while it trained: its last weights are offered with one click."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import firstlight as fl
from firstlight.lab import kernels, snapshots
from firstlight.lab.deaths import Death, bundle

PROGRAM = """
import torch, firstlight as fl
model = torch.nn.Linear(2, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
run = fl.watch(model, optimizer, name="dying", checkpoint=CHECKPOINT, looks=False)
import time
while True:
    for _step in range(20):
        model(torch.ones(3, 2)).sum().backward(); optimizer.step()
        time.sleep(0.01)
    print(run.folder, flush=True)
"""


def died(checkpoint: str) -> tuple[Death, Path]:
    code = PROGRAM.replace("CHECKPOINT", checkpoint)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        while checkpoint != "False" and not list(folder.glob("checkpoints/*.json")):
            process.stdout.readline()
        process.kill()
    return Death("", process.pid, -9, memory_was_full=False, held_bytes=1, free_bytes=10**9), folder


@pytest.fixture(autouse=True)
def own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLIGHT_RUNS", str(tmp_path))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals as on Unix")
def test_the_newest_weights_are_offered_and_taken_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert snapshots.offer in kernels.deaths.offers  # the lab's own kernels make the offer
    death, folder = died("0.1")
    (action,) = bundle(death, "kind")["kind"]["actions"]
    step = int(max(folder.glob("checkpoints/*.json"), key=os.path.getmtime).stem[5:])
    assert f"weights of step {step:,}" in action["label"]
    assert " s ago" in action["label"]
    exec(action["code"], {})
    assert f"step {step:,}" in capsys.readouterr().out
    import torch

    model = torch.nn.Linear(2, 2)
    run = fl.watch(model, torch.optim.SGD(model.parameters(), lr=0.1), name="dying", looks=False)
    assert run.folder == folder
    assert run.steps == step
    run.finish()


def test_nothing_is_offered_where_nothing_was_kept() -> None:
    death, _folder = died("False")
    assert bundle(death, "kind")["kind"]["actions"] == []
    other = Death("", 1, -9, memory_was_full=False, held_bytes=1, free_bytes=1)
    assert bundle(other, "kind")["kind"]["actions"] == []
