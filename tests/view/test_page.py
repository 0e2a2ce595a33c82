import http.client
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from firstlight.run import Run
from firstlight.view import following, frontend
from firstlight.view import page as module
from firstlight.view.page import Page, PortTaken
from tests.view.others import training, watched

Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = Run.start("net & <co>", folder=tmp_path, plan={"total_steps": 100})
    for step in range(30):
        run.log({"train/loss": 1 / (step + 1)}, step=step)
    run.rest()
    yield run
    run.finish()


@pytest.fixture
def page(run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    monkeypatch.setattr(following, "META_S", 0.0)
    with Page(run.folder) as page:
        yield page


def ask(page: Page, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        return answer.status, {name.lower(): text for name, text in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def token(page: Page) -> str:
    return urlsplit(page.url).path


def talk(page: Page, name: str = "one", after: int = 0, *say: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = json.dumps({"page": name, "after": after, "say": say, **more}).encode()
    status, headers, content = ask(page, "POST", f"{token(page)}talk", body)
    assert status == 200, content
    assert headers["content-type"] == "application/json"
    found: dict[str, Any] = json.loads(content, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    return found


def kinds(answer: dict[str, Any]) -> list[str]:
    return [message["t"] for message in answer["hear"]]


def test_the_page_and_its_files(page: Page, run: Run) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", page.url)
    status, headers, content = ask(page, "GET", token(page))
    assert status == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    text = content.decode()
    assert '<html lang="en">' in text
    assert "<title>net &amp; &lt;co&gt;</title>" in text
    assert str(run.folder) in text
    assert "$" not in text
    wanted = re.findall(r'(?:src|href)="([^":]+)"', text)
    assert sorted(wanted) == ["page.css", "page.js", "view.css"], "nothing from another place"
    for name, kind in (("page.css", "css"), ("page.js", "javascript"), ("view.css", "css"), ("view.js", "javascript")):
        status, headers, content = ask(page, "GET", token(page) + name)
        assert (status, headers["content-type"]) == (200, f"text/{kind}; charset=utf-8")
        assert content
    assert content.decode() == frontend.module(), "the same view as in a notebook, not a copy"
    assert ask(page, "GET", token(page) + "view.css")[2].decode() == frontend.style()


@pytest.mark.parametrize(("language", "word"), [("ja", "訓練"), ("ko", "훈련")])
def test_the_page_speaks_the_language(page: Page, language: str, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLIGHT_LANG", language)
    text = ask(page, "GET", token(page))[2].decode()
    assert f'<html lang="{language}">' in text
    assert word in text
    assert talk(page)["model"]["state"]["lang"] == language


def test_only_who_has_the_link_comes_in(page: Page) -> None:
    for path in ("/", "/talk", "/view.js", "/x/", f"{token(page)[:-2]}/", f"/x{token(page)}"):
        for method in ("GET", "POST"):
            status, headers, content = ask(page, method, path, b"{}" if method == "POST" else None)
            assert status == 403, path
            assert content == b"403 Forbidden\n"
            assert headers["connection"] == "close"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "0.0.0.0", "[::1]"])
def test_a_name_that_is_not_ours_is_refused(page: Page, host: str) -> None:
    assert ask(page, "GET", token(page), Host=host)[0] == 403
    assert ask(page, "POST", f"{token(page)}talk", b"{}", Host=host)[0] == 403


def test_a_tunnel_may_have_another_port(page: Page) -> None:
    for host in ("localhost", "localhost:9999", "127.0.0.1:1", "127.0.0.1"):
        assert ask(page, "GET", token(page), Host=host)[0] == 200


def test_a_request_without_a_host_or_with_two_is_refused(page: Page) -> None:
    for hosts in (b"", b"Host: localhost\r\nHost: localhost\r\n"):
        with socket.create_connection(("127.0.0.1", page.port), 10) as line:
            line.sendall(b"GET " + token(page).encode() + b" HTTP/1.1\r\n" + hosts + b"\r\n")
            assert line.recv(1000).startswith(b"HTTP/1.1 403")


def test_pages_from_elsewhere_say_nothing_here(page: Page) -> None:
    path = f"{token(page)}talk"
    assert ask(page, "POST", path, b"{}", Origin="http://evil.example")[0] == 403
    assert ask(page, "POST", path, b"{}", Origin="null")[0] == 403
    assert ask(page, "POST", path, b"{}", Origin=f"http://127.0.0.1:{page.port + 1}")[0] == 403
    assert ask(page, "POST", path, b"{}", Origin=f"http://127.0.0.1:{page.port}")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "page.py",
        "following.py",
        "page.html",
        "..",
        "../page.js",
        "../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "/etc/passwd",
        "view.js/../page.py",
        "talk/",
        "view.js%00",
        "talk",
    ],
)
def test_nothing_else_is_served(page: Page, path: str) -> None:
    assert ask(page, "GET", token(page) + path)[0] == 404
    if path != "talk":
        assert ask(page, "POST", token(page) + path, b"{}")[0] == 404


def test_every_answer_is_fenced_in(page: Page) -> None:
    for path in (token(page), f"{token(page)}view.js", "/", f"{token(page)}nothing"):
        _status, headers, _content = ask(page, "GET", path)
        policy = headers["content-security-policy"]
        rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
        assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == rules["form-action"] == "'none'"
        assert rules["script-src"] == rules["connect-src"] == "'self'"
        assert not [part for rule in rules.values() for part in rule.split() if ":" in part and part != "data:"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["server"] == "firstlight"
        assert "access-control-allow-origin" not in headers


def test_what_is_no_question_is_refused_in_a_few_words(page: Page) -> None:
    path = f"{token(page)}talk"
    for body in (b"", b"not json", b"[]", b'{"say": 3}', b"\xff"):
        assert ask(page, "POST", path, body)[0] == 400
    assert ask(page, "POST", path, b" " * (module.MOST_BYTES + 1))[0] == 413
    assert ask(page, "POST", path, b"{}", Transfer_Encoding="chunked")[0] in (411, 400)
    assert ask(page, "PUT", path, b"{}")[0] == 501
    assert ask(page, "GET", token(page) + "x" * 70_000)[0] == 414
    assert talk(page)["serial"] == 1, "and it serves on"
    odd = talk(page, "odd", 0, {"t": 3}, {}, {"t": "stop"}, {"t": "graph", "step": "x"}, {"t": "open", "tab": [1]})
    assert "news" in kinds(odd)
    assert talk(page, "odd", odd["serial"], say=["no message", None, 3])["serial"] == 2


def test_a_link_without_its_last_stroke_leads_there(page: Page) -> None:
    status, headers, _content = ask(page, "GET", token(page).rstrip("/"))
    assert (status, headers["location"]) == (308, token(page))


def test_a_page_is_told_everything_and_then_the_news(page: Page, run: Run) -> None:
    first = talk(page, "one", 0)
    model = first["model"]
    assert model["words"].keys() == frontend.words().keys()
    (news,) = first["hear"]
    assert news["all"]
    assert news["curves"]["train/loss"]["x"] == list(range(30))

    hello = talk(page, "one", first["serial"], {"t": "hello", "page": "abc"})
    assert kinds(hello) == ["here", "news"]
    assert "model" not in hello
    assert hello["hear"][1]["all"]
    quiet = talk(page, "one", hello["serial"])
    assert quiet["hear"] == []

    run.resume()
    run.log({"train/loss": 0.01}, step=30)
    run.rest()
    news = talk(page, "one", quiet["serial"])["hear"][0]
    assert not news["all"]
    assert news["curves"]["train/loss"]["x"] == [29, 30], "what it has is not sent again"


def test_an_answer_that_was_lost_is_made_good(page: Page) -> None:
    first = talk(page, "one", 0)
    talk(page, "one", first["serial"])  # its answer never arrives
    again = talk(page, "one", first["serial"])
    assert again["hear"][0]["all"]
    assert len(again["hear"][0]["curves"]["train/loss"]["x"]) == 30
    assert "model" not in again


def test_many_pages_each_have_their_own_news(page: Page, run: Run) -> None:
    names = [f"page{number}" for number in range(module.MOST_PAGES + 6)]
    serials = {name: talk(page, name)["serial"] for name in names}
    run.resume()
    run.log({"train/loss": 0.01}, step=30)
    run.rest()
    for name in names:
        news = talk(page, name, serials[name])["hear"][0]
        assert news["curves"]["train/loss"]["x"][-1] == 30
        assert news["all"] is True or news["curves"]["train/loss"]["x"] == [29, 30]
    assert len(page._talks._pages) == module.MOST_PAGES


def test_an_open_tab_is_told_and_told_again_when_an_answer_was_lost(page: Page, run: Run) -> None:
    run.resume()
    run.add_fact(29, "memory", {"peak": 2048, "parameters": 1024})
    run.rest()
    opened = {"t": "open", "page": "abc", "tab": "memory"}
    first = talk(page, "one", 0)
    answer = talk(page, "one", first["serial"], opened, open=opened)
    assert [m["tab"] for m in answer["hear"] if m["t"] == "tab"] == ["memory"]
    again = talk(page, "one", answer["serial"], open=opened)
    assert "tab" not in kinds(again), "nothing is new"
    lost = talk(page, "one", answer["serial"], open=opened)
    assert "tab" in kinds(lost)
    assert "tab" not in kinds(talk(page, "two")), "who has none open is told of none"


def test_stop_is_not_in_the_hands_of_a_page(page: Page, run: Run) -> None:
    run.resume()
    for kind in ("stop", "pause"):
        talk(page, "one", 0, {"t": kind})
    assert not run.stop_requested
    assert not run.pause_requested


def test_a_record_that_is_taken_away_is_said_on_the_page(page: Page, run: Run) -> None:
    first = talk(page)
    assert first["lost"] == ""
    run.finish()
    shutil.rmtree(run.folder)
    answer = talk(page, "one", first["serial"])
    assert "There is no run in" in answer["lost"]
    assert talk(page, "two")["hear"][0]["curves"]["train/loss"]["x"], "what was seen of it stays"


def test_how_often_a_page_asks(page: Page, run: Run) -> None:
    assert talk(page)["again_ms"] == 500
    run.resume()
    run.log({"train/loss": 0.1}, step=30)
    assert 100 <= _until_status(page, "running")["again_ms"] <= 500
    run.finish()
    assert _until_status(page, "finished")["again_ms"] == module.AGAIN_LATER_MS


def _until_status(page: Page, status: str) -> dict[str, Any]:
    return _until(page, lambda state: state["status"] == status)


def _until(page: Page, wanted: Callable[[dict[str, Any]], bool], timeout_s: float = 20) -> dict[str, Any]:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        answer = talk(page)
        if wanted(answer["hear"][0]["state"]):
            return answer
        time.sleep(0.02)
    raise AssertionError(answer["hear"][0]["state"])


def test_one_connection_serves_many_questions(page: Page) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=10)
    for after in range(3):
        body = json.dumps({"page": "one", "after": after, "say": []})
        connection.request("POST", f"{token(page)}talk", body)
        sock = connection.sock
        assert json.loads(connection.getresponse().read())["serial"] == after + 1
        assert connection.sock is sock
    connection.close()


def test_a_port_that_is_taken(page: Page, run: Run) -> None:
    with pytest.raises(PortTaken, match=f"Port {page.port} is not free"):
        Page(run.folder, port=page.port)


def test_only_this_machine_is_served(page: Page) -> None:
    assert page._server.server_address[0] == "127.0.0.1"


def test_a_closed_page_is_gone_and_its_port_free(run: Run) -> None:
    with Page(run.folder) as page:
        assert talk(page)["serial"] == 1
    with pytest.raises(OSError):  # noqa: PT011 - refused, or reset
        ask(page, "GET", token(page))
    with Page(run.folder, port=page.port) as again:
        assert again.port == page.port
        assert again.url != page.url


def test_nothing_is_printed(page: Page, capfd: pytest.CaptureFixture[str]) -> None:
    ask(page, "GET", token(page))
    ask(page, "GET", "/nothing")
    with socket.create_connection(("127.0.0.1", page.port), 10) as line:
        line.sendall(b"nonsense\r\n\r\n")
        line.recv(1000)
    with socket.create_connection(("127.0.0.1", page.port), 10) as line:
        line.sendall(b"POST " + token(page).encode() + b"talk HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n")
    assert talk(page)["serial"] == 1
    assert capfd.readouterr() == ("", "")


def test_a_training_in_another_process_moves_on_the_page_and_dies() -> None:
    with training() as (process, folder), Page(folder) as page:
        step = talk(page)["hear"][0]["state"]["progress"]["done"]
        _until(page, lambda state: state["progress"]["done"] > step)
        process.kill()
        process.wait()
        if sys.platform != "win32":
            _until(page, lambda state: state["status_text"].startswith("Died"))


def test_the_tabs_of_a_watched_loop_come_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    code = f"""if True:
        import json, sys
        from pathlib import Path
        from firstlight.view.page import Page
        page = Page(Path(sys.argv[1]))
        first = page._talks.talk({{"page": "one", "after": 0, "say": []}})
        heard = []
        for tab in {frontend.TABS!r}:
            say = [{{"t": "open", "page": "abc", "tab": tab}}]
            say += [{{"t": "graph", "page": "abc", "step": None, "ask": 7}}] if tab == "graph" else []
            answer = page._talks.talk({{"page": "one", "after": first["serial"], "say": say}})
            heard += [m for m in answer["hear"] if m["t"] != "news"]
            first = answer
        print(json.dumps({{"torch": "torch" in sys.modules, "heard": heard}}, allow_nan=False))
        """
    with watched() as (_process, folder):
        ran = subprocess.run(
            [sys.executable, "-c", code, str(folder)], capture_output=True, encoding="utf-8", check=False
        )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert not told["torch"]
    assert {m["tab"] for m in told["heard"] if m["t"] == "tab"} == {
        "graph",
        "gradients",
        "activations",
        "memory",
        "time",
    }
    (graph,) = (m for m in told["heard"] if m["t"] == "graph")
    assert (graph["page"], graph["ask"]) == ("abc", 7)
    assert "linear" in graph["html"].lower()
