"""`firstlight watch`, in a process of its own, beside a process that trains."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from firstlight.cli import main
from firstlight.run import Run
from tests.view.others import training, watched

COMMAND = [sys.executable, "-m", "firstlight", "watch"]
posix = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals and signals are Unix things")


def ended(name: str = "net", steps: int = 3) -> Path:
    with Run.start(name) as run:
        for step in range(steps):
            run.log({"train/loss": 1.0 - step / 10}, step=step)
    assert run.folder is not None
    return run.folder


class Terminal:
    """A command in a pseudo-terminal of 100 columns."""

    def __init__(self, *words: str) -> None:
        import fcntl
        import pty
        import termios

        def own_terminal() -> None:  # so that a Ctrl-C that is typed becomes a signal
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.text = ""
        self.leader, follower = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
        self.process = subprocess.Popen(
            [*COMMAND, *words],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env=environment,
            preexec_fn=own_terminal,
        )
        os.close(follower)

    def read_until(self, wanted: Callable[[str], object], timeout_s: float = 30) -> None:
        import select

        end = time.monotonic() + timeout_s
        while not wanted(self.text):
            assert time.monotonic() < end, self.text
            if select.select([self.leader], [], [], 0.1)[0]:
                try:
                    data = os.read(self.leader, 65536)
                except OSError:  # Linux says so when the other side is closed
                    data = b""
                if not data:
                    assert wanted(self.text), self.text
                self.text += data.decode("utf-8", "replace")

    def close(self) -> int:
        with contextlib.suppress(AssertionError):
            self.read_until(lambda _text: self.process.poll() is not None)
            self.read_until(lambda _text: False, timeout_s=0.5)  # what is left
        return self.process.wait(10)


@contextlib.contextmanager
def terminal(*words: str) -> Iterator[Terminal]:
    shown = Terminal(*words)
    try:
        yield shown
    finally:
        shown.process.kill()
        shown.process.wait()
        os.close(shown.leader)


@posix
def test_a_terminal_follows_a_training_to_its_end() -> None:
    with training("net", steps=250) as (_process, folder), terminal("net") as shown:
        shown.read_until(lambda text: text.count("Training") >= 3)
        assert shown.close() == 0
    assert str(folder) in shown.text.replace("\r\n", "")
    assert "Ctrl-C leaves" in shown.text
    assert "▁" in shown.text
    assert "━" in shown.text
    assert "step 250 of 250" in shown.text
    assert "Finished" in shown.text.rpartition("Training")[2]


@posix
def test_ctrl_c_leaves_and_the_training_goes_on() -> None:
    with training() as (process, folder), terminal() as shown:
        shown.read_until(lambda text: "Training" in text)
        os.write(shown.leader, b"\x03")
        assert shown.close() == 0
        assert "the training goes on." in shown.text.rpartition("You have left")[2]
        assert "Traceback" not in shown.text
        steps = Run.open(folder).steps
        end = time.monotonic() + 20
        while Run.open(folder).steps == steps:
            assert time.monotonic() < end
            time.sleep(0.1)
        assert process.poll() is None


@posix
def test_a_killed_training_is_seen_to_have_died() -> None:
    with training() as (process, _folder), terminal("0") as shown:
        shown.read_until(lambda text: "Training" in text)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert shown.close() == 0
    assert "Died: its process ended without a word" in shown.text
    assert "power cut" in shown.text


@posix
def test_asked_to_end_it_gives_the_cursor_back() -> None:
    with training(), terminal() as shown:
        shown.read_until(lambda text: "\x1b[?25l" in text)
        shown.process.send_signal(signal.SIGTERM)
        assert shown.close() == 128 + signal.SIGTERM, shown.text
        assert "\x1b[?25h" in shown.text.rpartition("\x1b[?25l")[2]
        assert "Traceback" not in shown.text


@posix
def test_a_reader_that_goes_away_is_no_traceback() -> None:
    with training():
        command = " ".join([*COMMAND, "|", "head", "-n", "1"])
        ran = subprocess.run(["sh", "-c", command], capture_output=True, encoding="utf-8", check=False)
    assert ran.stdout.startswith("Training")
    assert "Traceback" not in ran.stderr


def test_a_pipe_gets_lines(tmp_path: Path) -> None:
    with training(steps=100) as (_process, folder):
        ran = subprocess.run([*COMMAND, str(folder)], capture_output=True, text=True, encoding="utf-8", check=False)
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert re.match(r"(Training|Finished) · step \d+ of 100 · Loss \(train\) [\d.]+", lines[0])
    assert lines[-1].startswith("Finished · step 100 of 100")
    assert "\x1b" not in ran.stdout
    assert str(folder) in ran.stderr


@posix
def test_a_pipe_says_that_it_died() -> None:
    with training() as (process, folder):
        watching = subprocess.Popen([*COMMAND, str(folder)], stdout=subprocess.PIPE, text=True, encoding="utf-8")
        assert watching.stdout is not None
        assert watching.stdout.readline().startswith("Training")
        process.send_signal(signal.SIGKILL)
        process.wait()
        rest, _none = watching.communicate(timeout=30)
    assert watching.returncode == 0
    assert rest.splitlines()[-2].startswith("Died: its process ended without a word · step ")
    assert "power cut" in rest.splitlines()[-1]


def test_once_says_how_it_stands_and_leaves(capsys: pytest.CaptureFixture[str]) -> None:
    with training() as (process, folder):
        assert main(["watch", "--once"]) == 0
        assert process.poll() is None
    captured = capsys.readouterr()
    assert re.match(r"Training · step [\d,]+ of 100,000 · Loss \(train\) ", captured.out)
    assert captured.out.count("\n") == 1
    assert captured.err == f"Run: {folder}\n"


def test_a_watched_loop_of_pytorch_is_seen_from_another_process(capsys: pytest.CaptureFixture[str]) -> None:
    with watched():
        assert main(["watch", "watched", "--once"]) == 0
    assert re.match(r"Training · step [\d,]+ of 4,000 · Loss \(train\) .*Accuracy", capsys.readouterr().out)


def test_an_ended_run_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    ended("older", steps=1)
    newest = ended("newer")
    for words in ([], ["newer"], ["0"], ["--once"]):
        assert main(["watch", *words]) == 0
        captured = capsys.readouterr()
        assert captured.out == "Finished · step 3 · Loss (train) 0.800\n"
        assert captured.err == f"Run: {newest}\n"
    assert main(["watch", "1"]) == 0
    assert "step 1 " in capsys.readouterr().out


@posix
def test_an_ended_run_in_a_terminal() -> None:
    ended()
    with terminal("--lang", "ja") as shown:
        assert shown.close() == 0
    assert "終わりました" in shown.text or "完了" in shown.text, shown.text
    assert "▁" in shown.text
    assert "\x1b[?25l" not in shown.text, "nothing moves: the cursor stays as it is"


def test_runs_are_numbered_as_watch_counts_them(capsys: pytest.CaptureFixture[str]) -> None:
    ended("older")
    ended("newer")
    assert main(["runs"]) == 0
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split()[:2] == ["no.", "run"]
    assert first.split()[:2] == ["0", "newer"]
    assert second.split()[:2] == ["1", "older"]


@pytest.mark.parametrize("more", [[], ["--once"], ["--web", "--no-browser"]])
def test_what_cannot_be_watched_is_said(more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*words: str) -> str:
        assert main(["watch", *words, *more]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 3
        return captured.err

    assert os.environ["FIRSTLIGHT_RUNS"] in said()
    assert "Start one" in said("anything")
    ended("known")
    assert "There is no run unknown." in said("unknown")
    assert "known" in said("unknown")
    assert f"There is no run in {tmp_path}." in said(str(tmp_path))
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "run.sqlite").write_bytes(b"no database" * 1000)
    assert "cannot be read" in said(str(damaged))


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in ((["--port", "x"], "is not a port"), (["a", "b"], "Not known: b"), (["--dir"], "needs a value")):
        assert main(["watch", *words]) == 2
        assert said in capsys.readouterr().err


@pytest.mark.parametrize(("language", "word"), [("en", "another process"), ("ja", "プロセス"), ("ko", "프로세스")])
def test_help_is_in_the_language_and_loads_nothing_heavy(language: str, word: str) -> None:
    code = (
        "import sys; from firstlight.cli import main\n"
        f"main(['watch', '--help', '--lang', {language!r}])\n"
        "sys.exit(str({'torch', 'numpy', 'sqlite3', 'rich', 'http.server'} & set(sys.modules) or ''))"
    )
    alone = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}  # it loads sqlite3
    environment = {**alone, "PYTHONIOENCODING": "utf-8"}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", env=environment, check=False
    )
    assert word in ran.stdout
    assert ran.stderr.strip() == ""


def test_watching_needs_no_torch() -> None:
    ended()
    code = (
        "import sys; from firstlight.cli import main\n"
        "status = main(['watch', '--once'])\n"
        "sys.exit(str({'torch', 'tornado', 'IPython'} & set(sys.modules) or status or ''))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert ran.stdout.startswith("Finished")
    assert ran.stderr.split("\n", 1)[1].strip() == ""


# The page.


@contextlib.contextmanager
def web(*words: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`firstlight watch --web`: the process and the link that it printed."""
    variables = {**os.environ, **environment}
    variables.pop("SSH_CONNECTION", None)
    serving = subprocess.Popen(
        [*COMMAND, "--web", "--no-browser", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**variables, **environment},
    )
    try:
        assert serving.stdout is not None
        lines = [serving.stdout.readline() for _ in range(3)]
        yield serving, lines[1].strip()
    finally:
        serving.kill()
        serving.communicate()


