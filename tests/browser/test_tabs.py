"""The tabs of the live view on a real page, while a plain loop keeps the kernel busy."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Page

from firstlight.view.frontend import TABS
from tests.browser.jupyterlab import (
    Lab,
    Watch,
    errors,
    outputs,
    run_all,
    run_cell,
    wait_kernel,
    wait_notebook,
    wait_run_all,
    wait_run_cell,
)
from tests.browser.programs import TREES
from tests.browser.test_live_view import LIVE, live, set_preference, text_of

LOOP = """\
run = fl.watch(model, optimizer, looks=[0, 1, 2, 3, 20, 40])
for step in range(100_000):
    tree, value = train[step % len(train)]
    optimizer.zero_grad()
    loss = nn.functional.huber_loss(model(tree), torch.tensor([float(value)]))
    loss.backward()
    optimizer.step()
    time.sleep(0.01)"""
AFTER = """\
import json
print(json.dumps({"graphs": {fact.step: len(run.graph(fact.step)) for fact in run.facts("graph")},
                  "peak": run.memory().peak, "status": run.status, "duration": run.duration}))"""

Start = Callable[..., Lab]


def start(page: Page, start_lab: Start, folder: Path, *cells: str, **wishes: Any) -> None:
    book = new_notebook(
        cells=[new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    path = folder / "tabs.ipynb"
    nbformat.write(book, path)
    page.goto(start_lab(notebook=path, **wishes).url)
    wait_notebook(page, len(cells))
    wait_kernel(page)
    run_all(page)


def data_of(page: Page, tab: str) -> dict[str, str]:
    found: dict[str, str] = page.evaluate("(tab) => ({...document.querySelector(`.fl-box-${tab}`).dataset})", tab)
    return found


def wait_for(page: Page, condition: str, arg: object = None) -> None:
    page.wait_for_function(condition, arg=arg, timeout=20_000)


def open_tab(page: Page, tab: str) -> None:
    page.locator(f"{LIVE} [data-tab={tab}]").click()
    wait_for(page, "(tab) => document.querySelector(`.fl-live .fl-box-${tab}`)?.innerText.length > 40", tab)


def graph_at(page: Page, step: int) -> dict[str, str]:
    wait_for(page, "(n) => document.querySelector('.fl-box-graph')?.dataset.step == n", step)
    return data_of(page, "graph")


def test_the_graph_of_each_look_what_changed_and_a_way_back(
    page: Page, watch: Watch, start_lab: Start, tmp_path: Path
) -> None:
    start(page, start_lab, tmp_path, TREES, LOOP, AFTER)
    assert live(page, 45)["way"] == "message"
    open_tab(page, "graph")
    graph_at(page, 40)
    count = f"{LIVE} .fl-tree li[data-op]"
    seen = {40: page.locator(count).count()}
    shown = data_of(page, "graph")
    assert int(shown["operations"]) == seen[40]
    # What changed against the look before is listed, and stands out in tree and drawing.
    assert int(shown["changed"]) > 0
    assert page.locator(f"{LIVE} .fl-diff :is(.fl-add, .fl-gone, .fl-other)").count() > 0
    marked = page.locator(f"{LIVE} .fl-tree li.fl-changed").count()
    assert marked > 0
    drawn = page.locator(f"{LIVE} .fl-drawing g.fl-changed")
    assert drawn.count() > 0
    plain = page.locator(f"{LIVE} .fl-drawing g.fl-box:not(.fl-changed) rect").first
    fill = "node => getComputedStyle(node).fill"
    assert drawn.locator("rect").first.evaluate(fill) != plain.evaluate(fill)
    assert re.match(r"[+~] ", drawn.locator("text").first.text_content() or ""), "by sign, too"

    # Back in time, by keyboard, and it stays there while training goes on.
    slider = page.locator(f"{LIVE} .fl-slider input")
    slider.press("Home")  # focuses it first: the picture below the view may be made anew just now
    graph_at(page, 0)
    assert "first look" in page.locator(f"{LIVE} .fl-part summary").first.inner_text()
    seen[0] = page.locator(count).count()
    assert page.locator(f"{LIVE} .fl-diff").count() == 0
    slider.press("ArrowRight")
    graph_at(page, 1)
    seen[1] = page.locator(count).count()
    at = int(live(page)["step"])
    live(page, at + 30)
    assert data_of(page, "graph")["step"] == "1"
    page.locator(f"{LIVE} .fl-follow").click()
    graph_at(page, 40)

    # Search highlights and jumps; zoom, fold and look inside, all by keyboard.
    slider.press("/")
    search = page.locator(f"{LIVE} .fl-search")
    assert search.evaluate("node => node === document.activeElement")
    search.fill("tanh")
    hits = page.locator(f"{LIVE} .fl-hits")
    assert re.fullmatch(r"1 of \d+", hits.inner_text())
    assert page.locator(f"{LIVE} .fl-tree li.fl-hit").count() == int(hits.inner_text().split()[-1])
    assert page.locator(f"{LIVE} .fl-drawing g.fl-at").count() == 1
    search.press("Enter")
    assert hits.inner_text().startswith("2 of")
    search.fill("nowhere")
    assert hits.inner_text() == "not found"
    search.fill("")
    box = page.locator(f"{LIVE} .fl-drawing g.fl-box[tabindex='0']")
    before = float(data_of(page, "graph")["zoom"])
    box.press("+")
    assert float(data_of(page, "graph")["zoom"]) > before
    box.press("0")
    box.press("ArrowDown")
    hover = page.locator(f"{LIVE} .fl-hover").inner_text()
    assert "shapes:" in hover
    assert "line:" in hover, "the learner's own line"
    page.get_by_role("button", name="Fold modules", exact=True).click()
    wait_for(page, "() => document.querySelectorAll('.fl-drawing g[data-call]').length > 0")
    boxes = page.locator(f"{LIVE} .fl-drawing g.fl-box")
    folded = boxes.count()
    assert folded < seen[40]
    page.get_by_role("button", name="Unfold all").click()
    assert page.locator(f"{LIVE} .fl-tree details:not([open])").count() == 0
    page.get_by_role("button", name="Fold all", exact=True).click()
    assert page.locator(f"{LIVE} .fl-tree details[open]").count() == 0

    page.locator(f"{LIVE} .fl-stop:not(.fl-pause)").click()
    wait_run_all(page)
    assert not errors(page)
    graphs = {int(step): count for step, count in json.loads(text_of(outputs(page)[2]))["graphs"].items()}
    assert {step: graphs[step] for step in seen} == seen
    kept = outputs(page)[1][0]["data"]["text/html"]
    assert "".join(kept).count("<details") >= 5
    assert "<script" not in "".join(kept)


def test_tabs_by_keyboard_memory_as_recorded_pause_and_go_on(
    page: Page, watch: Watch, start_lab: Start, tmp_path: Path
) -> None:
    start(page, start_lab, tmp_path, TREES, LOOP, AFTER)
    live(page, 45)
    # Arrow keys go around, Home and End to the ends; only the open tab is a stop of the Tab key.
    page.locator(f"{LIVE} [data-tab=curves]").focus()
    for tab in (*TABS[1:], TABS[0]):
        page.keyboard.press("ArrowRight")
        assert page.evaluate("() => document.activeElement.dataset.tab") == tab
        assert live(page)["tab"] == tab
        assert page.locator(f"{LIVE} [role=tab][aria-selected=true]").get_attribute("data-tab") == tab
        assert page.locator(f"{LIVE} [role=tab][tabindex='0']").count() == 1
        assert page.locator(f"{LIVE} [role=tabpanel]:visible").count() == 1
    page.keyboard.press("ArrowLeft")
    assert live(page)["tab"] == "time"
    page.keyboard.press("Home")
    assert live(page)["tab"] == "curves"
    page.keyboard.press("End")
    assert live(page)["tab"] == "time"
    assert page.evaluate("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex") >= 0

    open_tab(page, "time")
    wait_for(page, "() => document.querySelectorAll('.fl-box-time tbody tr').length >= 3")
    shares = page.evaluate("() => [...document.querySelectorAll('.fl-box-time tbody tr')].map(r => +r.dataset.share)")
    assert sum(shares) == pytest.approx(1.0, abs=0.01)
    open_tab(page, "gradients")
    names = page.locator(f"{LIVE} .fl-box-gradients tbody th code").all_inner_texts()
    assert names[0] == "digit.weight"
    assert len(names) == 9
    page.locator(f"{LIVE} .fl-box-gradients canvas[tabindex='0']").focus()
    page.keyboard.press("Home")
    readout = page.locator(f"{LIVE} .fl-box-gradients .fl-readout")
    assert readout.inner_text().startswith("digit.weight · step 0: gradient ")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    assert re.match(r"operations\.plus\.weight · step [\d,]+: gradient ", readout.inner_text())
    open_tab(page, "activations")
    assert page.locator(f"{LIVE} .fl-box-activations tbody tr").count() >= 5
    assert "Watching costs" in page.locator(f"{LIVE} .fl-watching").inner_text()

    # Pause: the loop stands still until it may go on; Stop works from there, too.
    pause = page.locator(f"{LIVE} .fl-pause")
    pause.click()
    wait_for(page, "() => document.querySelector('.fl-live').dataset.status === 'paused'")
    assert pause.inner_text() == "Go on"
    at = live(page)["step"]
    page.wait_for_timeout(800)
    assert live(page)["step"] == at
    open_tab(page, "memory")  # the view itself goes on
    wait_for(page, "() => document.querySelector('.fl-box-memory').dataset.peak")
    peak = int(data_of(page, "memory")["peak"])
    pause.focus()
    page.keyboard.press("Enter")
    live(page, int(at) + 10)
    assert pause.inner_text() == "Pause"
    pause.click()
    wait_for(page, "() => document.querySelector('.fl-live').dataset.status === 'paused'")
    began = time.monotonic()
    page.locator(f"{LIVE} .fl-stop:not(.fl-pause)").click()
    wait_run_all(page)
    assert time.monotonic() - began < 5
    assert not errors(page)
    truth = json.loads(text_of(outputs(page)[2]))
    assert truth["peak"] == peak
    assert truth["status"] == "stopped"


def test_where_messages_wait_there_is_no_pause_and_the_tabs_say_so(
    page: Page, start_lab: Start, tmp_path: Path
) -> None:
    set_preference(tmp_path, "apputils-extension/kernels-settings", commsOverSubshells="disabled")
    start(page, start_lab, tmp_path, TREES, LOOP, AFTER, lang="ja")
    assert live(page, 20)["way"] == "interrupt"
    assert page.locator(f"{LIVE} .fl-pause").is_hidden()
    page.locator(f"{LIVE} [data-tab=memory]").click()
    wait_for(page, "() => document.querySelector('.fl-box-memory .fl-empty').textContent.length > 5")
    page.locator(f"{LIVE} .fl-stop:not(.fl-pause)").click()
    wait_run_all(page)
    assert not errors(page)
    run_cell(page, 2)
    wait_run_cell(page)
