"""Looking at samples: pictures in a grid, tables, expressions. Shapes: B batch, C channels, H height, W width."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import torch
from torch import Tensor

from firstlight.data.dataset import Batches, Dataset
from firstlight.data.errors import CannotShow
from firstlight.locale import _
from firstlight.picture import Picture, img, in_columns, png

MOST = 200  # pictures in one grid: a page with thousands would stall the browser
SHOWN_COLUMNS = 10


def show(what: Any, n: int = 24, *, classes: Sequence[str] | None = None) -> None:
    """Show samples with their labels: a grid below the cell in a notebook, text in a terminal.

    Args:
        what: A `Dataset`; a batch `(inputs, labels)`, raw or prepared; or a tensor of pictures.
        n: How many.
        classes: Names of the classes, where `what` does not know them.

    Example:
        >>> from firstlight.data import load
        >>> train, test = load("fashion_mnist_small")
        >>> show(train, n=4)
        4 of 10,000 samples from fashion_mnist_small (train), 28 × 28 pixels:
        T-shirt/top, Dress, Shirt, Ankle boot
    """
    picture(what, n, classes=classes).display()


def picture(what: Any, n: int = 24, *, classes: Sequence[str] | None = None) -> Picture:
    """What `show` displays, as a value."""
    n = max(1, min(n, MOST))
    if isinstance(what, Batches):
        what = what.dataset
    if isinstance(what, Dataset):
        return _of_dataset(what, n)
    inputs, labels = what if isinstance(what, (tuple, list)) and len(what) == 2 else (what, None)
    if isinstance(inputs, list) and inputs and labels is not None:
        return _expressions([str(tree) for tree in inputs[:n]], _names(labels[:n], classes), _("{n} samples", n=n))
    if not isinstance(inputs, Tensor) or inputs.ndim not in (2, 3, 4) or len(inputs) == 0:
        raise CannotShow(found=type(what).__name__)
    captions = [""] * min(n, len(inputs)) if labels is None else _names(labels[:n], classes)
    title = _("{n} of {count} samples", n=len(captions), count=f"{len(inputs):,}")
    if inputs.ndim == 2:
        columns = [str(column) for column in range(inputs.shape[1])]
        return _table(inputs[:n], columns, captions, title)
    pixels = inputs[:n].unsqueeze(1) if inputs.ndim == 3 else inputs[:n]
    if pixels.shape[1] not in (1, 3):
        raise CannotShow(found=_("a tensor of the shape {shape}", shape=tuple(inputs.shape)))
    return grid(_visible(pixels), captions, title=title)


def grid(pictures: Tensor, captions: Sequence[str], *, title: str) -> Picture:
    """Pictures beside one another, each with a line of text below.

    Args:
        pictures: The pixels.
        captions: One for each picture; also what a screen reader says.
        title: The line above.

    Shape:
        pictures: (B, C, H, W), `uint8`
    """
    height, width = pictures.shape[2:]
    side = max(64, min(128, max(height, width)))
    cells = []
    for pixels, caption in zip(pictures, captions, strict=True):
        drawn = img(
            png(pixels.numpy()),
            alt=caption or _("picture without label"),
            style=f"width:{side}px;image-rendering:pixelated",
        )
        cells.append(
            f'<figure style="margin:0;width:{side + 16}px;text-align:center">{drawn}'
            f'<figcaption style="font-size:smaller;overflow-wrap:anywhere">{escape(caption)}</figcaption></figure>'
        )
    # No colour of our own: text takes the page's, so it can be read on a dark page as on a light one.
    html = (
        f'<div><div>{escape(title)}</div><div style="display:flex;flex-wrap:wrap;gap:8px">{"".join(cells)}</div></div>'
    )
    said = ", ".join(caption or "?" for caption in captions)
    return Picture(html=html, text=f"{title}:\n{said}", png=_sheet(pictures))


def _of_dataset(dataset: Dataset, n: int) -> Picture:
    n = min(n, len(dataset))
    # Evenly over the samples in the order of their classes: a folder lists all cats before the first dog.
    order = torch.argsort(dataset.labels, stable=True)
    chosen = order[torch.linspace(0, len(dataset) - 1, n).round().long()]
    inputs, labels = dataset.take(chosen)
    captions = _names(labels, dataset.classes)
    values = {"n": n, "count": f"{len(dataset):,}", "name": dataset.name, "split": dataset.split}
    if not isinstance(inputs, Tensor):
        title = _("{n} of {count} samples from {name} ({split})", **values)
        return _expressions([str(tree) for tree in inputs], captions, title)
    if inputs.ndim == 2:
        title = _("{n} of {count} samples from {name} ({split})", **values)
        columns = dataset.columns or [str(column) for column in range(inputs.shape[1])]
        return _table(inputs, columns, captions, title)
    values["height"], values["width"] = inputs.shape[2:]
    title = _("{n} of {count} samples from {name} ({split}), {height} × {width} pixels", **values)
    return grid(inputs, captions, title=title)


def _names(labels: Any, classes: Sequence[str] | None) -> list[str]:
    numbers = labels.tolist() if isinstance(labels, Tensor) else [int(label) for label in labels]
    return [classes[k] if classes is not None and 0 <= k < len(classes) else str(k) for k in numbers]


def _visible(pixels: Tensor) -> Tensor:
    """Pixels of any range as `uint8`: what was normalised is stretched from its darkest to its brightest value."""
    pixels = pixels.detach().cpu()
    if pixels.dtype == torch.uint8:
        return pixels
    pixels = torch.nan_to_num(pixels.float())
    low, high = float(pixels.min()), float(pixels.max())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and 1 < high <= 255:
        low, high = 0.0, 255.0
    return ((pixels - low) / max(high - low, 1e-12) * 255).round().to(torch.uint8)


def _sheet(pictures: Tensor) -> bytes:
    """All of them on one drawing, for places that show no HTML."""
    count, channels, height, width = pictures.shape
    across = math.ceil(math.sqrt(count * 2))
    rows = math.ceil(count / across)
    sheet = np.full((channels, rows * (height + 2), across * (width + 2)), 128, np.uint8)
    for index, pixels in enumerate(pictures.numpy()):
        top, left = index // across * (height + 2) + 1, index % across * (width + 2) + 1
        sheet[:, top : top + height, left : left + width] = pixels
    return png(sheet, scale=max(1, min(4, 800 // sheet.shape[2])))


def _table(features: Tensor, columns: Sequence[str], captions: Sequence[str], title: str) -> Picture:
    names = [str(column) for column in columns[:SHOWN_COLUMNS]]
    rows = [[f"{value:.4g}" for value in line[:SHOWN_COLUMNS]] for line in features.detach().cpu().tolist()]
    more = len(columns) - len(names)
    if more > 0:
        title = _("{title} (and {more} more columns)", title=title, more=more)
    if any(captions):
        names.append(_("class"))
        rows = [[*line, caption] for line, caption in zip(rows, captions, strict=True)]
    return _lines(names, rows, title)


def _expressions(expressions: Sequence[str], captions: Sequence[str], title: str) -> Picture:
    rows = [list(line) for line in zip(expressions, captions, strict=True)]
    return _lines([_("expression"), _("class")], rows, title)


def _lines(names: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> Picture:
    """A table as HTML and as text in columns."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>" for line in rows)
    html = f"<table><caption>{escape(title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return Picture(html=html, text=f"{title}:\n{in_columns([names, *rows])}")
