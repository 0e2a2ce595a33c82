"""What is open to whom, and whether the audit notices what is."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.reliability import doors as bench

from firstlight.compat import parsed_pattern
from firstlight.lab import audit
from firstlight.lab.audit import DOORS, Answer, Audit, Check, Door, open_to_others, samples
from firstlight.lab.running import Lab as Record
from tests.lab.labs import Lab, firstlight, running_lab, small_notebook

posix = pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
# A lab with one thing more, or less, than ours.
CHANGED = """
import sys
from firstlight.lab import server
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.web import RequestHandler, StaticFileHandler, authenticated
from tornado.websocket import WebSocketHandler

class Plain(RequestHandler):
    def get(self, *_args, **_named): self.finish("everybody")

class Forgetful(JupyterHandler):
    @allow_unauthenticated
    def post(self): self.finish("everybody")

class Oracle(RequestHandler):
    def get(self, name): self.send_error(404)

class Elsewhere(RequestHandler):
    def get(self): self.redirect("https://evil.example/")

class Careless(APIHandler):
    def check_xsrf_cookie(self): pass
    def check_origin(self, origin=""): return True
    @authenticated
    def delete(self): self.finish("gone")

class Shared(JupyterHandler):
    @authenticated
    def get(self):
        self.set_header("Access-Control-Allow-Origin", self.request.headers.get("Origin", ""))
        self.finish("everybody's")

class Socket(WebSocketHandler):
    def check_origin(self, origin): return True
    def get_current_user(self): return "anybody"

class Guarded(WebSocketMixin, WebSocketHandler, JupyterHandler):
    def check_origin(self, origin=None): return True

ADDED = {
    "Plain": [("/open/(?P<number>[0-9]+)/(?P<which>one|two)", Plain)],
    "Forgetful": [("/forgetful", Forgetful)],
    "Oracle": [("/oracle/(.*)", Oracle)],
    "Elsewhere": [("/elsewhere", Elsewhere)],
    "StaticFileHandler": [("/disk/(.*)", StaticFileHandler, {"path": "/"})],
    "Careless": [("/careless", Careless)],
    "Shared": [("/shared", Shared)],
    "Socket": [("/socket", Socket)],
    "Guarded": [("/guarded", Guarded)],
}
closed = server.close_doors
def changed(app):
    closed(app)
    for rules in ADDED.values():
        app.add_handlers(".*$", rules)
if sys.argv[1] == "add":
    server.close_doors = changed
else:
    setattr(server, sys.argv[1], lambda *_args: None)
from firstlight.cli import main
sys.exit(main(sys.argv[2:]))
"""


def record_of(lab: Lab) -> Record:
    """What the lab wrote down of itself, once it has."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for path in lab.home.glob("labs/*/lab.json"):
            return Record(**json.loads(path.read_text(encoding="utf-8")))
        time.sleep(0.02)
    raise AssertionError(lab.said)


def doors_of(record: Record) -> list[Door]:
    status, body = record.ask("GET", DOORS)
    assert status == 200
    return [Door(**door) for door in json.loads(body)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"/api/status$", ["/api/status"]),
        (r"/api/spec\.yaml$", ["/api/spec.yaml"]),
        (r"/lab/api/settings/?$", ["/lab/api/settings", "/lab/api/settings/"]),
        (r"/files/(.*)$", ["/files/", "/files/x", "/files/small.ipynb"]),
        (r"/view(?P<path>(?:(?:/[^/]+)+|/?))$", ["/view/x", "/view/", "/view/small.ipynb"]),
        (r"/k/(?P<kernel_id>\w+-\w+)/(?P<action>restart|interrupt)$", ["/k/a-b/restart", "/k/a-b/interrupt"]),
        (r"/(?P<mode>lab|doc)(?P<tree>/tree/.*)?$", ["/lab", "/lab/tree/x", "/doc/tree/x"]),
        (r"/[^/x]{3}\d\s?[a-f]*$", ["/0000", "/0000%20a"]),
        (r".*/$", ["/", "/x/"]),
        (r"/日本$", ["/%E6%97%A5%E6%9C%AC"]),
    ],
)
def test_addresses_are_made_up_for_a_pattern(pattern: str, expected: list[str]) -> None:
    made = samples(pattern, {"kernel_id": ["a-b"], "path": ["/small.ipynb"], "(.*)": ["small.ipynb"]})
    assert set(expected) <= set(made), made


def test_a_pattern_that_is_none_has_no_addresses() -> None:
    assert samples("/(", {}) == []
    assert [str(kind) for kind, _about in parsed_pattern("ab?(c|d)")] == ["LITERAL", "MAX_REPEAT", "SUBPATTERN"]


