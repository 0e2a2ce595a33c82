"""What was decoded once, kept in files that are mapped into memory: loading it again takes milliseconds."""

import json
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import torch
from torch import Tensor

from firstlight.data.places import data_folder
from firstlight.files import put

FORMAT = 1  # raise it when the files below change their meaning

Parts = dict[str, Tensor]

# What comes of files that somebody else wrote, or half wrote: they are made anew.
_DAMAGED = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, EOFError)


def remember(name: str, signature: str, make: Callable[[], tuple[Parts, Any]]) -> tuple[Parts, Any]:
    """The tensors and facts under this name, made only when they are not there or stem from another source.

    A folder that cannot be written to or a full disk costs only time: the freshly made tensors are returned.

    Args:
        name: A folder below the data folder's `decoded/`.
        signature: What the content depends on; another one makes it stale.
        make: Gives the tensors by name, and facts about them that fit into JSON.
    """
    folder = data_folder() / "decoded" / name
    try:
        return _read(folder, signature)
    except _DAMAGED:
        pass  # not there, of another format, or damaged: made anew
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder.with_name(name + ".lock"))
        lock.acquire()
    except OSError:
        return make()
    try:
        try:
            return _read(folder, signature)  # another process may have made it meanwhile
        except _DAMAGED:
            parts, facts = make()
        try:
            _write(folder, signature, parts, facts)
            return _read(folder, signature)
        except (OSError, ValueError):
            return parts, facts
    finally:
        lock.release()


def _read(folder: Path, signature: str) -> tuple[Parts, Any]:
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    if meta["format"] != FORMAT or meta["signature"] != signature:
        raise ValueError("stale")
    # "c": pages are read on demand, and a change stays in this process and never reaches the file.
    parts = {}
    for part in meta["parts"]:
        parts[part] = torch.from_numpy(np.load(folder / f"{part}.npy", mmap_mode="c", allow_pickle=False))
    return parts, meta["facts"]


def _write(folder: Path, signature: str, parts: Parts, facts: Any) -> None:
    """Write beside the place, then move the whole folder into it."""
    # A name of our own, since tempfile would make a folder that nobody else in a class may ever read.
    new = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    new.mkdir()
    try:
        for part, tensor in parts.items():
            np.save(new / f"{part}.npy", tensor.numpy(), allow_pickle=False)
        meta = {"format": FORMAT, "signature": signature, "parts": list(parts), "facts": facts}
        (new / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        put(new, folder)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
