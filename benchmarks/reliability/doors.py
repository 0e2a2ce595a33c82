"""Every door of the lab, tried by those who may not come in: strangers, foreign pages, other users of this machine.

    python -m benchmarks.reliability.doors [--lab local|notebook|remote ...] [--json]

A real lab is started for each: JupyterLab and Notebook 7 on this machine, and one for other machines (TLS, password).
The doors are those that the running server itself has, with real values in their addresses: the kernel that runs, the
notebook that is there. Each is asked with every method without a token, with a wrong one, under a foreign host name
with the right one, from a foreign page and by a foreign form with the cookie of a browser that has signed in;
WebSockets are opened. Counted is what answers, beyond the login page, the files of the programs and redirects to
either. That the addresses are right shows in how many answer to the token.

Then secrets are looked for where they must not be: log, command lines and environments of the lab's processes, the
learner's folder. Another user (where root measures) tries to read each of the lab's files, to enter its sockets, and
to read its processes' environments. At last passwords are guessed until the lab hears no more.
"""

import argparse
import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil

from benchmarks.harness import machine_line
from firstlight.lab.audit import DOORS, Door, Stranger, holding, knock, secrets_of, trial
from firstlight.lab.identity import FAILURES
from firstlight.lab.running import Lab

LABS: dict[str, list[str]] = {
    "local": [],
    "notebook": ["--ui", "notebook"],
    "remote": ["--remote", "--host-name", "vm.school.example"],
}
HEADERS = (
    "content-security-policy",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "cross-origin-opener-policy",
)
READY_S = 60
NOBODY = 65534  # a user that owns nothing
# Run by root, it becomes another user, tries what it is told to, and prints what it was let.
NEIGHBOUR = """
import json, os, socket, sys
todo = json.load(sys.stdin)
os.setgroups([]); os.setgid(todo["user"]); os.setuid(todo["user"])
let = []
for path in todo["files"]:
    try:
        if os.path.isdir(path): os.listdir(path)
        else: open(path, "rb").read(1)
        let.append("read " + path)
    except OSError: pass
    try:
        if os.path.isdir(path): open(path + "/x", "wb"); let.append("wrote " + path)
    except OSError: pass
for path in todo["sockets"]:
    try: socket.socket(socket.AF_UNIX).connect(path); let.append("entered " + path)
    except OSError: pass
for pid in todo["processes"]:
    for name in ("environ", "mem", "maps", "fd"):
        path = f"/proc/{pid}/{name}"
        try:
            if (os.listdir(path) if name == "fd" else open(path, "rb").read(1)): let.append("read " + path)
        except OSError: pass
try: open(todo["open"], "rb").read(1); print(json.dumps(let))  # proves that this user can read at all
except OSError as error: sys.exit(f"the other user can read nothing: {error}")
"""


@dataclass
class Measured:
    """What was found at one lab."""

    lab: str
    doors: int = 0
    requests: int = 0
    with_token: int = 0  # doors that answer to those who may come in
    not_tried: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)  # answers without a header
    secrets: list[str] = field(default_factory=list)
    neighbour: list[str] | None = None  # None: not tried
    guesses: list[int] = field(default_factory=list)  # how each was answered

    @property
    def problems(self) -> list[str]:
        let_through = [status for status in self.guesses if status not in (401, 403, 429)]
        brakes = self.guesses[FAILURES:] and set(self.guesses[FAILURES:]) != {429}
        return [
            *self.opened,
            *self.not_tried,
            *self.bare,
            *self.secrets,
            *(self.neighbour or []),
            *(["a guess was let through"] if let_through else []),
            *(["guessing goes on"] if brakes else []),
            *([] if self.with_token > self.doors / 2 else ["the token opens too few doors: the addresses are wrong"]),
        ]


def measure(name: str, words: Sequence[str]) -> Measured:
    """Start a lab with these words and try its doors."""
    with trial([*words]) as lab:
        top = Path(lab.folder).parent
        top.chmod(0o755)  # where everybody may enter: what is below has to defend itself
        _wait_for_kernel(lab)
        status, body = lab.ask("GET", DOORS)
        assert status == 200
        doors = [Door(**door) for door in json.loads(body)]
        found = Measured(name, doors=len(doors))
        found.not_tried = [f"not tried: {door.pattern}" for door in doors if not door.paths]
        found.with_token = _with_token(lab, doors)
        found.bare = _bare(lab, doors)
        found.neighbour = _neighbour(lab, top)
        _fail_with_token(lab)
        found.guesses = _guess(lab)
        count, opened = knock(lab, doors, harmless=False)
        found.requests, found.opened = sum(count.values()), [str(one) for one in opened]
        found.secrets = _secrets(lab, top)
    return found


def _wait_for_kernel(lab: Lab) -> None:
    deadline = time.monotonic() + READY_S
    while lab.health()["kernel"] != "ready" and time.monotonic() < deadline:
        time.sleep(0.1)


def _with_token(lab: Lab, doors: list[Door]) -> int:
    stranger = Stranger(lab)
    right = {"Authorization": f"token {lab.token}"}
    opened = sum(
        any(stranger.ask("GET", path, right, socket=door.socket).status in (101, 200, 302, 405) for path in door.paths)
        for door in doors
    )
    stranger.close()
    return opened


