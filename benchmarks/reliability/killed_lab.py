"""How much of a notebook is lost when its lab is ended by SIGKILL: a real lab, a real page, random moments.

    python -m benchmarks.reliability.killed_lab [--times 5] [--json]

A cell writes the time ten times a second, and a person types into another cell as often. Then the lab is killed. Read
from the notebook on disk is how old the newest line of the output and the newest typed word are at that moment. With
`--closed` the page is closed before, and the lab is started anew after the kill: counted is what a page reads there.
"""

import argparse
import json
import random
import re
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT, machine_line
from benchmarks.watch_page import NoBrowser

BAR_S = 10.0
PRINT = "import time\nfor _ in range(600): print('at', time.time(), flush=True); time.sleep(0.1)"
TYPE = """() => { window.setInterval(() => {
    const cells = window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells;
    cells[1].setSource('# typed ' + Date.now() / 1000);
}, 100); }"""


def lost(browser: Any, wait_s: float, *, closed: bool) -> dict[str, float]:
    """Seconds of output and of typing that one kill costs."""
    from tests.browser.jupyterlab import outputs, run_cell, running_lab, wait_kernel, wait_notebook
    from tests.lab.labs import small_notebook

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        notebook = small_notebook(folder / "clock.ipynb", PRINT, "# nothing yet")
        with running_lab(folder, notebook=notebook) as lab:
            context = browser.new_context()
            page = context.new_page()
            page.goto(lab.url)
            wait_notebook(page, 2)
            wait_kernel(page)
            run_cell(page, 0)
            page.evaluate(TYPE)
            page.wait_for_function(
                "() => window.jupyterapp.shell.currentWidget.content.model.cells.get(0).outputs.length > 0"
            )
            page.wait_for_timeout(1000 * wait_s)
            if closed:
                left = time.time()
                context.close()
                time.sleep(wait_s)
            killed = time.time()
            lab.process.send_signal(signal.SIGKILL)
            lab.process.wait()
            text = (lab.folder / "clock.ipynb").read_text(encoding="utf-8")
            if not closed:
                context.close()
                return {"output": killed - _newest("at", text), "typing": killed - _newest("# typed", text)}
        with running_lab(folder, folder=lab.folder, notebook=notebook) as again:
            context = browser.new_context()
            page = context.new_page()
            page.goto(again.url)
            wait_notebook(page, 2)
            text = json.dumps(outputs(page))
            context.close()
            typed = (lab.folder / "clock.ipynb").read_text(encoding="utf-8")
            return {"output": killed - _newest("at", text), "typing": left - _newest("# typed", typed)}


def measure(times: int, *, closed: bool, seed: int = 0) -> list[dict[str, float]]:
    """As many kills, each of a lab of its own."""
    sys.path.insert(0, str(ROOT))
    from playwright.sync_api import sync_playwright
    from tests.browser.jupyterlab import FLAGS, browser_tools

    if reason := browser_tools().why_not():
        raise NoBrowser(reason)
    chance = random.Random(seed)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_tools().chromium(), headless=True, args=FLAGS)
        found = [lost(browser, chance.uniform(4, 12), closed=closed) for _ in range(times)]
        browser.close()
    return found


def main() -> int:
    """Measure and print; 1 where more is lost than the bar."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--closed", action="store_true", help="close the page before, and read in a new lab")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    try:
        found = measure(given.times, closed=given.closed)
    except NoBrowser as reason:
        sys.stderr.write(f"{reason}\n")
        return 2
    worst = max(value for one in found for value in one.values())
    if given.json:
        print(json.dumps({"lost_s": found, "worst_s": worst, "bar_s": BAR_S}))
    else:
        print(machine_line())
        for one in found:
            print("  ".join(f"{what}: {value:5.2f} s lost" for what, value in one.items()))
        print(f"worst {worst:.2f} s (bar {BAR_S:g} s)")
    return int(worst > BAR_S)


def _newest(word: str, text: str) -> float:
    return max((float(number) for number in re.findall(rf"{word} (\d+\.\d+)", text)), default=0.0)


if __name__ == "__main__":
    sys.exit(main())
