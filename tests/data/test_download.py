"""Downloads, against real servers on this machine: broken, slow, busy, lying, killed."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import requests
from benchmarks.reliability.downloads import CONTENT, FAULTS, QUICK, Server, attempt, file, running, secure, start

from firstlight.data import errors
from firstlight.data.download import _retry_after, fetch

POSIX = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals and limits")


@pytest.fixture
def server():
    with running(Server()) as one:
        yield one


def folder() -> Path:
    return Path(os.environ["FIRSTLIGHT_DATA"]) / "set"


def get(*urls: str, **options) -> Path:
    return fetch(file(*urls, **options), "set", progress=False, patience=QUICK)


def leave_part(content: bytes) -> None:
    folder().mkdir(parents=True)
    (folder() / "file.bin.part").write_bytes(content)


@pytest.mark.parametrize("behaviour", ["good", "truncated", "no_ranges", "stall", "busy", "moved", "gzip"])
def test_a_file_arrives_whole(server, behaviour):
    path = get(server.url(behaviour))
    assert path.read_bytes() == CONTENT
    assert {one.name for one in folder().iterdir()} <= {"file.bin", "file.bin.lock"}
    asked = len(server.asked)
    assert get(server.url(behaviour)) == path
    assert len(server.asked) == asked  # what is there is not asked for again


def test_an_interrupted_download_goes_on_where_it_stopped(server):
    get(server.url("truncated"))
    assert server.ranges("truncated") == [None, "bytes=250000-", "bytes=500000-"]


@pytest.mark.parametrize("bad", ["404", "403", "500", "wrong", "long", "later", "silent", "slow", "short"])
def test_the_next_mirror_is_asked(server, bad):
    assert get(server.url(bad), server.url("good")).read_bytes() == CONTENT
    assert server.ranges("good")


def test_a_slow_mirror_is_left_but_not_its_bytes(server):
    get(server.url("slow"), server.url("good"))
    wanted = server.ranges("good")[0]
    assert wanted is not None
    assert int(re.findall(r"\d+", wanted)[0]) > 0


def test_the_last_mirror_may_be_slow(server):
    assert get(server.url("slow")).read_bytes() == CONTENT


def test_wrong_bytes_of_an_earlier_attempt_are_noticed(server):
    leave_part(bytes(1000))
    assert get(server.url("good")).read_bytes() == CONTENT
    assert server.ranges("good") == ["bytes=1000-", None]


@pytest.mark.parametrize("left", [CONTENT, CONTENT + b"x", bytes(len(CONTENT))])
def test_a_part_that_is_as_long_as_the_file(server, left):
    leave_part(left)
    assert get(server.url("good")).read_bytes() == CONTENT
    assert len(server.asked) == (0 if left == CONTENT else 1)


def test_an_answer_for_another_place(server):
    leave_part(CONTENT[:1000])
    assert get(server.url("elsewhere")).read_bytes() == CONTENT


def test_all_reasons_are_told(server):
    urls = [server.url(name) for name in ("404", "403", "500", "wrong", "long", "later", "silent")]
    with pytest.raises(errors.DownloadFailed) as caught:
        get(*urls)
    text = str(caught.value)
    for reason in ("HTTP 404", "HTTP 403", "HTTP 500", "wrong checksum", "wrong length", "HTTP 429", "no answer"):
        assert reason in text
    assert str(folder() / "file.bin") in text
    assert not (folder() / "file.bin").exists()


def test_offline_says_what_to_do():
    with pytest.raises(errors.Offline) as caught:
        get("http://127.0.0.1:9/file.bin", "http://no-such-host.invalid/file.bin")
    text = str(caught.value)
    for help_ in ("fashion_mnist_small", "FIRSTLIGHT_MIRROR", str(folder() / "file.bin"), file().sha256):
        assert help_ in text


def test_own_mirrors_come_first(server, monkeypatch, tmp_path):
    base = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("FIRSTLIGHT_MIRROR", f"{base}/404/ {base}/good")
    get(server.url("wrong"))
    assert [path for path, _ in server.asked] == ["/404/set/file.bin", "/good/set/file.bin"]


@pytest.mark.parametrize("form", [str, Path.as_uri])
def test_a_folder_is_a_mirror_too(monkeypatch, tmp_path, form):
    (tmp_path / "usb stick" / "set").mkdir(parents=True)
    monkeypatch.setenv("FIRSTLIGHT_MIRROR", form(tmp_path / "usb stick"))
    with pytest.raises(errors.DownloadFailed, match="not there"):
        get()
    (tmp_path / "usb stick" / "set" / "file.bin").write_bytes(CONTENT)
    assert get().read_bytes() == CONTENT


def test_a_mirror_folder_that_cannot_be_read_is_passed_over(server, monkeypatch, tmp_path):
    (tmp_path / "set" / "file.bin").mkdir(parents=True)  # no file: the system refuses to read it, whoever asks
    monkeypatch.setenv("FIRSTLIGHT_MIRROR", str(tmp_path))
    assert get(server.url("good")).read_bytes() == CONTENT
    (folder() / "file.bin").unlink()
    with pytest.raises(errors.DownloadFailed, match="it cannot be read"):
        get()


def test_tls_is_verified(tmp_path, monkeypatch):
    with running(secure(tmp_path)) as server:
        with pytest.raises(errors.DownloadFailed, match="certificate is not trusted"):
            get(server.url("good"))
        assert not server.asked
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "cert.pem"))
        assert get(server.url("good")).read_bytes() == CONTENT


def test_two_processes_fetch_once(server):
    both = [start(server.url("slow"), "loud", stderr=subprocess.PIPE) for _ in range(2)]
    said = [process.communicate(timeout=50) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert len(server.asked) == 1
    assert (folder() / "file.bin").read_bytes() == CONTENT
    assert sum("Another program is fetching file.bin" in err for _, err in said) == 1
    assert sum("file.bin from 127.0.0.1: done in" in err for _, err in said) == 1


@POSIX
def test_a_killed_download_is_resumed(server):
    process = start(server.url("slow"))
    part = folder() / "file.bin.part"
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size > 40_000) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    left = part.stat().st_size
    assert left > 0
    assert get(server.url("good")).read_bytes() == CONTENT
    assert server.ranges("good") == [f"bytes={left}-"]


def test_no_room_is_noticed_before():
    with pytest.raises(errors.DiskFull, match=r"no room for file\.bin"):
        get("http://127.0.0.1:9/", size=10**18)


@POSIX
def test_no_room_while_writing_keeps_what_is_there(server):
    _said, error = start(server.url("good"), limit=100_000, stderr=subprocess.PIPE).communicate()
    assert "DiskFull: There is no room for file.bin" in error
    assert 0 < (folder() / "file.bin.part").stat().st_size <= 100_000
    assert get(server.url("good")).read_bytes() == CONTENT


def test_a_data_folder_that_refuses(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("FIRSTLIGHT_DATA", str(tmp_path / "file"))
    with pytest.raises(errors.CannotWrite, match="FIRSTLIGHT_DATA"):
        get("http://127.0.0.1:9/")


@POSIX
@pytest.mark.parametrize("fault", ["429 with Retry-After", "redirect loop", "disk full", "wrong length"])
def test_a_fault_of_the_table(fault):
    assert attempt(fault) == ""


def test_the_table_has_twelve_faults():
    assert len(FAULTS) == 12


def test_retry_after_as_number_and_as_date():
    for value, expected in (("7", 7), ("", None), ("soon", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)):
        answer = requests.Response()
        answer.headers["Retry-After"] = value
        assert _retry_after(answer) == expected
