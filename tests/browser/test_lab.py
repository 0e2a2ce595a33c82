"""The lab as a person meets it: each language, in a real browser."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.jupyterlab import (
    Lab,
    Watch,
    draws_glyphs,
    errors,
    outputs,
    run_all,
    save,
    wait_kernel,
    wait_notebook,
    wait_run_all,
)

FILE_MENU = {"en": "File", "ja": "ファイル", "ko": "파일"}
PROSE = {"en": "A small notebook", "ja": "小さなノートブック", "ko": "작은 노트북"}


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """A notebook with nothing to learn in it: one text cell, two code cells."""
    path = tmp_path / "small.ipynb"
    code = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [
        {"cell_type": "markdown", "metadata": {}, "id": "text", "source": "# " + " / ".join(PROSE.values())},
        {**code, "id": "sum", "source": "import torch\nint(torch.arange(4).sum())"},
        {**code, "id": "where", "source": "import os, sys\nos.environ['FIRSTLIGHT_LANG'], sys.executable"},
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    path.write_text(
        json.dumps({"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})
    )
    return path


@pytest.mark.parametrize("lang", ["en", "ja", "ko"])
def test_the_printed_link_opens_the_notebook_in_the_language(
    lang: str, start_lab: Callable[..., Lab], page: Page, watch: Watch, notebook: Path
) -> None:
    lab = start_lab(lang=lang, notebook=notebook)
    page.goto(lab.url)
    wait_notebook(page, cells=3)
    wait_kernel(page)

    assert page.locator(".jp-MarkdownOutput h1").first.inner_text().startswith(PROSE["en"])
    assert page.locator(".lm-MenuBar-itemLabel").first.inner_text() == FILE_MENU[lang]
    assert "token=" not in page.url
    assert draws_glyphs(page) == {"en": True, "ja": True, "ko": True}
    assert page.locator(".jp-toastContainer, .Toastify__toast").count() == 0, "no news, no update pop-ups"

    run_all(page)
    wait_run_all(page)
    assert not errors(page)
    total, where = (cell[0]["data"]["text/plain"] for cell in outputs(page))
    assert total == "6"
    assert f"'{lang}'" in where
    save(page)
    assert "execute_result" in (lab.folder / notebook.name).read_text(encoding="utf-8")


def test_notebook_7_opens_the_same_notebook(start_lab: Callable[..., Lab], page: Page, notebook: Path) -> None:
    lab = start_lab(lang="ja", notebook=notebook, extra=["--ui", "notebook"])
    assert "/notebooks/small.ipynb" in lab.url
    page.goto(lab.url)
    wait_notebook(page, cells=3)
    wait_kernel(page)
    run_all(page)
    wait_run_all(page)
    assert not errors(page)
    assert page.locator(".lm-MenuBar-itemLabel").first.inner_text() == FILE_MENU["ja"]


@pytest.mark.parametrize("lang", ["en", "ja", "ko"])
def test_a_wrong_token_meets_the_login_page_and_nothing_else(
    lang: str, start_lab: Callable[..., Lab], page: Page, watch: Watch, notebook: Path, browser: Browser
) -> None:
    lab = start_lab(lang=lang, notebook=notebook)
    watch.allow("response 401")
    page.goto(lab.url.replace(lab.token, "0" * 48))
    assert "/login" in page.url
    assert page.locator("html").get_attribute("lang") == lang
    assert notebook.stem not in page.locator("main").inner_text()
    assert page.evaluate("() => window.jupyterapp") is None

    page.fill("input[name=password]", "nonsense")
    page.click("#login_submit")
    assert page.locator("[role=alert]").inner_text()

    page.fill("input[name=password]", lab.token)  # pasted from the terminal, it lets one in
    page.click("#login_submit")
    wait_notebook(page, cells=3)
    second = page.context.new_page()  # the cookie holds in a second tab
    second.goto(f"{lab.base}/doc/tree/{notebook.name}")
    wait_notebook(second, cells=3)
    stranger = browser.new_context()
    other = stranger.new_page()
    other.goto(f"{lab.base}/lab")
    assert "/login" in other.url
    assert stranger.request.get(f"{lab.base}/api/contents").status == 403
    stranger.close()
