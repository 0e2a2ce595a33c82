"""The lab as a process: what it prints, whom it answers, how it ends."""

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from email.utils import parsedate_to_datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil
import pytest

from firstlight.lab.remote import is_loopback
from firstlight.lab.server import show_in_browser
from tests.lab.conftest import MARKER, fingerprint
from tests.lab.labs import Lab, firstlight, running_lab, small_notebook

pytestmark = pytest.mark.jupyter
posix = pytest.mark.skipif(os.name == "nt", reason="signals and terminals of POSIX")


def get(
    lab: Lab, path: str, method: str = "GET", headers: dict[str, str] | None = None, body: bytes | None = None
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """One request, with no cookie and no token but what `headers` holds."""
    connection: http.client.HTTPConnection
    if lab.base.startswith("https"):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", lab.port, timeout=10, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", lab.port, timeout=10)
    with closing(connection):
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def with_token(lab: Lab) -> dict[str, str]:
    return {"Authorization": f"token {lab.token}"}


def wait_until(happened: Callable[[], object], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if happened():
            return True
        time.sleep(0.05)
    return False


def warm(lab: Lab) -> bool:
    return bool(json.loads(get(lab, "/firstlight/api/health", headers=with_token(lab))[2])["kernel"] == "ready")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return small_notebook(tmp_path / "small.ipynb")


def test_the_token_stands_once_in_the_printed_link_and_nowhere_else(lab: Lab) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/doc/tree/small\.ipynb\?token=[0-9a-f]{48}", lab.url)
    everything_printed = "".join(lab.printed) + lab.said
    assert everything_printed.count(lab.token) == 1
    for process in [psutil.Process(lab.process.pid), *psutil.Process(lab.process.pid).children(recursive=True)]:
        assert lab.token not in " ".join(process.cmdline())
        assert lab.token not in " ".join(process.environ().values())
    get(lab, f"/api/status?token={lab.token}x")  # something for the log
    log = lab.home / "logs" / "lab.log"
    assert lab.token not in (log.read_text(encoding="utf-8") if log.exists() else "")


def test_it_speaks_the_language_and_no_jupyter(lab: Lab) -> None:
    assert wait_until(lambda: "Ctrl-C" in lab.said)  # the last sentence, after the link
    assert re.search("[가-힣]", lab.said)
    assert "Jupyter Server" not in lab.said
    assert "WARN" not in lab.said


@posix
def test_what_holds_the_token_is_for_its_owner_only(lab: Lab) -> None:
    records = [path for path in lab.home.rglob("*") if path.is_file() and lab.token in path.read_text(errors="ignore")]
    assert [path.name for path in records] == ["lab.json"]
    assert records[0].stat().st_mode & 0o077 == 0
    assert lab.home.stat().st_mode & 0o077 == 0
    runtime = Path(json.loads(records[0].read_text())["runtime"])
    assert runtime.stat().st_mode & 0o077 == 0


def test_the_persons_own_jupyter_is_neither_read_nor_written(lab: Lab, person: Path) -> None:
    before = fingerprint(person)
    assert MARKER not in lab.said
    assert wait_until(lambda: warm(lab)), "the kernel starts although ~/.ipython is broken"
    log = lab.home / "logs" / "lab.log"
    assert not log.exists() or MARKER not in log.read_text(encoding="utf-8")
    assert fingerprint(person) == before
    assert {path.name for path in person.iterdir()} <= {".jupyter", ".ipython", ".local", ".cache", ".config"}


def test_health_tells_those_with_the_token_who_this_is(lab: Lab) -> None:
    assert wait_until(lambda: warm(lab))
    status, _headers, body = get(lab, "/firstlight/api/health", headers=with_token(lab))
    told = json.loads(body)
    assert (status, told["ok"], told["lang"], told["notebook"]) == (200, True, "ko", "small.ipynb")
    assert told["pid"] == lab.process.pid
    assert get(lab, "/firstlight/api/health")[0] == 403


def test_a_page_is_led_on_to_its_address_without_the_token(lab: Lab) -> None:
    browser = {"Accept": "text/html,*/*;q=0.8"}
    status, headers, _body = get(lab, f"/doc/tree/small.ipynb?a=1&token={lab.token}&b=2", headers=browser)
    assert (status, headers["Location"]) == (302, "/doc/tree/small.ipynb?a=1&b=2")
    assert headers["Cache-Control"] == "no-store"
    (cookie,) = [line for line in headers.get_all("Set-Cookie") or [] if line.startswith("username-")]
    signed_in = {**browser, "Cookie": cookie.partition(";")[0]}
    assert get(lab, "/doc/tree/small.ipynb", headers=signed_in)[0] == 200
    _status, headers, _body = get(lab, f"/%5C%5Cevil.example/%2e%2e?token={lab.token}", headers=browser)
    assert not re.match(r"[\\/]{2}|\w+:", headers["Location"] or "")
    assert get(lab, f"/api/status?token={lab.token}")[0] == 200, "programs ask as ever"
    status, headers, _body = get(lab, "/doc/tree/small.ipynb?token=" + "0" * 48, headers=browser)
    assert "/login" in headers["Location"]


def test_no_page_holds_the_token(lab: Lab) -> None:
    page = get(lab, "/doc/tree/small.ipynb", headers=with_token(lab))
    assert page[0] == 200
    assert lab.token.encode() not in page[2]


def test_what_fails_is_written_down_without_the_token(lab: Lab) -> None:
    marked = f"missing-{time.monotonic_ns()}.ipynb"
    page = {"Referer": f"{lab.base}/lab?token={lab.token}"}
    assert get(lab, f"/api/contents/{marked}?token={lab.token}", headers=page)[0] == 404
    file = lab.home / "logs" / "lab.log"

    def summary() -> list[str]:
        lines = file.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if marked in line and " (127.0.0.1): " in line]

    assert wait_until(summary)
    assert "[secret]" in summary()[0], "tornado writes the whole address"
    assert lab.token not in file.read_text(encoding="utf-8")


