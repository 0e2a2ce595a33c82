"""How soon a large graph can be read in the tab of a live view: a real lab, a real headless Chromium, a loop that runs.

    python -m benchmarks.watch_graph [--operations 5000] [--times 5] [--json]

A cell trains a model of blocks in blocks in a plain loop, watched. Timed is from the click on the tab until the graph
is there, drawn and laid out, and one of its boxes has answered the keyboard: the kernel reads the graph from the record
and draws it beside the loop, the page shows it. Each time is that of a new view, which has shown no graph yet.
"""

import argparse
import json
import statistics
import time
from typing import Any

from benchmarks.harness import ROOT, machine_line
from benchmarks.watch_page import NoBrowser, opened

OPERATIONS = 5000
TIMES = 5
BAR_S = 2.0
CELLS = (
    """\
import sys
sys.path.insert(0, {root!r})
import torch
import firstlight as fl
from benchmarks.graph import model
torch.set_num_threads(1)
torch.manual_seed(0)
net, x = model({operations}), torch.randn(8, 8)
optimizer = torch.optim.SGD(net.parameters(), lr=0.001)""",
    """\
run = fl.watch(net, optimizer)
while True:
    optimizer.zero_grad()
    net(x).square().mean().backward()
    optimizer.step()""",
)
# Two frames after the drawing has come, everything is laid out and painted.
READY = """() => new Promise((done) => {
    const look = () => {
        const box = document.querySelector('.fl-box-graph');
        const boxes = box?.querySelectorAll('.fl-drawing g.fl-box[tabindex]').length;
        if (!boxes) return requestAnimationFrame(look);
        requestAnimationFrame(() => requestAnimationFrame(() => done(Number(box.dataset.operations))));
    };
    look();
})"""


def measure(operations: int, times: int) -> dict[str, Any]:
    """Open the tab in one new view after the other."""
    found: list[float] = []
    shown = 0
    with opened([cell.format(root=str(ROOT), operations=operations) for cell in CELLS]) as page:
        from tests.browser.jupyterlab import command, run_cell, wait_run_cell

        run_cell(page, 0)
        wait_run_cell(page)
        for _time in range(times):
            run_cell(page, 1)
            page.wait_for_function(
                "() => Number(document.querySelector('.fl-live')?.dataset.step) >= 20", timeout=120_000
            )
            begun = time.perf_counter()
            page.locator(".fl-live [data-tab=graph]").click()
            shown = page.evaluate(READY)
            box = page.locator(".fl-live .fl-drawing g.fl-box[tabindex='0']")
            box.press("ArrowDown")
            found.append(time.perf_counter() - begun)
            command(page, "notebook:interrupt-kernel")
            page.wait_for_selector(".fl-live", state="detached", timeout=60_000)
    return {"seconds": sum(found), "operations": shown, "opened_s": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=OPERATIONS)
    parser.add_argument("--times", type=int, default=TIMES)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        found = measure(options.operations, options.times)
    except NoBrowser as reason:
        found = {"seconds": 0.0, "reason": str(reason)}
    if options.json or "reason" in found:
        print(json.dumps(found))
        return
    print(machine_line())
    opened_s = found["opened_s"]
    print(
        f"a graph of {found['operations']:,} operations: {statistics.median(opened_s):.2f} s "
        f"until it can be read ({', '.join(f'{one:.2f}' for one in opened_s)}); bar {BAR_S:g} s"
    )


if __name__ == "__main__":
    main()
