"""fit under a real torchrun with two processes, against one process."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from firstlight.train.world import FINE, World
from tests.train import ddp_program


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """What two processes saved, by name and rank, and what they printed."""
    folder = tmp_path_factory.mktemp("torchrun")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
               "-m", "tests.train.ddp_program", str(folder)]  # fmt: skip
    settings = {"OMP_NUM_THREADS": "1", "FIRSTLIGHT_LANG": "en", "FIRSTLIGHT_RUNS": str(folder / "runs")}
    environment = {**os.environ, **settings, "PYTHONPATH": os.pathsep.join(sys.path)}
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as torchrun:
        try:
            out, errors = torchrun.communicate(timeout=50)
        except subprocess.TimeoutExpired:
            torchrun.terminate()  # gently: torchrun then ends its workers
            raise
    assert torchrun.returncode == 0, errors[-4000:]
    saved = {path.stem: torch.load(path, weights_only=True) for path in folder.glob("*.pt")}
    assert len(saved) == 8
    return saved, out


def test_both_processes_have_the_same_weights(trained: tuple[dict[str, Any], str]) -> None:
    saved, _out = trained
    for name in ("plain", "own", "broken", "stopped"):
        first, second = saved[f"{name}-0"]["weights"], saved[f"{name}-1"]["weights"]
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first), name


def test_two_processes_compute_what_one_does(trained: tuple[dict[str, Any], str]) -> None:
    saved, _out = trained
    model, run = ddp_program.train()
    for key, value in model.state_dict().items():
        torch.testing.assert_close(saved["plain-0"]["weights"][key], value, rtol=1e-4, atol=1e-5)
    for metric in ("test/loss", "test/accuracy"):
        ours = [point.value for point in run.metric(metric)]
        assert saved["plain-0"]["values"][metric] == pytest.approx(ours, rel=1e-5)
        assert saved["plain-1"]["values"][metric] == pytest.approx(ours, rel=1e-5)


def test_the_first_records_and_speaks(trained: tuple[dict[str, Any], str]) -> None:
    saved, out = trained
    assert saved["plain-0"]["on_disk"]
    assert not saved["plain-1"]["on_disk"]
    assert len(saved["plain-0"]["values"]["train/loss"]) == 14
    assert out.count("Training on 2 × CPU") == 4 - 1  # once for each training that got far enough to tell


def test_stop_and_nan_end_both(trained: tuple[dict[str, Any], str]) -> None:
    saved, _out = trained
    assert [saved[f"stopped-{rank}"]["status"] for rank in (0, 1)] == ["stopped", "stopped"]
    assert [saved[f"broken-{rank}"]["status"] for rank in (0, 1)] == ["failed", "failed"]
    assert [saved[f"own-{rank}"]["status"] for rank in (0, 1)] == ["finished", "finished"]


def test_alone_nothing_is_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    world = World.here()
    assert world == World(0, 1, 0)
    world.join(torch.device("cpu"))
    assert not torch.distributed.is_initialized()
    assert world.agree(FINE, torch.device("cpu")) == FINE


def test_the_environment_of_torchrun_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "5")
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("LOCAL_RANK", "1")
    world = World.here()
    assert (world.rank, world.size, world.local_rank, world.first, world.alone) == (5, 8, 1, False, False)
    assert world.device(torch.device("cuda")) == torch.device("cuda:1")
    assert world.device(torch.device("cuda:3")) == torch.device("cuda:3")
    assert world.device(torch.device("cpu")) == torch.device("cpu")
