"""Fixtures for tests with a real lab and a real headless Chromium.

- `page`: a page in a fresh browser context; at the end of the test it must have seen no page error, no response of 400
  and above, and no request off this machine. `watch.allow(pattern)` excuses what a test brings about on purpose.
- `start_lab(lang=..., notebook=...)`: a real lab in a process of its own, stopped at the end of the test.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.browser.jupyterlab import FLAGS, Lab, Watch, browser_tools, running_lab


@cache
def _why_not() -> str | None:
    reason: str | None = browser_tools().why_not()
    return reason


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            # Chromium's own process was seen to die under a test, once in some thousand; a page that crashes is told
            # otherwise ("Page crashed") and fails at once.
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=["TargetClosedError"]))


@pytest.fixture(autouse=True)
def needs_browser() -> None:
    if reason := _why_not():
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


class Chromium:
    """The Chromium of a module's tests: started when first asked for, and anew where its process has died."""

    def __init__(self, playwright: Playwright) -> None:
        self._playwright = playwright
        self._browser: Browser | None = None

    def alive(self) -> Browser:
        """A browser that answers."""
        if self._browser is None or not self._browser.is_connected():
            self._browser = self._playwright.chromium.launch(
                executable_path=browser_tools().chromium(), headless=True, args=FLAGS
            )
        return self._browser

    def close(self) -> None:
        """End it, if it was started."""
        if self._browser is not None:
            self._browser.close()


@pytest.fixture(scope="module")  # no wider: Playwright keeps an event loop in this thread, which other tests need free
def chromium() -> Iterator[Chromium]:
    if reason := _why_not():
        pytest.skip(reason)
    with sync_playwright() as playwright:
        found = Chromium(playwright)
        yield found
        found.close()


@pytest.fixture
def browser(chromium: Chromium) -> Browser:
    return chromium.alive()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    page = context.new_page()
    page.set_default_timeout(40_000)
    page.watch = Watch(page)  # for the fixture `watch`
    yield page
    context.close()
    page.watch.check()


@pytest.fixture
def watch(page: Page) -> Watch:
    found: Watch = page.watch
    return found


@pytest.fixture
def start_lab(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    with contextlib.ExitStack() as stack:

        def start(**wishes: object) -> Lab:
            return stack.enter_context(running_lab(tmp_path, **wishes))

        yield start
