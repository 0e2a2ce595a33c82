"""What each tab shows, as plain JSON with its text in the learner's language. The drawing is done elsewhere.

Widget, saved notebook and terminal take the same from here, so they say the same. Numbers of strips are sent as whole
numbers: a thousand times the logarithm to the base 10 (`level`), or a share in thousandths. Shapes: L looks.
"""

import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from firstlight.locale import _
from firstlight.locale.units import size
from firstlight.view import words
from firstlight.view.looks import Looks, folded, newest_number, numbered

if TYPE_CHECKING:
    from firstlight.view.state import Board

MOST_ROWS = 60  # more layers than this are joined by module
MOST_PARTS = 12  # modules in the bars of memory; the others are one
ZERO, BROKEN = -99_999, 99_999  # levels of a number that is zero, and of one that is not finite
USUAL = 1e-3  # of the weight's size is a usual step
TOO_FAR, TOO_NEAR = 3e-2, 1e-6  # steps that make training jump, and that move nothing
VANISHING, EXPLODING = 1e-4, 1e3  # of the largest layer's gradient; of the layer's own usual one
PHASES = ("data", "forward", "backward", "optimizer")


def level(value: float | None) -> int | None:
    """A number on the scale of the strips.

    Example:
        >>> level(0.001), level(0.0), level(float("nan")), level(None)
        (-3000, -99999, 99999, None)
    """
    if value is None:
        return None
    if not math.isfinite(value):
        return BROKEN
    return round(1000 * math.log10(abs(value))) if value else ZERO


def gradients(looks: Looks) -> dict[str, Any]:
    """A row for each parameter: how large its gradient is, and how far a step moves it."""
    weights, sizes = looks.weights, looks.weights.sizes
    trained = dict(zip(weights.names, weights.trained, strict=False))
    rows: list[dict[str, Any]] = []
    steps = looks.gradients.steps
    groups = folded(weights.names, MOST_ROWS) if steps else []
    found = []
    for title, places in groups:
        names = [weights.names[at] for at in places]
        count = sum(sizes[name] for name in names)
        norms = [_joined([looks.gradients.rows.get(name, [None] * len(steps))[at] for name in names])
                 for at in range(len(steps))]  # fmt: skip
        per_element = [None if norm is None else norm / math.sqrt(max(1, count)) for norm in norms]
        updates = [_middle([looks.updates.rows.get(name, [None] * len(steps))[at] for name in names])
                   for at in range(len(steps))]  # fmt: skip
        found.append((title, places, names, count, per_element, updates))
    largest = max((row[4][-1] or 0.0 for row in found if _finite(row[4][-1])), default=0.0)
    for title, places, names, count, per_element, updates in found:
        detail = _("{count} numbers", count=words.count(count))
        if len(places) == 1 and weights.shapes[places[0]]:
            detail = " × ".join(map(str, weights.shapes[places[0]]))
        elif len(places) > 1:
            detail = _("{count} parameters", count=len(places))
        is_trained = any(trained.get(name, True) for name in names)
        sign, said = _verdict(per_element, updates, largest, is_trained=is_trained)
        rows.append(
            {
                "name": title,
                "detail": detail,
                "sign": sign,
                "said": said,
                "values": {"gradient": [level(v) for v in per_element], "update": [level(v) for v in updates]},
                "now": {"gradient": words.short(per_element[-1]), "update": words.short(updates[-1])},
            }
        )
    notable = [f"{row['name']}: {row['said']}" for row in rows if row["sign"]]
    return {
        "empty": "" if rows else nothing_yet(),
        "intro": [
            _(
                "Each row is a layer, each column a look at one step, the newest at the right. Gradient: how large the "
                "slope is for a typical number of the layer."
            ),
            _(
                "Update: how far one step moves the layer, compared with its size. About {usual} is usual; much more "
                "makes training jump, much less makes it stand still.",
                usual=USUAL,
            ),
        ],
        "notable": notable or ([_("No layer stands out.")] if rows else []),
        "head": {"name": _("layer"), "gradient": _("gradient"), "update": _("update"), "now": _("newest")},
        "steps": steps,
        "strips": [
            {"key": "gradient", "title": _("gradient"), "scale": "log",
             **_span([row["values"]["gradient"] for row in rows])},
            {"key": "update", "title": _("update"), "scale": "about", "low": -5000, "high": -1000,
             "ends": [words.short(1e-5), words.short(USUAL), words.short(1e-1)]},
        ],
        "rows": rows,
    }  # fmt: skip