def test_wrong_tokens_are_turned_away_soon_and_the_right_one_never(lab: Lab) -> None:
    answers = [get(lab, "/api/status", headers={"Authorization": "token " + "0" * 48})[0] for _ in range(7)]
    assert set(answers[:5]) <= {403, 429}
    assert answers[5:] == [429, 429]
    assert get(lab, "/lab?token=x", headers={"Accept": "text/html"})[0] == 429
    assert get(lab, "/api/status", headers=with_token(lab))[0] == 200, "a page of others may not lock a person out"
    assert get(lab, "/login")[0] == 200


def test_the_log_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import logging.config

    from firstlight.lab import server

    monkeypatch.setenv("FIRSTLIGHT_HOME", str(tmp_path))
    (tmp_path / "logs").mkdir()
    config = server._logging(["a-secret"])
    del config["root"]
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, **config})
    logger = logging.getLogger("ServerApp")
    try:
        for _line in range(4000):
            logger.warning("a-secret %s", "x" * 1000)
        written = [path.stat().st_size for path in (tmp_path / "logs").iterdir()]
        assert sum(written) < 2.1 * server.LOG_BYTES
        assert {path.name for path in (tmp_path / "logs").iterdir()} == {"lab.log", "lab.old.log"}
        assert "a-secret" not in (tmp_path / "logs" / "lab.log").read_text()
    finally:
        for handler in list(logger.handlers):
            logger.removeHandler(handler)
            handler.close()