def fetch(url: str, path: str = "", body: bytes | None = None) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port or 0, timeout=10)
    connection.request("GET" if body is None else "POST", parts.path + path, body)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


@posix
def test_a_page_is_served_until_ctrl_c() -> None:
    with training() as (process, folder), web() as (serving, url):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", url)
        assert fetch(url)[0] == 200
        status, body = fetch(url, "talk", b'{"page": "one", "after": 0, "say": []}')
        assert status == 200
        assert json.loads(body)["model"]["state"]["status"] == "running"
        serving.send_signal(signal.SIGINT)
        out, err = serving.communicate(timeout=10)
        assert serving.returncode == 0, err
        assert process.poll() is None
    token = urlsplit(url).path.strip("/")
    assert token not in out + err, "the link is printed once"
    assert str(folder) in err
    assert "Ctrl-C here closes the page" in err
    assert "Traceback" not in err


def test_the_port_that_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    ended()
    with web() as (_serving, url):
        port = urlsplit(url).port
        assert main(["watch", "--web", "--no-browser", "--port", str(port)]) == 1
        captured = capsys.readouterr()
        assert f"Port {port} is not free" in captured.err
        assert captured.err.count("\n") == 3


@posix
def test_over_ssh_the_tunnel_is_said() -> None:
    ended()
    with web("--lang", "en", SSH_CONNECTION="192.0.2.1 50000 192.0.2.2 22") as (serving, url):
        serving.send_signal(signal.SIGINT)
        _out, err = serving.communicate(timeout=10)
    port = urlsplit(url).port
    assert re.search(rf"ssh .*-L {port}:(localhost|127\.0\.0\.1):{port} .*192\.0\.2\.2", err), err


