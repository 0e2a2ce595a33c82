"""The public surface: exactly the names that are listed, loaded on first use, at no cost before."""

import inspect
import os
import subprocess
import sys
from importlib import import_module

import pytest

import firstlight


def run_python(code: str) -> str:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COV")}  # coverage imports, too
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env=bare, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_listed_name_is_there_and_documented():
    names = [name for name in firstlight.__all__ if not name.startswith("__")]
    assert len(names) >= 15
    for name in names:
        value = getattr(firstlight, name)
        assert inspect.getdoc(value), f"{name} has no docstring"
        home = value.__name__ if inspect.ismodule(value) else value.__module__
        assert home.startswith("firstlight.")


def test_a_public_name_is_what_its_room_defines():
    for name, room in firstlight._ROOMS.items():
        assert getattr(firstlight, name) is getattr(import_module(f"firstlight.{room}"), name)


def test_no_public_name_is_shadowed_by_a_room():
    rooms = {"data", "train", "run", "graph", "doctor", "formats", "view", "lessons", "lab", "cli", "locale", "errors"}
    assert not rooms & set(firstlight.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = firstlight.nothing


def test_importing_brings_no_torch_no_numpy_and_no_file():
    out = run_python(
        "import builtins, sys; opened = []; real = builtins.open\n"
        "builtins.open = lambda *a, **k: (opened.append(a[0]), real(*a, **k))[1]\n"
        "import firstlight; dir(firstlight)\n"
        "print(sorted({'torch', 'numpy', 'PIL', 'requests', 'IPython', 'rich', 'sqlite3'} & set(sys.modules)), opened)"
    )
    assert out.strip() == "[] []"


def test_help_does_not_wait_for_torch():
    out = run_python(
        "import sys; from firstlight.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        "print('torch' in sys.modules)"
    )
    assert out.splitlines()[-1] == "False"
