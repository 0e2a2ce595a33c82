"""`firstlight lab --list` and `--stop`."""

import json
import sys
import time
from dataclasses import asdict

from firstlight.lab import running
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
