"""Find a Chromium for the browser tests, or get one. Writes its path, or what is missing, into `.venv/browser`.

In order: `FIRSTLIGHT_CHROMIUM`, a Chromium or Chrome or Edge of the system, Playwright's own if it was installed,
`playwright install chromium`, and Debian's package where we are root. With `CI` set it fails when there is none;
elsewhere the browser tests are skipped with the reason that is written here.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
MARK = ROOT / ".venv" / "browser"
NAMES = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser", "microsoft-edge", "msedge", "chrome")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
DEBIAN = ("chromium", "fonts-noto-cjk")
INSTALL_S = 600


def chromium() -> Path | None:
    """A browser that starts and says its version."""
    return next((path for path in _candidates() if _starts(path)), None)


def has_cjk_fonts() -> bool:
    """Whether Japanese and Korean can be drawn. macOS and Windows bring the glyphs with them."""
    if not sys.platform.startswith("linux"):
        return True
    if not shutil.which("fc-list"):
        return False
    listed = [
        subprocess.run(["fc-list", f":lang={lang}", "family"], capture_output=True, text=True, check=False).stdout
        for lang in ("ja", "ko")
    ]
    return all(families.strip() for families in listed)


def why_not() -> str | None:
    """The reason why browser tests cannot run here, in one line; None when they can."""
    if not chromium():
        return "no Chromium, Chrome or Edge that starts: run `make .venv/browser`, or install the package chromium"
    if not has_cjk_fonts():
        return "no font with Japanese and Korean glyphs: install the package fonts-noto-cjk"
    return None


def main() -> None:
    """Find, else install; leave the mark that make looks for."""
    for install in (_with_playwright, _with_apt):
        if why_not():
            install()
    reason = why_not()
    MARK.write_text(f"{reason or chromium()}\n", encoding="utf-8")
    if not reason:
        print(f"browser tests use {chromium()}")
        return
    print(f"Browser tests cannot run here: {reason}", file=sys.stderr)
    if os.environ.get("CI"):
        MARK.unlink()
        sys.exit(1)
    print("They will be skipped, and say so. Remove .venv/browser to look again.", file=sys.stderr)


def _candidates() -> Iterable[Path]:
    if chosen := os.environ.get("FIRSTLIGHT_CHROMIUM"):
        yield Path(chosen)
    for name in NAMES:
        if found := shutil.which(name):
            yield Path(found)
    yield from (Path(place) for place in PLACES if Path(place).is_file())
    if own := _playwright_path():
        yield own


def _playwright_path() -> Path | None:
    # In a process of its own: Playwright's synchronous interface leaves an event loop behind in the thread.
    code = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    path = Path(asked.stdout.strip() or "?")
    return path if path.is_file() else None


def _starts(path: Path) -> bool:
    if os.name == "nt":  # there --version opens a window
        return path.is_file()
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _with_playwright() -> None:
    if not chromium():
        _try([sys.executable, "-m", "playwright", "install", "chromium"])


def _with_apt() -> None:
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        missing = [
            name for name in DEBIAN if (has_cjk_fonts() if name.startswith("fonts") else chromium()) in (None, False)
        ]
        _try(["apt-get", "update", "-q"])
        _try(["apt-get", "install", "-qy", "--no-install-recommends", *missing])


def _try(command: list[str]) -> None:
    print("running:", " ".join(command), file=sys.stderr)
    try:
        subprocess.run(command, timeout=INSTALL_S, check=False, stdout=sys.stderr)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"did not work: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
