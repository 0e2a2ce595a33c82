"""What can go wrong with a download, each with a real server on this machine: the right file, or a clear error.

    python -m benchmarks.reliability.downloads [--times 5] [--only WORD] [--json]

Twelve faults. After each, the file is there whole or not at all, never with other bytes; the error, where there is one,
says what happened; and the next start, at a server that is well, gets the right file, from what is there already where
that was right. The certificate is a real one that nobody vouches for, the full disk a small file system of its own
(where this process may mount one; else the system's limit on the size of files, and the table says so), and the killed
download is a process of its own, killed with SIGKILL.
"""

import argparse
import contextlib
import datetime
import hashlib
import http.server
import ipaddress
import json
import os
import random
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import machine_line
from firstlight.data.card import Download
from firstlight.data.download import Patience, fetch
from firstlight.data.errors import DiskFull, DownloadFailed

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


class Server(http.server.ThreadingHTTPServer):
    """Behaves as the first part of the path says: /truncated/name, /busy/name, ..."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []  # path and Range of each request
        super().__init__(("127.0.0.1", 0), Handler)
        self.scheme = "http"

    def url(self, behaviour: str, name: str = "file.bin") -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}/{behaviour}/{name}"

    def ranges(self, behaviour: str) -> list[str | None]:
        return [wanted for path, wanted in self.asked if path.startswith(f"/{behaviour}/")]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of this."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Range"]))
        behaviour = self.path.split("/")[1]
        self.times = len(self.server.ranges(behaviour))  # that this was asked for
        getattr(self, "do_" + behaviour.replace("-", "_"))()

    def give(
        self,
        content: bytes = CONTENT,
        *,
        status: int | None = None,
        cut: int | None = None,
        pause: float = 0.0,
        range_: bool = True,
        headers: Any = (),
    ) -> None:
        begins = re.match(r"bytes=(\d+)-", self.headers["Range"] or "")
        start = int(begins[1]) if begins and range_ else 0
        if start >= len(content):
            self.refuse(416)
            return
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

    def refuse(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_good(self) -> None:
        self.give()

    def do_gzip(self) -> None:
        self.give(headers=[("Content-Encoding", "gzip")])

    def do_truncated(self) -> None:
        self.give(cut=250_000)

    def do_no_ranges(self) -> None:
        self.give(range_=False, cut=250_000 if self.times == 1 else None)

    def do_wrong(self) -> None:
        self.give(bytes(len(CONTENT)))

    def do_long(self) -> None:
        self.give(CONTENT * 2)

    def do_short(self) -> None:
        self.give(CONTENT[:1000])

    def do_404(self) -> None:
        self.refuse(404)

    def do_403(self) -> None:
        self.refuse(403)

    def do_500(self) -> None:
        self.refuse(500)

    def do_busy(self) -> None:
        self.refuse(429, Retry_After="0") if self.times == 1 else self.refuse(503) if self.times == 2 else self.give()

    def do_later(self) -> None:
        self.refuse(429, Retry_After="3600")

    def do_elsewhere(self) -> None:
        self.give() if self.times > 1 else self.misplaced()

    def misplaced(self) -> None:
        self.send_response(206)
        self.send_header("Content-Range", "bytes 5-9/10")
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"xxxxx")

    def do_stall(self) -> None:
        if self.times > 1:
            self.give()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[:100_000])
        self.wfile.flush()
        time.sleep(2)

    def do_silent(self) -> None:
        time.sleep(2)

    def do_slow(self) -> None:
        self.give(pause=0.1)

    def do_moved(self) -> None:
        self.refuse(302, Location=self.server.url("good"))

    def do_round(self) -> None:
        self.refuse(302, Location=self.server.url("round"))

    def do_429(self) -> None:
        self.refuse(429, Retry_After="1") if self.times == 1 else self.give()

    def do_503(self) -> None:
        self.refuse(503) if self.times == 1 else self.give()


@contextlib.contextmanager
def running(one: Server) -> Iterator[Server]:
    """Serve as long as the block lasts."""
    thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield one
    one.shutdown()
    thread.join()
    one.server_close()


def file(*urls: str, size: int = len(CONTENT), content: bytes = CONTENT) -> Download:
    return Download("file.bin", urls, hashlib.sha256(content).hexdigest(), size)


def certificate(folder: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    signed = (
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
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    return folder / "cert.pem", folder / "key.pem"


FETCH = """
import json, sys
from firstlight.data.card import Download
from firstlight.data.download import Patience, fetch
name, url, sha256, size = json.loads(sys.argv[1])
print("ready", flush=True)
print(fetch(Download(name, (url,), sha256, size), "set", progress=len(sys.argv) > 2), flush=True)
"""


def start(url: str, *more: str, limit: int = 0, **options: Any) -> "subprocess.Popen[str]":
    """Fetch it in a process of its own, which may write no more than `limit` bytes into one file."""
    wanted = file(url)
    spec = json.dumps([wanted.name, url, wanted.sha256, wanted.size_bytes])

    def limited() -> None:
        import resource  # which Windows has not

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-c", FETCH, spec, *more],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=limited if limit else None,
        **options,
    )


def secure(folder: Path) -> "Server":
    """A server whose certificate nobody vouches for."""
    server = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(folder))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.scheme = "https"
    return server


# The faults. Each gets a server and a data folder, and raises AssertionError where something is amiss.


@dataclass
class World:
    """One server, one data folder, and a folder beside it."""

    server: Server
    data: Path
    beside: Path

    @property
    def path(self) -> Path:
        return self.data / "set" / "file.bin"

    @property
    def part(self) -> Path:
        return self.path.with_name("file.bin.part")

    def get(self, *behaviours: str) -> Path:
        return fetch(file(*map(self.server.url, behaviours)), "set", progress=False, patience=QUICK)

    def gets(self, *behaviours: str) -> None:
        assert self.get(*behaviours).read_bytes() == CONTENT

    def refused(self, words: str, *behaviours: str) -> None:
        told = said_by(DownloadFailed, lambda: self.get(*behaviours))
        assert words in told, f"{words!r} is not in: {told}"
        assert str(self.path) in told, "the error does not say where the file belongs"
        assert not self.path.exists(), "a wrong file is there"


def said_by(kind: type[Exception], work: Callable[[], Any]) -> str:
    """The text of the error that this must raise."""
    try:
        work()
    except kind as error:
        return str(error)
    raise AssertionError(f"{kind.__name__} was not raised")


def truncated(world: World) -> None:
    world.gets("truncated")
    assert world.server.ranges("truncated") == [None, "bytes=250000-", "bytes=500000-"], "it did not go on"


def wrong_length(world: World) -> None:
    world.refused("wrong length", "long")
    world.refused("wrong length", "short")
    world.gets("long", "short", "good")


def refused(world: World) -> None:
    world.refused("HTTP 403", "403")
    world.refused("HTTP 404", "404")
    world.gets("403", "404", "good")


def busy(world: World) -> None:
    begun = time.monotonic()
    world.gets("429")
    assert time.monotonic() - begun >= 1, "it did not wait as the server had asked"
    assert len(world.server.ranges("429")) == 2


def unavailable(world: World) -> None:
    world.gets("503")


def stall(world: World) -> None:
    world.gets("stall")
    assert world.server.ranges("stall") == [None, "bytes=100000-"], "it did not go on"


def redirect_loop(world: World) -> None:
    world.refused("TooManyRedirects", "round")
    world.gets("round", "good")


def wrong_bytes(world: World) -> None:
    world.refused("wrong checksum", "wrong")
    assert not world.part.exists(), "wrong bytes are kept"
    world.gets("wrong", "good")


def untrusted(world: World) -> None:
    with running(secure(world.beside)) as server:
        told = said_by(DownloadFailed, lambda: fetch(file(server.url("good")), "set", progress=False, patience=QUICK))
        assert "certificate is not trusted" in told, told
        assert not server.asked, "something was asked of it"
    world.gets("good")


def disk_full(world: World) -> None:
    with small_disk(world.data) as is_real:
        if not is_real:
            process = start(world.server.url("good"), limit=100_000, stderr=subprocess.PIPE)
            _said, error = process.communicate(timeout=60)
            assert "DiskFull: There is no room for file.bin" in error, error
        else:
            filling = threading.Thread(target=_fill, args=(world,))
            filling.start()
            told = said_by(DiskFull, lambda: world.get("slow"))
            filling.join()
            assert "There is no room for file.bin" in told, told
            (world.data / "filler").unlink()
        left = world.part.stat().st_size
        assert 0 < left < len(CONTENT), "what was fetched is gone"
        assert not world.path.exists(), "half a file is there"
        world.gets("good")
        assert world.server.ranges("good")[-1] == f"bytes={left}-", "it began anew"


def two_processes(world: World) -> None:
    both = [start(world.server.url("slow")) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    for process in both:
        process.communicate()
    assert len(world.server.asked) == 1, "it was fetched twice"
    assert world.path.read_bytes() == CONTENT


def killed(world: World) -> None:
    process = start(world.server.url("slow"))
    moment = random.randint(20_000, 500_000)
    while not (world.part.exists() and world.part.stat().st_size >= moment) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not world.path.exists(), "it had ended already"
    left = world.part.stat().st_size
    world.gets("good")
    assert world.server.ranges("good") == [f"bytes={left}-"], "it began anew"


FAULTS: dict[str, Callable[[World], None]] = {
    "truncated body": truncated,
    "wrong length": wrong_length,
    "403 and 404": refused,
    "429 with Retry-After": busy,
    "503": unavailable,
    "stall": stall,
    "redirect loop": redirect_loop,
    "wrong bytes": wrong_bytes,
    "untrusted certificate": untrusted,
    "disk full": disk_full,
    "two processes at once": two_processes,
    "SIGKILL in the middle": killed,
}


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A file system of 1 MB at this folder; False, and none, where this process may not mount one."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = shutil.which("mount")
    words = ["-t", "tmpfs", "-o", "size=1m", "firstlight-small", str(folder)]
    if mount is None or subprocess.run([mount, *words], capture_output=True, check=False).returncode:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(world: World) -> None:
    """Somebody else fills the disk while the download is on its way."""
    while not (world.part.exists() and world.part.stat().st_size > 100_000):
        time.sleep(0.005)
    with contextlib.suppress(OSError), (world.data / "filler").open("wb", buffering=0) as stream:
        while True:
            stream.write(bytes(4096))


def attempt(name: str) -> str:
    """Try one fault once; what is amiss, empty where all is well."""
    before = os.environ.get("FIRSTLIGHT_DATA")
    with tempfile.TemporaryDirectory(prefix="downloads-") as folder, running(Server()) as server:
        world = World(server, Path(folder, "data"), Path(folder))
        os.environ["FIRSTLIGHT_DATA"] = str(world.data)
        try:
            FAULTS[name](world)
        except Exception as error:  # noqa: BLE001 - whatever it is, the table tells it
            return f"{type(error).__name__}: {error}"
        finally:
            os.environ.pop("FIRSTLIGHT_DATA")
            if before is not None:
                os.environ["FIRSTLIGHT_DATA"] = before
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--only", default="", help="faults whose name holds this")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ["FIRSTLIGHT_LANG"] = "en"
    os.environ.pop("FIRSTLIGHT_MIRROR", None)
    found: dict[str, list[str]] = {}
    for name in (name for name in FAULTS if options.only in name):
        found[name] = [attempt(name) for _ in range(options.times)]
    good = sum(not any(amiss) for amiss in found.values())
    if options.json:
        print(json.dumps(found, indent=1))
        return good < len(found)
    with tempfile.TemporaryDirectory() as folder, small_disk(Path(folder)) as is_real:
        disk = "a file system of 1 MB" if is_real else "RLIMIT_FSIZE: this process may not mount a file system"
    print(machine_line())
    print(f"the full disk is {disk}")
    for name, amiss in found.items():
        print(f"  {name:24} {sum(not one for one in amiss)} of {len(amiss)}  {next(filter(None, amiss), '')[:200]}")
    print(f"{good} of {len(found)} faults, each {options.times} times; bar {len(found)} of {len(found)}")
    return good < len(found)


if __name__ == "__main__":
    sys.exit(main())
