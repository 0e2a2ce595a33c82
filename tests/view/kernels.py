"""A real kernel, and a page that speaks to it as JupyterLab does: widget messages over a kernel subshell."""

import contextlib
import os
import queue
import time
from collections.abc import Callable, Iterator
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

SETUP = """\
import time, torch
from torch import nn
from firstlight.view import watch
torch.manual_seed(0)
x = torch.randn(64, 20); y = (x[:, 0] > 0).long()
model = nn.Linear(20, 2); optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
def loop(steps, pause=0.005):
    for step in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        time.sleep(pause)
"""


class Page:
    """One kernel, and what a page would know of it."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager, self.client = manager, client
        self.shell = ""
        self.seen: list[dict[str, Any]] = []

    def open_subshell(self) -> None:
        """Ask for a subshell, as JupyterLab does for each comm target."""
        message = self.client.session.msg("create_subshell_request")
        self.client.control_channel.send(message)
        reply = self.client.get_control_msg(timeout=10)
        self.shell = reply["content"]["subshell_id"]

    def speak(self, comm_id: str, content: dict[str, Any]) -> None:
        """A custom widget message from the page to the kernel, over the subshell where there is one."""
        data = {"comm_id": comm_id, "data": {"method": "custom", "content": content}}
        message = self.client.session.msg("comm_msg", data)
        if self.shell:
            message["header"]["subshell_id"] = self.shell
        self.client.shell_channel.send(message)

    def start(self, code: str) -> str:
        """Begin to run a cell."""
        identity: str = self.client.execute(code, allow_stdin=False)
        return identity

    def until(self, wanted: Callable[[dict[str, Any]], Any], timeout_s: float = 20) -> dict[str, Any]:
        """Take in messages until one is wanted."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            try:
                message: dict[str, Any] = self.client.get_iopub_msg(timeout=max(0.05, end - time.monotonic()))
            except queue.Empty:
                break
            self.seen.append(message)
            if wanted(message):
                return message
        kinds = [(m["msg_type"], str(m["content"])[:150]) for m in self.seen[-12:]]
        raise AssertionError(f"no such message; the last were {kinds}")

    def finish(self, cell: str, timeout_s: float = 30) -> dict[str, Any]:
        """Take in messages until the cell has ended; return its reply."""
        self.until(
            lambda m: (
                m["msg_type"] == "status"
                and m["content"]["execution_state"] == "idle"
                and m["parent_header"].get("msg_id") == cell
            ),
            timeout_s,
        )
        while True:
            reply: dict[str, Any] = self.client.get_shell_msg(timeout=timeout_s)
            if reply["parent_header"].get("msg_id") == cell:
                content: dict[str, Any] = reply["content"]
                return content

    def run(self, code: str, timeout_s: float = 30) -> dict[str, Any]:
        """Run a cell to its end, and return its reply."""
        return self.finish(self.start(code), timeout_s)

    def value(self, expression: str) -> str:
        """What an expression is in the kernel, as text."""
        self.seen.clear()
        self.run(f"print({expression}, end='')")
        return self.text()

    def text(self) -> str:
        """What was printed."""
        return "".join(m["content"]["text"] for m in self.seen if m["msg_type"] == "stream")

    def shown(self) -> list[dict[str, Any]]:
        """Display data and its updates, in order."""
        kinds = ("display_data", "update_display_data")
        return [m["content"] for m in self.seen if m["msg_type"] in kinds]

    def place(self) -> str:
        """The display id of the newest view; the one before it may have been brought up to date as well."""
        *_before, newest = [m["content"]["transient"] for m in self.seen if m["msg_type"] == "display_data"]
        place: str = newest["display_id"]
        return place

    def errors(self) -> list[dict[str, Any]]:
        return [m["content"] for m in self.seen if m["msg_type"] == "error"]

    def widget(self) -> str:
        """The id of the newest live widget."""
        opened = self.until(
            lambda m: (
                m["msg_type"] == "comm_open"
                and m["content"]["data"].get("state", {}).get("_anywidget_id", "").endswith("Curves")
            )
        )
        comm_id: str = opened["content"]["comm_id"]
        return comm_id


def custom(message: dict[str, Any]) -> dict[str, Any]:
    """The content of a custom widget message from the kernel, or nothing."""
    data = message["content"].get("data", {}) if message["msg_type"] == "comm_msg" else {}
    content: dict[str, Any] = data.get("content", {}) if data.get("method") == "custom" else {}
    return content


def news_from(step: int) -> Callable[[dict[str, Any]], bool]:
    """Whether a message brings the state at this step or later."""
    return lambda m: custom(m).get("t") == "news" and custom(m)["state"]["progress"]["done"] >= step


@contextlib.contextmanager
def running_page(env: dict[str, str] | None = None) -> Iterator[Page]:
    """A kernel in a process of its own, with torch loaded and a model made."""
    manager = KernelManager(kernel_name="python3", transport="ipc" if os.name == "posix" else "tcp")
    manager.start_kernel(env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})})
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=40)
        page = Page(manager, client)
        page.run(SETUP, timeout_s=50)
        yield page
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=False)
        manager.cleanup_resources()
