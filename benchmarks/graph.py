"""A large graph: how long it takes to trace, to draw and to open, and how large the page is.

    python -m benchmarks.graph [--operations 5000] [--no-browser] [--json]

The model is made of blocks in blocks, as large ones are. "Opened" is what a headless Chromium needs from the file
to the first frame that has everything laid out, with the tree folded as it is at first.
"""

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from firstlight.graph import trace


class Residual(nn.Module):
    """Five operations: two layers, two activations, a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(torch.relu(self.first(x))))


def model(operations: int) -> nn.Module:
    stages = max(1, operations // 250)
    return nn.Sequential(*(nn.Sequential(*(Residual() for _ in range(50))) for _ in range(stages)))


def opened(page: str) -> float:
    """Seconds until Chromium has drawn a page."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "graph.html"
        path.write_text(f"<!doctype html><meta charset=utf-8><body>{page}", encoding="utf-8")
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        tab = browser.new_page()
        tab.goto("about:blank")
        start = time.perf_counter()
        tab.goto(path.as_uri())
        tab.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        took = time.perf_counter() - start
        browser.close()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=5000)
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    network, x = model(wanted.operations), torch.zeros(2, 8)
    network(x)
    found: dict[str, float | str] = {"torch": torch.__version__, "machine": platform.machine()}
    start = time.perf_counter()
    network(x)
    found["forward_s"] = time.perf_counter() - start
    start = time.perf_counter()
    graph = trace(network, x)
    found["trace_s"] = time.perf_counter() - start
    found["operations"] = len(graph)
    start = time.perf_counter()
    picture = graph.picture()
    found["draw_s"] = time.perf_counter() - start
    found["html_mb"] = len(picture.html.encode()) / 1e6
    found["text_kb"] = len(picture.text.encode()) / 1e3
    found["rows_mb"] = len(json.dumps(graph.rows())) / 1e6
    start = time.perf_counter()
    graph.diff(trace(model(wanted.operations + 250), x))
    found["trace_and_diff_s"] = time.perf_counter() - start
    if not wanted.no_browser:
        found["opened_s"] = opened(picture.html)
    if wanted.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:18} {value:.3f}" if isinstance(value, float) else f"{name:18} {value}")


if __name__ == "__main__":
    main()
