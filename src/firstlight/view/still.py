"""A view at rest: picture, HTML and text that need no script, so that a saved notebook shows them anywhere."""

from html import escape
from typing import Any

from firstlight import picture
from firstlight.view.drawing import draw
from firstlight.view.state import Board

# Inline styles and inherited colours only: sanitisers keep them, and the page's own theme shows through.
_BOX = "max-width:800px;margin:4px 2px;font-family:system-ui,sans-serif;font-size:13px;line-height:1.5"
_FAINT = "opacity:.75"


def still(board: Board, *, live: bool = False, key: str = "") -> picture.Picture:
    """The newest state as a picture with its caption.

    Args:
        board: What to show.
        live: Whether more will come soon: then it is drawn in less time, and comes inside the HTML only.
        key: Marks the place for the moving view of that name (`curves.js`), which covers it.

    Returns:
        The same content as HTML (an image, and all numbers as text), as text, and as PNG.
    """
    state = board.state()
    png = draw(state, board.series, quick=live)
    return picture.Picture(html=_html(state, png, key), text=state["said"], png=None if live else png)


def _html(state: dict[str, Any], png: bytes | None, key: str) -> str:
    mark = f' data-firstlight="{escape(key)}"' if key else ""
    lines = [
        f'<section{mark} lang="{escape(state["lang"])}" style="{_BOX}">',
        f"<div><strong>{escape(state['title'])}</strong> "
        f'<span style="{_FAINT}">{escape(state["status_text"])}</span></div>',
    ]
    progress = [part for part in (state["progress"]["text"], state["progress"]["left"]) if part]
    if progress:
        lines.append(f'<div style="{_FAINT}">{escape(" · ".join(progress))}</div>')
    if png is not None:
        style = "width:100%;height:auto;margin:6px 0;border-radius:6px"
        width = 380 * min(2, len(state["charts"]))
        lines.append(picture.img(png, alt=state["said"], style=f"{style};max-width:{width}px"))
    values = [
        f"{escape(chart['title'])} ({escape(curve['label'])}) <strong>{escape(curve['value'])}</strong>"
        for chart in state["charts"]
        for curve in chart["curves"]
    ]
    if values:
        lines.append(f"<div>{' · '.join(values)}</div>")
    rest = [f"{number['label']} {number['value']}" for number in state["numbers"]]
    rest += [state["device"]] if state["device"] else []
    if rest:
        lines.append(f'<div style="{_FAINT}">{escape(" · ".join(rest))}</div>')
    if state["notice"]:
        lines.append(f"<div><strong>{escape(state['notice'])}</strong></div>")
    return "\n".join([*lines, "</section>"])
