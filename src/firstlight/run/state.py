"""Checkpoints: tensors as safetensors, the rest as JSON. Nothing is pickled, so opening one runs no code.

The JSON stands inside the safetensors file, so that tensors and data replace each other in one move, and once more
beside it for people to read. So does a checksum of both: a disk that gives back other bytes than it was given is
noticed, and never trained on.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from firstlight.files import gone_if_it_fails, put
from firstlight.locale import _
from firstlight.run.errors import NameOfState, NotJson, RecordDamaged, StateNotFound
from firstlight.run.foreign import MALFORMED, believed
from firstlight.run.values import from_json, to_json

_BEGAN = time.time()  # this process, or nearly

# Windows keeps these for devices, whatever the case and whatever stands behind a point.
_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789¹²³")}


def check_name(name: str) -> None:
    """Raise `NameOfState` unless the name can be a file name everywhere."""
    fits = isinstance(name, str) and re.fullmatch(r"[\w-][\w.-]{0,99}", name) and not name.endswith(".")
    if not fits or name.partition(".")[0].upper() in _DEVICES:
        raise NameOfState(name=repr(name))


def save(folder: Path, name: str, tensors: Mapping[str, Tensor], data: Any) -> Path:
    """Write `NAME.safetensors` and `NAME.json` so that a reader sees the old pair or the new one."""
    check_name(name)
    text = to_json(data)
    stored, aliases = _prepare(tensors)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}.safetensors"
    names = json.dumps(aliases)
    extra = {"data": text, "aliases": names, "sha256": _checksum(stored, text + names)}
    _replace(target, lambda part: _write(part, stored, extra))
    _replace(folder / f"{name}.json", lambda part: part.write_bytes((text + "\n").encode()))
    return target


def load(folder: Path, name: str, run: str) -> tuple[dict[str, Tensor], Any]:
    """Read what `save` wrote, tensors on the CPU."""
    check_name(name)
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        raise missing(run, name, sorted(found.stem for found in folder.glob("*.safetensors")))
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            extra = file.metadata() or {}
            # Cloned: else they would be views of the file, and Windows replaces no file that is in use.
            tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118 - not a dictionary
    except (SafetensorError, OSError, *MALFORMED) as error:
        raise RecordDamaged(file=str(path), reason=str(error)) from error
    texts = extra.get("data", "null") + extra.get("aliases", "{}")
    if extra.get("sha256", "") not in ("", _checksum(tensors, texts)):  # older files have none
        raise RecordDamaged(file=str(path), reason=_("its checksum is wrong"))
    with believed(path):
        for alias, key in json.loads(extra.get("aliases", "{}")).items():
            tensors[alias] = tensors[key]
        return tensors, from_json(extra.get("data", "null"))


def clean(folder: Path) -> None:
    """Remove what an earlier process has left that was killed while it wrote. What is newer is being written."""
    for part in (*folder.glob(".*.part"), *folder.glob(".tmp*")):
        with contextlib.suppress(FileNotFoundError):
            if part.stat().st_mtime < _BEGAN:
                part.unlink()


def missing(run: str, name: str, known: list[str]) -> StateNotFound:
    """The error that lists what there is."""
    return StateNotFound(run=run, name=name, known=", ".join(known) or _("none"))


def _prepare(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors that safetensors takes: on the CPU, contiguous, each with memory of its own.

    Tied weights (one tensor under two names) are stored once and tied again by `load`.
    """
    stored: dict[str, Tensor] = {}
    aliases: dict[str, str] = {}
    seen: dict[tuple[Any, ...], str] = {}
    storages: set[int] = set()
    for key, tensor in tensors.items():
        if not isinstance(tensor, Tensor) or tensor.layout != torch.strided:
            raise NotJson(kind=type(tensor).__name__)
        value = tensor.detach()
        same = (value.device, value.data_ptr(), value.shape, value.stride(), value.dtype)
        if value.numel() and same in seen:
            aliases[key] = seen[same]
            continue
        seen[same] = key
        storage = value.untyped_storage().data_ptr()
        value = value.cpu().contiguous()
        if storage in storages or value.untyped_storage().nbytes() != value.numel() * value.element_size():
            value = value.clone()
        storages.add(storage)
        stored[key] = value
    return stored, aliases


def _checksum(tensors: Mapping[str, Tensor], texts: str) -> str:
    """Of names, types, shapes and bytes of all tensors, whatever their order, and of the texts beside them."""
    found = hashlib.sha256(texts.encode())
    for key in sorted(tensors):
        value = tensors[key]
        found.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
        if value.numel():
            found.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _write(part: Path, tensors: dict[str, Tensor], extra: dict[str, str]) -> None:
    """Straight from the memory of the tensors: `safetensors.torch.save` would take twice as much again."""
    mode = part.stat().st_mode
    try:
        save_file(tensors, part, metadata=extra)
    except SafetensorError as error:
        if code := re.search(r"\(os error (\d+)\)", str(error)):
            raise OSError(int(code[1]), os.strerror(int(code[1])), str(part)) from error
        raise
    part.chmod(mode)  # safetensors makes a file that nobody but its owner may read


def _replace(target: Path, write: Callable[[Path], object]) -> None:
    # A name of our own, since tempfile would make a file that nobody but its owner may ever read.
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    with gone_if_it_fails(part):
        part.touch(exist_ok=False)
        write(part)
        put(part, target)
