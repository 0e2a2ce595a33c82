"""The extension under a plain Jupyter Server, as JupyterHub would start it."""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.lab.labs import small_notebook

pytestmark = pytest.mark.jupyter
CONFIG = Path(__file__).parents[2] / "src" / "firstlight" / "lab" / "jupyter_server_config.d" / "firstlight.json"


def ask(port: int, path: str, token: str = "sesame") -> Any:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"token {token}"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.loads(answer.read())


@pytest.mark.parametrize("broken", [False, True])
def test_health_and_warm_kernels_under_a_plain_jupyter_server(broken: bool, tmp_path: Path) -> None:
    small_notebook(tmp_path / "small.ipynb")
    config = tmp_path / "config"
    (config / "jupyter_server_config.d").mkdir(parents=True)
    (config / "jupyter_server_config.d" / "firstlight.json").write_bytes(CONFIG.read_bytes())
    (config / "jupyter_server_config.py").write_text(
        "c.FirstlightExtension.notebook = 'small.ipynb'\n"
        "c.MultiKernelManager.kernel_manager_class = 'firstlight.lab.kernels.WarmKernelManager'\n"
    )
    kernels = tmp_path / "data" / "kernels" / "python3"
    kernels.mkdir(parents=True)
    argv = [sys.executable, "-c", "raise SystemExit(3)"] if broken else [sys.executable, "-m", "ipykernel_launcher"]
    spec = {"argv": [*argv, "-f", "{connection_file}"], "display_name": "Python 3", "language": "python"}
    (kernels / "kernel.json").write_text(json.dumps(spec))
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTER_PREFER_ENV_PATH": "0",
        "JUPYTER_TOKEN": "sesame",
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "OMP_NUM_THREADS": "1",
    }
    words = ["--no-browser", "--allow-root", "--ServerApp.port=0", f"--ServerApp.root_dir={tmp_path}"]
    with (tmp_path / "log.txt").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", *words], env=environment, stdout=log, stderr=log
        )
    try:
        health: dict[str, Any] = {}
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline and health.get("kernel") not in ("ready", "failed"):
            time.sleep(0.1)
            for info in (tmp_path / "runtime").glob("jpserver-*.json"):
                with contextlib.suppress(OSError, ValueError):  # Jupyter writes down where, and then begins to listen
                    port = json.loads(info.read_text())["port"]
                    health = ask(port, "/firstlight/api/health")
        said = (tmp_path / "log.txt").read_text()
        assert health.get("ok") is (not broken), said
        assert health["notebook"] == "small.ipynb"
        assert bool(health["reason"]) is broken
        with pytest.raises(urllib.error.HTTPError, match="403"):
            ask(port, "/firstlight/api/health", token="wrong")
    finally:
        server.terminate()
        server.wait(20)
