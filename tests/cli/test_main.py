"""The command line."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firstlight import __version__
from firstlight.cli import main
from tests.lab.labs import firstlight


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"firstlight {__version__}\n"
    assert main(["--help"]) == 0
    assert "selftest" in capsys.readouterr().out
    assert main(["lab", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--remote" in shown
    assert "expose" not in shown


@pytest.mark.parametrize(
    ("words", "usage", "options"),
    [
        (["--lang", "ja", "lab", "--help"], "使い方:", "オプション"),
        (["lab", "--lang=ko", "--help"], "사용법:", "옵션"),
        (["--lang", "en", "--help"], "usage:", "options"),
    ],
)
def test_help_is_in_the_language(
    words: list[str], usage: str, options: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTLIGHT_LANG", "en")
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(usage)
    assert shown.count(f"{options}:") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Missing: COMMAND"),
        (["dance"], "There is no command dance."),
        (["lab", "--portt", "1"], "Not known: --portt 1"),
        (["lab", "--port"], "--port needs a value."),
        (["lab", "--port", "x"], "x is not a port"),
        (["lab", "--port", "65536"], "65536 is not a port"),
        (["lab", "--lang", "fr"], "fr is none of en, ja, ko."),
        (["lab", "--ui", "vim"], "vim is none of lab, notebook."),
        (["lang"], "Missing: {check,update}"),
        (["lang", "sing"], "sing is none of check, update."),
        (["lab", "--p", "1"], "Not known"),
    ],
)
def test_wrong_usage_is_two_and_said_in_words(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert "--help" in captured.err


def test_a_firstlight_error_is_three_sentences_and_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["lab", "--dir", str(tmp_path), "--notebook", "nothing.ipynb", "--no-browser"]) == 1
    assert capsys.readouterr().err.count("\n") == 3


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from firstlight.cli import main; main(['lab', '--help'])\n"
        "heavy = {'torch', 'numpy', 'jupyter_server', 'tornado', 'requests', 'rich'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    best = min(_seconds() for _ in range(3))
    assert best < 1.0, "0.1 s on a quiet machine"


def _seconds() -> float:
    begun = time.perf_counter()
    firstlight("--help")
    return time.perf_counter() - begun


def test_runs_lists_what_was_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from firstlight.run import Run

    assert main(["runs", "--dir", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert str(tmp_path) in captured.err
    with Run.start("first", folder=tmp_path / "runs") as run:
        run.log({"test/accuracy": 0.5}, step=0)
    for folder in (tmp_path, tmp_path / "runs"):
        assert main(["runs", "--dir", str(folder)]) == 0
        assert "first" in capsys.readouterr().out
    assert main(["runs", "--json", "--dir", str(tmp_path)]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["status"], row["metrics"]["test/accuracy"]["last"]) == ("first", "finished", 0.5)


def test_runs_of_the_lab_are_found_without_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from firstlight.run import Run

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    Run.start("in-the-environment").finish()
    assert main(["runs"]) == 0
    assert "in-the-environment" in capsys.readouterr().out
    monkeypatch.delenv("FIRSTLIGHT_RUNS")
    Run.start("of-the-lab", folder=tmp_path / "firstlight" / "runs").finish()
    assert main(["runs"]) == 0
    assert "of-the-lab" in capsys.readouterr().out


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    code = f"{sys.executable} -m firstlight lab --help | head -n 0"
    ran = subprocess.run(["sh", "-c", code], capture_output=True, text=True, check=False)
    assert "Traceback" not in ran.stderr


def test_lang_checks_the_translations(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["lang", "check"])
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines
    assert status in (0, 1)
    assert not [line for line in lines if re.match(r"(ja/|ko/)?(lab|cli)[/.]", line)]


def test_list_and_stop_say_when_there_is_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["lab", "--list"], ["lab", "--stop"], ["lab", "--stop", "--port", "1"]):
        assert main(words) == 0
        captured = capsys.readouterr()
        assert captured.out == ""
        assert "No lab" in captured.err
    assert main(["lab", "--list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