@pytest.mark.jupyter
@pytest.mark.parametrize("name", bench.LABS)
def test_no_door_is_open(name: str) -> None:
    found = bench.measure(name, bench.LABS[name])
    assert not found.problems
    assert found.doors > 50
    assert found.requests > 2000
    assert found.guesses == [401] * 5 + [429] * 3
    assert (found.neighbour == []) is (os.name != "nt" and os.geteuid() == 0)


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[audit.Open]]:
    """What is found open in a lab that was changed."""

    def look(change: str, *handlers: str) -> list[audit.Open]:
        tmp = tmp_path_factory.mktemp("changed")
        notebook, program = small_notebook(tmp / "small.ipynb"), ("-c", CHANGED, change)
        with running_lab(tmp, notebook=notebook, program=program) as lab:
            record = record_of(lab)
            doors = [door for door in doors_of(record) if not handlers or door.handler.rpartition(".")[2] in handlers]
            return audit.knock(record, doors, harmless=False)[1]

    return look


@pytest.mark.jupyter
def test_each_door_that_is_added_open_is_named(changed: Callable[..., list[audit.Open]]) -> None:
    opened = changed("add")
    found = {
        one.door.handler.rpartition(".")[2]: {(o.method, o.by) for o in opened if o.door == one.door} for one in opened
    }
    assert ("GET", "without a token") in found["Plain"]
    assert ("GET", "with a wrong token") in found["Plain"]
    assert ("POST", "without a token") in found["Forgetful"]
    assert ("GET", "without a token") in found["Oracle"], "whether something is there is told to nobody"
    assert ("GET", "without a token") in found["Elsewhere"]
    assert ("GET", "without a token") in found["StaticFileHandler"]
    assert ("DELETE", "from a foreign page") in found["Careless"]
    assert ("DELETE", "from a foreign form") in found["Careless"]
    assert ("GET", "from a foreign page") in found["Shared"]
    assert {way for _method, way in found["Socket"]} >= {"without a token", "with a wrong token", "from a foreign page"}
    assert found["Guarded"] == {("WebSocket", "from a foreign page")}
    assert len(found) == 9, "and no other"
    assert any("/open/0/two" in str(one) for one in opened), "each alternative is asked"


@pytest.mark.jupyter
@pytest.mark.parametrize(
    ("guard", "found"),
    [
        ("close_doors", {"APIVersionHandler": "without a token", "CSPReportHandler": "from a foreign page"}),
        ("admit_only", {"TrailingSlashHandler": "under a foreign host name"}),
    ],
)
def test_a_guard_that_is_gone_is_missed(
    guard: str, found: dict[str, str], changed: Callable[..., list[audit.Open]]
) -> None:
    ways = {(one.door.handler.rpartition(".")[2], one.by) for one in changed(guard, *found)}
    assert set(found.items()) <= ways


@pytest.mark.jupyter
def test_a_lab_that_runs_is_looked_at_without_harm(lab: Lab) -> None:
    for place in (lab.folder, *lab.folder.parents):
        if (
            place != Path(place.anchor)
            and place.stat().st_uid == os.getuid()
            and place.name.startswith(("lab", "pytest"))
        ):
            place.chmod(0o700)
    before = sorted((path, path.stat().st_mtime_ns) for path in lab.folder.rglob("*") if path.suffix == ".ipynb")
    told = firstlight("lab", "--audit", "--json", env={**lab.environment(), "FIRSTLIGHT_LANG": "en"})
    (found,) = json.loads(told.stdout)
    assert (told.returncode, found["ok"], found["running"]) == (0, True, True), told.stdout
    assert {check["who"] for check in found["checks"]} == {"network", "stranger", "page", "neighbour", "owner"}
    assert lab.token not in told.stdout + told.stderr
    assert (
        sorted((path, path.stat().st_mtime_ns) for path in lab.folder.rglob("*") if path.suffix == ".ipynb") == before
    )
    assert record_of(lab).health()["ok"], "and it goes on"
    again = firstlight("lab", "--audit", env={**lab.environment(), "FIRSTLIGHT_LANG": "en"})
    assert again.returncode == 0
    assert "Nothing is open that should not be." in again.stdout
    assert "for this machine only" in again.stdout


@pytest.mark.jupyter
def test_settings_are_tried_where_no_lab_runs(tmp_path: Path) -> None:
    env = {**os.environ, "FIRSTLIGHT_HOME": str(tmp_path / "home"), "FIRSTLIGHT_LANG": "en"}
    words = ["lab", "--audit", "--dir", str(tmp_path / "mine"), "--remote", "--ip", "127.0.0.1", "--host-name", "vm"]
    told = firstlight(*words, env=env)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "No lab is running" in told.stdout
    assert "Only TLS is answered" in told.stdout
    assert str(tmp_path / "mine") in told.stdout
    assert not (tmp_path / "mine").exists(), "nothing is made in the person's folder"
    assert not list((tmp_path / "home").glob("labs/*"))
    refused = firstlight("lab", "--audit", "--ip", "0.0.0.0", "--dir", str(tmp_path), env=env)
    assert refused.returncode == 1
    assert "--remote" in refused.stderr