def test_every_answer_carries_the_headers(lab: Lab) -> None:
    signed_in = with_token(lab)
    for path, headers, expected in (
        ("/login", {}, 200),
        ("/doc/tree/small.ipynb", {}, 302),
        ("/doc/tree/small.ipynb", signed_in, 200),
        ("/api/status", {}, 403),
        ("/api/status", signed_in, 200),
        ("/files/small.ipynb", signed_in, 200),
        ("/static/nothing", {}, 404),
        ("/favicon.ico", {}, 200),
        ("/x/", {}, 302),
        ("/login", {"Host": "evil.example"}, 403),
    ):
        status, told, _body = get(lab, path, headers=headers)
        assert status == expected, path
        assert told["X-Content-Type-Options"] == "nosniff"
        assert told["X-Frame-Options"] == "SAMEORIGIN"
        assert told["Referrer-Policy"] == "same-origin"
        assert told["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "frame-ancestors" in told["Content-Security-Policy"], path
        assert "default-src" in told["Content-Security-Policy"] or "sandbox" in told["Content-Security-Policy"], path
        assert told["Server"] is None
        assert told["Strict-Transport-Security"] is None, "there is no TLS here"
        assert (told["Cross-Origin-Resource-Policy"] == "same-origin") is not path.startswith("/files/")
    assert "script" not in get(lab, "/login")[1]["Content-Security-Policy"]


def test_a_foreign_host_name_is_turned_away(lab: Lab) -> None:
    for host in ("evil.example", f"evil.example:{lab.port}", "192.0.2.7", "169.254.169.254"):
        assert get(lab, "/api/status", headers={**with_token(lab), "Host": host})[0] == 403
    for host in (f"localhost:{lab.port}", f"127.0.0.1:{lab.port}", "[::1]"):
        assert get(lab, "/api/status", headers={**with_token(lab), "Host": host})[0] == 200


def test_another_page_cannot_open_the_sockets(lab: Lab) -> None:
    key = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"}
    path = "/api/kernels/11111111-1111-1111-1111-111111111111/channels"
    assert get(lab, path, headers=key)[0] == 403
    assert get(lab, path, headers={**key, "Origin": "http://evil.example"})[0] == 403


def test_the_kernel_is_this_python_and_warm_again_after_a_restart(lab: Lab) -> None:
    from jupyter_client.blocking import BlockingKernelClient
    from jupyter_client.connect import KernelConnectionInfo  # noqa: F401  the client of the server's own environment

    assert wait_until(lambda: warm(lab))
    sessions = json.loads(get(lab, "/api/sessions", headers=with_token(lab))[2])
    assert [session["path"] for session in sessions] == ["small.ipynb"], "there before any page asked"
    kernel_id = sessions[0]["kernel"]["id"]
    runtime = Path(json.loads(next(lab.home.glob("labs/*/lab.json")).read_text())["runtime"])

    def ask(code: str) -> str:
        client = BlockingKernelClient(connection_file=str(runtime / f"kernel-{kernel_id}.json"))
        client.load_connection_file()
        client.start_channels()
        client.wait_for_ready(timeout=30)
        reply = client.execute_interactive(
            "", silent=True, user_expressions={"x": code}, timeout=30, output_hook=lambda _m: None
        )
        client.stop_channels()
        content = reply["content"]["user_expressions"]["x"]
        return str(content["data"]["text/plain"]) if content["status"] == "ok" else str(content)

    loaded = "'torch._dynamo' in __import__('sys').modules"
    assert ask("__import__('sys').executable") == repr(sys.executable)
    assert ask("__import__('os').environ['FIRSTLIGHT_LANG']") == "'ko'"
    assert ask("__import__('os').environ['FIRSTLIGHT_RUNS']") == repr(str(lab.folder / "runs"))
    assert wait_until(lambda: ask(loaded) == "True", 30)
    of_ipython = "('In', 'Out', 'exit', 'quit', 'open', 'get_ipython')"
    assert ask(f"[n for n in globals() if not n.startswith('_') and n not in {of_ipython}]") == "[]"

    process = int(ask("__import__('os').getpid()"))
    assert get(lab, f"/api/kernels/{kernel_id}/restart", "POST", with_token(lab), b"{}")[0] == 200
    assert int(ask("__import__('os').getpid()")) != process
    assert wait_until(lambda: ask(loaded) == "True", 30)


@posix
def test_where_kernels_talk_over_ports_others_cannot_listen(tmp_path: Path, small: Path) -> None:
    import zmq

    long = Path("/tmp") / f"firstlight-{os.getpid()}-{'x' * 80}"
    long.mkdir(mode=0o700)
    try:
        with running_lab(tmp_path, notebook=small, env={"XDG_RUNTIME_DIR": str(long)}) as lab:
            assert wait_until(lambda: warm(lab))
            (runtime,) = long.iterdir()
            (connection,) = runtime.glob("kernel-*.json")
            told = json.loads(connection.read_text())
            assert told["transport"] == "tcp"
            assert told["curve_secretkey"]
            assert connection.stat().st_mode & 0o077 == 0

            def heard(*, with_key: bool) -> bool:
                listener = zmq.Context.instance().socket(zmq.SUB)
                if with_key:
                    listener.curve_serverkey = told["curve_publickey"].encode()
                    listener.curve_publickey, listener.curve_secretkey = zmq.curve_keypair()
                listener.subscribe(b"")
                listener.connect(f"tcp://127.0.0.1:{told['iopub_port']}")
                time.sleep(0.5)
                kernel = connection.stem.removeprefix("kernel-")
                assert get(lab, f"/api/kernels/{kernel}/restart", "POST", with_token(lab), b"{}")[0] == 200
                try:
                    return bool(listener.poll(15_000 if with_key else 3000))
                finally:
                    listener.close(0)

            assert heard(with_key=True), "the kernel does say something"
            assert not heard(with_key=False)
    finally:
        for left in long.iterdir():
            left.rmdir()
        long.rmdir()


def test_list_and_stop(tmp_path: Path, small: Path) -> None:
    with running_lab(tmp_path, notebook=small) as lab:
        assert wait_until(lambda: warm(lab))
        kernels = psutil.Process(lab.process.pid).children(recursive=True)
        assert kernels
        listed = firstlight("lab", "--list", env=lab.environment())
        assert lab.url in listed.stdout
        assert str(lab.folder) in listed.stdout
        as_json = json.loads(firstlight("lab", "--list", "--json", env=lab.environment()).stdout)
        assert [(row["pid"], row["port"]) for row in as_json] == [(lab.process.pid, lab.port)]
        assert "token" not in as_json[0]

        other = firstlight("lab", "--stop", "--port", "1", env=lab.environment())
        assert (other.returncode, lab.process.poll()) == (0, None)
        stopped = firstlight("lab", "--stop", env=lab.environment())
        assert stopped.returncode == 0
        assert str(lab.port) in stopped.stderr
        assert lab.process.wait(10) == 0
        assert psutil.wait_procs(kernels, timeout=10)[1] == []
        assert "Traceback" not in lab.said
        assert list(lab.home.glob("labs/*")) == []
    nothing = firstlight("lab", "--list", env=lab.environment())
    assert (nothing.returncode, nothing.stdout) == (0, "")


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_stops_it_cleanly(name: str, tmp_path: Path, small: Path) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)
    if before is signal.SIG_IGN:  # these tests run under nohup, and the lab would inherit that
        signal.signal(number, signal.SIG_DFL)
    with running_lab(tmp_path, notebook=small) as lab:
        signal.signal(number, before)
        assert wait_until(lambda: warm(lab))
        kernels = psutil.Process(lab.process.pid).children(recursive=True)
        lab.process.send_signal(number)
        assert lab.process.wait(15) == 0
        assert psutil.wait_procs(kernels, timeout=10)[1] == []
        assert "Traceback" not in lab.said
        assert str(lab.folder) in lab.said.splitlines()[-1]
        assert list(lab.home.glob("labs/*")) == []


