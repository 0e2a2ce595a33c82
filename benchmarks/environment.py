"""`.venv-peers`, the environment of the libraries that firstlight is compared with.

    .venv/bin/python -m benchmarks.environment

It holds what `peers.txt` pins, with the very build of torch that `.venv` has. Made once; made again when that changes.
"""

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.harness import version_of

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".venv-peers"
PINS = Path(__file__).parent / "peers.txt"
PYTHON = FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
WHEELS = "https://download.pytorch.org/whl/"


def prepare() -> Path:
    """Make the environment where it is not there as it should be.

    Returns:
        Its interpreter.
    """
    torch = f"torch=={version_of('torch')}"
    state = hashlib.sha256(PINS.read_bytes() + torch.encode()).hexdigest()
    mark = FOLDER / "ready"
    if mark.exists() and mark.read_text() == state:
        return PYTHON
    if not PYTHON.exists():
        venv.create(FOLDER, with_pip=True)
    print("Installing the libraries to compare with into .venv-peers. This takes a few minutes.", flush=True)
    install = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    words = ["--constraint", "constraints.txt", "--requirement", str(PINS)]
    # Alone and first: nothing else then decides for another build of torch, of which there are some of gigabytes.
    if subprocess.run([*install, torch], cwd=ROOT, check=False).returncode:
        build = torch.partition("+")[2]  # "cpu" or "cu130": such a build is only on PyTorch's own index
        subprocess.run([*install, torch, "--extra-index-url", WHEELS + build], cwd=ROOT, check=True)
    subprocess.run([*install, torch, *words], cwd=ROOT, check=True)
    mark.write_text(state)
    return PYTHON


if __name__ == "__main__":
    print(prepare(), file=sys.stdout)
