"""Whether anything grows while a lab is used for long: a real lab, a kernel, a page that follows, for an hour.

    python -m benchmarks.reliability.soak [--minutes 60] [--json]

The page runs one cell again and again: it makes a small net and trains it under `watch` for a few seconds, with output
beside the curves. After each training are noted: the memory (RSS), files and threads of the server and of the kernel,
the memory of the page's process and of its scripts, and the disk of the lab's own folder; and of the record what a run
takes. Before that all sides give back what they only keep for later: the kernel's cell ends with a collection and
`malloc_trim` (the lab's kernels keep memory between steps on purpose), Chromium is told that memory is short. It is
asked through DevTools without Playwright, which has it keep what each request brought: that would be measured too.
After a warm-up (three tenths of the time, a quarter of an hour at most) a line is fitted to each (Theil and Sen: the
median of the slopes of all pairs, which a single outlier does not move). What a line rises from there to the end must
stay below its bar. Runs may take disk, each as much as the one before and the code of the cells that ran, and so may
IPython's history of what was typed; nothing else may.

The bars are for the whole time, however long it was: an hour that keeps them has grown by less than a percent of what a
day's work would notice; in a minute they find what leaks with every training.
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
from websocket import WebSocket, create_connection

from benchmarks.harness import ROOT, machine_line
from benchmarks.watch_page import NoBrowser

STEPS = 150
CELL = f"""\
import time, torch, firstlight as fl
from torch import nn
torch.set_num_threads(1)
model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
x = torch.randn(64, 20); y = (x[:, 0] > 0).long()
run = fl.watch(model, optimizer, steps={STEPS})
for step in range({STEPS}):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    time.sleep(0.01)
    if step % 50 == 0: print('step', step)
run.finish()
import ctypes, gc
gc.collect(); getattr(ctypes.CDLL(None), 'malloc_trim', lambda _bytes: 0)(0)"""
# What a value may rise over the whole time after the warm-up: a share of its median, or so much, whichever is more.
MB = 1e6
BARS = {
    "server, memory": (0.03, 5 * MB),
    "server, files": (0.0, 2.0),
    "server, threads": (0.0, 2.0),
    "kernel, memory": (0.03, 12 * MB),
    "kernel, files": (0.0, 2.0),
    "kernel, threads": (0.0, 2.0),
    "page, process": (0.10, 40 * MB),
    "page, scripts": (0.05, 4 * MB),
    "lab's folder": (0.0, 1 * MB),
    "input history": (0.0, 0.5 * MB),
    "record of a run": (0.05, 20_000.0),
}


def soak(minutes: float) -> dict[str, list[tuple[float, float]]]:
    """Use a lab for so long; each value with its times in seconds."""
    sys.path.insert(0, str(ROOT))
    from tests.browser.jupyterlab import FLAGS, browser_tools, running_lab, wait_kernel, wait_notebook
    from tests.lab.labs import small_notebook

    tools = browser_tools()
    if reason := tools.why_not():
        raise NoBrowser(reason)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in BARS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {"FIRSTLIGHT_LANG": "en", "FIRSTLIGHT_VIEW": ""}
        book = small_notebook(folder / "soak.ipynb", CELL)
        with running_lab(folder, notebook=book, env=env) as lab, _page(tools.chromium(), FLAGS, folder) as page:
            page.send("Emulation.setFocusEmulationEnabled", enabled=True)
            page.send("Page.navigate", url=lab.url)
            wait_notebook(page)
            wait_kernel(page)
            page.send("Performance.enable")
            runs = lab.folder / "runs"
            server = psutil.Process(lab.process.pid)
            renderer = _renderer()
            taken: set[Path] = set()
            begun = time.monotonic()
            while time.monotonic() - begun < 60 * minutes:
                _train(page)
                at = time.monotonic() - begun
                page.send("Memory.simulatePressureNotification", level="critical")
                page.send("HeapProfiler.collectGarbage")
                told = {one["name"]: one["value"] for one in page.send("Performance.getMetrics")["metrics"]}
                kernel = next(one for one in server.children() if "ipykernel_launcher" in " ".join(one.cmdline()))
                values = {"page, process": renderer.memory_info().rss, "page, scripts": told["JSHeapUsedSize"]}
                for who, process in (("server", server), ("kernel", kernel)):
                    values[f"{who}, memory"] = process.memory_info().rss
                    values[f"{who}, files"] = process.num_fds()
                    values[f"{who}, threads"] = process.num_threads()
                history = _bytes(lab.home / "ipython")
                typed = len(CELL) * (len(found["server, memory"]) + 1)
                values["lab's folder"] = _bytes(lab.home) - history
                values["input history"] = history - 2 * typed  # it keeps a text as it was typed, and as it was run
                if older := [one for one in runs.iterdir() if one not in taken]:
                    taken.update(older)
                    code = min(len(json.dumps(CELL)) * len(taken), 200_000)  # the cells that ran so far,
                    code *= 2  # written as the run begins and again at its end
                    values["record of a run"] = _bytes(older[-1]) - code
                for one, value in values.items():
                    found[one].append((at, float(value)))
    return found


def rise(points: Sequence[tuple[float, float]], warm_s: float) -> tuple[float, float]:
    """How much the fitted line rises after the warm-up, and the median of the values.

    Example:
        >>> rise([(float(t), 100.0 + 2 * t) for t in range(11)], warm_s=0.0)
        (20.0, 110.0)
    """
    later = [point for point in points if point[0] >= warm_s]
    if len(later) < 3:
        return 0.0, statistics.median(value for _t, value in points)
    thin = later[:: len(later) // 400 + 1]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.combinations(thin, 2) if b[0] > a[0]]
    return statistics.median(slopes) * (later[-1][0] - later[0][0]), statistics.median(value for _t, value in later)


def verdicts(found: dict[str, list[tuple[float, float]]], minutes: float) -> list[dict[str, Any]]:
    """What each value did, and whether it kept its bar."""
    rows = []
    warm_s = min(900.0, 60 * 0.3 * minutes)
    for name, (share, least) in BARS.items():
        rose, median = rise(found[name], warm_s)
        bar = max(share * median, least)
        rows.append({"what": name, "median": median, "rose": rose, "bar": bar, "kept": rose <= bar})
    return rows


def main() -> int:
    """Run it and print a table; 1 where something grows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    try:
        found = soak(given.minutes)
    except NoBrowser as reason:
        sys.stderr.write(f"{reason}\n")
        return 2
    rows = verdicts(found, given.minutes)
    trainings = len(found["server, memory"])
    if given.json:
        print(json.dumps({"minutes": given.minutes, "trainings": trainings, "rows": rows, "values": found}))
    else:
        print(machine_line())
        print(f"{given.minutes:g} minutes, {trainings} trainings of {STEPS} steps")
        for row in rows:
            unit = 1.0 if row["what"].endswith(("files", "threads")) else 1e3 if "record" in row["what"] else MB
            of = {1.0: "", 1e3: " kB", MB: " MB"}[unit]
            numbers = f"{row['median'] / unit:9.1f}{of:3}  rose {row['rose'] / unit:+7.2f}{of:3}"
            print(f"{row['what']:18}{numbers}  (bar {row['bar'] / unit:.1f}{of})  {'' if row['kept'] else 'GROWS'}")
    return 0 if all(row["kept"] for row in rows) else 1