@posix
def test_what_a_killed_lab_leaves_is_swept_up(tmp_path: Path, small: Path) -> None:
    with running_lab(tmp_path, notebook=small) as lab:
        assert wait_until(lambda: warm(lab))
        kernels = psutil.Process(lab.process.pid).children(recursive=True)
        lab.process.kill()
        lab.process.wait()
    (left,) = lab.home.glob("labs/*")
    runtime = Path(json.loads((left / "lab.json").read_text())["runtime"])
    assert runtime.is_dir()
    listed = firstlight("lab", "--list", env=lab.environment())
    assert (listed.returncode, listed.stdout) == (0, "")
    assert not left.exists()
    assert not runtime.exists()
    assert psutil.wait_procs(kernels, timeout=15)[1] == [], "a kernel notices that its lab is gone"


def test_a_second_lab_names_the_first_and_takes_another_port(tmp_path: Path, small: Path) -> None:
    with running_lab(tmp_path, notebook=small) as first, running_lab(tmp_path, notebook=small) as second:
        assert first.url in second.said
        assert first.port != second.port
        assert get(first, "/api/status", headers=with_token(first))[0] == 200
        assert get(second, "/api/status", headers=with_token(second))[0] == 200
        assert firstlight("lab", "--list", env=first.environment()).stdout.count("http://") == 2
        elsewhere = tmp_path / "elsewhere"
        with running_lab(tmp_path, notebook=small, folder=elsewhere) as third:
            assert first.url not in third.said


