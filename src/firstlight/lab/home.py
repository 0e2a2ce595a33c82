"""Where our own Jupyter files are. The learner's `~/.jupyter` and `~/.ipython` are neither read nor written."""

import hashlib
import json
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any
from uuid import uuid4

import platformdirs

from firstlight.files import write_whole

LOCALES = {"en": "en", "ja": "ja_JP", "ko": "ko_KR"}
LOCALE_PLUGIN = "@jupyterlab/translation-extension:plugin"
LOG_BYTES = 1_000_000
SOCKET_PATH_LIMIT = 100  # Linux allows 107 bytes in the path of a socket, macOS 103


@dataclass(frozen=True)
class Room:
    """The folders of one running lab; gone when it ends. What outlives it stands in `home()`.

    Each lab has its own, so that a Japanese and a Korean lab side by side keep their own language, and so that
    yesterday's side bars and open documents stay in yesterday.
    """

    folder: Path
    runtime: Path  # connection files and sockets of the kernels: a short path, see `_runtime`

    @property
    def key(self) -> str:
        """The lab's name among the running ones."""
        return self.folder.name

    @property
    def record(self) -> Path:
        """The file that says where this lab is, readable by its owner only."""
        return self.folder / "lab.json"

    @property
    def transport(self) -> str:
        """How server and kernel talk: through files that only the owner can open, where paths are short enough."""
        longest = self.runtime / f"kernel-{uuid4()}.json-ipc-99"
        return "tcp" if os.name == "nt" or len(os.fsencode(longest)) > SOCKET_PATH_LIMIT else "ipc"


def home() -> Path:
    """Our own Jupyter folder: `FIRSTLIGHT_HOME`, else under the user's data folder."""
    if chosen := os.environ.get("FIRSTLIGHT_HOME"):
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_data_dir("firstlight", appauthor=False)) / "jupyter"


def settings_folder() -> Path:
    """What the person changes in JupyterLab's settings; kept from lab to lab."""
    return home() / "settings"


def log_file() -> Path:
    """What the server has to say to those who look for a fault. No token ever stands in it."""
    return home() / "logs" / "lab.log"


def encrypts() -> bool:
    """Whether this ipykernel can encrypt what it sends over a port."""
    return tuple(int(number) for number in metadata.version("ipykernel").split(".")[:2]) >= (7, 4)


def open_room(lang: str, *, language_chosen: bool) -> Room:
    """Make the folders of a new lab and point every `JUPYTER_*` variable at them.

    Must run before the first import of jupyter_server, which reads the variables as it is imported.

    Args:
        lang: Language of the user interface.
        language_chosen: Whether the person asked for this language now; if so, a language picked earlier in
            JupyterLab's own menu gives way.
    """
    for folder in (home(), home() / "labs", home() / "logs", settings_folder()):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(OSError):  # a folder that was there before, or a file system without modes: `lab --audit` says so
        home().chmod(0o700)
    _shorten_log()
    key = uuid4().hex[:8]
    folder = home() / "labs" / key
    folder.mkdir(mode=0o700)
    room = Room(folder, _runtime(key, folder))
    try:
        _write_settings(folder / "config", lang)
        if language_chosen:
            _forget_chosen_language()
        _write_kernel(folder / "data")
        _write_page(folder / "data")
    except BaseException:
        remove(room)
        raise
    _set_environment(room)
    return room


def remove(room: Room) -> None:
    """Take away the folders of a lab that has ended."""
    shutil.rmtree(room.runtime, ignore_errors=True)
    shutil.rmtree(room.folder, ignore_errors=True)


def is_runtime_of(path: Path, key: str) -> bool:
    """Whether a path read from a file is a runtime folder that we made, and so may be removed."""
    return path.name.startswith(f"firstlight-{key}-") or path == home() / "labs" / key / "runtime"


def _shorten_log() -> None:
    with suppress(OSError):  # no log yet, or Windows, where another lab holds it open
        if log_file().stat().st_size > LOG_BYTES:
            log_file().replace(log_file().with_suffix(".old.log"))


def _runtime(key: str, folder: Path) -> Path:
    """A folder with a short path: a kernel's sockets live in it, and their paths may not be long."""
    if os.name == "nt":
        runtime = folder / "runtime"
        runtime.mkdir()
        return runtime
    for parent in (os.environ.get("XDG_RUNTIME_DIR"), "/tmp"):
        if parent and os.access(parent, os.W_OK | os.X_OK):
            with suppress(OSError):
                return Path(tempfile.mkdtemp(prefix=f"firstlight-{key}-", dir=parent))  # mode 0700
    return Path(tempfile.mkdtemp(prefix=f"firstlight-{key}-"))


