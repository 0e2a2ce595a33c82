"""`Proof`: what came of running steps again on copies, as written and as mended, in words, as a picture and as JSON."""

import html
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from firstlight.doctor.rule import Finding, newest
from firstlight.locale import _
from firstlight.run import Run

_LONG = 40  # steps, as many as the experiments that such alarms rest on: fewer say nothing against them
MEASURED = ("D04", "D05", "L14", "L15", "M32")
"""Faults that are found by measures: an alarm about one whose mending makes no difference becomes a question."""

_WIDTH, _HEIGHT = 360, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 26, 24
_WRITTEN, _MENDED = "#d98a00", "#2f8fd0"  # after Okabe and Ito 2008; read on white and on black


@dataclass(frozen=True)
class Proof:
    """What came of one replay.

    Attributes:
        code: Of the rule whose finding it is about.
        real: Whether the mended program did better every time, by more than chance gives. Curves are shown only then.
        reproduced: Steps that gave the filmed losses again, to the last bit.
        seeds: How often both were run, each time with other batches and a little noise on the first weights.
        steps: The steps at which the samples held aside were judged.
        written: Their loss as written, for each of `steps`: the mean of all times, the lowest, the highest.
        mended: The same as mended.
        rows: Samples held aside.
        seconds: What it took.
    """

    code: str
    real: bool
    reproduced: int
    seeds: int
    steps: tuple[int, ...]
    written: tuple[tuple[float, float, float], ...]
    mended: tuple[tuple[float, float, float], ...]
    rows: int
    seconds: float

    def sentence(self) -> str:
        """What was done and what it showed, in the learner's language."""
        if not self.real:
            return _(
                "Tried on copies, {seeds} times: over {steps} steps the mended program did no better than yours on "
                "samples held aside. So few steps do not show the difference.",
                steps=self.steps[-1],
                seeds=self.seeds,
            )
        return _(
            "Tried on copies, {seeds} times: after {steps} steps the loss of samples held aside is {written} as "
            "written, and {mended} as mended. The replay gave your first {reproduced} losses again, to the last bit.",
            seeds=self.seeds,
            steps=self.steps[-1],
            written=_number(self.written[-1][0]),
            mended=_number(self.mended[-1][0]),
            reproduced=self.reproduced,
        )

    def picture(self) -> str:
        """Both curves as SVG, empty where the difference is not real. Its words say all that is drawn."""
        if not self.real:
            return ""
        shown = [one for one in (*self.written, *self.mended) if math.isfinite(one[0])]
        if len(shown) < 2:
            return ""
        top = max(one[0] for one in shown)
        low = min(min(one[1] for one in shown), 0.0 if min(one[1] for one in shown) >= 0 else math.inf)
        high = min(max(one[2] for one in shown if math.isfinite(one[2])), top + (top - low))
        high = high if high > low else low + 1.0
        words = html.escape(self.sentence())
        grey = 'stroke="currentColor" stroke-opacity="0.35"'
        bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
            f'height="{_HEIGHT}" style="max-width:100%;height:auto;color:inherit" role="img" aria-label="{words}" '
            f'font-family="system-ui,sans-serif" font-size="11"><title>{words}</title>',
            f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" {grey}/>',
        ]
        for value in (low, high):
            y = self._y(value, low, high)
            parts.append(_text(_LEFT - 5, y + 4, _number(value), "end"))
        parts.append(_text(_LEFT, _HEIGHT - 8, "0", "middle"))
        parts.append(_text(right, _HEIGHT - 8, _("step {step}", step=self.steps[-1]), "end"))
        for row, (curve, colour, dash, name) in enumerate(
            (
                (self.written, _WRITTEN, "5 3", _("as written")),
                (self.mended, _MENDED, "none", _("as mended")),
            )
        ):
            parts += self._curve(curve, colour, dash, low, high)
            x = _LEFT + 6 + row * (right - _LEFT) // 2
            parts.append(
                f'<path d="M{x} 12h22" fill="none" stroke="{colour}" stroke-width="2.5" stroke-dasharray="{dash}"/>'
            )
            parts.append(_text(x + 28, 16, name, "start"))
        return "".join([*parts, "</svg>"])

    def _curve(
        self, curve: Sequence[tuple[float, float, float]], colour: str, dash: str, low: float, high: float
    ) -> list[str]:
        rows = [(self._x(step), one) for step, one in zip(self.steps, curve, strict=True) if math.isfinite(one[0])]
        if not rows:
            return []
        upper = [f"{x:.1f},{self._y(one[2], low, high):.1f}" for x, one in rows]
        lower = [f"{x:.1f},{self._y(one[1], low, high):.1f}" for x, one in reversed(rows)]
        middle = " ".join(f"{x:.1f},{self._y(one[0], low, high):.1f}" for x, one in rows)
        return [
            f'<polygon points="{" ".join([*upper, *lower])}" fill="{colour}" fill-opacity="0.18" stroke="none"/>',
            f'<polyline points="{middle}" fill="none" stroke="{colour}" stroke-width="2.5" stroke-dasharray="{dash}"/>',
        ]

    def _x(self, step: int) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * step / max(self.steps[-1], 1)

    @staticmethod
    def _y(value: float, low: float, high: float) -> float:
        value = min(max(value, low), high) if not math.isnan(value) else high
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (value - low) / (high - low)

    def as_json(self) -> dict[str, Any]:
        """All of it; what is no finite number is None."""
        data = asdict(self)
        for name in ("written", "mended"):
            data[name] = [[value if math.isfinite(value) else None for value in one] for one in data[name]]
        return {**data, "steps": list(self.steps), "sentence": self.sentence()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Proof":
        """What `as_json` gave."""
        kept: dict[str, Any] = {name: data[name] for name in ("code", "real", "reproduced", "seeds", "rows", "seconds")}
        for name in ("written", "mended"):
            kept[name] = tuple(tuple(math.inf if value is None else value for value in one) for one in data[name])
        return cls(**kept, steps=tuple(data["steps"]))


def with_proofs(findings: Sequence[Finding], run: Run) -> tuple[Finding, ...]:
    """The findings with the proofs that the record holds.

    An alarm that rests on measures becomes a question where mending made no difference.
    """
    rows = (newest(run, "proof") or {}).get("proofs", [])
    known = {(row["code"], row["file"], row["line"]): row["proof"] for row in rows}
    changed = []
    for finding in findings:
        place = finding.place
        row = known.get((finding.code, place.file if place else None, place.line if place else None))
        if row is not None:
            proof = Proof.from_json(row)
            long = proof.steps[-1] >= _LONG
            soft = long and not proof.real and finding.speaks == "alarm" and finding.code in MEASURED
            finding = replace(finding, proof=proof, voice="question" if soft else finding.voice)
        changed.append(finding)
    return tuple(changed)


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "nan"


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor">{html.escape(words)}</text>'
