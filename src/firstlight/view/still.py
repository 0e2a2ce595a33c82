"""A view at rest: picture, HTML and text that need no script, so that a saved notebook shows them anywhere."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from firstlight import picture
from firstlight.view import frontend, panels
from firstlight.view.drawing import draw
from firstlight.view.state import Board
from firstlight.view.tabs import Tabs

# Inline styles and inherited colours only: sanitisers keep them, and the page's own theme shows through.
_BOX = "max-width:800px;margin:4px 2px;font-family:system-ui,sans-serif;font-size:13px;line-height:1.5"
_FAINT = "opacity:.75"


# cividis (Nuñez, Anderton and Renslow 2018), as in parts.js; shares and updates in their own.
_CIVIDIS = ((0, 32, 76), (60, 77, 110), (124, 123, 120), (185, 172, 112), (255, 233, 69))
_RAMPS = {
    "log": _CIVIDIS,
    "about": ((0, 90, 160), (120, 178, 218), (232, 234, 237), (238, 167, 100), (196, 78, 0)),
    "share": ((232, 238, 243), (150, 190, 218), (60, 135, 188), (0, 90, 150), (0, 48, 92)),
}
_NOTHING, _BROKEN = (173, 181, 189), (179, 38, 30)
_PARTS = {"parameters": "#0072b2", "gradients": "#d98a00", "state": "#008764", "saved": "#b2588f"}
_PHASES = {"data": "#80868b", "forward": "#0072b2", "backward": "#d98a00", "optimizer": "#008764", "other": "#c5cad0"}


def still(board: Board, *, live: bool = False, key: str = "", tabs: Tabs | None = None) -> picture.Picture:
    """The newest state as a picture with its caption.

    Args:
        board: What to show.
        live: Whether more will come soon: then it is drawn in less time, and comes inside the HTML only.
        key: Marks the place for the moving view of that name (`curves.js`), which covers it.
        tabs: What else to keep, folded below the picture: graph, gradients, activations, memory, time.

    Returns:
        The same content as HTML (an image, and all numbers as text), as text, and as PNG.
    """
    state = board.state()
    png = draw(state, board.series, quick=live)
    below = _below(tabs) if tabs is not None else ""
    return picture.Picture(html=_html(state, png, key, below), text=state["said"], png=None if live else png)


def _html(state: dict[str, Any], png: bytes | None, key: str, below: str) -> str:
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
    if state["watching"]:
        lines.append(f'<div style="{_FAINT}">{escape(state["watching"])}</div>')
    if state["notice"]:
        lines.append(f"<div><strong>{escape(state['notice'])}</strong></div>")
    return "\n".join([*lines, below, "</section>"])


def _below(tabs: Tabs) -> str:
    """What the other tabs show, each folded: bounded in size however large the model is."""
    tabs.looks.gather(wait=True)
    titles = frontend.tab_titles()
    found = {
        "graph": tabs.graphs.still(),
        "gradients": _strips(panels.gradients(tabs.looks)),
        "activations": _strips(panels.activations(tabs.looks)),
        "memory": _memory(panels.memory(tabs.looks)),
        "time": _times(panels.times(tabs.board)),
    }
    return "\n".join(
        f'<details style="margin:4px 0"><summary style="cursor:pointer">{escape(titles[tab])}</summary>'
        f'<div style="overflow-x:auto;margin:4px 0 8px">{html}</div></details>'
        for tab, html in found.items()
        if html
    )


def _paragraphs(said: Sequence[str]) -> str:
    return "".join(f'<p style="margin:0 0 4px">{escape(one)}</p>' for one in said)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose cells are HTML already; the first of each row is its heading."""
    cell = "text-align:left;padding:1px 10px 1px 0;white-space:nowrap"
    top = "".join(f'<th scope="col" style="{cell}">{title}</th>' for title in head)
    body = "".join(
        f'<tr><th scope="row" style="{cell};font-weight:normal">{row[0]}</th>'
        + "".join(f'<td style="{cell}">{one}</td>' for one in row[1:])
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _strips(panel: dict[str, Any]) -> str:
    """The rows of gradients or activations: each strip as a small picture, each newest number as text."""
    if not panel["rows"]:
        return ""
    strips = {strip["key"]: strip for strip in panel["strips"]}
    columns = list(panel["rows"][0]["now"])
    head = [escape(panel["head"][column]) for column in ("name", *columns)]
    rows = []
    for row in panel["rows"]:
        cells = [f"<code>{escape(row['name'])}</code> <small>{escape(row['detail'])}</small>"]
        for column in columns:
            now = escape(row["now"][column])
            if column in strips:
                now = f"{_strip(row['values'][column], strips[column], panel['steps'])} {now}"
            cells.append(now)
        said = f"{row['sign']} {row['said']}".strip()
        cells.append(escape(said))
        rows.append(cells)
    return _paragraphs(panel["intro"]) + _table([*head, ""], rows)


def _strip(values: Sequence[int | None], strip: dict[str, Any], steps: Sequence[int]) -> str:
    """One row of a strip as an image: a pixel for each look."""
    pixels = np.array([[_colour(value, strip) for value in values]], np.uint8)
    alt = f"{strip['title']}: {steps[0]} – {steps[-1]}"
    wide = min(240, 8 * len(values))
    style = f"width:{wide}px;height:12px;image-rendering:pixelated;vertical-align:middle;border-radius:2px;margin:0"
    return picture.img(picture.png(pixels), alt=alt, style=style)


def _colour(value: int | None, strip: dict[str, Any]) -> tuple[int, ...]:
    if value is None:
        return _NOTHING
    if strip["scale"] != "share" and value == panels.BROKEN:
        return _BROKEN
    ramp = _RAMPS[strip["scale"]]
    share = min(0.9999, max(0.0, (value - strip["low"]) / (strip["high"] - strip["low"])))
    at = int(share * (len(ramp) - 1))
    part = share * (len(ramp) - 1) - at
    return tuple(round(a + (b - a) * part) for a, b in zip(ramp[at], ramp[at + 1], strict=True))


def _memory(panel: dict[str, Any]) -> str:
    if panel["peak"] is None:
        return ""
    titles = panel["titles"]
    rows = [
        [escape(part["name"]), _bar(part["share"], _PARTS[part["group"]]), escape(part["text"])]
        for part in panel["parts"]
    ]
    phases = " · ".join(f"{phase['title']}: {titles['peak']} {phase['text']}" for phase in panel["phases"])
    said = [panel["said"], *panel["intro"], *([phases] if phases else [])]
    return _paragraphs(said) + _table([escape(titles["part"]), "", escape(titles["bytes"])], rows)


def _times(panel: dict[str, Any]) -> str:
    if not panel["phases"]:
        return ""
    titles = panel["titles"]
    rows = [
        [
            escape(phase["title"]),
            _bar(phase["share"], _PHASES[phase["key"]]),
            escape(phase["share_text"]),
            escape(phase["text"]),
        ]
        for phase in panel["phases"]
    ]
    rows.append([escape(titles["all"]), "", "", escape(panel["total"])])
    head = [escape(titles["phase"]), "", escape(titles["share"]), escape(titles["time"])]
    return _paragraphs(panel["said"]) + _table(head, rows)


def _bar(share: float, colour: str) -> str:
    wide = max(1, round(200 * share))
    return f'<div style="width:{wide}px;height:10px;border-radius:2px;background:{colour}"></div>'
