"""Rows of tensors as 64-bit numbers, so that the same row is known again without being kept.

Shapes: N rows, W words of eight bytes in a row.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

_LONGEST_BAG = 64
WORDS = 512  # so many words of a row are read at most, evenly spread


def has_plain_numbers(tensor: Tensor) -> bool:
    """Whether its values can be read as real numbers in a row: not sparse, nested, complex or the like."""
    strange = tensor.is_nested or tensor.is_meta or tensor.is_complex() or tensor.is_quantized
    return not strange and tensor.layout == torch.strided


def rows_of(tensor: Tensor) -> Tensor | None:
    """The bytes of each row as eight-byte words, (N, W); None for what has no plain memory."""
    if type(tensor) not in (Tensor, torch.nn.Parameter) or not has_plain_numbers(tensor):
        return None
    if not tensor.ndim or not tensor.numel():
        return None
    flat = tensor.detach().reshape(len(tensor), -1)
    size = flat.element_size()
    if flat.shape[1] * size > 8 * WORDS * 8 and size in (1, 2, 4, 8):  # far more than is read: take parts first
        per = 8 // size
        words = flat.shape[1] // per
        step = -(-words // WORDS)
        flat = flat[:, : words // step * step * per].reshape(len(flat), -1, step, per)[:, :, 0].reshape(len(flat), -1)
    if flat.dtype == torch.bool:
        flat = flat.to(torch.uint8)
    spare = -flat.shape[1] * size % 8 // size
    if spare:
        flat = torch.cat([flat, flat.new_zeros(len(flat), spare)], dim=1)
    flat = flat.contiguous()
    if flat.storage_offset() * size % 8:
        flat = flat.clone()
    return flat.view(torch.int64)


def fingerprints(words: Tensor) -> Tensor:
    """One number for each row, (N,). Equal rows have equal numbers; others, nearly always, different ones."""
    step = -(-words.shape[1] // WORDS)
    chosen = words[:, ::step] if step > 1 else words
    mixed = chosen ^ (chosen >> 29)  # floats of few digits end in zeros: bring what differs down
    return (mixed * _weights(chosen.shape[1], chosen.device)).sum(dim=1)


@cache
def _weights(count: int, device: torch.device) -> Tensor:
    generator = torch.Generator(device="cpu").manual_seed(20_261_122)  # of its own: the program's numbers stay
    drawn = torch.randint(-(2**62), 2**62, (count,), generator=generator, dtype=torch.int64, device="cpu")
    return (drawn * 2 + 1).to(device)


def some_of(tensor: Tensor, most: int = 64) -> Tensor:
    """A copy of some of its numbers, evenly spread: the first ones alone may be those of a word that nobody uses."""
    flat = tensor.detach().reshape(-1)
    return flat[:: -(-max(flat.numel(), 1) // most)].clone()


def bags(inputs: Sequence[Tensor], rows: int) -> Tensor | None:
    """Bags of words as `EmbeddingBag` takes them, words (W,) and where each of N bags begins (N,), as (N, T) with -1.

    Args:
        inputs: What a model is given.
        rows: N, as many as the model gives rows.
    """
    if len(inputs) < 2 or rows < 1:
        return None
    words, begins = inputs[0], inputs[1]
    shapes = words.ndim == begins.ndim == 1 and begins.shape[0] == rows and words.shape[0] > rows
    if not shapes or words.is_floating_point() or begins.is_floating_point() or words.device.type != "cpu":
        return None
    sizes = torch.diff(begins.detach(), append=begins.new_tensor([words.shape[0]]))
    if int(begins[0]) or int(sizes.min()) < 0:
        return None
    parts = [part[:_LONGEST_BAG] for part in torch.split(words.detach(), sizes.tolist())]
    return torch.nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=-1)


def tensors_in(values: Sequence[Any], named: Mapping[str, Any], deep: int = 2) -> list[Tensor]:
    """The first tensors that a model is given, looked for two levels deep."""
    found: list[Tensor] = []
    for value in (*values, *named.values()):
        if isinstance(value, Tensor):
            found.append(value)
        elif deep and isinstance(value, list | tuple):
            found += tensors_in(value[:4], {}, deep - 1)
        elif deep and isinstance(value, dict):
            found += tensors_in(list(value.values())[:4], {}, deep - 1)
        if len(found) >= 3:
            break
    return found[:3]


def first_tensor(value: Any) -> Tensor | None:
    """The first tensor of what a model gives."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, list | tuple | dict):
        inside = value.values() if isinstance(value, dict) else value
        return next((one for one in inside if isinstance(one, Tensor)), None)
    return None


def arise_by_chance(words: Tensor, rows: int) -> bool:
    """Whether different samples may well be equal in every byte, as rows of a small table of categories are.

    From some rows (N, W) it is counted how often two agree in each word. If words were independent, the product
    would be the chance that two rows agree in all; its square root leaves room for words that go together. Where
    even so one agreement among a hundred times as many rows is not to be expected, equal rows have one source.
    """
    distinct = torch.unique(words, dim=0)
    count = len(distinct)
    if count < 8:
        return True
    pairs = count * (count - 1)
    log = torch.zeros((), dtype=torch.float64)
    for column in distinct.T:
        _values, counts = torch.unique(column, return_counts=True)
        equal = float((counts * (counts - 1)).sum())
        log += torch.tensor(max(equal, 2.0) / pairs, dtype=torch.float64).log()
    return bool(0.5 * log > torch.tensor(0.01 / max(rows, 1), dtype=torch.float64).log())
