"""Run every benchmark one after another: `make bench`, or `python -m benchmarks NAME ...` for some."""

import platform
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def main() -> int:
    names = sys.argv[1:] or sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))
    print(f"{platform.platform()}, {platform.processor() or platform.machine()}, Python {platform.python_version()}")
    failed = []
    for name in names:
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=FOLDER.parent, check=False).returncode:
            failed.append(name)
    if failed:
        print("failed:", *failed, file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