class _Page:
    """A page without Playwright, with as much of its `Page` as the tests' helpers ask for."""

    def __init__(self, line: WebSocket) -> None:
        self._line, self._number = line, 0

    def send(self, method: str, **given: Any) -> Any:
        """Ask DevTools."""
        self._number += 1
        self._line.send(json.dumps({"id": self._number, "method": method, "params": given}))
        while (answer := json.loads(self._line.recv())).get("id") != self._number:
            continue  # an event
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def evaluate(self, function: str, arg: Any = None) -> Any:
        """What a function of JavaScript gives, once it has it."""
        told = self.send(
            "Runtime.evaluate", expression=f"({function})({json.dumps(arg)})", awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in told:
            raise RuntimeError(str(told["exceptionDetails"]))
        return told["result"].get("value")

    def wait_for_function(self, function: str, arg: Any = None, timeout: float = 60_000) -> None:
        """Wait until it gives something true; for so many milliseconds."""
        end = time.monotonic() + timeout / 1000
        while not self.evaluate(function, arg):
            if time.monotonic() > end:
                raise TimeoutError(function)
            time.sleep(0.1)


@contextmanager
def _page(chromium: Path, flags: Sequence[str], folder: Path) -> Iterator[_Page]:
    home = folder / "chromium"
    command = [chromium, "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={home}", *flags]
    size, anyone = "--window-size=1280,900", "--remote-allow-origins=*"
    with subprocess.Popen([*command, size, anyone, "about:blank"], stderr=subprocess.DEVNULL) as process:
        try:
            told = home / "DevToolsActivePort"
            while not (told.exists() and told.read_text(encoding="utf-8").count("\n")):
                time.sleep(0.1)
            port = told.read_text(encoding="utf-8").split()[0]
            while not (tabs := [one for one in _tabs(port) if one["type"] == "page"]):
                time.sleep(0.1)
            yield _Page(create_connection(tabs[0]["webSocketDebuggerUrl"], timeout=120))
        finally:
            process.terminate()


def _tabs(port: str) -> list[dict[str, Any]]:
    with urlopen(f"http://127.0.0.1:{port}/json") as answer:
        found: list[dict[str, Any]] = json.load(answer)
        return found


def _train(page: Any) -> None:
    from tests.browser.jupyterlab import run_cell, wait_run_cell

    run_cell(page, 0)
    wait_run_cell(page, 60)


def _renderer() -> psutil.Process:
    """The process of the page: of Chromium's, the renderer that holds most."""
    mine = psutil.Process().children(recursive=True)
    return max((one for one in mine if "--type=renderer" in one.cmdline()), key=lambda one: one.memory_info().rss)


def _bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # a file that is replaced at this moment
            continue
    return total


if __name__ == "__main__":
    sys.exit(main())
