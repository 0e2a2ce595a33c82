"""What a container or a hub lets this process have: limits that the machine's own numbers do not show.

Linux writes them into small files, one folder per group of processes: `/sys/fs/cgroup/...`. A group inside another is
held to both limits, so every folder on the way up counts.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


def cores_allowed() -> int:
    """How many cores this process may use: its affinity, and the quota of its container, rounded up.

    Example:
        >>> cores_allowed() >= 1
        True
    """
    affinity = getattr(os, "sched_getaffinity", None)  # Linux
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    quotas = [cores * 1.0]
    for folder in _folders("cpu"):
        words = _words(folder / "cpu.max") or _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")
        if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]):
            quotas.append(int(words[0]) / int(words[1]))  # "max" and -1: no quota
    return max(1, math.ceil(min(quotas)))


def memory_left() -> int | None:
    """Bytes that the container lets this process take still, or None where nothing limits it."""
    left = []
    for folder in _folders("memory"):
        limit = _words(folder / "memory.max") or _words(folder / "memory.limit_in_bytes")
        used = _words(folder / "memory.current") or _words(folder / "memory.usage_in_bytes")
        if limit and used and limit[0].isdigit() and int(limit[0]) < 2**60:
            # Files that were read are counted as used, and given up when a program needs the room.
            left.append(int(limit[0]) - int(used[0]) + _file_bytes(folder))
    return max(0, min(left)) if left else None


def _file_bytes(folder: Path) -> int:
    words = _words(folder / "memory.stat")
    values = dict(zip(words[::2], words[1::2], strict=False))
    return int(values.get("total_inactive_file", values.get("inactive_file", "0")))


def _folders(controller: str) -> Iterator[Path]:
    """The folders that hold this process' limits, from its own up to the root."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _number, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = _ROOT / controllers if controllers else _ROOT  # version 1 has a tree for each controller
        # Inside a container the path may be one of the host's, which is not there: the root is what counts then.
        inner = root / path.strip("/")
        yield from (
            folder for folder in (inner, *inner.parents) if folder.is_dir() and root in (folder, *folder.parents)
        )


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
