"""Chromium itself may die under a test: it is tried once more, in a new one. A page that crashes is not excused."""

import psutil
import pytest
from playwright.sync_api import Browser, Error, Page

_killed: list[int] = []


def _main_process() -> psutil.Process:
    """The Chromium that this process's Playwright started; its helpers say their type."""
    for process in psutil.Process().children(recursive=True):
        words = process.cmdline()
        if "--remote-debugging-pipe" in words and not any(word.startswith("--type=") for word in words):
            return process
    raise AssertionError("no Chromium runs")


def test_a_test_under_which_chromium_died_is_tried_once_more(page: Page) -> None:
    page.set_content("<h1>alive</h1>")
    if not _killed:
        chromium = _main_process()
        _killed.append(chromium.pid)
        chromium.kill()
    assert page.inner_text("h1") == "alive"
    assert _main_process().pid != _killed[0]


def test_a_page_that_crashes_does_not_look_like_a_dead_chromium(browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    with pytest.raises(Error) as raised:
        page.goto("chrome://crash")
    assert "TargetClosedError" not in type(raised.value).__name__ + str(raised.value)
    assert browser.is_connected()
    context.close()