def activations(looks: Looks) -> dict[str, Any]:
    """A row for each module: what comes out of it."""
    fact = looks.activations
    data = fact.data if fact is not None else {}
    names = numbered(data.get("names", []))
    kinds, steps = data.get("kinds") or [""] * len(names), looks.zeros.steps
    rows = []
    for title, places in folded(names, MOST_ROWS):
        zeros = [_mean([looks.zeros.rows.get(names[at], [None] * len(steps))[i] for at in places])
                 for i in range(len(steps))]  # fmt: skip
        mean, std, zero = (_mean([data[key][at] for at in places]) for key in ("mean", "std", "zero"))
        one = len(places) == 1
        sign, said = _state_of(mean, std, zero)
        rows.append(
            {
                "name": title or kinds[places[0]],  # a model that is one module has no path
                "detail": (kinds[places[0]] if title else "") if one else _("{count} modules", count=len(places)),
                "sign": sign,
                "said": said,
                "values": {"zero": [None if z is None or not math.isfinite(z) else round(1000 * z) for z in zeros]},
                "now": {
                    "mean": words.short(mean),
                    "std": words.short(std),
                    "zero": "–" if zero is None else words.share(zero),
                },
            }
        )
    notable = [f"{row['name']}: {row['said']}" for row in rows if row["sign"]]
    return {
        "empty": "" if rows else nothing_yet(),
        "intro": [
            _(
                "What came out of each module at step {step}, in the order in which they ran: its mean, its spread "
                "(standard deviation), and which share of it is exactly zero.",
                step=words.count(fact.step) if fact is not None else "–",
            ),
            _(
                "After ReLU about half zeros are usual. A module that gives zeros only passes nothing on; a spread "
                "that shrinks or grows from module to module makes deep networks hard to train."
            ),
        ],
        "notable": notable or ([_("No module stands out.")] if rows else []),
        "head": {"name": _("module"), "mean": _("mean"), "std": _("spread"), "zero": _("zeros"), "now": _("newest")},
        "steps": steps,
        "strips": [{"key": "zero", "title": _("zeros"), "scale": "share", "low": 0, "high": 1000,
                    "ends": [words.share(0), words.share(1)]}],
        "rows": rows,
    }  # fmt: skip


def memory(looks: Looks) -> dict[str, Any]:
    """Bars for what held memory, and the curve of one step."""
    fact = looks.memory
    if fact is None:
        return {"empty": nothing_yet(), "peak": None, "intro": [], "parts": [], "curve": [], "phases": []}
    data = fact.data
    peak = int(data.get("peak") or 0)
    held = dict(data.get("saved") or {})
    known = [
        ("parameters", _("parameters"), int(data.get("parameters") or 0)),
        ("gradients", _("gradients"), int(data.get("gradients") or 0)),
        ("state", _("state of the optimizer"), int(data.get("state") or 0)),
    ]
    parts: list[dict[str, Any]] = [
        {"key": key, "group": key, "name": name, "bytes": count} for key, name, count in known
    ]
    largest = sorted(held.items(), key=lambda item: -item[1])
    for name, count in largest[:MOST_PARTS]:
        parts.append({"key": f"saved {name}", "group": "saved", "name": name or _("the model"), "bytes": int(count)})
    if rest := sum(int(count) for _name, count in largest[MOST_PARTS:]):
        name = _("{count} further modules", count=len(largest) - MOST_PARTS)
        parts.append({"key": "rest", "group": "saved", "name": name, "bytes": rest})
    whole = max([part["bytes"] for part in parts] + [1])
    for part in parts:
        part["text"], part["share"] = size(part["bytes"]), round(part["bytes"] / whole, 4)
    phases = [
        {"key": key, "title": phase_title(key), "bytes": int(count), "text": size(count)}
        for key, count in (data.get("phases") or {}).items()
    ]
    saved = sum(int(count) for count in held.values())
    return {
        "empty": "",
        "step": fact.step,
        "peak": peak,
        "peak_text": size(peak),
        "said": _peak_in_words(peak, data.get("at") or {}, fact.step),
        "intro": [
            _(
                "Forward keeps what backward will need ({saved} here, by module below); backward gives it back and "
                "makes the gradients; the optimizer keeps a state of its own. More samples in a batch take more for "
                "backward, and nothing else.",
                saved=size(saved),
            )
        ],
        "titles": {
            "bars": _("What holds memory"), "saved": _("held for backward"), "curve": _("Memory through the step"),
            "part": _("part"), "bytes": _("memory"), "peak": _("peak"),
        },
        "parts": parts,
        "phases": phases,
        "curve": [[str(phase), int(count)] for phase, count in data.get("curve") or []],
        "phase_titles": {key: phase_title(key) for key in (*PHASES, "before", "after")},
    }  # fmt: skip