def test_a_busy_port_is_an_error_when_it_was_asked_for(tmp_path: Path, small: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        words = ["lab", "--no-browser", "--port", port, "--dir", str(tmp_path), "--notebook", small.name]
        refused = firstlight(*words, env={**os.environ, "FIRSTLIGHT_HOME": str(tmp_path / "home")})
    assert refused.returncode == 1
    assert port in refused.stderr
    assert "Traceback" not in refused.stderr
    assert refused.stdout == ""


def test_a_busy_default_port_moves_on(tmp_path: Path, small: Path) -> None:
    try:
        busy = socket.create_server(("127.0.0.1", 8888))
    except OSError:
        busy = None  # somebody has it already, which is as good
    try:
        with running_lab(tmp_path, notebook=small, port=None) as lab:
            assert 8888 < lab.port < 8988
            assert str(lab.port) in lab.said
    finally:
        if busy:
            busy.close()


def test_other_addresses_need_remote(tmp_path: Path, small: Path) -> None:
    words = ["lab", "--no-browser", "--dir", str(tmp_path), "--notebook", small.name, "--ip", "0.0.0.0"]
    refused = firstlight(*words, env={**os.environ, "FIRSTLIGHT_HOME": str(tmp_path / "home")})
    assert refused.returncode == 1
    assert "--remote" in refused.stderr
    assert "ssh -N" in refused.stderr
    assert not (tmp_path / "home" / "labs").exists()


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="for root")
def test_root_is_refused_where_others_can_reach(tmp_path: Path, small: Path) -> None:
    words = ["lab", "--no-browser", "--dir", str(tmp_path), "--notebook", small.name, "--remote"]
    refused = firstlight(*words, env={**os.environ, "FIRSTLIGHT_HOME": str(tmp_path / "home")})
    assert refused.returncode == 1
    assert "--allow-root" in refused.stderr
    assert "ssh -N" in refused.stderr


def test_over_ssh_the_tunnel_comes_first(tmp_path: Path, small: Path) -> None:
    with running_lab(tmp_path, notebook=small, env={"SSH_CONNECTION": "192.0.2.1 50000 198.51.100.7 2222"}) as lab:
        assert wait_until(lambda: "Ctrl-C" in lab.said)
        assert re.search(rf"ssh -N -p 2222 -L {lab.port}:127\.0\.0\.1:{lab.port} \S+@198\.51\.100\.7", lab.said)
        assert lab.url.startswith(f"http://127.0.0.1:{lab.port}/")


