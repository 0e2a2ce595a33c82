"""Helpers for tests with a real lab and a real headless Chromium: JupyterLab and Notebook 7, in any language.

They ask `window.jupyterapp` (the lab is started with `--expose-app`) and never the DOM alone: before the file arrives
there is one placeholder cell behind a spinner, and the execution indicator says "idle" while there is no kernel yet.

    with running_lab(tmp_path, lang="ja", notebook=path) as lab:
        page.goto(lab.url)
        wait_notebook(page); wait_kernel(page)
        run_all(page); wait_run_all(page)
        assert not errors(page)
"""

import importlib.util
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, Request, Response

from tests.lab.labs import Lab, running_lab

__all__ = [
    "Lab",
    "Watch",
    "alarms",
    "command",
    "draws_glyphs",
    "errors",
    "outputs",
    "run_all",
    "run_cell",
    "running_lab",
    "save",
    "scroll_to",
    "wait_kernel",
    "wait_notebook",
    "wait_run_all",
    "wait_run_cell",
]

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--lang=en-US",
]


def browser_tools() -> Any:
    """tools/browser.py, which knows where the browser is."""
    spec = importlib.util.spec_from_file_location("firstlight_tools_browser", ROOT / "tools" / "browser.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Watch:
    """Sees what no test should: page errors, failed responses, requests off the machine."""

    # Notebook 7.6 raises this on every load; jupyter.md 1.2.
    KNOWN_ERRORS = (r"Cannot read properties of undefined \(reading 'schema'\)",)

    def __init__(self, page: Page) -> None:
        self.problems: list[str] = []
        self._allowed: list[str] = [*self.KNOWN_ERRORS]
        page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))
        page.on("response", self._response)
        page.on("request", self._request)

    def allow(self, pattern: str) -> None:
        """A problem that this test brings about on purpose: a regular expression found in its text."""
        self._allowed.append(pattern)

    def check(self) -> None:
        """Fail if there was any problem that was not allowed."""
        found = [text for text in self.problems if not any(re.search(pattern, text) for pattern in self._allowed)]
        assert not found, "\n".join(found)

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.problems.append(f"response {response.status}: {response.url}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob", "about") and parts.hostname not in ("127.0.0.1", "localhost"):
            self.problems.append(f"request off the machine: {request.url}")


def wait_notebook(page: Page, cells: int = 1, timeout_s: float = 40) -> None:
    """Wait until the notebook is read, rendered, and has at least so many cells."""
    page.wait_for_function(
        """(n) => {
            const w = window.jupyterapp?.shell.currentWidget;
            return !!w && !!w.context && !!w.content?.widgets && w.context.isReady && w.isRevealed !== false
                && !document.querySelector('.jp-NotebookPanel .jp-Spinner') && w.content.widgets.length >= n;
        }""",
        arg=cells,
        timeout=timeout_s * 1000,
    )


def wait_kernel(page: Page, timeout_s: float = 40) -> None:
    """Wait until the kernel is connected. Busy is fine: what is run then, queues."""
    page.wait_for_function(
        """() => {
            const k = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
            return !!k && k.connectionStatus === 'connected' && (k.status === 'idle' || k.status === 'busy');
        }""",
        timeout=timeout_s * 1000,
    )


def command(page: Page, name: str, arguments: dict[str, Any] | None = None) -> None:
    """Run a command of JupyterLab and wait until it is done. A dialog that waits for an answer keeps it from that."""
    waited = page.evaluate(
        """([n, a]) => Promise.race([
            window.jupyterapp.commands.execute(n, a || {}).then(() => null),
            new Promise((go) => setTimeout(() => {
                go([...document.querySelectorAll('.jp-Dialog')].map((one) => one.innerText).join() || 'no dialog');
            }, 30_000)),
        ])""",
        [name, arguments or {}],
    )
    assert waited is None, f"{name} is not done after 30 s; on the page: {waited}"


def save(page: Page) -> None:
    """Save the notebook and wait until it is on disk."""
    command(page, "docmanager:save")


def run_all(page: Page) -> None:
    """Start Run All without waiting for its end."""
    page.evaluate(
        """() => {
            window.__runAll = 'running';
            window.jupyterapp.commands.execute('notebook:run-all-cells')
                .then(() => { window.__runAll = 'done'; }, (e) => { window.__runAll = 'error ' + e; });
        }"""
    )


def wait_run_all(page: Page, timeout_s: float = 55) -> None:
    """Wait until the last cell of `run_all` has ended."""
    page.wait_for_function("() => window.__runAll && window.__runAll !== 'running'", timeout=timeout_s * 1000)
    state = page.evaluate("() => window.__runAll")
    assert state == "done", state


def run_cell(page: Page, index: int) -> None:
    """Start the cell with this index, counted from 0 over all cells, without waiting for its end."""
    page.evaluate(
        """(i) => {
            const panel = window.jupyterapp.shell.currentWidget;
            panel.content.activeCellIndex = i;
            window.__runCell = 'running';
            window.jupyterapp.commands.execute('notebook:run-cell')
                .then(() => { window.__runCell = 'done'; }, (e) => { window.__runCell = 'error ' + e; });
        }""",
        index,
    )


def wait_run_cell(page: Page, timeout_s: float = 55) -> None:
    """Wait until the cell of `run_cell` has ended."""
    page.wait_for_function("() => window.__runCell && window.__runCell !== 'running'", timeout=timeout_s * 1000)


def outputs(page: Page) -> list[list[dict[str, Any]]]:
    """The outputs of each code cell, from the model: cells that are scrolled away have no DOM."""
    found: list[list[dict[str, Any]]] = page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells
            .filter((c) => c.cell_type === 'code').map((c) => c.getOutputs ? c.getOutputs() : c.toJSON().outputs)"""
    )
    return found


def errors(page: Page) -> list[dict[str, Any]]:
    """The error outputs of all cells."""
    return [output for cell in outputs(page) for output in cell if output.get("output_type") == "error"]


def alarms(page: Page) -> list[str]:
    """What the doctor shows under cells, whatever its voice."""
    shown = [output.get("data", {}).get("text/html", "") for cell in outputs(page) for output in cell]
    return [text for text in map("".join, shown) if text.startswith('<div role="note"')]


def scroll_to(page: Page, index: int) -> None:
    """Bring a cell into sight, which also renders it."""
    page.evaluate(
        """async (i) => { const c = window.jupyterapp.shell.currentWidget.content; c.activeCellIndex = i;
            await c.scrollToItem(i, 'center'); }""",
        index,
    )


def draws_glyphs(page: Page) -> dict[str, bool]:
    """Whether the browser draws Japanese and Korean: two different characters must not have the same pixels."""
    found: dict[str, bool] = page.evaluate(
        """() => {
            const draw = (ch) => { const c = document.createElement('canvas'); c.width = c.height = 40;
                const x = c.getContext('2d'); x.font = '32px sans-serif'; x.fillText(ch, 2, 32);
                return c.toDataURL(); };
            const differ = (a, b) => draw(a) !== draw(b);
            return { en: differ('A', 'B'), ja: differ('日', '語') && differ('あ', 'ん'), ko: differ('한', '국') };
        }"""
    )
    return found
