"""Write constraints.txt anew: one resolution of every extra that holds for Python 3.10 to 3.14 on all three systems.

    .venv/bin/python tools/constraints.py

torch is held at the release whose CPU build the tests use. What only its accelerator builds need (CUDA, Triton) is left
out: those pins come with torch itself.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TORCH = "torch==2.13.0"
ACCELERATOR = ("nvidia-", "cuda-", "triton")
HEADER = "# Made by tools/constraints.py from pyproject.toml. What make and CI install, and nothing else is tested.\n"


def main() -> None:
    """Resolve with uv and keep the lines that a CPU machine may need."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--universal", "--all-extras"]
    command += ["--python-version", "3.10", "--quiet", "--no-header", "--no-annotate", "--constraint", "-"]
    done = subprocess.run(command, cwd=ROOT, input=TORCH, text=True, capture_output=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    lines = [line for line in done.stdout.splitlines() if not line.startswith(ACCELERATOR)]
    (ROOT / "constraints.txt").write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
