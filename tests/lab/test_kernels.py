"""Kernels as the lab starts them: real ones, asked in their very first cell."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from firstlight.lab.kernels import WarmKernelManager

pytestmark = pytest.mark.jupyter
FIRST_CELL = """\
import sys, threading
shell = get_ipython()
guide = [t for t in shell.ast_transformers if type(t).__name__ == "Guide"]
print(bool(guide), "torch" in sys.modules, sys.modules["firstlight.train.threads"]._kernel is not None)"""


async def first_cell(kernel: Any) -> str:
    client = kernel.client()
    client.start_channels()
    try:
        said: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            if message["msg_type"] in ("stream", "error"):
                said.append(message["content"].get("text") or "\n".join(message["content"]["traceback"]))

        await client.execute_interactive(FIRST_CELL, timeout=60, output_hook=hear)
        return "".join(said)
    finally:
        client.stop_channels()


def test_the_first_cell_finds_a_warm_kernel_also_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))

    async def run() -> list[str]:
        kernel = WarmKernelManager(kernel_name="python3", connection_file=str(tmp_path / "kernel.json"))
        await kernel.start_kernel()
        try:
            answers = [await first_cell(kernel)]
            await kernel.restart_kernel(now=True)
            return [*answers, await first_cell(kernel)]
        finally:
            await kernel.shutdown_kernel(now=True)

    assert asyncio.run(run()) == ["True True True\n"] * 2


def test_a_kernel_of_another_kind_is_started_as_it_wants() -> None:
    kernel = WarmKernelManager(kernel_name="python3")
    assert kernel.kernel_spec is not None
    kernel._launch_args = {}
    kernel.kernel_spec.argv = [sys.executable, "-m", "xeus", "{connection_file}"]
    assert not [word for word in kernel.format_kernel_cmd() if "extra_extensions" in word]
    kernel.kernel_spec.argv[2] = "ipykernel_launcher"
    assert kernel.format_kernel_cmd()[-1].endswith("extra_extensions=firstlight.lab.warm")
