"""Downloads, against real servers on this machine: broken, slow, busy, lying, killed."""

import contextlib
import datetime
import hashlib
import http.server
import ipaddress
import json
import os
import random
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests

from firstlight.data import errors
from firstlight.data.card import Download
from firstlight.data.download import Patience, _retry_after, fetch

CONTENT = random.Random(0).randbytes(600_000)
QUICK = Patience(
    connect_s=2,
    stall_s=0.5,
    longest_wait_s=2,
    tries=3,
    pause_s=0.02,
    slow_after_s=0.3,
    slow_bytes_per_s=1_000_000,
    slow_left_s=0.5,
)
POSIX = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals and limits")


class Server(http.server.ThreadingHTTPServer):
    """Behaves as the first part of the path says: /truncated/name, /busy/name, ..."""

    daemon_threads = True

    def __init__(self):
        self.asked: list[tuple[str, str | None]] = []  # path and Range of each request
        super().__init__(("127.0.0.1", 0), Handler)
        self.scheme = "http"

    def url(self, behaviour: str, name: str = "file.bin") -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/{behaviour}/{name}"

    def ranges(self, behaviour: str) -> list[str | None]:
        return [wanted for path, wanted in self.asked if path.startswith(f"/{behaviour}/")]

    def handle_error(self, request, client_address):
        """A client that hangs up is part of these tests."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append((self.path, self.headers["Range"]))
        behaviour = self.path.split("/")[1]
        times = len(self.server.ranges(behaviour))
        getattr(self, "do_" + behaviour.replace("-", "_"))(times)

    def give(self, content=CONTENT, *, status=None, cut=None, pause=0.0, range_=True, headers=()):
        begins = re.match(r"bytes=(\d+)-", self.headers["Range"] or "")
        start = int(begins[1]) if begins and range_ else 0
        if start >= len(content):
            return self.refuse(416)
        self.send_response(status or (206 if start else 200))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        body = content[start:][:cut]
        for at in range(0, len(body), 20_000):
            self.wfile.write(body[at : at + 20_000])
            time.sleep(pause)
        return None

    def refuse(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_good(self, times):
        self.give()

    def do_gzip(self, times):
        self.give(headers=[("Content-Encoding", "gzip")])

    def do_truncated(self, times):
        self.give(cut=250_000)

    def do_no_ranges(self, times):
        self.give(range_=False, cut=250_000 if times == 1 else None)

    def do_wrong(self, times):
        self.give(bytes(len(CONTENT)))

    def do_long(self, times):
        self.give(CONTENT * 2)

    def do_short(self, times):
        self.give(CONTENT[:1000])

    def do_404(self, times):
        self.refuse(404)

    def do_403(self, times):
        self.refuse(403)

    def do_500(self, times):
        self.refuse(500)

    def do_busy(self, times):
        self.refuse(429, Retry_After="0") if times == 1 else self.refuse(503) if times == 2 else self.give()

    def do_later(self, times):
        self.refuse(429, Retry_After="3600")

    def do_elsewhere(self, times):
        self.give() if times > 1 else self.misplaced()

    def misplaced(self):
        self.send_response(206)
        self.send_header("Content-Range", "bytes 5-9/10")
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"xxxxx")

    def do_stall(self, times):
        if times > 1:
            return self.give()
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[:100_000])
        self.wfile.flush()
        time.sleep(2)
        return None

    def do_silent(self, times):
        time.sleep(2)

    def do_slow(self, times):
        self.give(pause=0.1)

    def do_moved(self, times):
        self.refuse(302, Location=self.server.url("good"))


@pytest.fixture
def server():
    with running(Server()) as one:
        yield one


@contextlib.contextmanager
def running(one):
    thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield one
    one.shutdown()
    thread.join()
    one.server_close()


def file(*urls: str, size: int = len(CONTENT), content: bytes = CONTENT) -> Download:
    return Download("file.bin", urls, hashlib.sha256(content).hexdigest(), size)


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


def certificate(folder: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*plain))
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return folder / "cert.pem", folder / "key.pem"


def test_tls_is_verified(tmp_path, monkeypatch):
    cert, key = certificate(tmp_path)
    server = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.scheme = "https"
    with running(server):
        with pytest.raises(errors.DownloadFailed, match="certificate is not trusted"):
            get(server.url("good"))
        assert not server.asked
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(cert))
        assert get(server.url("good")).read_bytes() == CONTENT


FETCH = """
import json, sys
from firstlight.data.card import Download
from firstlight.data.download import Patience, fetch
name, url, sha256, size = json.loads(sys.argv[1])
print("ready", flush=True)
print(fetch(Download(name, (url,), sha256, size), "set", progress=len(sys.argv) > 2), flush=True)
"""


def start(url: str, *more: str, **options) -> subprocess.Popen:
    wanted = file(url)
    spec = json.dumps([wanted.name, url, wanted.sha256, wanted.size_bytes])
    return subprocess.Popen([sys.executable, "-c", FETCH, spec, *more], stdout=subprocess.PIPE, text=True, **options)


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


LIMIT = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
"""


@POSIX
def test_no_room_while_writing_keeps_what_is_there(server):
    wanted = file(server.url("good"))
    spec = json.dumps([wanted.name, wanted.urls[0], wanted.sha256, wanted.size_bytes])
    process = subprocess.run([sys.executable, "-c", LIMIT + FETCH, spec], capture_output=True, text=True)
    assert "DiskFull: There is no room for file.bin" in process.stderr
    assert 0 < (folder() / "file.bin.part").stat().st_size <= 100_000
    assert get(server.url("good")).read_bytes() == CONTENT


def test_a_data_folder_that_refuses(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("FIRSTLIGHT_DATA", str(tmp_path / "file"))
    with pytest.raises(errors.CannotWrite, match="FIRSTLIGHT_DATA"):
        get("http://127.0.0.1:9/")


def test_retry_after_as_number_and_as_date():
    for value, expected in (("7", 7), ("", None), ("soon", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)):
        answer = requests.Response()
        answer.headers["Retry-After"] = value
        assert _retry_after(answer) == expected
