"""The page of `firstlight watch --web` in a real browser, beside a process that trains."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.jupyterlab import Watch
from tests.view.others import training, watched

LIVE = ".fl-live"


@contextlib.contextmanager
def served(folder: Path, *words: str, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`firstlight watch FOLDER --web`: the process and its link."""
    variables = {name: text for name, text in os.environ.items() if name != "SSH_CONNECTION"}
    command = [sys.executable, "-m", "firstlight", "watch", str(folder), "--web", "--no-browser", "--port", str(port)]
    serving = subprocess.Popen(
        [*command, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        env=variables,
    )
    try:
        assert serving.stdout is not None
        yield serving, [serving.stdout.readline() for _ in range(3)][1].strip()
    finally:
        serving.kill()
        serving.communicate()


def drawn(page: Page, step: int = 1) -> int:
    """Wait until the page has drawn this step; the step that it shows then."""
    page.wait_for_function(
        "(n) => { const d = document.querySelector('.fl-live')?.dataset; return d && +d.step >= n && +d.frames > 0; }",
        arg=step,
        timeout=30_000,
    )
    return int(page.evaluate("() => +document.querySelector('.fl-live').dataset.step"))


def test_curves_move_and_a_page_may_be_loaded_again(page: Page, watch: Watch) -> None:
    questions: list[float] = []
    page.on("request", lambda request: questions.append(time.monotonic()) if request.url.endswith("/talk") else None)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    with training(steps=100_000) as (_process, folder), served(folder) as (_serving, url):
        page.goto(url)
        step = drawn(page)
        first = page.locator(LIVE).screenshot()
        drawn(page, step + 50)
        assert page.locator(LIVE).screenshot() != first, "the curves did not move"
        assert page.title().endswith("net · Training")
        said = page.locator(".fl-chart canvas").first.get_attribute("aria-label")
        assert said is not None
        assert said.startswith("Loss: train ")
        expect(page.locator("[data-connected=yes]")).to_have_count(1)

        page.reload()
        drawn(page, step + 50)
        points = int(page.evaluate("() => +document.querySelector('.fl-live').dataset.points"))
        assert points >= 2 * min(step, 256), "all from the first step on, not only what is new"
    assert complaints == [] or all("ERR_CONNECTION_REFUSED" in text for text in complaints), complaints
    assert all(later - earlier > 0.08 for earlier, later in zip(questions, questions[10:], strict=False))


def test_no_button_that_could_do_nothing(page: Page) -> None:
    with training() as (_process, folder), served(folder) as (_serving, url):
        page.goto(url)
        drawn(page, 10)
        for name in ("Stop", "Pause", "Go on"):
            expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
        assert "toolbar" not in page.locator("body").inner_text()
        expect(page.get_by_text("This page only looks")).to_be_visible()


@pytest.mark.skipif(sys.platform == "win32", reason="who was killed says nothing there either, but not why")
def test_a_training_that_dies_and_a_server_that_ends(page: Page, watch: Watch) -> None:
    with training() as (process, folder), served(folder) as (serving, url):
        page.goto(url)
        drawn(page, 10)
        process.kill()
        process.wait()
        expect(page.locator(".fl-status")).to_contain_text("Died: its process ended without a word", timeout=20_000)
        expect(page.locator(".fl-notice")).to_contain_text("power cut")
        assert page.title().endswith("Died: its process ended without a word")
        expect(page.get_by_role("alert")).to_be_hidden()

        serving.kill()
        serving.wait()
        expect(page.get_by_role("alert")).to_contain_text("does not answer", timeout=20_000)
        assert page.locator(".fl-chart canvas").first.is_visible(), "what was seen stays"

        # Another server at the same address does not let the old link in, and the page says so.
        watch.allow(r"response 403: .*/talk")
        with served(folder, port=int(url.split(":")[2].split("/")[0])) as (_again, other):
            assert other != url
            expect(page.get_by_role("alert")).to_contain_text("no longer valid", timeout=20_000)


def test_many_pages_at_once(browser: Browser) -> None:
    """More than the six connections that a browser opens to one place: a page that waits must not hold one."""
    with training() as (_process, folder), served(folder) as (_serving, url):
        context = browser.new_context(viewport={"width": 600, "height": 500})
        pages = [context.new_page() for _ in range(9)]
        for page in pages:
            page.goto(url)
        for page in pages:
            page.bring_to_front()
            drawn(page, drawn(page) + 5)
        context.close()


@pytest.mark.parametrize(("language", "loss", "footer"), [("ja", "損失", "このページ"), ("ko", "손실", "이 페이지")])
def test_the_page_speaks_the_language(page: Page, language: str, loss: str, footer: str) -> None:
    with training() as (_process, folder), served(folder, "--lang", language) as (_serving, url):
        page.goto(url)
        drawn(page)
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.locator(".fl-chart-title").first).to_have_text(loss)
        expect(page.locator("footer")).to_contain_text(footer)


def test_dark_mode_follows_the_system(browser: Browser) -> None:
    with training() as (_process, folder), served(folder) as (_serving, url):
        context = browser.new_context(color_scheme="dark")
        page = context.new_page()
        page.goto(url)
        drawn(page)
        theme = "() => document.querySelector('.fl-live').dataset.theme"
        paper = "() => getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(theme) == "dark"
        assert page.evaluate(paper) == "rgb(22, 25, 28)"
        page.emulate_media(color_scheme="light")
        page.wait_for_function(f"() => ({theme})() === 'light'", timeout=20_000)
        assert page.evaluate(paper) == "rgb(255, 255, 255)"
        context.close()


def test_every_tab_of_a_watched_loop_opens(page: Page) -> None:
    with watched() as (_process, folder), served(folder) as (_serving, url):
        page.goto(url)
        drawn(page, 50)
        tabs = page.get_by_role("tab")
        names = tabs.all_inner_texts()
        assert names == ["Curves", "Graph", "Gradients", "Activations", "Memory", "Time"]
        for name in names[1:]:
            page.get_by_role("tab", name=name, exact=True).click()
            panel = page.get_by_role("tabpanel")
            expect(panel).to_be_visible()
            expect(panel).not_to_have_text("", timeout=20_000)