def times(board: "Board") -> dict[str, Any]:
    """How long each phase of a step takes."""
    found = []
    for phase in PHASES:
        series = board.series.get(f"time/{phase}")
        value = series.current() if series is not None else math.nan
        if math.isfinite(value):
            found.append((phase, max(0.0, value)))
    total = sum(value for _phase, value in found)
    step = board.series.get("step_s")
    if found and step is not None and math.isfinite(step.current()) and step.current() > 1.02 * total:
        found.append(("other", step.current() - total))
        total = step.current()
    phases: list[dict[str, Any]] = [
        {
            "key": key,
            "title": phase_title(key),
            "share": round(value / total, 4) if total else 0.0,
            "share_text": words.share(value / total if total else 0.0),
            "text": milliseconds(value),
        }
        for key, value in found
    ]
    said = []
    if phases and total:
        longest = max(phases, key=lambda phase: phase["share"])
        said.append(
            _("A step takes {time}, most of it for: {phase} ({share}).", time=milliseconds(total),
              phase=longest["title"], share=longest["share_text"])
        )  # fmt: skip
        if longest["key"] == "data":
            said.append(
                _(
                    "The model waits for its data. Prepare them once before the loop, or let a DataLoader work ahead "
                    "(num_workers); fl.load(...).batches(...) gives tensors that are ready."
                )
            )
    return {
        "empty": "" if phases else nothing_yet(),
        "said": said,
        "total": milliseconds(total),
        "titles": {"phase": _("phase"), "time": _("time per step"), "share": _("share"), "all": _("whole step")},
        "phases": phases,
    }


def milliseconds(seconds: float) -> str:
    """A short time.

    Example:
        >>> milliseconds(0.0123), milliseconds(2.5), milliseconds(0.00004)
        ('12 ms', '2.5 s', '0.04 ms')
    """
    if seconds >= 1:
        return f"{float(f'{seconds:.3g}'):g} s"
    return f"{float(f'{1000 * seconds:.2g}'):g} ms" if seconds < 0.1 else f"{1000 * seconds:.0f} ms"


def phase_title(phase: str) -> str:
    """What a phase of a step is called."""
    titles = {
        "data": _("data"), "forward": _("forward"), "backward": _("backward"), "optimizer": _("optimizer"),
        "other": _("the rest"), "before": _("before the step"), "after": _("after the step"),
    }  # fmt: skip
    return titles.get(phase, phase)


def sees_less(codes: Sequence[str]) -> list[str]:
    """A sentence for each reason why the looks see less than there is."""
    known = {
        "compile": _("Part of the model is compiled (torch.compile): its inside is not seen."),
        "capture": _("The step runs as one captured CUDA graph: its inside is not seen."),
        "quiet": _("Not every step is noted, so that watching costs little."),
    }
    return [known.get(code, _("Something is not seen: {code}.", code=code)) for code in codes]


def nothing_yet() -> str:
    """What a tab says before the first look."""
    return _("Nothing has been looked at yet. The first look comes with the first step, later ones ever more rarely.")


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _joined(norms: Sequence[float | None]) -> float | None:
    """The norm of several tensors taken as one."""
    known = [norm for norm in norms if norm is not None]
    return math.sqrt(sum(norm * norm for norm in known)) if known else None


