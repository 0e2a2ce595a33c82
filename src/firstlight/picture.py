"""Things to look at: one value that a notebook, a terminal and a screen reader can each show.

Shapes: H height, W width, C channels (1 or 3).
"""

import base64
import io
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.locale import say


@dataclass(frozen=True)
class Picture:
    """One result in three forms; each place shows the richest that it can.

    Attributes:
        html: For notebooks. Complete without scripts, so that a saved notebook and a sanitiser keep it.
        text: For terminals and screen readers: says everything that is drawn.
        png: A drawing for places that show no HTML, or None.
    """

    html: str
    text: str
    png: bytes | None = None

    def bundle(self) -> dict[str, str]:
        """MIME type to content, as Jupyter's display messages want it."""
        data = {"text/html": self.html, "text/plain": self.text}
        if self.png is not None:
            data["image/png"] = base64.b64encode(self.png).decode()
        return data

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self.bundle()

    def __repr__(self) -> str:
        return self.text

    def display(self) -> None:
        """Show it where the person is: below the cell in a notebook, on standard output elsewhere."""
        if in_notebook():
            from IPython.display import publish_display_data

            publish_display_data(data=self.bundle())
        else:
            say(self.text)


def in_notebook() -> bool:
    """Whether this code runs in a Jupyter kernel (and not in a script, a terminal or a test)."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")


def in_columns(rows: Sequence[Sequence[str]], *, left: int | None = None) -> str:
    """Rows as lines of text whose cells stand below one another, Chinese, Japanese and Korean ones too.

    Args:
        rows: All with the same number of cells.
        left: So many cells of each row begin at the left of their column, the others end at its right; None for all.

    Example:
        >>> print(in_columns([("class", "found"), ("cat", "7"), ("犬", "12")], left=1))
        class  found
        cat        7
        犬        12
    """
    wide = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell + " " * (width - _width(cell)) if left is None or at < left else " " * (width - _width(cell)) + cell
            for at, (cell, width) in enumerate(zip(row, wide, strict=True))
        ).rstrip()
        for row in rows
    )


def png(pixels: NDArray[np.uint8], *, scale: int = 1) -> bytes:
    r"""Encode pixels as a PNG file.

    Args:
        pixels: Grey or RGB values, channels first or last.
        scale: Each pixel becomes a square of this side, with hard edges.

    Shape:
        pixels: (H, W), (C, H, W) or (H, W, C)

    Example:
        >>> png(np.zeros((2, 2), np.uint8))[:4]
        b'\x89PNG'
    """
    from PIL import Image

    if pixels.ndim == 3 and pixels.shape[0] in (1, 3) and pixels.shape[2] not in (1, 3):
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if scale > 1:
        image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def img(data: bytes, *, alt: str, style: str = "") -> str:
    """An HTML `<img>` that carries its PNG inside; `alt` says what is to be seen."""
    encoded = base64.b64encode(data).decode()
    css = f' style="{escape(style)}"' if style else ""
    return f'<img src="data:image/png;base64,{encoded}" alt="{escape(alt)}"{css}>'


def _width(text: str) -> int:
    """Places in a terminal: Chinese, Japanese and Korean characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
