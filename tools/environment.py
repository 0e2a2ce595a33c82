"""Set up `.venv` with what constraints.txt pins. Run by make with any Python 3.10 or newer; needs nothing else."""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".venv"


def main() -> None:
    """Make the environment if it is not there, install into it, and leave the mark that make looks for."""
    if sys.version_info < (3, 10):  # noqa: UP036 - this script runs before anything has checked the version
        sys.exit(
            f"firstlight needs Python 3.10 or newer; this is {sys.version.split()[0]}.\n"
            "Say which to use: make PYTHON=python3.12 lab"
        )
    python = FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        try:
            venv.create(FOLDER, with_pip=True)
        except subprocess.CalledProcessError:  # Debian splits ensurepip off
            sys.exit(
                "This Python cannot make a virtual environment: its ensurepip module is missing.\n"
                "On Debian and Ubuntu: sudo apt install python3-venv, then run make again."
            )
    print("Installing PyTorch, JupyterLab and what they need into .venv. This takes one to a few minutes.", flush=True)
    install = [python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*install, "--constraint", "constraints.txt", "--editable", ".[dev]"], cwd=ROOT, check=True)
    (FOLDER / "ready").touch()


if __name__ == "__main__":
    main()
