"""JSON that keeps what training produces: nan and infinities too, in a form that every JSON reader accepts."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from firstlight.run.errors import NotJson

_TAG = "$float"  # {"$float": "nan"}: JSON itself has no such numbers
_LIKE_TAG = re.compile(r"\$+float")  # a dictionary of somebody else's with just this key gets one more $


def to_json(value: Any) -> str:
    """Write a value as strict JSON.

    Raises:
        NotJson: For what JSON cannot hold, such as an object or a tensor with several elements.

    Example:
        >>> to_json({"loss": float("nan"), "shape": (2, 3)})
        '{"loss": {"$float": "nan"}, "shape": [2, 3]}'
    """
    plainly = plain(value)
    text = json.dumps(plainly, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, as Python gives for a file name in another encoding: as an escape
        return json.dumps(plainly, allow_nan=False)
    return text


def from_json(text: str) -> Any:
    """Read back what `to_json` wrote.

    Example:
        >>> from_json('[1, {"$float": "-inf"}]')
        [1, -inf]
    """
    return json.loads(text, object_hook=_untag) if '"$' in text else json.loads(text)  # without a hook in half the time


def plain(value: Any) -> Any:
    """The same value in dictionaries, lists, text and numbers, with non-finite floats tagged."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {_TAG: repr(float(value))}
    if isinstance(value, Mapping):
        found = {_key(key): plain(entry) for key, entry in value.items()}
        return {f"${key}": entry for key, entry in found.items()} if _is_like_tag(found) else found
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry) for entry in value]
    if isinstance(value, PurePath):
        return str(value)
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):  # a NumPy or torch number
        return plain(value.item())
    raise NotJson(kind=type(value).__name__)


def _key(key: object) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, int | float):
        return str(key)
    raise NotJson(kind=f"dict[{type(key).__name__}]")


def _is_like_tag(entry: dict[str, Any]) -> bool:
    return len(entry) == 1 and _LIKE_TAG.fullmatch(next(iter(entry))) is not None


def _untag(entry: dict[str, Any]) -> Any:
    if not _is_like_tag(entry):
        return entry
    ((key, value),) = entry.items()
    if key != _TAG:
        return {key[1:]: value}
    return float(value) if value in ("nan", "inf", "-inf") else entry