@pytest.mark.jupyter
@posix
def test_an_open_folder_is_named_with_what_to_type(lab: Lab) -> None:
    record = record_of(lab)
    base = Path("/tmp") / f"firstlight-test-{os.getpid()}"
    base.mkdir(mode=0o755)
    base.chmod(0o755)
    try:
        found = {check.told: check for check in audit._neighbours(record, base, lab.home)}
        (bad,) = [check for check in found.values() if not check.ok]
        assert str(base) in bad.told
        assert f"chmod 700 {base}" in bad.evidence[0]
        assert Audit("x", "y", True, [bad]).ok is False
        assert "OPEN" in Audit("x", "y", True, [bad]).as_text()
        base.chmod(0o700)
        assert all(check.ok for check in audit._neighbours(record, base, lab.home))
        loose = next(lab.home.glob("labs/*/lab.json"))
        loose.chmod(0o644)
        assert [check.evidence for check in audit._neighbours(record, base, lab.home) if not check.ok] == [[str(loose)]]
        loose.chmod(0o600)
    finally:
        base.rmdir()


@posix
def test_a_folder_is_open_only_where_the_way_to_it_is(tmp_path: Path) -> None:
    base = Path("/tmp") / f"firstlight-way-{os.getpid()}"
    inner = base / "inner"
    inner.mkdir(parents=True)
    try:
        inner.chmod(0o755)
        base.chmod(0o711)
        assert open_to_others(inner) == "rx"
        base.chmod(0o700)
        assert open_to_others(inner) == ""
        base.chmod(0o755)
        inner.chmod(0o702)
        assert open_to_others(inner) == "w"
        assert open_to_others(base / "none") == ""
    finally:
        inner.rmdir()
        base.rmdir()


@posix
@pytest.mark.skipif(os.name != "nt" and os.geteuid() != 0, reason="only root can become another user")
def test_the_other_user_gets_in_where_something_is_open(tmp_path: Path) -> None:
    base = Path("/tmp") / f"firstlight-other-{os.getpid()}"
    base.mkdir()
    base.chmod(0o777)
    try:
        (base / "open.txt").write_text("x")
        todo = {
            "user": bench.NOBODY,
            "files": [str(base)],
            "sockets": [],
            "processes": [],
            "open": str(base / "open.txt"),
        }
        words = [sys.executable, "-c", bench.NEIGHBOUR]
        made = subprocess.run(words, input=json.dumps(todo), capture_output=True, text=True, check=True)
        assert json.loads(made.stdout) == [f"read {base}", f"wrote {base}"]
    finally:
        for path in base.iterdir():
            path.unlink()
        base.rmdir()


def test_a_port_that_others_reach_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    here = Record("k", os.getpid(), 1, "http://127.0.0.1:1/", "/x", "en", "lab", 0.0, "/x", "t" * 48)
    with socket.create_server(("0.0.0.0", 0)) as listening:
        (check,) = audit._network(here, "")
        assert not check.ok
        assert any(f":{listening.getsockname()[1]} " in line for line in check.evidence)
        (wished, *_rest) = audit._network(dataclasses.replace(here, secure=False), "0.0.0.0")
        assert not wished.ok


def test_answers_are_judged() -> None:
    door, files = Door("/x", "m.X", ["/x"], True, False, ""), Door("/s", "m.S", ["/s"], True, False, "static")
    login = Door("/login", "m.L", ["/login"], True, False, "login")
    judge = audit._open_to_strangers
    for status in (401, 403, 405, 429):
        assert not judge(door, "POST", Answer(status))
    assert judge(door, "GET", Answer(0)), "a door that never answers can be held open"
    assert judge(door, "GET", Answer(404))
    assert judge(door, "GET", Answer(500))
    assert judge(door, "GET", Answer(200))
    assert not judge(door, "GET", Answer(302, {"location": "/login?next=%2Fx"}))
    assert judge(door, "GET", Answer(302, {"location": "//evil.example"}))
    assert judge(door, "POST", Answer(302, {"location": "/login"})), "something was done"
    assert not judge(door, "OPTIONS", Answer(200))
    assert judge(door, "OPTIONS", Answer(200, {}, b"told"))
    assert judge(door, "OPTIONS", Answer(200, {"access-control-allow-origin": "*"}))
    assert not judge(files, "GET", Answer(200, {}, b"body {}"))
    assert judge(files, "POST", Answer(200))
    assert not judge(login, "GET", Answer(200))
    assert judge(login, "POST", Answer(200))


def test_json_and_text_agree() -> None:
    checks = [Check("stranger", True, "fine here"), Check("page", False, "bad", [f"door {n}" for n in range(12)])]
    found = Audit("http://127.0.0.1:1/", "/x", False, checks)
    assert found.as_json()["ok"] is False
    assert "door 9" in found.as_text()
    assert "door 10" not in found.as_text()
    assert "and 2 more" in found.as_text()
