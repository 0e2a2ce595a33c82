"""What the cells of the lessons say about the learner's own measurements of time.

No sentence here knows in advance what is faster: each looks at the numbers, and says so where something did not help.
"""

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import pairwise
from statistics import fmean, median, quantiles
from typing import Any

from firstlight.lessons.notes import note, table
from firstlight.locale import _
from firstlight.picture import Picture, in_columns

NOTICEABLE = 1.05  # ratios between this and its inverse are within what a second measurement may change
_BAR = 24  # characters for the longest bar, where it is drawn as text
_COLOURS = {"lenet": "#2f7fd6", "cnn": "#d2691e"}


Times = Sequence[float]  # seconds for each step; the first two do not count


def _counted(times: Times) -> Times:
    return times[2:] or times


def _rate(times: Times, size: int) -> float:
    """Samples per second, of batches of this size."""
    return size / median(_counted(times))


def _unsteady(times: Times) -> bool:
    """Whether the middle half of the steps is far apart."""
    if len(_counted(times)) < 4:
        return False
    low, _middle, high = quantiles(_counted(times), n=4)
    return high > 1.5 * low


def _step_times(times: Times) -> Picture:
    counted = _counted(times)
    middle = median(counted)
    lines = [
        _(
            "Median of {count} steps: {ms:.1f} ms for a step.",
            count=len(counted),
            ms=1000 * middle,
        )
    ]
    if len(counted) >= 4:
        low, _middle, high = quantiles(counted, n=4)
        lines.append(_("Half of the steps took between {low:.1f} and {high:.1f} ms.", low=1000 * low, high=1000 * high))
        if _unsteady(times):
            lines.append(
                _(
                    "That is far apart: something else is busy on this computer. "
                    "Close other programs and run the cell again."
                )
            )
    return note("info", *lines)


def _waiting(whole: Times, data: Times) -> Picture:
    step_s, data_s = median(_counted(whole)), median(_counted(data))
    share = min(data_s / step_s, 1.0)
    line = _(
        "A step takes {whole:.1f} ms. To fetch its batch alone takes {data:.1f} ms, {share:.0%} of it.",
        whole=1000 * step_s,
        data=1000 * data_s,
        share=share,
    )
    if share >= 0.5:
        return note("info", line, _("The model spends most of the time waiting for its data."))
    if share >= 0.1:
        return note("info", line, _("All that time the model waits for its data."))
    return note("info", line, _("Nearly all of the time goes into the model. It hardly waits for its data."))


def _rates(size: int, measured: Mapping[str, Mapping[str, Times]], new: str = "", old: str = "") -> Picture:
    drawn = _bars({net: {name: _rate(times, size) for name, times in of.items()} for net, of in measured.items()})
    found = [of for of in measured.values() if new in of and old in of]
    if not found:
        return drawn
    lines = _verdict(_label(new), _label(old), _rate(found[0][new], size) / _rate(found[0][old], size))
    for name in (old, new):
        if _unsteady(found[0][name]):
            lines.append(
                _(
                    "The steps took unequal times while “{name}” was measured. "
                    "Measure it again before you trust this comparison.",
                    name=_label(name),
                )
            )
    said = note(*lines)
    return Picture(html=drawn.html + said.html, text=f"{drawn.text}\n{said.text}")


def _verdict(new: str, old: str, ratio: float) -> list[str]:
    """The kind of note, and its sentences."""
    values = {"new": new, "old": old, "times": ratio, "share": ratio - 1, "less": 1 - ratio}
    if ratio >= 1.95:
        return ["yes", _("{new}: {times:.1f} times as many samples per second as with “{old}”.", **values)]
    if ratio >= NOTICEABLE:
        return ["yes", _("{new}: {share:.0%} more samples per second than with “{old}”.", **values)]
    if ratio > 1 / NOTICEABLE:
        return ["info", _("{new}: as fast as “{old}”. On this computer it makes no difference.", **values)]
    return [
        "info",
        _("{new}: {less:.0%} fewer samples per second than with “{old}”.", **values),
        _("On this computer it does not help. Leave it out here; elsewhere it may be different."),
    ]


