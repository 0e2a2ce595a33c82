"""The curves as a picture, drawn with Pillow alone: what a saved notebook keeps. Shapes: P points.

The picture has its own light background, so it reads in dark mode too. Its text is ASCII (metric names and numbers);
the caption beside it is in the learner's language.
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firstlight.view.series import Series, smooth

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

# Okabe and Ito 2008: told apart by colour-blind eyes, and by lightness in print. `curves.js` uses the same.
COLOURS = {"train": (0, 114, 178), "val": (0, 135, 100), "test": (208, 84, 0)}
INK = (33, 37, 41)
FAINT_INK = (108, 117, 125)
GRID = (233, 236, 239)
AXIS = (173, 181, 189)
PAPER = (255, 255, 255)
CARD = (222, 226, 230)

CHART_WIDTH, CHART_HEIGHT = 380, 232
LEFT, RIGHT, TOP, BOTTOM = 48, 14, 34, 28
FINE = 3  # drawn three times as large and shrunk: Pillow's own lines have hard edges


@dataclass(frozen=True)
class Axis:
    """One axis: the values at its ends and at its marks.

    Shape:
        marks: at most seven values, all between low and high
    """

    low: float
    high: float
    marks: tuple[float, ...]


def axis(low: float, high: float, *, about: int = 4) -> Axis:
    """Round ends and marks for values from `low` to `high`.

    Example:
        >>> axis(0.13, 0.92).marks
        (0.2, 0.4, 0.6, 0.8)
    """
    if not high > low:
        middle = abs(low) or 1.0
        low, high = low - middle / 2, high + middle / 2
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return Axis(low, high, tuple(round(i * step, 12) for i in range(first, last + 1)))


def value_range(series: Sequence[Series], *, is_share: bool) -> tuple[float, float]:
    """Lowest and highest value worth drawing: the trend whole, and most of the noise.

    One wild first loss must not press the rest of the curve flat, so single points may leave the chart.

    Shape:
        series: any number, empty ones included
    """
    values: list[float] = []
    for one in series:
        trend = smooth(one.mean)
        values += trend[len(trend) // 20 :] if len(trend) > 40 else trend
        ordered = sorted(one.mean)
        if ordered:
            edge = len(ordered) // 25
            values += [ordered[edge], ordered[-1 - edge]]
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    margin = (high - low) * 0.06 or abs(high) * 0.1 or 0.5
    low, high = low - margin, high + margin
    if is_share:
        return max(0.0, low), min(1.0, high)
    return (max(0.0, low) if min(values) >= 0 else low), high


def draw(state: dict[str, Any], series: dict[str, Series]) -> bytes | None:
    """The charts of one state as a PNG, or None where there is nothing to draw yet.

    Args:
        state: What `Board.state` returned.
        series: The points, by metric.
    """
    charts = [chart for chart in state["charts"] if any(len(series[curve["key"]]) for curve in chart["curves"])]
    if not charts:
        return None
    from PIL import Image, ImageDraw

    columns = min(2, len(charts))
    rows = math.ceil(len(charts) / columns)
    width, height = columns * CHART_WIDTH, rows * CHART_HEIGHT
    image = Image.new("RGB", (width * FINE, height * FINE), PAPER)
    pen = ImageDraw.Draw(image, "RGBA")
    for i, chart in enumerate(charts):
        _chart(pen, chart, series, i % columns * CHART_WIDTH, i // columns * CHART_HEIGHT)
    # Twice the size on the page: sharp on screens with fine pixels too.
    image = image.resize((width * 2, height * 2), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.quantize(128, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _chart(pen: "ImageDraw", chart: dict[str, Any], series: dict[str, Series], x0: int, y0: int) -> None:
    drawn = [(curve, series[curve["key"]]) for curve in chart["curves"] if len(series[curve["key"]])]
    is_share = chart["unit"] == "share"
    low, high = value_range([one for _, one in drawn], is_share=is_share)
    vertical = axis(low, high)
    horizontal = axis(0, max(1, max(one.x[-1] for _, one in drawn)))
    left, right = x0 + LEFT, x0 + CHART_WIDTH - RIGHT
    top, bottom = y0 + TOP, y0 + CHART_HEIGHT - BOTTOM

    def at(step: float, value: float) -> tuple[float, float]:
        x = left + (right - left) * (step - horizontal.low) / (horizontal.high - horizontal.low)
        y = bottom - (bottom - top) * (value - vertical.low) / (vertical.high - vertical.low)
        return x * FINE, min(max(y, top - 1), bottom + 1) * FINE

    small, bold = _font(11), _font(13)
    for value in vertical.marks:
        y = at(0, value)[1]
        pen.line([(left * FINE, y), (right * FINE, y)], fill=GRID, width=FINE)
        text = f"{value:.0%}" if is_share else f"{value:g}"
        pen.text(((left - 7) * FINE, y), text, fill=FAINT_INK, font=small, anchor="rm")
    pen.line([(left * FINE, bottom * FINE), (right * FINE, bottom * FINE)], fill=AXIS, width=FINE)
    for value in horizontal.marks:
        if value == int(value):
            x = at(value, vertical.low)[0]
            pen.line([(x, bottom * FINE), (x, (bottom + 3) * FINE)], fill=AXIS, width=FINE)
            anchor = "rt" if x > (right - 12) * FINE else "mt"
            pen.text((x, (bottom + 7) * FINE), _steps(value), fill=FAINT_INK, font=small, anchor=anchor)

    for curve, one in drawn:
        colour = COLOURS[curve["split"]]
        if len(one) >= 20:
            band = [at(x, v) for x, v in zip(one.x, one.high, strict=True)]
            band += [at(x, v) for x, v in zip(reversed(one.x), reversed(one.low), strict=True)]
            if one.per_bucket > 1:
                pen.polygon(band, fill=(*colour, 34))
            raw = [at(x, v) for x, v in zip(one.x, one.mean, strict=True)]
            pen.line(raw, fill=(*colour, 64), width=FINE, joint="curve")
        line = [at(x, v) for x, v in zip(one.x, smooth(one.mean), strict=True)]
        if len(line) > 1:
            pen.line(line, fill=colour, width=2 * FINE, joint="curve")
        if len(one) < 20:  # few points, such as one for each epoch: each is marked
            for x, y in line:
                r = 3 * FINE
                pen.ellipse([x - r, y - r, x + r, y + r], fill=colour, outline=PAPER, width=FINE)

    pen.text((left * FINE, (y0 + 17) * FINE), _ascii(chart["key"]), fill=INK, font=bold, anchor="lm")
    x = float(right * FINE)
    for curve, one in reversed(drawn):
        text = f"{_ascii(curve['split'])} {curve['value']}"
        pen.text((x, (y0 + 17) * FINE), text, fill=INK, font=small, anchor="rm")
        x -= pen.textlength(text, font=small) + 6 * FINE
        colour = COLOURS[curve["split"]]
        y = (y0 + 17) * FINE
        pen.line([(x - 14 * FINE, y), (x, y)], fill=colour, width=2 * FINE)
        if len(one) < 20:
            r = 3 * FINE
            pen.ellipse([x - 7 * FINE - r, y - r, x - 7 * FINE + r, y + r], fill=colour)
        x -= 28 * FINE


def _steps(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 1e4 else f"{value:g}"


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()


def _font(size: int) -> "FreeTypeFont | ImageFont":
    from PIL import ImageFont

    return ImageFont.load_default(size * FINE)
