"""`firstlight lab --list`, `--stop`, `--audit` and `--set-password`."""

import getpass
import json
import sys
import time
from dataclasses import asdict

from firstlight.lab import remote, running
from firstlight.lab.audit import Audit, audit, trial
from firstlight.lab.home import home
from firstlight.lab.server import Wishes, check
from firstlight.locale import _


def list_labs(*, as_json: bool) -> int:
    """Print each running lab's link, on this screen only; the reader is its owner."""
    labs = running.labs()
    if as_json:
        hidden = ("token", "runtime", "fingerprint")
        print(json.dumps([{k: v for k, v in asdict(lab).items() if k not in hidden} for lab in labs], indent=2))
        return 0
    if not labs:
        print(_("No lab of yours is running."), file=sys.stderr)
    for lab in labs:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(lab.started))
        print(lab.url)
        print("    " + _("folder {folder}, since {since}, process {pid}", folder=lab.folder, since=since, pid=lab.pid))
    return 0


def stop_labs(*, port: int | None) -> int:
    """Stop every running lab of this person, or the one at a port."""
    labs = [lab for lab in running.labs() if port in (None, lab.port)]
    if not labs:
        print(
            _("No lab of yours is running.")
            if port is None
            else _("No lab of yours is running at port {port}.", port=port),
            file=sys.stderr,
        )
        return 0
    status = 0
    for lab in labs:
        if running.stop(lab) == "stopped":
            print(_("Stopped: {folder} at port {port}", folder=lab.folder, port=lab.port), file=sys.stderr)
        else:
            status = 1
            print(
                _(
                    "Still running after {seconds} seconds: process {pid}, port {port}.",
                    seconds=int(running.STOP_S),
                    pid=lab.pid,
                    port=lab.port,
                ),
                file=sys.stderr,
            )
    return status


def audit_labs(wishes: Wishes, *, as_json: bool) -> int:
    """Say what is open to whom: of each running lab, or, where none runs, of one with these settings."""
    found: list[Audit] = [audit(lab) for lab in running.labs()]
    if not found:
        ip, _port = check(wishes)
        with trial(_settings(wishes)) as lab:
            found = [audit(lab, is_running=False, folder=wishes.folder.expanduser().absolute(), own=home(), ip=ip)]
    if as_json:
        print(json.dumps([one.as_json() for one in found], indent=2, ensure_ascii=False))
    else:
        print("\n\n".join(one.as_text() for one in found))
    return 0 if all(one.ok for one in found) else 1


def set_password() -> int:
    """Ask for the password of remote labs and keep its hash."""
    if sys.stdin.isatty():
        print(_("The password of your remote labs (Enter alone: each lab makes its own):"), file=sys.stderr)
        word, again = getpass.getpass(""), getpass.getpass(_("Once more:") + " ")
        if word != again:
            print(_("These are two different ones. Nothing was changed."), file=sys.stderr)
            return 1
    else:
        word = sys.stdin.readline().rstrip("\r\n")
    remote.keep_password(word)
    print(
        _("Set. It is kept as an argon2 hash.") if word else _("Each remote lab makes its own again."), file=sys.stderr
    )
    return 0


def _settings(wishes: Wishes) -> list[str]:
    """The words that ask for the same lab again, but for its folder, port and address."""
    words = ["--ui", wishes.ui]
    if wishes.remote:
        words += ["--remote", *(word for name in wishes.host_names for word in ("--host-name", name))]
    for option, path in (("--certfile", wishes.certfile), ("--keyfile", wishes.keyfile)):
        if path is not None:
            words += [option, str(path.absolute())]
    return words
