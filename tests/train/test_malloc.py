"""Freed memory stays with the process while it trains, and goes back afterwards. Each test is a process of its own."""

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc", reason="only glibc can keep memory"
)
START = """
import os, resource, psutil, torch
from firstlight.train import malloc
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def held():
    return psutil.Process().memory_info().rss
def step():
    return [torch.ones(10_000_000) for _ in range(5)]  # 40 MB each
"""


def run(code: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_", "LD_"))}
    ran = subprocess.run(
        [sys.executable, "-c", START + code],
        capture_output=True, text=True, timeout=50, check=False, env={**clean, **environment},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_steps_reuse_their_memory_and_the_end_gives_it_back() -> None:
    code = """
def ten():
    step()
    before = faults()
    for _ in range(10):
        step()
    return faults() - before
outside, before = ten(), held()
with malloc.kept_memory():
    with malloc.kept_memory():
        step()
    inside = ten()
    kept = held() - before
left = held() - before
print(outside > 20 * inside, kept > 150e6, left < 40e6)
"""
    assert run(code) == "True True True"


@pytest.mark.parametrize(
    ("name", "value"), [("MALLOC_TRIM_THRESHOLD_", "131072"), ("GLIBC_TUNABLES", "glibc.malloc.tcache_count=7")]
)
def test_who_has_set_malloc_up_keeps_it_so(name: str, value: str) -> None:
    code = """
with malloc.kept_memory():
    before = held()
    step()
    print(held() - before < 40e6, malloc._library())
"""
    assert run(code, **{name: value}) == "True None"


def test_fit_and_evaluate_keep_it_and_give_it_back() -> None:
    code = """
import ctypes
import firstlight as fl
from torch import nn
from torch.utils.data import TensorDataset
said, library = [], malloc._library()
class Told:
    def mallopt(self, name, value):
        said.append((name, value))
        return library.mallopt(name, value)
    def malloc_trim(self, pad):
        said.append("trim")
        return library.malloc_trim(pad)
malloc._library = Told
data = TensorDataset(torch.randn(40, 3), torch.arange(40) % 2)
model = nn.Linear(3, 2)
fl.fit(model, data, data)
print(said[0] == (-4, 0), said[-1] == "trim", said.count("trim"))
said.clear()
fl.evaluate(model, data)
print(said[0] == (-4, 0), said[-1] == "trim")
"""
    assert run(code, FIRSTLIGHT_VIEW="off").splitlines()[-2:] == ["True True 1", "True True"]


def test_a_kernel_gives_back_after_each_cell() -> None:
    code = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
malloc.attend_kernel(shell)
shell.user_ns.update(step=step, held=held)
before = held()
shell.run_cell("step(); kept = held()")
print(shell.user_ns["kept"] - before > 150e6, held() - before < 40e6)
"""
    assert run(code) == "True True"