def _write_settings(config: Path, lang: str) -> None:
    """JupyterLab's defaults as we want them; what the person sets in its menus still wins."""
    overrides = {
        LOCALE_PLUGIN: {"locale": LOCALES[lang]},
        "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
        "@jupyterlab/docmanager-extension:plugin": {"autosave": True, "autosaveInterval": 20},
        "@jupyterlab/apputils-extension:kernels-settings": {"commsOverSubshells": "perCommTarget"},
        "@jupyterlab/notebook-extension:tracker": {
            "kernelShutdown": True,  # a closed lesson gives its 280 MB back
            "autoStartDefaultKernel": True,
            "windowingMode": "defer",
            "recordTiming": True,
            "scrollPastEnd": False,
        },
        "@jupyterlab/extensionmanager-extension:plugin": {"enabled": False},
    }
    never_loaded = (
        "@jupyterlab/apputils-extension:announcements",
        "@jupyterlab/extensionmanager-extension",
        "@jupyterlab/lsp-extension",  # its server part is off; the page would ask for it and get 404
        "jupyterlab-jupytext",
        "nbdime-jupyterlab",
        "jupyterlab-plotly",
    )
    folder = config / "labconfig"
    folder.mkdir(parents=True)
    write_json(folder / "default_setting_overrides.json", overrides)
    write_json(folder / "page_config.json", {"disabledExtensions": dict.fromkeys(never_loaded, True)})


def _forget_chosen_language() -> None:
    """Take the language out of the person's own settings, and nothing else."""
    path = settings_folder() / "@jupyterlab" / "translation-extension" / "plugin.jupyterlab-settings"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("//"))  # JupyterLab writes comments
    try:
        settings = json.loads("\n".join(lines))
    except ValueError:
        settings = {}
    settings.pop("locale", None)
    write_json(path, settings)


def _write_kernel(data: Path) -> None:
    """A `python3` kernel that is this very Python, whatever other kernels the machine has."""
    folder = data / "kernels" / "python3"
    folder.mkdir(parents=True)
    frozen_off = (
        ["-Xfrozen_modules=off"] if sys.version_info >= (3, 11) else []
    )  # else the debugger warns at each start
    write_json(
        folder / "kernel.json",
        {
            "argv": [sys.executable, *frozen_off, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": "Python 3",
            "language": "python",
            "metadata": {"debugger": True, **({"supported_encryption": ["curve"]} if encrypts() else {})},
            "env": {"KINETO_LOG_LEVEL": "6"},  # else torch.profiler writes about itself below a lesson's cell
        },
    )


def _write_page(data: Path) -> None:
    """Our part of the page, as an extension of JupyterLab. Its name changes with it: browsers keep what they know."""
    script = Path(__file__).with_name("page") / "survive.js"
    name = f"static/remoteEntry.{hashlib.sha256(script.read_bytes()).hexdigest()[:12]}.js"
    folder = data / "labextensions" / "firstlight"
    (folder / "static").mkdir(parents=True)
    shutil.copyfile(script, folder / name)
    build = {"load": name, "extension": "./extension"}
    write_json(folder / "package.json", {"name": "firstlight", "version": "1.0.0", "jupyterlab": {"_build": build}})


def _set_environment(room: Room) -> None:
    for name in [name for name in os.environ if name.startswith(("JUPYTER_", "JUPYTERLAB_"))]:
        del os.environ[name]  # a token, a password or a path of the person's own Jupyter
    os.environ.update(
        JUPYTER_CONFIG_DIR=str(room.folder / "config"),
        JUPYTER_DATA_DIR=str(room.folder / "data"),
        JUPYTER_RUNTIME_DIR=str(room.runtime),
        JUPYTERLAB_SETTINGS_DIR=str(settings_folder()),
        JUPYTERLAB_WORKSPACES_DIR=str(room.folder / "workspaces"),
        JUPYTER_PREFER_ENV_PATH="0",  # else a kernel of the environment goes before ours
        IPYTHONDIR=str(home() / "ipython"),
    )


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that a reader, or a second lab, finds the old file or the new one, and nothing between."""
    write_whole(path, json.dumps(value, indent=1, ensure_ascii=False).encode(), mode=0o600)
