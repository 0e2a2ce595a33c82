"""Our own Jupyter folders."""

import json
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from firstlight.lab import home as room
from firstlight.lab.folder import prepare
from firstlight.lab.home import is_runtime_of, open_room, remove


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Whatever `open_room` sets is taken back."""
    for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR", "TOKEN", "PATH", "CONFIG_PATH"):
        monkeypatch.setenv(f"JUPYTER_{name}", "the person's own")
    for name in ("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, "the person's own")
    return monkeypatch


def overrides(opened: room.Room) -> dict[str, dict[str, object]]:
    path = opened.folder / "config" / "labconfig" / "default_setting_overrides.json"
    found: dict[str, dict[str, object]] = json.loads(path.read_text())
    return found


def test_everything_points_into_our_own_folders(environment: pytest.MonkeyPatch) -> None:
    opened = open_room("ja", language_chosen=True)
    ours = {name: value for name, value in os.environ.items() if name.startswith("JUPYTER") or name == "IPYTHONDIR"}
    assert set(ours) == {
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "JUPYTER_RUNTIME_DIR",
        "JUPYTER_PREFER_ENV_PATH",
        "JUPYTERLAB_SETTINGS_DIR",
        "JUPYTERLAB_WORKSPACES_DIR",
        "IPYTHONDIR",
    }
    assert str(room.home()) in ours["JUPYTER_CONFIG_DIR"]
    assert str(room.home()) in ours["JUPYTER_DATA_DIR"]
    assert str(room.home()) in ours["IPYTHONDIR"]
    assert opened.runtime.is_dir()
    assert overrides(opened)[room.LOCALE_PLUGIN] == {"locale": "ja_JP"}
    kernel = json.loads((opened.folder / "data" / "kernels" / "python3" / "kernel.json").read_text())
    assert kernel["argv"][0] == sys.executable
    remove(opened)
    assert not opened.folder.exists()
    assert not opened.runtime.exists()


def test_two_labs_keep_their_languages(environment: pytest.MonkeyPatch) -> None:
    first, second = open_room("ja", language_chosen=True), open_room("ko", language_chosen=True)
    assert overrides(first)[room.LOCALE_PLUGIN] == {"locale": "ja_JP"}
    assert overrides(second)[room.LOCALE_PLUGIN] == {"locale": "ko_KR"}
    remove(first)
    remove(second)


@pytest.mark.parametrize("damaged", [False, True])
def test_a_language_that_was_asked_for_beats_the_menu(damaged: bool, environment: pytest.MonkeyPatch) -> None:
    path = room.settings_folder() / "@jupyterlab" / "translation-extension" / "plugin.jupyterlab-settings"
    path.parent.mkdir(parents=True)
    text = '// a comment\n{\n  // Language\n  "locale": "ja_JP",\n  "stringsPrefix": "!!"\n}'
    path.write_text(text + ("}" if damaged else ""))
    remove(open_room("ko", language_chosen=False))
    assert path.read_text().startswith("// a comment")
    remove(open_room("ko", language_chosen=True))
    assert json.loads(path.read_text()) == ({} if damaged else {"stringsPrefix": "!!"})


@pytest.mark.skipif(os.name == "nt", reason="sockets of POSIX")
def test_kernels_talk_through_files_where_the_path_is_short(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.delenv("XDG_RUNTIME_DIR", raising=False)
    short = open_room("en", language_chosen=False)
    assert short.transport == "ipc"
    assert short.runtime.stat().st_mode & 0o077 == 0
    long = tmp_path / ("x" * 90)
    long.mkdir()
    environment.setenv("XDG_RUNTIME_DIR", str(long))
    other = open_room("en", language_chosen=False)
    assert (other.runtime.parent, other.transport) == (long, "tcp")
    remove(short)
    remove(other)


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
def test_folders_are_their_owners(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "was there before"
    home.mkdir(mode=0o755)
    environment.setenv("FIRSTLIGHT_HOME", str(home))
    opened = room.open_room("en", language_chosen=False)
    for folder in (home, opened.folder, opened.runtime):
        assert folder.stat().st_mode & 0o077 == 0, folder
    remove(opened)
    prepare(tmp_path / "learner", "en")
    assert (tmp_path / "learner").stat().st_mode & 0o077 == 0


def test_only_our_own_runtime_folders_are_removed(environment: pytest.MonkeyPatch) -> None:
    opened = open_room("en", language_chosen=False)
    assert is_runtime_of(opened.runtime, opened.key)
    assert is_runtime_of(room.home() / "labs" / opened.key / "runtime", opened.key)
    assert not is_runtime_of(Path("/tmp"), opened.key)
    assert not is_runtime_of(Path.home(), opened.key)
    remove(opened)


def test_without_a_choice_the_home_is_in_the_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FIRSTLIGHT_HOME")
    assert room.home().parts[-2:] == ("firstlight", "jupyter")


def test_a_full_disk_is_left_as_it_was(
    environment: pytest.MonkeyPatch, tmp_path: Path, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    environment.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    path = tmp_path / "x.json"
    room.write_json(path, "old")
    for _try in range(2):
        with full_disk(4_000), pytest.raises(OSError, match="too large"):
            room.write_json(path, "new" * 10_000)
        with full_disk(100), pytest.raises(OSError, match="too large"):
            open_room("en", language_chosen=False)
    assert list(tmp_path.iterdir()) == [path]
    assert json.loads(path.read_text()) == "old"
    assert list((room.home() / "labs").iterdir()) == []


def test_a_long_log_is_put_aside(environment: pytest.MonkeyPatch) -> None:
    room.log_file().parent.mkdir(parents=True)
    room.log_file().write_bytes(b"x" * (room.LOG_BYTES + 1))
    remove(open_room("en", language_chosen=False))
    assert not room.log_file().exists()
    assert room.log_file().with_suffix(".old.log").stat().st_size == room.LOG_BYTES + 1