def _middle(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _verdict(
    gradient: Sequence[float | None], update: Sequence[float | None], largest: float, *, is_trained: bool
) -> tuple[str, str]:
    """A sign and words for a layer that stands out; two empty texts for one that does not."""
    if not is_trained:
        return "", _("frozen: it is not trained")
    now, moved = gradient[-1], update[-1]
    if now is None:
        return "∅", _("no gradient reaches it")
    if not math.isfinite(now) or (moved is not None and not math.isfinite(moved)):
        return "✕", _("not finite: the numbers have overflowed")
    usual = median([v for v in gradient if v is not None and math.isfinite(v)] or [now])
    if usual and now > EXPLODING * usual:
        return "▲", _("exploding: {times} times its usual gradient", times=words.count(now / usual))
    if now == 0:
        return "▼", _("its gradient is exactly zero")
    if largest and now < VANISHING * largest:
        return "▼", _("vanishing: its gradient is {times} times smaller than the largest",
                      times=words.count(largest / now))  # fmt: skip
    if moved is not None and moved > TOO_FAR:
        return "▲", _("large steps: each moves it by {share} of its size", share=words.share(moved))
    if moved is not None and moved < TOO_NEAR:
        return "▼", _("steps so small that it hardly moves")
    return "", ""


def _state_of(mean: float | None, std: float | None, zero: float | None) -> tuple[str, str]:
    if any(value is not None and not math.isfinite(value) for value in (mean, std)):
        return "✕", _("not finite: the numbers have overflowed")
    if zero is not None and zero >= 0.999:
        return "∅", _("nothing but zeros: it passes nothing on")
    if zero is not None and zero >= 0.95:
        return "▼", _("almost only zeros ({share})", share=words.share(zero))
    if std == 0:
        return "▼", _("the same number everywhere")
    return "", ""


def _span(rows: Sequence[Sequence[int | None]]) -> dict[str, Any]:
    """The ends of a logarithmic scale on which most of the values lie."""
    known = sorted(v for row in rows for v in row if v is not None and v not in (ZERO, BROKEN))
    if not known:
        return {"low": -6000, "high": 0, "ends": [words.short(1e-6), words.short(1.0)]}
    low, high = known[len(known) // 50], known[-1 - len(known) // 200]
    if high - low < 1000:
        middle = (low + high) // 2
        low, high = middle - 500, middle + 500
    return {"low": low, "high": high, "ends": [words.short(10 ** (low / 1000)), words.short(10 ** (high / 1000))]}


def _peak_in_words(peak: int, at: dict[str, Any], step: int) -> str:
    said = {"size": size(peak), "step": words.count(step), "phase": phase_title(str(at.get("phase") or ""))}
    place = [str(at.get(key)) for key in ("module", "operation") if at.get(key)]
    if place and said["phase"]:
        return _("At step {step} most was held in {phase}, at {place}: {size}.", place=" · ".join(place), **said)
    if said["phase"]:
        return _("At step {step} most was held in {phase}: {size}.", **said)
    return _("At step {step} at most {size} was held.", step=said["step"], size=said["size"])


def summary(looks: Looks, board: "Board") -> str:
    """One line on what the looks found, for a terminal; empty where they found nothing."""
    parts = []
    if looks.graphs:
        newest = looks.graphs[-1]
        changed = [look for look in looks.graphs if look.changes]
        parts.append(_("graph: {count} operations", count=words.count(newest.operations)))
        if len(changed) > 1 or (changed and changed[-1].step > 1):
            parts[-1] += _(", changed at step {step}", step=words.count(changed[-1].step))
    if looks.memory is not None:
        parts.append(_("memory: {size} at most", size=size(looks.memory.data.get("peak") or 0)))
    if phases := times(board)["phases"]:
        parts.append(" ".join(f"{phase['title']} {phase['share_text']}" for phase in phases if phase["share"] >= 0.005))
    notable = gradients(looks)["notable"] if looks.gradients.steps else []
    if any(newest_number(row) is None or not _finite(newest_number(row)) for row in looks.gradients.rows.values()):
        parts.append(notable[0])
    return " · ".join(parts)