def _bars(rates: Mapping[str, Mapping[str, float]]) -> Picture:
    """A bar for each measurement; a bar's length is comparable within its net only, as nets do different work."""
    heads = (_("samples per second"), _("times the first"))
    html, text = [], []
    for net, measured in rates.items():
        if not measured:
            continue
        top, first = max(measured.values()), next(iter(measured.values()))
        colour = _COLOURS.get(net, "#7a7f87")
        title = _net(net)
        rows = []
        lines = []
        for name, value in measured.items():
            share = value / top
            label, shown, times = _label(name), f"{value:,.0f}", f"{value / first:.1f} ×"
            lines.append((label, shown, times, "█" * max(1, round(_BAR * share))))
            look = f"background:{colour};height:.8em;border-radius:2px;width:{max(1.0, 100 * share):.1f}%"
            rows.append(
                f'<tr><td style="text-align:left;padding:.15em .8em">{escape(label)}</td>'
                f'<td style="text-align:right;padding:.15em .8em">{shown}</td>'
                f'<td style="text-align:right;padding:.15em .8em">{times}</td>'
                f'<td aria-hidden="true" style="width:18em;padding:.15em .8em"><div style="{look}"></div></td></tr>'
            )
        head = "".join(
            f'<th scope="col" style="text-align:{side};padding:.15em .8em">{escape(cell)}</th>'
            for side, cell in zip(("left", "right", "right"), (title, *heads), strict=True)
        )
        html.append(
            '<table style="font-variant-numeric:tabular-nums;margin:.3em 0">'
            f"<thead><tr>{head}<th></th></tr></thead><tbody>{''.join(rows)}</tbody></table>"
        )
        columns = in_columns([(title, *heads, ""), *lines], left=1).splitlines()
        text += columns
    return Picture(html="".join(html), text="\n".join(text))


def _net(name: str) -> str:
    known = {
        "lenet": "LeNet",
        "cnn": _("larger net"),
        "trees": _("trees"),
        "texts": _("texts"),
        "long_text": _("one long text"),
    }
    return known.get(name, name)


def _label(name: str) -> str:
    """What a measurement of the lesson is called; a name of the learner's own stays as it is."""
    known: dict[str, Callable[[], str]] = {
        "loader": lambda: _("one picture at a time"),
        "batches": lambda: _("whole batches"),
        "threads": lambda: _("best number of threads"),
        "plain": lambda: _("usual layout"),
        "channels_last": lambda: "channels last",
        "bfloat16": lambda: "bfloat16",
        "one_by_one": lambda: _("one by one"),
        "by_depth": lambda: _("by depth"),
        "padded": lambda: _("padded"),
        "jagged": lambda: _("jagged"),
    }
    return known[name]() if name in known else name


def _sizes(sizes: Mapping[int, Mapping[str, float]]) -> Picture:
    rows = [
        (f"{size:,}", f"{found['steps']:,}", f"{found['rate']:,.0f}", f"{found['loss']:.3f}")
        for size, found in sizes.items()
    ]
    heads = (
        _("batch size"),
        _("steps in an epoch"),
        _("samples per second"),
        _("loss on the test split after one epoch"),
    )
    fastest = max(sizes, key=lambda size: sizes[size]["rate"])
    lowest = min(sizes, key=lambda size: sizes[size]["loss"])
    if fastest == lowest:
        after = _("Most samples per second and the lowest loss: both with batches of {size}.", size=fastest)
    else:
        after = _(
            "Most samples per second: with batches of {fastest}. Lowest loss after an epoch: with batches of {lowest}.",
            fastest=fastest,
            lowest=lowest,
        )
    return table(heads, rows, after=after)


def _threads(size: int, alone: Mapping[int, Times], beside: Mapping[int, Times] | None = None) -> Picture:
    quiet = {count: _rate(times, size) for count, times in alone.items()}
    busy = None if beside is None else {count: _rate(times, size) for count, times in beside.items()}
    heads = [_("threads"), _("samples per second")]
    if busy is not None:
        heads.append(_("beside a busy neighbour"))
    rows = [
        (str(count), f"{rate:,.0f}", *(() if busy is None else (f"{busy[count]:,.0f}",)))
        for count, rate in quiet.items()
    ]
    best = max(quiet, key=lambda count: quiet[count])
    if busy is None:
        return table(heads, rows, after=_("Best number of threads here: {count}.", count=best))
    kept = busy[best] / quiet[best]
    calm = max(busy, key=lambda count: busy[count])
    if busy[calm] >= NOTICEABLE * busy[best]:
        after = _(
            "Best number of threads beside the neighbour: {calm}. "
            "That is {times:.1f} times as fast as {best}, the best number alone.",
            calm=calm,
            best=best,
            times=busy[calm] / busy[best],
        )
    elif kept < 1 / NOTICEABLE:
        after = _(
            "The best number of threads stays {best}. Beside the neighbour, {kept:.0%} of the speed is left.",
            best=best,
            kept=kept,
        )
    else:
        after = _("The neighbour costs nothing here: there are cores enough.")
    return table(heads, rows, after=after)


def _bits(numbers: Any) -> Picture:
    rows = []
    for number in numbers.float().tolist():
        kept = float(numbers.new_tensor(number).bfloat16())
        whole = f"{struct.unpack('>I', struct.pack('>f', number))[0]:032b}"
        half = f"{struct.unpack('>I', struct.pack('>f', kept))[0]:032b}"[:16]
        rows.append((f"{number:.7g}", _in_parts(whole), _in_parts(half), f"{kept:.7g}"))
    return table((_("number"), "float32", "bfloat16", _("what is left of it")), rows)


def _in_parts(bits: str) -> str:
    return f"{bits[0]} {bits[1:9]} {bits[9:]}"


