"""Take the pictures of each tab in docs/view.md from the real thing, in light and in dark: lab, kernel, browser.

.venv/bin/python -m tools.tab_pictures [folder] [lang]
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Page, sync_playwright
from tests.browser.jupyterlab import FLAGS, browser_tools, command, run_cell, running_lab, wait_kernel, wait_notebook
from tests.browser.programs import TREES
from tools.screenshots import FOLDER, shrink

IMAGES = """\
import torch, firstlight as fl
from torch import nn
torch.manual_seed(0)
train, test = fl.load("fashion_mnist_small")
model = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1),
                      nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1568, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
run = fl.watch(model, optimizer, epochs=100)
for epoch in range(100):
    for images, labels in train.batches(64, shuffle=True):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()"""
LOOP = """\
run = fl.watch(model, optimizer)
for epoch in range(100):
    for tree, value in train:
        optimizer.zero_grad()
        loss = nn.functional.huber_loss(model(tree), torch.tensor([float(value)]))
        loss.backward()
        optimizer.step()
        time.sleep(0.02)"""
LIVE = ".fl-live"


def main() -> None:
    """Ten pictures: each tab but the curves in both themes, the curves too."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    lang = sys.argv[2] if len(sys.argv) > 2 else "en"
    folder.mkdir(parents=True, exist_ok=True)
    steps = int(os.environ.get("STEPS", 600))
    with tempfile.TemporaryDirectory() as place, sync_playwright() as p:
        book = new_notebook(
            cells=[new_code_cell(f"{TREES}\n{LOOP}"), new_code_cell(IMAGES)],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        path = Path(place) / "tabs.ipynb"
        nbformat.write(book, path)
        with running_lab(Path(place), notebook=path, lang=lang) as lab:
            chromium = p.chromium.launch(executable_path=browser_tools().chromium(), args=FLAGS)
            page = chromium.new_page(viewport={"width": 1280, "height": 2000}, device_scale_factor=1.5)
            page.goto(lab.url)
            wait_notebook(page, 2)
            wait_kernel(page)
            run_cell(page, 0)
            wait_for_step(page, 60)
            for theme in ("light", "dark"):
                set_theme(page, theme)
                take(page, "graph", folder / f"tab_graph.{theme}.png")
            command(page, "notebook:interrupt-kernel")
            page.wait_for_selector(LIVE, state="detached")
            run_cell(page, 1)
            wait_for_step(page, steps)
            for theme in ("light", "dark"):
                set_theme(page, theme)
                for tab in ("curves", "gradients", "activations", "memory", "time"):
                    take(page, tab, folder / f"tab_{tab}.{theme}.png")
            command(page, "notebook:interrupt-kernel")
            chromium.close()


def wait_for_step(page: Page, step: int) -> None:
    """Wait until the live view has drawn a step."""
    page.wait_for_function(
        "(n) => { const d = document.querySelector('.fl-live')?.dataset; return d && Number(d.step) >= n && d.way; }",
        arg=step,
        timeout=300_000,
    )


def set_theme(page: Page, theme: str) -> None:
    """JupyterLab's own themes."""
    command(page, "apputils:change-theme", {"theme": f"JupyterLab {theme.title()}"})
    page.wait_for_timeout(1500)


def take(page: Page, tab: str, path: Path) -> None:
    """Open a tab, wait until it shows something, and keep a picture of the view."""
    page.locator(f"{LIVE} [data-tab={tab}]").click()
    if tab != "curves":
        page.wait_for_function(
            "(tab) => document.querySelector(`.fl-live .fl-box-${tab}`)?.innerText.length > 40", arg=tab
        )
    page.wait_for_timeout(1500)
    page.locator(LIVE).screenshot(path=path)
    shrink(path)
    print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
