"""An `Evaluation` to look at: tables and pictures as HTML, and the same in words for terminals and screen readers.

Colours are one blue from light to dark with the text black or white on it, both written out, so that they read alike
on a light page, on a dark one and without colour vision; each shaded cell holds its number.

Shapes: K classes.
"""

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from firstlight.locale import _
from firstlight.picture import Picture, img, in_columns, png

if TYPE_CHECKING:
    from firstlight.train.evaluate import ClassScore, Evaluation, Mistake

_MOST = 20  # classes that are shown in full; of more, those where something went wrong
_LIGHT, _DARK = (222, 235, 247), (8, 48, 107)  # Brewer's "Blues", first and last


def picture(evaluation: "Evaluation") -> Picture:
    """The report of an evaluation."""
    blocks = [_summary(evaluation), _class_table(evaluation)]
    blocks.append(_matrix(evaluation) if len(evaluation.classes) <= _MOST else _mix_ups(evaluation))
    if evaluation.mistakes:
        blocks.append(_mistakes(evaluation.mistakes))
    html = '<div class="firstlight-evaluation">' + "".join(block for block, _text in blocks) + "</div>"
    return Picture(html, "\n\n".join(text for _html, text in blocks))


def shade(share: float) -> tuple[str, str]:
    """Background and text colour for a share from 0.0 to 1.0.

    Example:
        >>> shade(0.0)
        ('#deebf7', '#000000')
        >>> shade(1.0)
        ('#08306b', '#ffffff')
    """
    mixed = [round(light + (dark - light) * share) for light, dark in zip(_LIGHT, _DARK, strict=True)]
    # WCAG relative luminance: black and white contrast equally at 0.179.
    linear = [(c / 255 / 12.92) if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in mixed]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    red, green, blue = mixed
    return f"#{red:02x}{green:02x}{blue:02x}", "#000000" if luminance > 0.179 else "#ffffff"


def _summary(evaluation: "Evaluation") -> tuple[str, str]:
    text = _(
        "Accuracy {accuracy}: {right} of {samples} samples are right. Loss {loss}.",
        accuracy=f"{evaluation.accuracy:.1%}",
        right=f"{int(evaluation.confusion.diagonal().sum()):,}",
        samples=f"{int(evaluation.confusion.sum()):,}",
        loss=f"{evaluation.loss:.4f}",
    )
    return f"<p><strong>{escape(text)}</strong></p>", text


def _class_table(evaluation: "Evaluation") -> tuple[str, str]:
    shown: Sequence[ClassScore] = evaluation.per_class
    title = _("Precision: how often the model is right when it names a class. Recall: how much of a class it finds.")
    if len(shown) > _MOST:
        title = _(
            "The {count} of {total} classes with the lowest F1 (all of them are in .per_class).",
            count=_MOST,
            total=len(shown),
        )
        shown = sorted(shown, key=lambda one: (math.isnan(one.f1), one.f1))[:_MOST]
    head = [_("Class"), _("Precision"), _("Recall"), "F1", _("Samples")]
    rows = [
        [one.name, _percent(one.precision), _percent(one.recall), _percent(one.f1), f"{one.support:,}"] for one in shown
    ]
    return _table(title, head, rows), _lines(title, head, rows)


def _matrix(evaluation: "Evaluation") -> tuple[str, str]:
    title = _("Confusion matrix: a row is the true class, a column what the model said; the diagonal is right.")
    counts: list[list[int]] = evaluation.confusion.tolist()
    names = evaluation.classes
    head = "".join(
        f'<th scope="col" style="writing-mode:vertical-rl;padding:4px 2px;text-align:left">{escape(name)}</th>'
        for name in names
    )
    body = "".join(
        f'<tr><th scope="row" style="text-align:right;padding:2px 6px">{escape(name)}</th>'
        + "".join(_cell(count, sum(row), column == index) for column, count in enumerate(row))
        + "</tr>"
        for index, (name, row) in enumerate(zip(names, counts, strict=True))
    )
    html = (
        f'<table style="border-collapse:collapse;margin:8px 0">{_caption(title)}'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
    # In text, columns go by number: names would make the lines too long for a terminal.
    rows = [
        [f"{k} {name}", *(str(count) for count in row)] for k, (name, row) in enumerate(zip(names, counts, strict=True))
    ]
    return html, _lines(title, ["", *(str(k) for k in range(len(names)))], rows)


def _cell(count: int, total: int, right: bool) -> str:
    background, ink = shade(count / total if total else 0.0)  # zero too: on a dark page light must not mean much
    style = f"text-align:center;min-width:30px;padding:2px 4px;background-color:{background};color:{ink};"
    if right:
        style += "font-weight:bold;border:2px solid #888888;"
    return f'<td style="{style}">{count}</td>'


def _mix_ups(evaluation: "Evaluation") -> tuple[str, str]:
    title = _("The most frequent confusions (the whole matrix is in .confusion).")
    confusion = evaluation.confusion.clone()
    confusion.fill_diagonal_(0)
    counts, places = confusion.flatten().topk(min(_MOST, confusion.numel()))
    names, size = evaluation.classes, len(evaluation.classes)
    rows = [
        [names[place // size], names[place % size], f"{count:,}"]
        for count, place in zip(counts.tolist(), places.tolist(), strict=True)
        if count
    ]
    head = [_("True class"), _("Predicted"), _("Samples")]
    return _table(title, head, rows, left=2), _lines(title, head, rows, left=2)


def _mistakes(mistakes: Sequence["Mistake"]) -> tuple[str, str]:
    title = _("The mistakes made with the most confidence.")
    head = [_("Sample"), _("True class"), _("Predicted"), _("Confidence")]
    rows = [[f"{one.index}", one.true, one.predicted, _percent(one.confidence)] for one in mistakes]
    text = _lines(title, head, rows, left=3)
    if all(one.picture is None for one in mistakes):
        return _table(title, head, rows, left=3), text
    return f"<p>{escape(title)}</p><div>{''.join(_figure(one) for one in mistakes)}</div>", text


def _figure(mistake: "Mistake") -> str:
    said = _(
        "{predicted} ({confidence}), is {true}",
        predicted=mistake.predicted,
        confidence=_percent(mistake.confidence),
        true=mistake.true,
    )
    drawn = ""
    if mistake.picture is not None:
        style = "width:96px;height:96px;object-fit:contain;image-rendering:pixelated"
        drawn = img(png(mistake.picture), alt=_("Sample {index}: {text}", index=mistake.index, text=said), style=style)
    return (
        '<figure style="display:inline-block;width:128px;margin:4px;vertical-align:top;text-align:center">'
        f'{drawn}<figcaption style="font-size:12px;line-height:1.3">{escape(said)}<br>'
        f"{escape(_('Sample {index}', index=mistake.index))}</figcaption></figure>"
    )


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{share:.1%}"


def _caption(title: str) -> str:
    return f'<caption style="caption-side:top;text-align:left;padding:4px 0">{escape(title)}</caption>'


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f'<{tag} style="text-align:{"left" if place < left else "right"};padding:2px 8px">{escape(value)}</{tag}>'
            for place, value in enumerate(row)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return (
        f'<table style="border-collapse:collapse;margin:8px 0">{_caption(title)}'
        f"<thead><tr>{cells(head, 'th')}</tr></thead><tbody>{body}</tbody></table>"
    )


def _lines(title: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    return f"{title}\n{in_columns([head, *rows], left=left)}"
