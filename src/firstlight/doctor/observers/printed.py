"""Numbers that a program printed after an evaluation: are they what was right, or what a wrong count would give?

Whatever the way in which a measure is computed, in the end it is printed. How many answers were right is known; so is
what would come out if one divided by the batches, or compared a column with a row. A number that is the second to its
last digit, and never the first, says which it was.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import torch

from firstlight.doctor.observers.learning_rows import as_classes

if TYPE_CHECKING:
    from firstlight.doctor.observers.samples import Root, Samples, Use

_NUMBER = re.compile(r"(?<![\w.])(\d+)\.(\d{1,6})(?![\w.]|e[-+]?\d)")
_MOST = 400  # prints
_LISTED = 40  # among so many prints in a row, as a list of classes, the share of all may stand
_LONGEST = 400  # characters that are read of one


class Printed:
    """What was printed, and after which call of a model."""

    def __init__(self, samples: "Samples") -> None:
        self._samples = samples
        self._said: list[tuple[int, list[tuple[float, int, str]], Any]] = []

    def heard(self, args: tuple[Any, ...]) -> bool:
        """Keep the numbers of one print; False where there were enough of them."""
        numbers: list[tuple[float, int, str]] = []
        for one in args[:8]:
            if isinstance(one, float):
                text = repr(one)
            elif isinstance(one, str):
                text = one[:_LONGEST]
            else:
                continue
            for match in _NUMBER.finditer(text):
                digits = len(match[2]) + len(match[1].lstrip("0"))
                if digits >= 3:
                    numbers.append((float(match[0]), min(len(match[2]), 4), match[0]))
        if numbers:
            place = self._samples.witness.place()
            self._said.append((self._samples._count, numbers[:12], place and place.as_json()))
        return len(self._said) < _MOST

    def facts(self, roots: "Sequence[Root]") -> Iterator[tuple[str, Any]]:
        """Fact `printed`: for each model, what was printed instead of the share of right answers."""
        found = [one for root in roots if (one := self._of(root)) is not None]
        if found:
            yield "printed", found

    def _of(self, root: "Root") -> dict[str, Any] | None:
        uses = [use for use in root.evaluated if not use.learned and use.labels is not None and use.size]
        seen: dict[str, list[dict[str, Any]]] = {}
        true = asked = 0
        for (*_where, after), group in groupby(
            uses, key=lambda use: (use.phase, use.step, use.feed, str(use.places), self._next(use.at))
        ):
            late = list(group)
            said = self._said[after : after + 3]
            if not said:
                continue
            values = self._values(late)
            if values is None:
                continue
            right, others = values
            asked += 1
            numbers = [(value, digits, text, place) for _at, some, place in said for value, digits, text in some]
            more = [one for at, some, _place in self._said[after : after + _LISTED] if at == said[0][0] for one in some]
            if any(_is(value, digits, right) for value, digits, _text in more):
                true += 1
                continue
            for name, other in others.items():
                if abs(other - right) < 0.002:
                    continue
                for value, digits, text, place in numbers:
                    if _is(value, digits, other):
                        seen.setdefault(name, []).append(
                            {"said": text, "right": right, "place": place, "step": late[0].step, "digits": digits,
                             "rows": sum(use.size for use in late), "batches": len(late)}
                        )  # fmt: skip
                        break
        if true and not seen:
            return {"model": root.kind, "what": "right", "times": true}
        for name, some in list(seen.items()):
            ends = all(float(one["said"]) in (0, 1, 100) for one in some)  # all or nothing: of one class, maybe
            if (name.startswith("axis_") and len(some) < asked) or (ends and len(some) < 3):
                del seen[name]  # few numbers that are like that by chance
        if true or len(seen) != 1:
            return None
        name, some = next(iter(seen.items()))
        if len({one["said"] for one in some}) < 2 and some[0]["digits"] < 4 and float(some[0]["said"]) <= 1:
            return None  # one number of three digits may be like that by chance
        return {"model": root.kind, "what": name, "times": len(some), **some[-1]}

    def _next(self, at: int) -> int:
        """How many prints there were before a call of a model."""
        return sum(1 for said, _numbers, _place in self._said if said <= at)

    def _values(self, uses: "list[Use]") -> tuple[float, dict[str, float]] | None:
        """The share of right answers, and what wrong ways of counting give; None where answers are not known."""
        pairs = []
        for use in uses:
            classes = as_classes(use.labels)
            if use.several is not None and use.labels is not None:
                return self._axes(uses)
            if classes is None or use.choice is None or len(classes) != len(use.choice):
                return None
            pairs.append((classes, use.choice))
        hits = [int((a == b).sum()) for a, b in pairs]
        sizes = [len(a) for a, _b in pairs]
        labels, given = torch.cat([a for a, _b in pairs]), torch.cat([b for _a, b in pairs])
        right, rows = sum(hits), sum(sizes)
        others: dict[str, float] = {}
        counts: dict[str, float] = {}
        # The best row of each class, beside the first labels: as `zip` ends with the shorter.
        across = [(a[: len(use.across)], use.across) for use, (a, _b) in zip(uses, pairs, strict=True)
                  if use.across is not None]  # fmt: skip
        if len(across) == len(uses):
            met = [int((a == b[: len(a)]).sum()) for a, b in across]
            others["axis_of_rows"] = sum(met) / max(sum(len(a) for a, _b in across), 1)
            others["axis_of_all"] = sum(met) / rows
            shares = sum(m / len(a) for m, (a, _b) in zip(met, across, strict=True)) / len(uses)
            if abs(shares - others["axis_of_rows"]) > 1e-6:
                others["axis_of_batches"] = shares
        if len(uses) > 1:
            counts["batches"] = len(uses)
            counts["batches_times_size"] = len(uses) * max(sizes)
            others["last_batch"] = hits[-1] / sizes[-1]
            others["shares_by_rows"] = sum(h / s for h, s in zip(hits, sizes, strict=True)) / rows
        feed = self._samples.feeds.get(uses[0].feed)
        if feed is not None and feed.get("all"):
            counts["dataset"] = feed["all"]
        trained = uses[0].root.seen
        if trained:
            counts["training"] = len(trained)
        for name, count in counts.items():
            if count and count != rows:
                others[name] = right / count
        if uses[0].output[1:] in ((1,), ()) and uses[0].width == 1:
            ones, said = float((labels == 1).float().mean()), float((given == 1).float().mean())
            if len(uses) == 1 and uses[0].output[1:] == (1,):
                others["outer"] = ones * said + (1 - ones) * (1 - said)
            halves = [use.half for use in uses]
            if all(one is not None for one in halves):
                half = torch.cat([one for one in halves if one is not None])
                others["half"] = float((half == labels).float().mean())
        return right / rows, others

    def _axes(self, uses: "list[Use]") -> tuple[float, dict[str, float]] | None:
        """The same for an answer at each place of a sequence, by the dimension that the loss reads classes in."""
        axis = uses[0].root.class_axis
        if axis is None:
            return None
        hits: dict[int, float] = {}
        total = 0
        for use in uses:
            if use.several is None or use.labels is None or axis not in use.several:
                return None
            total += use.labels.numel()
            for one, choice in use.several.items():
                if choice.shape == use.labels.shape:
                    hits[one] = hits.get(one, 0.0) + float((choice == use.labels).sum())
        if axis not in hits:
            return None
        return hits[axis] / total, {"axis": next((v / total for k, v in hits.items() if k != axis), -1.0)}


def _is(value: float, digits: int, share: float) -> bool:
    """Whether a printed number is this one, or this in percent."""
    return any(abs(value - one) <= 0.505 * 10.0**-digits for one in (share, 100 * share))
