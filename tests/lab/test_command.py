"""The command that a person is told to type."""

import subprocess
import sys
from pathlib import Path

import pytest

from firstlight.lab.command import command
from firstlight.lab.folder import NotebookMissing, chosen


@pytest.fixture
def program(tmp_path: Path) -> Path:
    program = tmp_path / "my home" / ".venv" / "bin" / "firstlight"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


def test_a_path_stays_as_it_was_typed(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(program.parents[2])
    monkeypatch.setattr(sys, "argv", [".venv/bin/firstlight", "lab"])
    assert command() == ".venv/bin/firstlight"
    monkeypatch.setattr(sys, "argv", [str(program), "lab"])
    assert command() == f"'{program}'"
    monkeypatch.setattr(Path, "home", lambda: program.parents[2])
    assert command() == "~/.venv/bin/firstlight"


@pytest.mark.skipif(sys.platform == "win32", reason="a script without .exe is no command there")
def test_the_word_alone_where_the_shell_finds_it(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", str(program.parent))
    assert command() == "firstlight"


def test_as_a_module_and_from_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", ["/somewhere/firstlight/__main__.py"])
    assert command().endswith(" -m firstlight")
    assert Path(sys.executable).name in command()
    monkeypatch.setattr(sys, "argv", ["train.py"])
    assert command() == "firstlight"
    monkeypatch.setattr(sys, "argv", [])
    assert command() == "firstlight"


def test_errors_name_it(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", [str(program)])
    with pytest.raises(NotebookMissing, match=r"/\.venv/bin/firstlight' lab --dir"):
        chosen(tmp_path, "nothing.ipynb", "en")


def test_the_command_in_a_real_process(tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "firstlight", "lab", "--no-browser", "--dir", str(tmp_path), "--notebook", "no.ipynb"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 1
    assert "-m firstlight lab --dir FOLDER" in made.stderr