def _losses(float32: Sequence[float], bfloat16: Sequence[float]) -> Picture:
    both = list(zip(float32, bfloat16, strict=False))  # a slow type does fewer steps in the same time
    marks = sorted({0, len(both) // 4, len(both) // 2, 3 * len(both) // 4, len(both) - 1})
    rows = [(str(at + 1), f"{both[at][0]:.4f}", f"{both[at][1]:.4f}") for at in marks]
    apart = fmean(abs(a - b) for a, b in both)
    changes = [abs(after - before) for before, after in pairwise(float32[: len(both)])]
    wobble = fmean(changes or [0.0])
    lines = [
        _("On average the two losses are {apart:.4f} apart.", apart=apart),
        _("From one step to the next, the loss in float32 changes by {wobble:.4f} on average.", wobble=wobble),
    ]
    if not math.isfinite(apart):
        lines.append(_("One of them is no number any more. For this net bfloat16 is not enough."))
    elif apart < wobble:
        lines.append(_("Rounding does less here than the choice of the samples in a batch."))
    else:
        lines.append(
            _("Rounding does more here than the choice of the samples: look at the accuracy before you use it.")
        )
    shown = table((_("step"), "float32", "bfloat16"), rows)
    said = note("info", *lines)
    return Picture(html=shown.html + said.html, text=f"{shown.text}\n{said.text}")


def _profile(profile: Any, rows: int = 8) -> Picture:
    found: dict[str, tuple[float, int]] = {}
    for event in profile.key_averages():
        spent, calls = found.get(event.key, (0.0, 0))
        found[event.key] = spent + event.self_cpu_time_total, calls + event.count
    whole = sum(spent for spent, _calls in found.values()) or 1.0
    longest = sorted(found.items(), key=lambda item: -item[1][0])[:rows]
    lines = [
        (f"{name} ({what})" if (what := _operation(name)) else name, f"{calls:,}", f"{spent / whole:.1%}")
        for name, (spent, calls) in longest
    ]
    share = sum(spent for _name, (spent, _calls) in longest[:2]) / whole
    after = _("The first two rows are {share:.0%} of the time.", share=share)
    return table((_("operation"), _("calls"), _("share of the time")), lines, after=after)


def _operation(name: str) -> str:
    """In plain words, what an operation of PyTorch does; nothing for one that speaks for itself."""
    parts: dict[str, Callable[[], str]] = {
        "convolution_backward": lambda: _("gradients of a convolution"),
        "convolution": lambda: _("convolution"),
        "batch_norm_backward": lambda: _("gradients of batch normalization"),
        "batch_norm": lambda: _("batch normalization"),
        "max_pool2d_with_indices_backward": lambda: _("gradients of pooling"),
        "max_pool2d": lambda: _("pooling"),
        "threshold_backward": lambda: _("gradients of ReLU"),
        "clamp_min": lambda: "ReLU",
        "relu": lambda: "ReLU",
        "addmm": lambda: _("linear layer"),
        "aten::mm": lambda: _("gradients of a linear layer"),
        "copy_": lambda: _("copying, also into another layout or type"),
        "aten::index": lambda: _("taking samples"),
        "aten::add_": lambda: _("adding, among others of a step to the weights"),
        "aten::mul_": lambda: _("multiplying, among others by the momentum"),
        "aten::div": lambda: _("scaling pixels"),
        "aten::sub": lambda: _("scaling pixels"),
    }
    return next((say() for part, say in parts.items() if part in name), "")


def _race(races: Mapping[str, Sequence[tuple[float, float]]], target: float) -> Picture:
    longest = max(len(marks) for marks in races.values())
    reached = {
        name: next((seconds for seconds, accuracy in marks if accuracy >= target), None)
        for name, marks in races.items()
    }
    heads = (
        _("recipe"),
        *(_("accuracy after epoch {epoch}", epoch=epoch + 1) for epoch in range(longest)),
        _("time to {target:.0%}", target=target),
    )
    rows = [
        (name, *(f"{accuracy:.1%}" for _s, accuracy in marks), *[""] * (longest - len(marks)), _seconds(reached[name]))
        for name, marks in races.items()
    ]
    arrived = {name: seconds for name, seconds in reached.items() if seconds is not None}
    if arrived:
        after = _("First at {target:.0%}: {name}.", target=target, name=min(arrived, key=lambda name: arrived[name]))
    else:
        after = _(
            "None reached {target:.0%} in {epochs} epochs. Raise EPOCHS and try again.", target=target, epochs=longest
        )
    return table(heads, rows, after=after)


def _seconds(seconds: float | None) -> str:
    return _("not reached") if seconds is None else _("{seconds:.1f} s", seconds=seconds)


RESULTS: dict[str, Callable[..., Picture]] = {
    "step_times": _step_times,
    "waiting": _waiting,
    "rates": _rates,
    "sizes": _sizes,
    "threads": _threads,
    "bits": _bits,
    "losses": _losses,
    "profile": _profile,
    "race": _race,
}