class Visitor:
    """A browser's way through the login page: it keeps cookies and sends the form's secret back."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.cookies = lab, dict[str, str]()
        self.set_cookie: list[str] = []

    def fetch(self, path: str, method: str = "GET", **form: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        body = None
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urllib.parse.urlencode(form).encode()
        status, answer, content = get(self.lab, path, method, headers, body)
        for line in answer.get_all("Set-Cookie") or []:
            self.set_cookie.append(line)
            name, _equals, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
        return status, answer, content

    def login(self, password: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        self.cookies.clear()
        page = self.fetch("/login?next=%2Flab")[2].decode()
        secret = re.search(r'name="_xsrf" value="([^"]+)"', page)
        assert secret
        return self.fetch("/login?next=%2Flab", "POST", password=password, _xsrf=secret[1])


@pytest.fixture(scope="module")
def remote_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    tmp = tmp_path_factory.mktemp("remote")
    words = ["--remote", "--ip", "127.0.0.1", "--host-name", "vm.school.example", "--host-name", "203.0.113.5"]
    with running_lab(tmp, notebook=small_notebook(tmp / "small.ipynb"), extra=words, lang="ja") as lab:
        assert wait_until(lambda: "Ctrl-C" in lab.said)
        yield lab


def password_of(lab: Lab) -> str:
    (password,) = re.findall(r"\b(?:[a-z]{5}-){4}[a-z]{5}\b", lab.said)
    return str(password)


def test_remote_speaks_tls_and_shows_its_fingerprint(remote_lab: Lab) -> None:
    assert remote_lab.url.startswith("https://")
    assert "token" not in remote_lab.url
    assert remote_lab.token == ""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", remote_lab.port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="vm.school.example") as channel,
    ):
        certificate = channel.getpeercert(binary_form=True)
        assert channel.version() in ("TLSv1.2", "TLSv1.3")
    assert certificate
    shown = sha256(certificate).hexdigest().upper()
    assert ":".join(shown[i : i + 2] for i in range(0, 64, 2)) in remote_lab.said
    assert "ssh -N" in remote_lab.said
    with closing(http.client.HTTPConnection("127.0.0.1", remote_lab.port, timeout=5)) as insecure:
        insecure.request("GET", "/login")
        with pytest.raises((http.client.HTTPException, OSError)):
            insecure.getresponse()


def test_remote_tells_browsers_to_stay_with_tls(remote_lab: Lab) -> None:
    told = get(remote_lab, "/login", headers={"Host": "vm.school.example"})[1]
    assert re.fullmatch(r"max-age=\d+", told["Strict-Transport-Security"])
    assert get(remote_lab, "/login", headers={"Host": "localhost"})[1]["Strict-Transport-Security"] is None


def test_remote_answers_to_its_names_only(remote_lab: Lab) -> None:
    for host in ("evil.example", "192.0.2.7", "", "vm.school.example.evil.example"):
        for path in ("/login", "/static/favicon.ico", "/api/status", "/lab"):
            assert get(remote_lab, path, headers={"Host": host})[0] in (400, 403), (host, path)
    for host in ("vm.school.example", "VM.school.example:8888", "203.0.113.5", f"127.0.0.1:{remote_lab.port}"):
        assert get(remote_lab, "/login", headers={"Host": host})[0] == 200


def test_remote_opens_to_the_password_with_a_short_lived_cookie(remote_lab: Lab) -> None:
    visitor = Visitor(remote_lab)
    status, headers, _page = visitor.fetch("/doc/tree/small.ipynb")
    assert status == 302
    assert "/login" in headers["Location"]
    assert visitor.login("wrong")[0] == 401
    status, headers, _page = visitor.login(password_of(remote_lab))
    assert (status, headers["Location"]) == (302, "/lab")
    (cookie,) = [line for line in visitor.set_cookie if line.startswith("username-")]
    for property_ in ("HttpOnly", "Secure", "SameSite=Lax"):
        assert property_.lower() in cookie.lower()
    expires = re.search("expires=([^;]+)", cookie)
    assert expires
    assert 0 < parsedate_to_datetime(expires[1]).timestamp() - time.time() <= 86400
    assert visitor.fetch("/api/contents")[0] == 200
    assert visitor.fetch("/terminals/1")[0] in (403, 404)
    assert remote_lab.said.count(password_of(remote_lab)) == 1


def test_remote_has_no_token_in_addresses_and_lists_and_health_work(remote_lab: Lab) -> None:
    record = json.loads(next(remote_lab.home.glob("labs/*/lab.json")).read_text())
    assert get(remote_lab, f"/api/status?token={record['token']}")[0] == 403
    assert get(remote_lab, "/api/status", headers={"Authorization": f"token {record['token']}"})[0] == 200
    assert remote_lab.url in firstlight("lab", "--list", env=remote_lab.environment()).stdout
    log = (remote_lab.home / "logs" / "lab.log").read_text(encoding="utf-8")
    assert password_of(remote_lab) not in log
    assert record["token"] not in log


def test_remote_brakes_those_who_guess_the_token_of_the_machine_itself(remote_lab: Lab) -> None:
    record = json.loads(next(remote_lab.home.glob("labs/*/lab.json")).read_text())
    wrong = {"Authorization": "token " + "0" * 48}
    assert [get(remote_lab, "/api/status", headers=wrong)[0] for _ in range(6)] == [403] * 5 + [429]
    right = {"Authorization": f"token {record['token']}"}
    assert get(remote_lab, "/api/status", headers=right)[0] == 200, (
        "nobody keeps the lab's own machine from stopping it"
    )


def test_remote_takes_the_password_that_was_set_once(tmp_path: Path, small: Path) -> None:
    env = {**os.environ, "FIRSTLIGHT_HOME": str(tmp_path / "home"), "FIRSTLIGHT_LANG": "en"}
    words = [sys.executable, "-m", "firstlight", "lab", "--set-password"]
    too_short = subprocess.run(words, env=env, input="short\n", capture_output=True, text=True, check=False)
    assert (too_short.returncode, "12" in too_short.stderr) == (1, True)
    made = subprocess.run(words, env=env, input="correct horse battery\n", capture_output=True, text=True, check=False)
    assert made.returncode == 0
    kept = tmp_path / "home" / "password"
    assert kept.read_text().startswith("argon2:")
    assert "horse" not in kept.read_text() + made.stdout + made.stderr
    assert os.name == "nt" or kept.stat().st_mode & 0o077 == 0
    with running_lab(tmp_path, notebook=small, extra=["--remote", "--ip", "127.0.0.1"]) as lab:
        assert wait_until(lambda: "Ctrl-C" in lab.said)
        assert "Password:" not in lab.said
        assert "--set-password" in lab.said
        visitor = Visitor(lab)
        assert visitor.login("correct horse")[0] == 401
        assert visitor.login("correct horse battery")[0] == 302
    gone = subprocess.run(words, env=env, input="\n", capture_output=True, text=True, check=False)
    assert (gone.returncode, kept.exists()) == (0, False)


def test_remote_brakes_those_who_guess(remote_lab: Lab) -> None:
    visitor = Visitor(remote_lab)
    visitor.login(password_of(remote_lab))  # the count starts anew
    answers = [visitor.login(f"guess {i}") for i in range(7)]
    assert [status for status, _headers, _page in answers] == [401] * 5 + [429] * 2
    assert 0 < int(answers[-1][1]["Retry-After"]) <= 61
    assert visitor.login(password_of(remote_lab))[0] == 429, "not even the right one, until the minute is over"
    assert firstlight("lab", "--stop", env=remote_lab.environment()).returncode == 0
    assert remote_lab.process.wait(15) == 0


@contextmanager
def on_a_terminal(*words: str, env: dict[str, str]) -> Iterator[tuple[Any, Callable[..., str], int]]:
    """Run the command on a terminal of its own. Yields the process, a reader, and the terminal's other end."""
    import pty
    import threading

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "firstlight", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=env,
        start_new_session=True,
    )
    os.close(theirs)
    seen: list[str] = []

    def collect() -> None:
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:
                return
            seen.append(part.decode(errors="replace"))

    reader = threading.Thread(target=collect, daemon=True)
    reader.start()

    def read(pattern: str = "", seconds: float = 20) -> str:
        assert wait_until(lambda: re.search(pattern, "".join(seen)), seconds), "".join(seen)
        return "".join(seen)

    try:
        yield process, read, ours
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        reader.join(5)
        os.close(ours)


