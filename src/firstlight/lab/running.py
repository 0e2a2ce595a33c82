"""The labs that run now: each leaves a record that only its owner can read. Here they are found, stopped, swept up."""

import hashlib
import http.client
import json
import os
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from firstlight.lab.home import Room, home, is_runtime_of, write_json

HEALTH = "/firstlight/api/health"
ANSWER_S = 2.0  # how long a lab may take to say that it is there
STOP_S = 20.0  # kernels that train get five seconds to end, then the server ends them


@dataclass(frozen=True)
class Lab:
    """One running lab, as its record says."""

    key: str
    pid: int
    port: int
    url: str  # with the token where there is one: it never leaves this file but for the owner's own screen
    folder: str
    lang: str
    ui: str
    started: float  # seconds since 1970
    runtime: str
    token: str  # for this machine's own questions to the lab
    secure: bool = False
    fingerprint: str = ""  # SHA-256 of the certificate, so that even our own question goes to the right one
    address: str = "127.0.0.1"  # where the lab listens for this machine

    def ask(self, method: str, path: str) -> tuple[int, bytes]:
        """One request to the lab, past proxies, on this machine only.

        Raises:
            OSError: Nothing answers there, or somebody else does.
        """
        connection: http.client.HTTPConnection
        if self.secure:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the fingerprint says more
            connection = http.client.HTTPSConnection(self.address, self.port, timeout=ANSWER_S, context=context)
        else:
            connection = http.client.HTTPConnection(self.address, self.port, timeout=ANSWER_S)
        try:
            connection.connect()
            if self.secure and not self._is_ours(connection.sock):
                raise ConnectionRefusedError
            connection.request(method, path, headers={"Authorization": f"token {self.token}", "Host": "localhost"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as error:  # something that speaks no HTTP took the port
            raise ConnectionRefusedError from error
        finally:
            connection.close()

    def health(self) -> dict[str, Any]:
        """What the lab says of itself.

        Raises:
            OSError: It does not answer, or it is not this lab.
        """
        status, body = self.ask("GET", HEALTH)
        try:
            told = json.loads(body) if status == http.client.OK else None
        except ValueError:
            told = None
        if not isinstance(told, dict) or told.get("lab") != self.key:
            raise ConnectionRefusedError  # another server has this port now
        return told

    def _is_ours(self, channel: socket.socket | ssl.SSLSocket | None) -> bool:
        certificate = channel.getpeercert(binary_form=True) if isinstance(channel, ssl.SSLSocket) else None
        return bool(certificate) and hashlib.sha256(certificate or b"").hexdigest() == self.fingerprint


def record(room: Room, lab: Lab) -> None:
    """Leave the record of a lab that listens now."""
    write_json(room.record, asdict(lab))


def labs() -> list[Lab]:
    """Every lab of this person that is alive, the oldest first. What a killed one left behind is swept up."""
    found = []
    for folder, lab in _records():
        if lab is None:
            _sweep_unfinished(folder)
        elif _alive(lab):
            found.append(lab)
        else:
            _sweep(folder, lab.runtime)
    return sorted(found, key=lambda lab: lab.started)


def stop(lab: Lab) -> Literal["stopped", "asked"]:
    """Ask a lab to end, with its kernels, and wait until it has.

    Returns:
        `"stopped"` when it has ended, `"asked"` when it still has not after `STOP_S` seconds.
    """
    with suppress(OSError):  # it may end while it answers
        lab.ask("POST", "/api/shutdown")
    deadline = time.monotonic() + STOP_S
    folder = home() / "labs" / lab.key
    while time.monotonic() < deadline:
        if not folder.exists() or not _process_runs(lab.pid):
            return "stopped"
        time.sleep(0.05)
    return "asked"


def _records() -> Iterator[tuple[Path, Lab | None]]:
    parent = home() / "labs"
    for folder in sorted(parent.iterdir()) if parent.is_dir() else ():
        try:
            yield folder, Lab(**json.loads((folder / "lab.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            yield folder, None


def _alive(lab: Lab) -> bool:
    if not _process_runs(lab.pid):
        return False
    try:
        lab.health()
    except TimeoutError:
        return True  # busy or held, but the port is taken and the process runs
    except OSError:
        return False  # the number belongs to another process by now
    return True


def _process_runs(pid: int) -> bool:
    if os.name == "nt":
        return True  # os.kill would end it there; the health answer decides
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sweep_unfinished(folder: Path) -> None:
    """A folder without a record is a lab that starts just now, or one that never got that far."""
    with suppress(OSError):
        if time.time() - folder.stat().st_mtime > 60:
            shutil.rmtree(folder, ignore_errors=True)


def _sweep(folder: Path, runtime: str) -> None:
    if is_runtime_of(Path(runtime), folder.name):
        shutil.rmtree(runtime, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
