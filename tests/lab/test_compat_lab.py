"""Canaries for the private names behind the lab's quick start: they sing when upstream moves."""

import subprocess
import sys

import pytest

SECONDS = """
import sys, time
from firstlight.compat import quick_server_imports
if sys.argv[1] == "quick":
    quick_server_imports()
t = time.perf_counter()
import jupyter_server.serverapp, jupyterlab.labapp
print(time.perf_counter() - t, "lark" in sys.modules)
"""


def imports(how: str) -> tuple[float, bool]:
    ran = subprocess.run([sys.executable, "-c", SECONDS, how], capture_output=True, text=True, check=True)
    seconds, lark = ran.stdout.split()
    return float(seconds), lark == "True"


def test_the_names_are_where_they_were() -> None:
    import jupyterlab.commands

    assert hasattr(jupyterlab.commands, "_yarn_config"), "see compat.quick_server_imports"
    assert callable(jupyterlab.commands._yarn_config)


def test_the_grammar_is_not_built_and_the_import_is_quicker() -> None:
    pytest.importorskip("rfc3987_syntax")
    (plain, plain_lark), (quick, quick_lark) = imports("plain"), imports("quick")
    assert (plain_lark, quick_lark) == (True, False), "see compat.quick_server_imports"
    assert quick < plain


def test_formats_are_still_checked_without_the_grammar() -> None:
    code = (
        "from firstlight.compat import quick_server_imports as q; q(); q()\n"
        "import jsonschema\n"
        "checker = jsonschema.Draft202012Validator.FORMAT_CHECKER\n"
        "jsonschema.validate('2026-01-01', {'type': 'string', 'format': 'date'}, format_checker=checker)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_jupyterlab_nothing_happens() -> None:
    code = (
        "import sys; sys.modules['jupyterlab'] = None\n"
        "from firstlight.compat import quick_server_imports; quick_server_imports()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
