"""How smooth the page stays while a long loop is watched: a real lab, a real headless Chromium, 100,000 steps.

    python -m benchmarks.watch_page [--steps 100000] [--json]

A cell of a notebook trains a small net in a plain loop of short steps, watched. While it runs, the page counts the
frames that it draws (`requestAnimationFrame`), in spans of a second, and Chromium says how much its scripts hold
(`JSHeapUsedSize`, after a collection, JupyterLab included) and how much the page's process has in memory. The median
of the spans is held against the bar; the slowest hold a collection that this script asks for.
"""

import argparse
import importlib.util
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT, machine_line

STEPS = 100_000
FRAMES_BAR, HEAP_BAR_MB = 20, 150
LIMIT_S = 240
CELLS = (
    """\
import torch
from torch import nn
import firstlight as fl
torch.set_num_threads(1)
torch.manual_seed(0)
x = torch.randn(64, 20); y = (x[:, 0] > 0).long()
model = nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.001)""",
    """\
run = fl.watch(model, optimizer, steps={steps})
for step in range({steps}):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()""",
    "print('steps', len(run.metric('train/loss')))",
)
COUNT = """() => {
    window.__frames = []; let count = 0, since = performance.now();
    const frame = (now) => {
        count += 1;
        if (now - since >= 1000) { window.__frames.push(1000 * count / (now - since)); count = 0; since = now; }
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
}"""


class NoBrowser(RuntimeError):
    """There is no browser here to look with; the message says what is missing."""


@contextmanager
def opened(cells: Sequence[str]) -> Iterator[Any]:
    """The page of a notebook of these cells, in a real lab, with its kernel ready."""
    sys.path.insert(0, str(ROOT))
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook
    from playwright.sync_api import sync_playwright
    from tests.browser.jupyterlab import FLAGS, running_lab, wait_kernel, wait_notebook

    spec = importlib.util.spec_from_file_location("firstlight_tools_browser", ROOT / "tools" / "browser.py")
    assert spec is not None
    assert spec.loader is not None
    tools = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tools)
    if reason := tools.why_not():
        raise NoBrowser(reason)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        book = new_notebook(
            cells=[new_code_cell(cell) for cell in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        nbformat.write(book, folder / "watched.ipynb")
        env = {"FIRSTLIGHT_RUNS": str(folder / "runs"), "FIRSTLIGHT_LANG": "en", "FIRSTLIGHT_VIEW": ""}
        browser = playwright.chromium.launch(executable_path=tools.chromium(), headless=True, args=FLAGS)
        with running_lab(folder, notebook=folder / "watched.ipynb", env=env) as lab:
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            page.set_default_timeout(60_000)
            page.goto(lab.url)
            wait_notebook(page, len(cells))
            wait_kernel(page)
            yield page
        browser.close()


def measure(steps: int) -> dict[str, Any]:
    """Run the loop in a page, and look at the page until it has ended."""
    import psutil

    with opened([cell.format(steps=steps) for cell in CELLS]) as page:
        from tests.browser.jupyterlab import errors, run_all

        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable")

        def heap() -> float:
            devtools.send("HeapProfiler.collectGarbage")
            told = {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}
            return float(told["JSHeapUsedSize"]) / 1e6

        before = heap()
        run_all(page)
        page.wait_for_function("() => Number(document.querySelector('.fl-live')?.dataset.step) > 0", timeout=60_000)
        page.evaluate(COUNT)
        begun = time.perf_counter()
        heaps: list[float] = []
        resident: list[float] = []
        shown = 0
        while page.evaluate("() => window.__runAll") == "running" and time.perf_counter() - begun < LIMIT_S:
            page.wait_for_timeout(3000)
            heaps.append(heap())
            mine = [one for one in psutil.Process().children(recursive=True) if "--type=renderer" in one.cmdline()]
            resident.append(max(one.memory_info().rss for one in mine) / 1e6)
            shown = max(shown, page.evaluate("() => Number(document.querySelector('.fl-live')?.dataset.step || 0)"))
        passed = time.perf_counter() - begun
        ended = page.evaluate("() => window.__runAll")
        frames: list[float] = page.evaluate("() => window.__frames")
        failed = errors(page)
    return {
        "steps": steps,
        "shown": shown,
        "ended": ended,
        "errors": len(failed),
        "seconds": passed,
        "frames_per_s": statistics.median(frames),
        "lowest_frames_per_s": min(frames),
        "heap_mb": max(heaps),
        "heap_before_mb": before,
        "renderer_mb": max(resident),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        found = measure(options.steps)
    except NoBrowser as reason:
        found = {"seconds": 0.0, "reason": str(reason)}
    if options.json or "reason" in found:
        print(json.dumps(found))
        return
    print(machine_line())
    print(
        f"{found['steps']:,} steps in {found['seconds']:.0f} s ({found['ended']}, {found['errors']} errors, "
        f"step {found['shown']:,} seen): {found['frames_per_s']:.0f} frames/s, in the slowest second "
        f"{found['lowest_frames_per_s']:.0f}; scripts hold {found['heap_mb']:.0f} MB, {found['heap_before_mb']:.0f} "
        f"before the loop; the page's process {found['renderer_mb']:.0f} MB in memory"
    )


if __name__ == "__main__":
    main()
