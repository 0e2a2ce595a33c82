"""The lessons as a person meets them, from the printed link to the last cell, in a real browser.

A whole lesson takes longer than a minute on a busy machine, hence the longer limit.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from firstlight.lessons import notebook_path
from tests.browser.jupyterlab import (
    Lab,
    alarms,
    command,
    draws_glyphs,
    errors,
    outputs,
    run_all,
    run_cell,
    save,
    scroll_to,
    wait_kernel,
    wait_notebook,
    wait_run_all,
    wait_run_cell,
)

LESSON = "first_pytorch_classifier"
ALIVE = "the_graph_is_alive"
TITLES = {"en": "Your first classifier", "ja": "はじめての分類器", "ko": "첫 분류기"}
RUN_FIRST = {"en": "Run first what stands under", "ja": "先に次の見出しの下", "ko": "먼저 다음 제목"}
LIVE = ".fl-live"


def cells(lang: str, lesson: str = LESSON) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(notebook_path(lesson, lang).read_text(encoding="utf-8"))["cells"]
    return found


def index_of(code: str, lesson: str = LESSON) -> int:
    """Which cell of the lesson holds this code, counted over all cells."""
    found = enumerate(cells("en", lesson))
    return next(i for i, cell in found if cell["cell_type"] == "code" and code in "".join(cell["source"]))


def open_lesson(page: Page, lab: Lab, lang: str, lesson: str = LESSON) -> None:
    page.goto(lab.url)
    wait_notebook(page, len(cells(lang, lesson)))
    wait_kernel(page)


def text_of(output: dict[str, Any]) -> str:
    text = output.get("data", {}).get("text/plain", output.get("text", ""))
    return text if isinstance(text, str) else "".join(text)


def pages(page: Page, folder: Path) -> int:
    """Screenshots of the whole notebook, one window after the other."""
    scroller = ".jp-WindowedPanel-outer"
    page.evaluate(f"() => document.querySelector('{scroller}').scrollTo(0, 0)")
    for number in range(60):
        page.wait_for_timeout(250)
        page.screenshot(path=str(folder / f"page{number:02}.png"))
        end = page.evaluate(
            f"""() => {{ const e = document.querySelector('{scroller}'); e.scrollBy(0, e.clientHeight - 60);
                return e.scrollTop + e.clientHeight >= e.scrollHeight - 2; }}"""
        )
        if end:
            page.wait_for_timeout(250)
            page.screenshot(path=str(folder / f"page{number + 1:02}.png"))
            return number + 2
    return 60


@pytest.mark.slow
@pytest.mark.timeout(170)
@pytest.mark.parametrize("lang", ["en", "ja", "ko"])
def test_the_lesson_runs_from_the_first_cell_to_the_last(
    lang: str, start_lab: Callable[..., Lab], page: Page, tmp_path: Path
) -> None:
    lab = start_lab(lang=lang)
    open_lesson(page, lab, lang)
    assert TITLES[lang] in page.locator(".jp-MarkdownOutput h1").first.inner_text()
    assert draws_glyphs(page)[lang]

    scroll_to(page, index_of("run_cnn = fl.watch"))
    run_all(page)
    view = page.locator(LIVE).last
    page.wait_for_function(
        "() => [...document.querySelectorAll('.fl-live')].some((v) => Number(v.dataset.step || 0) >= 20)",
        timeout=90_000,
    )
    scroll_to(page, index_of("run_cnn = fl.watch"))
    early = view.screenshot(path=str(tmp_path / "early.png"))
    page.wait_for_timeout(2000)
    late = view.screenshot(path=str(tmp_path / "late.png"))
    assert page.evaluate("() => window.__runAll") == "running"
    assert early != late, "the curves move while the cell runs"

    wait_run_all(page, timeout_s=150)
    assert not errors(page)
    assert not alarms(page)
    texts = [text_of(output) for cell in outputs(page) for output in cell]
    comparison = next(text for text in texts if "CNN" in text and text.startswith("✓"))
    assert float(re.findall(r"([\d.]+)%", comparison)[-1]) >= 85.0, comparison
    assert not [text for text in texts if text.startswith("✗")]
    assert pages(page, tmp_path) > 5


@pytest.mark.timeout(120)
def test_after_a_restart_a_cell_in_the_middle_says_what_to_run_first(start_lab: Callable[..., Lab], page: Page) -> None:
    lab = start_lab(lang="ja")
    open_lesson(page, lab, "ja")
    page.wait_for_timeout(1500)
    run_cell(page, index_of("run_cnn = fl.watch"))
    wait_run_cell(page)
    (problem,) = errors(page)
    shown = "".join(problem["traceback"])
    assert RUN_FIRST["ja"] in shown
    assert "NameError" not in shown
    assert "File" not in shown


@pytest.mark.timeout(120)
def test_a_quiz_answers_by_keyboard_and_is_no_error_box_in_the_saved_notebook(
    start_lab: Callable[..., Lab], page: Page
) -> None:
    lab = start_lab(lang="en")
    open_lesson(page, lab, "en")
    for code in ("begin(", 'quiz("batch")'):
        run_cell(page, index_of(code))
        wait_run_cell(page)
    scroll_to(page, index_of('quiz("batch")'))
    options = page.locator('details[name="firstlight-quiz-batch"]')
    assert options.count() == 3
    options.nth(0).locator("summary").focus()
    page.keyboard.press("Enter")
    assert "128 is our choice" in options.nth(0).inner_text()
    options.nth(1).locator("summary").focus()
    page.keyboard.press("Enter")
    assert "Right." in options.nth(1).inner_text()
    assert options.nth(0).get_attribute("open") is None, "one answer at a time"

    save(page)
    command(page, "docmanager:reload")
    wait_notebook(page, len(cells("en")))
    scroll_to(page, index_of('quiz("batch")'))
    page.locator('details[name="firstlight-quiz-batch"]').nth(1).locator("summary").click()
    shown = page.locator('details[name="firstlight-quiz-batch"]').nth(1).inner_text()
    assert "Right." in shown
    assert page.get_by_text("Error displaying widget").count() == 0


@pytest.mark.timeout(120)
def test_the_lesson_on_speed_opens_by_its_name(start_lab: Callable[..., Lab], page: Page) -> None:
    lab = start_lab(lang="ko", extra=("--notebook", "making_it_fast"))
    page.goto(lab.url)
    wait_notebook(page, 30)
    wait_kernel(page)
    assert "훈련을 빠르게 하기" in page.locator(".jp-MarkdownOutput h1").first.inner_text()
    notebook = json.loads(notebook_path("making_it_fast", "ko").read_text(encoding="utf-8"))
    for code in ("begin(", 'say("bits"', 'quiz("autocast")', "torch.profiler.profile"):
        index = next(i for i, cell in enumerate(notebook["cells"]) if code in "".join(cell["source"]))
        run_cell(page, index)
        wait_run_cell(page)
    (problem,) = errors(page)
    assert "make_cnn" in "".join(problem["traceback"]), "the profiler needs the net, and the guide says so"
    shown = "".join(text_of(output) for cell in outputs(page) for output in cell)
    assert "0 10000000 1001001" in shown
    assert "autocast" in shown


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_lesson_on_the_graph_runs_from_the_first_cell_to_the_last(
    start_lab: Callable[..., Lab], page: Page
) -> None:
    lab = start_lab(lang="en", extra=("--notebook", ALIVE))
    open_lesson(page, lab, "en", ALIVE)
    assert "The graph is alive" in page.locator(".jp-MarkdownOutput h1").first.inner_text()
    training = index_of("run_of_all = fl.watch", ALIVE)
    scroll_to(page, training)
    run_all(page)
    cell = page.locator(".jp-CodeCell", has_text="run_of_all = fl.watch")
    cell.locator(f"{LIVE} [data-tab=graph]").click(timeout=150_000)
    tree = cell.locator(f"{LIVE} .fl-box-graph .fl-tree")
    tree.locator("[data-op]").first.wait_for(state="attached", timeout=20_000)
    assert "DepthNet" in tree.inner_text()
    assert page.evaluate("() => window.__runAll") == "running"

    wait_run_all(page, timeout_s=200)
    assert not errors(page)
    assert not alarms(page)
    texts = [text_of(output) for cell in outputs(page) for output in cell]
    assert not [text for text in texts if re.search("^✗", text, re.MULTILINE)]
    assert sum(text.count("✓") for text in texts) >= 14
    code = [cell for cell in cells("en", ALIVE) if cell["cell_type"] == "code"]
    watched = next(i for i, cell in enumerate(code) if "run = fl.watch" in "".join(cell["source"]))
    kept = "".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs(page)[watched])
    assert "<svg" in kept, "the view stays as a picture, its graph too"
    assert kept.count("<details") >= 5