def _bare(lab: Lab, doors: list[Door]) -> list[str]:
    stranger = Stranger(lab)
    needed = (*HEADERS, *(["strict-transport-security"] if lab.secure else []))
    bare = []
    hosts = ({"Host": "vm.school.example"},) if lab.secure else ({},)
    for headers in (*hosts, {"Host": "evil.example"}):
        for path in dict.fromkeys(path for door in doors for path in door.paths):
            answer = stranger.ask("GET", path, headers)
            if missing := [name for name in needed if name not in answer.headers]:
                if missing == ["strict-transport-security"] and headers.get("Host") == "evil.example":
                    continue
                bare.append(f"GET {path} {answer.status}: no {', '.join(missing)}")
            if "server" in answer.headers:
                bare.append(f"GET {path}: names {answer.headers['server']}")
    stranger.close()
    return bare


def _fail_with_token(lab: Lab) -> None:
    """What is refused or breaks is written down: with the token in the address, and in the page that led there."""
    stranger, token = Stranger(lab), lab.url.partition("token=")[2] or lab.token
    for path in (
        "/api/contents/nothing.ipynb",
        "/api/kernels/no-such-one",
        "/nbconvert/html/nothing.ipynb",
        "/nothing",
    ):
        for method in ("GET", "POST", "PATCH"):
            headers = {"Referer": f"http://localhost/lab?token={token}", "Authorization": f"token {lab.token}"}
            stranger.ask(method, f"{path}?token={token}", headers)
            stranger.ask(method, f"{path}?token={token}", {"Referer": f"http://localhost/lab?token={token}"})
    stranger.close()


def _secrets(lab: Lab, top: Path) -> list[str]:
    said = (top / "said.txt").read_text(encoding="utf-8")
    words = [*secrets_of(lab), *re.findall(r"\b(?:[a-z]{5}-){4}[a-z]{5}\b", said)]
    found = [f"a secret stands in {path}" for path in holding(words, top) if path.name not in ("lab.json", *OURS)]
    if not (top / "home" / "logs" / "lab.log").exists():
        found.append("there is no log to look into")
    if len(words) != 2:
        found.append("two secrets were to be looked for")
    first = psutil.Process(lab.pid)
    for process in (first, *first.children(recursive=True)):
        with suppress(psutil.Error):
            shown = " ".join((*process.cmdline(), *process.environ().values()))
            found += [f"process {process.name()} shows a secret" for word in words if word in shown]
    return found


def _neighbour(lab: Lab, top: Path) -> list[str] | None:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    runtime = Path(lab.runtime)
    every = [top / "lab", top / "home", runtime, *top.rglob("*"), *runtime.rglob("*")]
    process = psutil.Process(lab.pid)
    outside = top / "open.txt"
    outside.write_text("for everybody")
    outside.chmod(0o644)
    todo = {
        "user": NOBODY,
        "files": [str(path) for path in every if (path.is_file() or path.is_dir()) and path.name not in OURS],
        "sockets": [str(path) for path in every if path.is_socket()],
        "processes": [process.pid, *(child.pid for child in process.children(recursive=True))],
        "open": str(outside),
    }
    made = subprocess.run(
        [sys.executable, "-c", NEIGHBOUR], input=json.dumps(todo), capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    assert todo["sockets"] or os.name == "nt", "the kernel's sockets were to be tried"
    let: list[str] = json.loads(made.stdout)
    return let


OURS = ("said.txt", "open.txt")  # of this measurement, not of the lab


def _guess(lab: Lab) -> list[int]:
    """Wrong words at the login page, until it is tired of them; the right way of a form, with its secret."""
    stranger = Stranger(lab)
    page = stranger.ask("GET", "/login", {})
    cookie = page.headers["set-cookie"].partition(";")[0]
    form = urlencode({"_xsrf": cookie.partition("=")[2].strip('"'), "password": "guess"})
    headers = {"Cookie": cookie}
    answers = [stranger.ask("POST", f"/login?{form}", headers).status for _guess in range(FAILURES + 3)]
    stranger.close()
    return answers


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lab", action="append", choices=[*LABS], help="one of them (repeat), else all")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ["FIRSTLIGHT_LANG"] = "en"
    found = [measure(name, LABS[name]) for name in options.lab or LABS]
    if options.json:
        print(json.dumps([dataclasses.asdict(one) for one in found], indent=1))
        return any(one.problems for one in found)
    print(machine_line())
    rows: list[tuple[str, Any]] = [
        ("doors of the running server", lambda one: one.doors),
        ("  that answer to the token", lambda one: one.with_token),
        ("requests by those who may not", lambda one: one.requests),
        ("handlers answering them (bar 0)", lambda one: len(one.opened) + len(one.not_tried)),
        ("answers without a header (bar 0)", lambda one: len(one.bare)),
        ("secrets where none may be (bar 0)", lambda one: len(one.secrets)),
        ("let to another user (bar 0)", lambda one: "-" if one.neighbour is None else len(one.neighbour)),
        (f"guesses heard (bar {FAILURES})", lambda one: len([status for status in one.guesses if status != 429])),
    ]
    print(f"{'':36}" + "".join(f"{one.lab:>10}" for one in found))
    for title, count in rows:
        print(f"{title:36}" + "".join(f"{count(one):>10}" for one in found))
    for one in found:
        for problem in one.problems:
            print(f"{one.lab}: {problem}")
    return any(one.problems for one in found)


if __name__ == "__main__":
    sys.exit(main())
