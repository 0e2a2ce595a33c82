"""Run every test with coverage. Called by `make test`; arguments are handed on to pytest."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Run pytest; coverage is asked for only where everything runs."""
    chosen = sys.argv[1:]
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2")}
    command = [sys.executable, "-m", "pytest", "--durations=15"]
    if not chosen:
        # Two threads that begin at once may both set coverage's trace function, which CPython 3.11 refuses one of them.
        race = "ignore:Exception ignored in thread started by:pytest.PytestUnraisableExceptionWarning"
        command += ["--cov", "--cov-report=term", "-W", race]
    return subprocess.run([*command, *chosen], cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
