"""Is the process that wrote this record still there? Its id alone does not say: the system gives ids away again."""

import os
import platform
import socket
import subprocess
from pathlib import Path
from typing import Any


def identity() -> dict[str, Any]:
    """This process: its id, the moment it started, the machine.

    Example:
        >>> alive(identity())
        True
    """
    return {"pid": os.getpid(), "started": _started(os.getpid()), "host": socket.gethostname()}


def alive(process: dict[str, Any]) -> bool | None:
    """Whether that very process runs now; None where this cannot be known (another machine).

    Args:
        process: What `identity` gave in the other process.
    """
    if process.get("host") != socket.gethostname():
        return None
    started = _started(int(process.get("pid", 0)))
    return started is not None and started == process.get("started")


def _started(pid: int) -> str | None:
    """A text that differs between two processes with the same id; None when there is no such process."""
    if pid <= 0:
        return None
    system = platform.system()
    if system == "Linux":
        return _started_linux(pid)
    return _started_windows(pid) if system == "Windows" else _started_ps(pid)


def _started_linux(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the command's name, in parentheses, may hold spaces
    if fields[0] in "ZX":  # dead, waiting to be collected by its parent
        return None
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    return f"{boot}:{fields[19]}"  # field 22 of proc(5): ticks between boot and start


def _started_ps(pid: int) -> str | None:
    answer = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    return answer.stdout.strip() or None


def _started_windows(pid: int) -> str | None:
    import ctypes
    from ctypes import wintypes

    kernel = getattr(ctypes, "WinDLL")("kernel32", use_last_error=True)  # noqa: B009 - its type exists on Windows only
    kernel.OpenProcess.restype = wintypes.HANDLE
    handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
    if not handle:
        return None
    try:
        times = [wintypes.FILETIME() for _ in range(4)]
        code = wintypes.DWORD()
        kernel.GetExitCodeProcess(wintypes.HANDLE(handle), ctypes.byref(code))
        if code.value != 259:  # STILL_ACTIVE
            return None
        if not kernel.GetProcessTimes(wintypes.HANDLE(handle), *(ctypes.byref(time) for time in times)):
            return None
        return f"{times[0].dwHighDateTime}:{times[0].dwLowDateTime}"
    finally:
        kernel.CloseHandle(wintypes.HANDLE(handle))
