"""What a real browser keeps of the token, and what it may not do for others."""

import http.server
import json
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.conftest import Chromium
from tests.browser.jupyterlab import (
    FLAGS,
    Lab,
    Watch,
    browser_tools,
    errors,
    outputs,
    run_all,
    save,
    wait_kernel,
    wait_notebook,
    wait_run_all,
)
from tests.lab.labs import small_notebook

DRAWS = """
from IPython.display import HTML, IFrame, Javascript, display
display(HTML('<svg id="drawn"></svg><script>document.querySelector("#drawn").dataset.by = "script"</script>'))
display(HTML('<img id="dot" src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw==">'))
"""
WIDGET = """
import anywidget, traitlets
class Widget(anywidget.AnyWidget):
    _esm = "export default {render({model, el}) { el.innerHTML = '<b id=widget>' + model.get('word') + '</b>' }}"
    word = traitlets.Unicode('moved').tag(sync=True)
Widget()
"""


def in_history(profile: Path) -> list[str]:
    """Every address in the browser's history, those that only led on included."""
    with closing(sqlite3.connect(f"file:{profile / 'Default' / 'History'}?immutable=1", uri=True)) as history:
        return [str(url) for (url,) in history.execute("SELECT url FROM urls")]


def profile_of(chromium: Chromium, folder: Path) -> BrowserContext:
    """A browser as a person has it: with a history, on disk."""
    playwright = chromium._playwright
    return playwright.chromium.launch_persistent_context(
        str(folder), executable_path=browser_tools().chromium(), headless=True, args=FLAGS
    )


def test_the_browser_that_the_lab_opens_keeps_no_token(
    start_lab: Callable[..., Lab], chromium: Chromium, tmp_path: Path
) -> None:
    seen, browser = tmp_path / "seen", tmp_path / "browser.sh"
    browser.write_text(f'#!/bin/sh\ncp "${{1#file://}}" {seen}.part.html; mv {seen}.part.html {seen}.html\n')
    browser.chmod(0o755)
    env = {"BROWSER": f"{browser} %s", "DISPLAY": ":99"}
    lab = start_lab(notebook=small_notebook(tmp_path / "small.ipynb"), env=env, browser=True)
    for _wait in range(200):
        if Path(f"{seen}.html").exists():
            break
        time.sleep(0.05)
    profile = tmp_path / "profile"
    context = profile_of(chromium, profile)
    page = context.new_page()
    page.goto(Path(f"{seen}.html").as_uri())
    wait_notebook(page, cells=1)
    assert page.url.endswith("/doc/tree/small.ipynb")
    context.close()
    visited = in_history(profile)
    assert any("/doc/tree/small.ipynb" in url for url in visited), "there is a history"
    assert not [url for url in visited if lab.token in url]


def test_the_printed_link_leaves_the_page_without_its_token(
    start_lab: Callable[..., Lab], page: Page, watch: Watch, tmp_path: Path
) -> None:
    """A link that a person types stands in the history, as all that is typed; in no page, bookmark or referrer."""
    lab = start_lab(notebook=small_notebook(tmp_path / "small.ipynb", "print('done')"))
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url + json.dumps(request.headers)))
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.goto(lab.url)
    wait_notebook(page, cells=1)
    wait_kernel(page)
    assert page.url == f"{lab.base}/doc/tree/small.ipynb"
    assert page.evaluate("() => performance.getEntriesByType('navigation')[0].name") == page.url
    assert lab.token not in page.content()
    run_all(page)
    wait_run_all(page)
    assert not errors(page)
    save(page)
    assert asked.pop(0).startswith(lab.url)
    assert sockets
    assert not [one for one in (*asked, *sockets) if lab.token in one], "the cookie does as well"
    assert not [path for path in lab.folder.rglob("*") if path.is_file() and lab.token.encode() in path.read_bytes()]
    assert not [text for text in said if "Content Security Policy" in text or "Refused to" in text]


def test_cells_draw_as_ever(start_lab: Callable[..., Lab], page: Page, tmp_path: Path) -> None:
    """Scripts and pictures of outputs, widgets whose code comes as text: all that the headers leave alone."""
    lab = start_lab(notebook=small_notebook(tmp_path / "small.ipynb", DRAWS, WIDGET))
    page.goto(lab.url)
    wait_notebook(page, cells=2)
    wait_kernel(page)
    run_all(page)
    wait_run_all(page)
    assert not errors(page)
    assert outputs(page)
    page.wait_for_function("() => document.querySelector('#drawn')?.dataset.by === 'script'")
    page.wait_for_function("() => document.querySelector('#dot')?.naturalWidth === 1")
    page.wait_for_selector("#widget:has-text('moved')")


@pytest.mark.parametrize("what", ["frame", "form", "socket", "fetch"])
def test_a_page_of_others_gets_nothing(
    what: str, start_lab: Callable[..., Lab], page: Page, watch: Watch, tmp_path: Path
) -> None:
    """A page on this machine, so that cookies are sent along, of another origin: the port is another."""
    lab = start_lab(notebook=small_notebook(tmp_path / "small.ipynb"))
    page.goto(lab.url)
    wait_notebook(page, cells=1)
    contents = f"{lab.base}/api/contents/made.txt"
    told = "() => window.told = 'in', () => window.told = 'out'"
    put = "{method: 'PUT', credentials: 'include', body: '{}'}"
    scripts = {
        "frame": f"<iframe src='{lab.base}/lab' onload='window.told = true'></iframe>",
        "form": f"<form method=post action='{lab.base}/api/contents'></form>"
        "<script>document.forms[0].submit()</script>",
        "socket": f"<script>s = new WebSocket('ws{lab.base[4:]}/api/events/subscribe');"
        "s.onopen = () => window.told = 'in'; s.onerror = () => window.told = 'out'</script>",
        "fetch": f"<script>fetch('{contents}', {put}).catch(() => fetch('{lab.base}/api/contents', "
        f"{{credentials: 'include'}})).then((r) => r.text()).then({told})</script>",
    }

    class Foreign(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = scripts[what].encode() if self.path == "/" else b""
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_about: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Foreign)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    watch.allow(".*")
    try:
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        if what == "form":
            page.wait_for_url(f"{lab.base}/**")
            assert "403" in page.content() or "XSRF" in page.content() or "Not Found" in page.content()
        elif what == "frame":
            page.wait_for_function("() => window.told")
            assert page.frames[-1].url.startswith("chrome-error:")
        else:
            page.wait_for_function("() => window.told")
            assert page.evaluate("() => window.told") == "out"
    finally:
        server.shutdown()
        server.server_close()
    assert not (lab.folder / "made.txt").exists()
