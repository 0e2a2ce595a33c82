"""The curves as a picture, drawn with Pillow alone: what a saved notebook keeps. Shapes: P points.

The picture has its own light background, so it reads in dark mode too. Its text is ASCII (metric names and numbers);
the caption beside it is in the learner's language.
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from firstlight.view.series import FEW, Series, smooth

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
SHARP = 2  # pixels of the picture for each on the page: sharp on fine screens too


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


def draw(state: dict[str, Any], series: dict[str, Series], *, quick: bool = False) -> bytes | None:
    """The charts of one state as a PNG, or None where there is nothing to draw yet.

    Args:
        state: What `Board.state` returned.
        series: The points, by metric.
        quick: With harder edges, in a fifth of the time, for pictures that are soon replaced.
    """
    charts = [chart for chart in state["charts"] if any(len(series[curve["key"]]) for curve in chart["curves"])]
    if not charts:
        return None
    from PIL import Image, ImageDraw

    columns = min(2, len(charts))
    rows = math.ceil(len(charts) / columns)
    width, height = columns * CHART_WIDTH, rows * CHART_HEIGHT
    fine = SHARP if quick else 2 * SHARP  # drawn twice as large and shrunk: Pillow's own lines have hard edges
    image = Image.new("RGB", (width * fine, height * fine), PAPER)
    pen = ImageDraw.Draw(image, "RGBA")
    for i, chart in enumerate(charts):
        _chart(pen, chart, series, (i % columns * CHART_WIDTH, i // columns * CHART_HEIGHT), fine)
    if not quick:
        image = image.reduce(2)
    buffer = io.BytesIO()
    image.quantize(64, dither=Image.Dither.NONE).save(buffer, "PNG")
    return buffer.getvalue()


def _chart(
    pen: "ImageDraw", chart: dict[str, Any], series: dict[str, Series], corner: tuple[int, int], fine: int
) -> None:
    x0, y0 = corner
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
        return x * fine, min(max(y, top - 1), bottom + 1) * fine

    small, bold = _font(11 * fine), _font(13 * fine)
    for value in vertical.marks:
        y = at(0, value)[1]
        pen.line([(left * fine, y), (right * fine, y)], fill=GRID, width=fine)
        text = f"{value:.0%}" if is_share else f"{value:g}"
        pen.text(((left - 7) * fine, y), text, fill=FAINT_INK, font=small, anchor="rm")
    pen.line([(left * fine, bottom * fine), (right * fine, bottom * fine)], fill=AXIS, width=fine)
    for value in horizontal.marks:
        if value == int(value):
            x = at(value, vertical.low)[0]
            pen.line([(x, bottom * fine), (x, (bottom + 3) * fine)], fill=AXIS, width=fine)
            anchor = "rt" if x > (right - 12) * fine else "mt"
            pen.text((x, (bottom + 7) * fine), _steps(value), fill=FAINT_INK, font=small, anchor=anchor)

    for curve, one in drawn:
        colour = COLOURS[curve["split"]]
        if len(one) >= FEW:
            band = [at(x, v) for x, v in zip(one.x, one.high, strict=True)]
            band += [at(x, v) for x, v in zip(reversed(one.x), reversed(one.low), strict=True)]
            if one.per_bucket > 1:
                pen.polygon(band, fill=(*colour, 34))
            raw = [at(x, v) for x, v in zip(one.x, one.mean, strict=True)]
            pen.line(raw, fill=(*colour, 64), width=fine, joint="curve")
        line = [at(x, v) for x, v in zip(one.x, smooth(one.mean), strict=True)]
        if len(line) > 1:
            pen.line(line, fill=colour, width=2 * fine, joint="curve")
        if len(one) < FEW:  # few points, such as one for each epoch: each is marked
            for x, y in line:
                r = 3 * fine
                pen.ellipse([x - r, y - r, x + r, y + r], fill=colour, outline=PAPER, width=fine)

    pen.text((left * fine, (y0 + 17) * fine), _ascii(chart["key"]), fill=INK, font=bold, anchor="lm")
    x = float(right * fine)
    for curve, one in reversed(drawn):
        text = f"{_ascii(curve['split'])} {curve['value']}"
        pen.text((x, (y0 + 17) * fine), text, fill=INK, font=small, anchor="rm")
        x -= pen.textlength(text, font=small) + 6 * fine
        colour = COLOURS[curve["split"]]
        y = (y0 + 17) * fine
        pen.line([(x - 14 * fine, y), (x, y)], fill=colour, width=2 * fine)
        if len(one) < FEW:
            r = 3 * fine
            pen.ellipse([x - 7 * fine - r, y - r, x - 7 * fine + r, y + r], fill=colour)
        x -= 28 * fine


def _steps(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 1e4 else f"{value:g}"


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()


def _font(size: int) -> "FreeTypeFont | ImageFont":
    from PIL import ImageFont

    return ImageFont.load_default(size)