@posix
def test_the_browser_is_opened_without_the_token_on_its_command_line(tmp_path: Path, small: Path) -> None:
    seen = tmp_path / "seen"
    browser = tmp_path / "browser.sh"
    look = f'(echo "$*"; ls -l "$f"; cat "$f") > {seen}.part; mv {seen}.part {seen}'
    browser.write_text(f'#!/bin/sh\nf="${{1#file://}}"\n{look}\n')
    browser.chmod(0o755)
    env = {"BROWSER": f"{browser} %s", "DISPLAY": ":99"}
    with running_lab(tmp_path, notebook=small, env=env, browser=True) as lab:
        assert wait_until(seen.exists)
        command, listing, *page = seen.read_text().splitlines()
        assert lab.token not in command
        assert command.startswith(f"file://{lab.folder}")
        assert listing.startswith("-rw-------")
        assert f'value="{lab.token}"' in "".join(page)
        assert "token=" not in "".join(page), "a form: what is in an address ends up in the browser's history"
        assert "Your browser opens it" in lab.said
        assert list(lab.folder.glob(".firstlight-open-*"))
        lab.process.terminate()
        lab.process.wait(15)
        assert not list(lab.folder.glob(".firstlight-open-*"))


@posix
def test_a_full_disk_gets_no_half_page_for_the_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setenv("BROWSER", "true %s")
    with full_disk(20), pytest.raises(OSError, match="too large"):
        show_in_browser("http://127.0.0.1:8888/lab?token=abc", tmp_path)
    assert list(tmp_path.iterdir()) == []


@posix
@pytest.mark.parametrize("env", [{"DISPLAY": "", "WAYLAND_DISPLAY": ""}, {"DISPLAY": ":99", "BROWSER": "", "PATH": ""}])
def test_without_a_browser_the_link_is_printed(env: dict[str, str], tmp_path: Path, small: Path) -> None:
    with running_lab(tmp_path, notebook=small, env=env, browser=True) as lab:
        assert wait_until(lambda: "Ctrl-C" in lab.said)
        assert "Open this link in your browser" in lab.said


