"""How the lessons speak: a short note below the cell, the same in a notebook, a terminal and a screen reader."""

import re
from collections.abc import Sequence
from html import escape

from firstlight.picture import Picture, in_columns

# Kind -> sign and colour of the bar. The sign carries the meaning too, so colour is never the only difference. The text
# keeps the page's own colour, light or dark.
_KINDS = {"yes": ("✓", "#0a8a5f"), "no": ("✗", "#d2691e"), "todo": ("✎", "#2f7fd6"), "info": ("›", "#7a7f87")}


def note(kind: str, *lines: str) -> Picture:
    """Sentences beside a coloured bar.

    Args:
        kind: `yes`, `no`, `todo` or `info`.
        lines: One paragraph each, already in the learner's language.

    Example:
        >>> note("yes", "Right.")
        ✓ Right.
    """
    sign, colour = _KINDS[kind]
    body = "".join(f'<p style="margin:.15em 0">{_code(escape(line))}</p>' for line in lines)
    html = (
        f'<div role="status" style="border-left:4px solid {colour};padding:.3em .8em;margin:.3em '
        f'0;display:flex;gap:.6em">'
        f'<span aria-hidden="true" style="color:{colour};font-weight:bold">{sign}</span><div>{body}</div></div>'
    )
    return Picture(html=html, text=f"{sign} " + "\n  ".join(lines))


def _code(line: str) -> str:
    """What stands between backticks in a sentence, as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", line)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, before: str = "", after: str = "") -> Picture:
    """A small table with a sentence before and after it; the first column reads left, the others right.

    Example:
        >>> table(("layer", "size"), [("Linear", "850")], after="That is all.")
        layer   size
        Linear   850
        That is all.
    """
    text = "\n".join(part for part in (before, in_columns([heads, *rows], left=1), after) if part)
    align = ["left", *["right"] * (len(heads) - 1)]
    head = "".join(
        f'<th scope="col" style="text-align:{a};padding:.2em .8em">{escape(c)}</th>'
        for c, a in zip(heads, align, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align:{a};padding:.2em .8em">{escape(c)}</td>' for c, a in zip(row, align, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    html = (
        (f"<p>{escape(before)}</p>" if before else "")
        + f'<table style="font-variant-numeric:tabular-nums;margin:.3em 0"><thead><tr>{head}</tr></thead>'
        + f"<tbody>{body}</tbody></table>"
        + (f"<p>{escape(after)}</p>" if after else "")
    )
    return Picture(html=html, text=text)
