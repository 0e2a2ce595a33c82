"""The live view on a real page: a plain loop keeps the kernel busy while the page draws it and stops it."""

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Page

from tests.browser.jupyterlab import (
    Lab,
    Watch,
    command,
    errors,
    outputs,
    run_all,
    run_cell,
    save,
    wait_kernel,
    wait_notebook,
    wait_run_all,
    wait_run_cell,
)

MAKE = """\
import time, torch, matplotlib.pyplot as plt
from torch import nn
from firstlight import watch
torch.manual_seed(0)
x = torch.randn(64, 20); y = (x[:, 0] > 0).long()
model = nn.Linear(20, 2); optimizer = torch.optim.SGD(model.parameters(), lr=0.05)"""
WATCH = "run = watch(model, optimizer, steps=4000)"
LOOP = """\
for step in range({steps}):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    time.sleep(0.01)"""
PLOT = "plt.plot([1, 2, 3])"
AFTER = "print('went on', run.status, len(run.metric('train/loss')))"
LIVE = ".fl-live"
SOON_S = 10  # on a busy machine, too; the loops would go on for forty

Start = Callable[..., Lab]


def notebook(folder: Path, *cells: str) -> Path:
    book = new_notebook(
        cells=[new_code_cell(cell) for cell in (MAKE, *cells)],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    path = folder / "live.ipynb"
    nbformat.write(book, path)
    return path


def open_notebook(page: Page, lab: Lab, cells: int) -> None:
    page.goto(lab.url)
    wait_notebook(page, cells)
    wait_kernel(page)


def live(page: Page, step: int = 0) -> dict[str, str]:
    """Wait until the view has drawn this step, and return what it says about itself."""
    page.wait_for_function(
        "(n) => { const d = document.querySelector('.fl-live')?.dataset; return d && Number(d.step) >= n && d.way; }",
        arg=step,
        timeout=30_000,
    )
    found: dict[str, str] = page.evaluate("() => ({...document.querySelector('.fl-live').dataset})")
    return found


def text_of(cell: list[dict[str, Any]]) -> str:
    return "".join("".join(output.get("text", "")) for output in cell)


def kinds(cell: list[dict[str, Any]]) -> list[list[str]]:
    return [sorted(output["data"]) for output in cell if "data" in output]


PICTURE = ["image/png", "text/html", "text/plain"]


def test_curves_move_and_stop_stops_and_the_notebook_goes_on(
    page: Page, watch: Watch, start_lab: Start, tmp_path: Path
) -> None:
    watch.allow("Canceled future")  # JupyterLab, of what it had asked of the kernel that this test takes away
    lab = start_lab(notebook=notebook(tmp_path, f"{PLOT}\n{WATCH}\n{LOOP.format(steps=4000)}", AFTER))
    open_notebook(page, lab, 3)
    run_all(page)
    assert live(page, 30)["way"] == "message"
    first = page.locator(LIVE).screenshot()
    live(page, 80)
    assert page.locator(LIVE).screenshot() != first, "the curves did not move while the cell was running"

    page.locator(f"{LIVE} .fl-stop:not(.fl-pause)").focus()
    began = time.monotonic()
    page.keyboard.press("Enter")
    wait_run_all(page)
    assert time.monotonic() - began < SOON_S
    _, trained, after = outputs(page)
    assert not errors(page)
    assert kinds(trained) == [PICTURE, ["image/png", "text/plain"]], "the plot of the same cell is there too"
    assert "Stopped" in trained[0]["data"]["text/plain"]
    assert "stopped between two steps" in text_of(trained)
    assert text_of(after).startswith("went on stopped")

    # The saved notebook on a fresh page, read again from its file when it has no kernel at all.
    save(page)
    page.goto(lab.url)
    wait_notebook(page, 3)
    wait_kernel(page)
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    save(page)  # what was put in from the server makes it a notebook with changes, and JupyterLab would ask
    command(page, "docmanager:reload")
    wait_notebook(page, 3)
    page.wait_for_selector('section img[alt*="Loss (train)"]')
    assert page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session") is None
    assert page.evaluate("() => document.querySelector('section img').naturalWidth") > 300
    assert "model not found" not in page.locator(".jp-Notebook").inner_text()


def test_a_page_loaded_again_shows_the_curve_and_the_toolbar_stops_cleanly(
    page: Page, start_lab: Start, tmp_path: Path
) -> None:
    lab = start_lab(notebook=notebook(tmp_path, f"{WATCH}\n{LOOP.format(steps=4000)}", AFTER), lang="ja")
    open_notebook(page, lab, 3)
    run_all(page)
    live(page, 400)  # the picture below the moving view has been drawn by then
    save(page)
    page.goto(lab.url)
    wait_notebook(page, 3)  # and no longer: a kernel that is busy tells a new page nothing about itself
    page.wait_for_selector('section[data-firstlight] img[alt*="損失"]')
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel")  # or no Stop
    began = time.monotonic()
    command(page, "notebook:interrupt-kernel")
    # The new page has followed the cell, and shows what stays: the picture of all that was trained.
    while "停止" not in str(outputs(page)[1][0].get("data", {}).get("text/plain")):
        assert time.monotonic() - began < 25  # the loop itself would go on for forty seconds
        page.wait_for_timeout(100)
    print(f"stopped and shown after {time.monotonic() - began:.1f} s")
    shown = re.search(r"ステップ ([\d,]+) /", str(outputs(page)[1][0]["data"]["text/plain"]))
    assert shown is not None
    assert int(shown[1].replace(",", "")) > 400
    run_cell(page, 2)
    wait_run_cell(page)
    assert text_of(outputs(page)[2]).startswith("went on stopped")
    assert not errors(page)


@pytest.mark.parametrize("subshells", ["perCommTarget", "disabled"])
def test_a_loop_in_a_later_cell_is_live_in_the_same_place(
    page: Page, start_lab: Start, tmp_path: Path, subshells: str
) -> None:
    loops = [LOOP.format(steps=60), LOOP.format(steps=4000)]
    path = notebook(tmp_path, f"{WATCH}\n", *loops, AFTER)
    set_preference(tmp_path, "apputils-extension/kernels-settings", commsOverSubshells=subshells)
    lab = start_lab(notebook=path)
    open_notebook(page, lab, 5)
    run_all(page)
    found = live(page, 100)
    assert found["way"] == ("message" if subshells == "perCommTarget" else "interrupt")
    assert page.locator(LIVE).count() == 1
    began = time.monotonic()
    page.locator(f"{LIVE} .fl-stop:not(.fl-pause)").click()
    wait_run_all(page)
    assert time.monotonic() - began < SOON_S
    _, watched, first, second, after = outputs(page)
    assert kinds(watched) == [PICTURE]
    assert not first
    assert "stopped between two steps" in text_of(second)
    assert text_of(after).startswith("went on stopped")
    said = re.search(r"step ([\d,]+)", "".join(watched[0]["data"]["text/plain"]))
    assert said
    stopped_at = int(said[1].replace(",", ""))
    run_cell(page, 3)  # the same loop again: it goes on in the same place, and can be stopped again
    page.wait_for_timeout(4500)  # the page waited less for an answer to the first press: this loop is not its
    live(page, stopped_at + 50)
    assert page.locator(LIVE).count() == 1
    page.locator(f"{LIVE} .fl-stop:not(.fl-pause)").click()
    wait_run_cell(page)
    assert "stopped between two steps" in text_of(outputs(page)[3])
    assert not errors(page)


def test_fit_is_live_in_notebook_7_and_stops_between_two_steps(page: Page, start_lab: Start, tmp_path: Path) -> None:
    cell = """\
import firstlight as fl
train, test = fl.load("fashion_mnist_small")
net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
run = fl.fit(net, train, test, epochs=200)"""
    lab = start_lab(notebook=notebook(tmp_path, cell, AFTER), lang="ko", extra=["--ui", "notebook"])
    open_notebook(page, lab, 3)
    run_all(page)
    assert live(page, 200)["way"] == "message"
    first = page.locator(LIVE).screenshot(path=str(tmp_path / "fit.png"))
    live(page, int(live(page)["step"]) + 500)
    assert page.locator(LIVE).screenshot() != first
    began = time.monotonic()
    page.locator(f"{LIVE} .fl-stop:not(.fl-pause)").click()
    wait_run_all(page)
    assert time.monotonic() - began < SOON_S
    assert not errors(page)
    _, trained, after = outputs(page)
    assert PICTURE in kinds(trained)
    assert text_of(after).startswith("went on stopped")


def set_preference(tmp_path: Path, plugin: str, **values: object) -> None:
    """What a person chooses in JupyterLab's settings, in the home of the lab that `start_lab` starts."""
    from firstlight.lab.home import settings_folder  # below this test's own FIRSTLIGHT_HOME

    settings = settings_folder()
    home = Path(os.environ["FIRSTLIGHT_HOME"])
    path = tmp_path / "home" / settings.relative_to(home) / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), encoding="utf-8")