@posix
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a browser of our own is set up the Linux way")
def test_the_browser_gets_the_link_through_a_private_file(tmp_path: Path) -> None:
    ended()
    seen = tmp_path / "seen"
    browser = tmp_path / "browser"
    browser.write_text(
        f'#!/bin/sh\nf="${{1#file://}}"\nstat -c %a "$f" > {seen}\ncat "$f" >> {seen}\n', encoding="utf-8"
    )
    browser.chmod(0o755)
    (tmp_path / "firstlight").mkdir()
    variables = {**os.environ, "BROWSER": str(browser), "DISPLAY": ":9", "HOME": str(tmp_path)}
    variables.pop("SSH_CONNECTION", None)
    serving = subprocess.Popen(
        [*COMMAND, "--web"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=variables
    )
    try:
        assert serving.stdout is not None
        url = [serving.stdout.readline() for _ in range(3)][1].strip()
        end = time.monotonic() + 20
        while not seen.exists() or url not in seen.read_text(encoding="utf-8"):
            assert time.monotonic() < end
            time.sleep(0.05)
        assert seen.read_text(encoding="utf-8").startswith("600\n")
        assert list((tmp_path / "firstlight").iterdir())
        serving.send_signal(signal.SIGINT)
        assert serving.wait(10) == 0
        assert not list((tmp_path / "firstlight").iterdir())
    finally:
        serving.kill()
        serving.communicate()
