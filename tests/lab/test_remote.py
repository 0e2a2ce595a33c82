"""Certificates, passwords, names and the ssh line."""

import datetime
import re
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from cryptography import x509

from firstlight.lab import remote
from firstlight.lab.home import home
from firstlight.lab.remote import (
    CertificateUnusable,
    certificate,
    keep_password,
    kept_password,
    names_of_this_machine,
    password,
    ssh_line,
)
from firstlight.lab.server import admit_only


def test_passwords_are_five_words_and_never_the_same() -> None:
    made = {password() for _ in range(200)}
    assert len(made) == 200
    for word in made:
        assert re.fullmatch(r"([bdfghjklmnprstvz][aiou]){2}[bdfghjklmnprstvz](-\w{5}){4}", word)
    assert len({word[0] for word in made}) > 10, "drawn from the whole alphabet"


def test_a_password_that_cannot_be_kept_leaves_the_old_one_and_nothing_else(
    full_disk: Callable[[int], AbstractContextManager[None]],
) -> None:
    keep_password("four words of mine")
    before = kept_password()
    with full_disk(10), pytest.raises(OSError, match="too large"):
        keep_password("four other words")
    assert kept_password() == before
    assert [path.name for path in home().iterdir()] == ["password"]


def test_proquints_are_those_of_the_paper() -> None:
    # Wilkerson 2009: 127.0.0.1 is lusab-babad, 63.84.220.193 is gutih-tugad.
    for address, words in (("127.0.0.1", "lusab-babad"), ("63.84.220.193", "gutih-tugad")):
        high, low = divmod(int.from_bytes(socket.inet_aton(address), "big"), 2**16)
        assert f"{remote._proquint(high)}-{remote._proquint(low)}" == words


def test_the_lab_keeps_its_certificate_while_it_is_good(tmp_path: Path) -> None:
    first = certificate(None, None, ["vm.school.example", "203.0.113.5"])
    assert first.own
    assert first.keyfile
    assert first.keyfile.stat().st_mode & 0o077 == 0
    assert certificate(None, None, ["203.0.113.5", "vm.school.example"]).fingerprint == first.fingerprint
    assert certificate(None, None, ["another.example"]).fingerprint != first.fingerprint
    first.certfile.write_text("damaged")
    assert certificate(None, None, ["vm.school.example", "203.0.113.5"]).fingerprint != first.fingerprint
    assert re.fullmatch(r"([0-9A-F]{2}:){31}[0-9A-F]{2}", first.spelled())


def test_browsers_can_read_the_certificate() -> None:
    made = certificate(None, None, ["vm.school.example", "203.0.113.5", "2001:db8::1", "日本.example"])
    read = x509.load_pem_x509_certificate(made.certfile.read_bytes())
    names = {str(name.value) for name in read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value}
    assert {"vm.school.example", "203.0.113.5", "localhost", "127.0.0.1", "xn--wgv71a.example"} <= names
    days = (remote._read(made.certfile)[1] - datetime.datetime.now(datetime.timezone.utc)).days
    assert 390 < days <= 398, "browsers refuse longer ones"


def test_ones_own_certificate_is_checked_before_the_lab_starts(tmp_path: Path) -> None:
    mine = certificate(None, None, ["mine.example"])
    other = certificate(None, None, ["other.example"])
    taken = certificate(mine.certfile, mine.keyfile, [])
    assert (taken.own, taken.fingerprint) == (False, mine.fingerprint)
    for certfile, keyfile in (
        (tmp_path / "none.pem", mine.keyfile),
        (mine.certfile, other.keyfile),
        (mine.certfile, None),
        (None, mine.keyfile),
    ):
        with pytest.raises(CertificateUnusable, match="--certfile"):
            certificate(certfile, keyfile, [])


def test_a_certificate_that_has_run_out_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "VALID_DAYS", 0)
    old = certificate(None, None, ["old.example"])
    with pytest.raises(CertificateUnusable, match="not valid after"):
        certificate(old.certfile, old.keyfile, [])
    monkeypatch.undo()
    assert certificate(None, None, ["old.example"]).fingerprint != old.fingerprint, "made anew"


def test_the_ssh_line_fits_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote.getpass, "getuser", lambda: "ada")
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 50000 198.51.100.7 22")
    assert ssh_line(8888) == "ssh -N -L 8888:127.0.0.1:8888 ada@198.51.100.7"
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 50000 198.51.100.7 2222")
    assert ssh_line(9000, "vm.example") == "ssh -N -p 2222 -L 9000:127.0.0.1:9000 ada@vm.example"
    monkeypatch.delenv("SSH_CONNECTION")
    assert re.fullmatch(r"ssh -N -L 8888:127\.0\.0\.1:8888 ada@\S+", ssh_line(8888))


def test_a_user_without_a_name_still_gets_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(remote.getpass, "getuser", nameless)
    assert "USER@" in ssh_line(8888, "vm")


def test_this_machines_names_hold_no_loopback() -> None:
    names = names_of_this_machine()
    assert names == sorted(name.lower() for name in names)
    assert not [name for name in names if remote.is_loopback(name)]


@pytest.mark.parametrize(
    ("header", "admitted"),
    [
        ("vm.example", True),
        ("VM.example:8888", True),
        ("203.0.113.5:8888", True),
        ("[2001:db8::1]:8888", True),
        ("2001:db8::1", True),
        ("localhost:1", True),
        ("127.0.0.1", True),
        ("[::1]:8888", True),
        ("evil.example", False),
        ("vm.example.evil.example", False),
        ("", False),
        ("127.0.0.2", False),
        ("vm.example:1:2", False),
    ],
)
def test_only_listed_host_names_are_admitted(header: str, admitted: bool) -> None:
    from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
    from tornado.web import Application, ErrorHandler

    application = Application([])
    admit_only(application, ["VM.example", "203.0.113.5", "2001:db8::1"])

    class Connection:
        context = None
        no_keep_alive = False

    request = HTTPServerRequest(
        start_line=RequestStartLine("GET", "/", "HTTP/1.1"),
        headers=HTTPHeaders({"Host": header}),
        connection=Connection(),
    )
    delegate = application.find_handler(request)
    status = delegate.handler_kwargs["status_code"]
    assert delegate.handler_class is ErrorHandler
    assert status == (404 if admitted else 403)
