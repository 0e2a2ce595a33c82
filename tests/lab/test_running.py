"""Records of labs: who is alive, who is not, and who has taken the place."""

import json
import os
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from firstlight.lab import running
from firstlight.lab.home import home, write_json
from firstlight.lab.running import Lab, labs


def leave_record(port: int, pid: int | None = None, runtime: str = "/nowhere", **more: object) -> Path:
    folder = home() / "labs" / "abcd1234"
    folder.mkdir(parents=True)
    lab = {
        "key": "abcd1234",
        "pid": pid or os.getpid(),
        "port": port,
        "url": f"http://127.0.0.1:{port}/?token=x",
        "folder": "/somewhere",
        "lang": "en",
        "ui": "lab",
        "started": 0.0,
        "runtime": runtime,
        "token": "x",
        **more,
    }
    write_json(folder / "lab.json", lab)
    return folder


def test_no_labs_where_there_never_was_one() -> None:
    assert labs() == []


def test_a_port_where_nothing_answers_is_no_lab(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    folder = leave_record(port)
    assert labs() == []
    assert not folder.exists()


@pytest.mark.parametrize("answer", [b'{"lab": "another"}', b"no json", b"[]", b"{}"])
def test_another_server_on_the_port_is_no_lab(answer: bytes) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        folder = leave_record(server.server_port)
        assert labs() == []
        server.shutdown()
    assert not folder.exists()


def test_something_that_speaks_no_http_is_no_lab() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def babble() -> None:
            channel, _address = server.accept()
            with channel:
                channel.recv(1000)
                channel.sendall(b"SSH-2.0-babble\r\n")

        thread = threading.Thread(target=babble)
        thread.start()
        folder = leave_record(server.getsockname()[1])
        assert labs() == []
        thread.join()
    assert not folder.exists()


def test_a_lab_that_is_too_busy_to_answer_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "ANSWER_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        folder = leave_record(silent.getsockname()[1])
        assert [lab.key for lab in labs()] == ["abcd1234"]
    assert folder.exists()


def test_a_lab_that_does_not_end_is_said_to_run_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "ANSWER_S", 0.1)
    monkeypatch.setattr(running, "STOP_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        leave_record(silent.getsockname()[1])
        assert running.stop(labs()[0]) == "asked"


@pytest.mark.skipif(os.name == "nt", reason="a process id tells nothing there")
def test_a_dead_process_is_swept_up_and_nothing_that_is_not_ours(tmp_path: Path) -> None:
    bystander = tmp_path / "bystander"
    bystander.mkdir()
    folder = leave_record(1, pid=2**22 - 1, runtime=str(bystander))
    assert labs() == []
    assert not folder.exists()
    assert bystander.is_dir(), "a path from a file is not removed unless we made it"


def test_a_folder_without_a_record_gets_a_minute() -> None:
    folder = home() / "labs" / "starting"
    folder.mkdir(parents=True)
    (folder / "lab.json").write_text("{")
    assert labs() == []
    assert folder.is_dir()
    long_ago = time.time() - 120
    os.utime(folder, (long_ago, long_ago))
    assert labs() == []
    assert not folder.exists()


def test_a_record_of_another_version_is_no_lab() -> None:
    folder = leave_record(1, more_than_we_know=True)
    assert labs() == []
    assert folder.exists(), "a lab that starts just now, or one that a newer firstlight started"


def test_a_record_is_written_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"a": "日本"})
    write_json(path, {"a": 2})
    assert json.loads(path.read_text()) == {"a": 2}
    assert list(tmp_path.iterdir()) == [path]
    if os.name != "nt":
        assert path.stat().st_mode & 0o077 == 0


def test_lab_is_its_record(tmp_path: Path) -> None:
    leave_record(1)
    (_folder, lab), *_rest = running._records()
    assert isinstance(lab, Lab)
    assert lab.address == "127.0.0.1"
