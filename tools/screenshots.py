"""Take the pictures in README from the real thing: a real lab, a real kernel, a real browser, each language.

.venv/bin/python tools/screenshots.py [en ja ko]
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from tests.browser.jupyterlab import (
    FLAGS,
    browser_tools,
    run_all,
    running_lab,
    wait_kernel,
    wait_notebook,
    wait_run_all,
)

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "images"


def main() -> None:
    """One picture per language: the watched loop with its curves."""
    FOLDER.mkdir(exist_ok=True)
    for lang in sys.argv[1:] or ("en", "ja", "ko"):
        with (
            tempfile.TemporaryDirectory() as folder,
            running_lab(Path(folder), lang=lang) as lab,
            sync_playwright() as p,
        ):
            chromium = p.chromium.launch(executable_path=browser_tools().chromium(), args=FLAGS)
            page = chromium.new_page(viewport={"width": 1280, "height": 1000}, device_scale_factor=1.5)
            page.goto(lab.url)
            wait_notebook(page)
            wait_kernel(page)
            run_all(page)
            wait_run_all(page, timeout_s=300)
            to_watched_loop(page)
            path = FOLDER / f"lab.{lang}.png"
            page.screenshot(path=path)
            shrink(path)
            print(path.relative_to(ROOT), path.stat().st_size)


def to_watched_loop(page: Page) -> None:
    """Scroll the cell that calls `fl.watch` first to the top, a little prose above it."""
    page.evaluate(
        """async () => {
            const notebook = window.jupyterapp.shell.currentWidget.content;
            const watched = (cell) => cell.model.sharedModel.getSource().includes('= fl.watch');
            const index = notebook.widgets.findIndex(watched);
            notebook.activeCellIndex = index;
            await notebook.scrollToItem(index, 'start');
        }"""
    )
    page.wait_for_timeout(2000)


def shrink(path: Path) -> None:
    """A palette of 256 colours is enough for a screen, at a third of the size."""
    from PIL import Image

    with Image.open(path) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
