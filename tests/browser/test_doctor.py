"""The doctor on a real page: nothing is typed, and an alarm stands under the cell that trained."""

from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Page

from firstlight.doctor.rules import all_rules
from tests.browser.jupyterlab import Lab, alarms, errors, outputs, run_all, wait_kernel, wait_notebook, wait_run_all

MAKE = """\
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(256, 8); y = (x[:, 0] > 0).long()
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)"""
LOOP = """\
for step in range(40):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
print("trained")"""
CELLS = (MAKE, LOOP, LOOP.replace("    optimizer.zero_grad()\n", ""))


def test_an_alarm_stands_under_the_cell_that_trained(page: Page, start_lab: Callable[..., Lab], tmp_path: Path) -> None:
    path = tmp_path / "loops.ipynb"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=[new_code_cell(one) for one in CELLS], metadata={"kernelspec": kernel}), path)
    lab = start_lab(notebook=path)
    page.goto(lab.url)
    wait_notebook(page, 3)
    wait_kernel(page)
    run_all(page)
    wait_run_all(page)
    _made, right, broken = outputs(page)
    assert [one["output_type"] for one in right] == ["stream"]
    assert any("data" in one for one in broken)
    what = next(rule.text.what for rule in all_rules() if rule.code == "L01")
    (alarm,) = alarms(page)
    assert what in alarm
    assert "cell 3, line 3" in alarm
    page.get_by_text(what).first.scroll_into_view_if_needed()
    page.screenshot(path=str(tmp_path / "alarm.png"))
    assert page.get_by_text(what).first.is_visible()
    assert not errors(page)