@posix
def test_ctrl_c_asks_once_and_stops_cleanly(tmp_path: Path, small: Path) -> None:
    env = {**os.environ, "FIRSTLIGHT_HOME": str(tmp_path / "home")}
    env.pop("DISPLAY", None)
    words = ["lab", "--port", "0", "--dir", str(tmp_path), "--notebook", small.name]
    with on_a_terminal(*words, env=env) as (process, read, keyboard):
        read("Ctrl-C")
        process.send_signal(signal.SIGINT)
        read(r"\[y/N\]")
        os.write(keyboard, b"n\n")
        read("goes on")
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert wait_until(lambda: read().count("[y/N]") == 2)
        os.write(keyboard, b"y\n")
        assert process.wait(15) == 0
        assert "Traceback" not in read("stopped")


@posix
def test_a_second_ctrl_c_stops_without_asking_again(tmp_path: Path, small: Path) -> None:
    env = {**os.environ, "FIRSTLIGHT_HOME": str(tmp_path / "home")}
    env.pop("DISPLAY", None)
    words = ["lab", "--port", "0", "--dir", str(tmp_path), "--notebook", small.name]
    with on_a_terminal(*words, env=env) as (process, read, _keyboard):
        read("Ctrl-C")
        process.send_signal(signal.SIGINT)
        read(r"\[y/N\]")
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
        assert "Traceback" not in read("stopped")


@posix
def test_on_a_terminal_the_running_lab_is_offered(tmp_path: Path, small: Path) -> None:
    with running_lab(tmp_path, notebook=small) as lab:
        env = {key: value for key, value in lab.environment().items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
        words = ["lab", "--port", "0", "--dir", str(lab.folder), "--notebook", small.name]
        with on_a_terminal(*words, env=env) as (process, read, keyboard):
            read("Enter")
            assert lab.url in read()
            os.write(keyboard, b"\n")
            assert process.wait(15) == 0
        with on_a_terminal(*words, env=env) as (process, read, keyboard):
            read("Enter")
            os.write(keyboard, b"n\n")
            read("Ctrl-C")
            assert len(set(re.findall(r"http://127\.0\.0\.1:(\d+)/", read()))) == 2
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0


@posix
def test_another_language_is_a_lab_of_its_own(tmp_path: Path) -> None:
    with running_lab(tmp_path) as lab:
        env = {key: value for key, value in lab.environment().items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
        words = ["lab", "--port", "0", "--dir", str(lab.folder)]
        with on_a_terminal(*words, "--lang", "ja", env=env) as (process, read, _keyboard):
            read("token=[0-9a-f]+")
            japanese, *_rest = [url for url in re.findall(r"http://\S+", read()) if url != lab.url]
            assert "first_pytorch_classifier.ja.ipynb" in japanese
            book = json.loads((lab.folder / "first_pytorch_classifier.ja.ipynb").read_text(encoding="utf-8"))
            assert book["metadata"]["firstlight"]["lang"] == "ja"
            listed = firstlight("lab", "--list", "--json", env=env)
            assert {one["lang"] for one in json.loads(listed.stdout)} == {"en", "ja"}
            with on_a_terminal(*words, "--lang", "ja", env=env) as (_again, offered, _keys):
                offered("Enter")
                assert japanese in offered()
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
        with on_a_terminal(*words, env=env) as (_process, offered, _keyboard):
            offered("Enter")
            assert lab.url in offered(), "who asks for no language is offered what runs"


def test_a_missing_notebook_is_named(tmp_path: Path) -> None:
    env = {**os.environ, "FIRSTLIGHT_HOME": str(tmp_path / "home")}
    for name in ("nothing.ipynb", "../outside.ipynb", "/etc/passwd"):
        refused = firstlight("lab", "--no-browser", "--dir", str(tmp_path), "--notebook", name, env=env)
        assert refused.returncode == 1
        assert name in refused.stderr


def test_loopback() -> None:
    assert all(is_loopback(ip) for ip in ("127.0.0.1", "127.1.2.3", "::1", "localhost"))
    assert not any(is_loopback(ip) for ip in ("::", "0.0.0.0", "", "192.0.2.7", "vm.school.example"))
