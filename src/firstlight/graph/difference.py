"""What differs between two graphs: operations that came, went, or work on other shapes.

Calls of modules are laid beside one another level by level, each level in its order of execution. So a branch that is
new in a tree of calls is one new branch, and does not push the rest out of step.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from html import escape
from typing import Any

from firstlight.graph.drawing import STYLE
from firstlight.graph.operations import Call, Graph, Operation
from firstlight.graph.writing import branches, flow
from firstlight.locale import _
from firstlight.picture import Picture

Part = Call | Operation
_LARGEST = 4_000_000  # pairs that a comparison of one level may look at; beyond, pairs are made by place alone
_AROUND = 1  # unchanged operations that are shown beside a change


@dataclass(frozen=True)
class Change:
    """One operation of one or both graphs.

    Attributes:
        sign: `+` only in the second, `-` only in the first, `~` in both with other shapes, and a space for no change.
        before: The operation in the first graph.
        after: The operation in the second graph.
        place: The module in which it happened.
    """

    sign: str
    before: Operation | None
    after: Operation | None
    place: str

    def __str__(self) -> str:
        one = self.after or self.before
        assert one is not None
        where = f"  {self.place}" if self.place else ""
        if self.sign == "~" and self.before is not None and self.after is not None:
            was, now = flow(self.before), flow(self.after)
            return "~ " + _("{name}{where}  {was}  becomes  {now}", name=one.name, where=where, was=was, now=now)
        return f"{self.sign} {one.name}{where}  {flow(one)}"


class Difference:
    """What changed from one graph to another. True if anything did.

    Attributes:
        changes: Everything in the order of execution, what stayed the same too.
        added: The operations that only the second graph has.
        removed: The operations that only the first graph has.
        changed: Pairs of the same operation with other shapes or number types.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from firstlight.graph import trace
        >>> x = torch.zeros(1, 4)
        >>> a, b = trace(nn.Sequential(nn.Linear(4, 4)), x), trace(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), x)
        >>> [operation.name for operation in a.diff(b).added], bool(a.diff(a))
        (['relu'], False)
    """

    def __init__(self, before: Graph, after: Graph, changes: Sequence[Change]) -> None:
        self.before, self.after = before, after
        self.changes = tuple(changes)
        self.added = tuple(c.after for c in self.changes if c.sign == "+" and c.after is not None)
        self.removed = tuple(c.before for c in self.changes if c.sign == "-" and c.before is not None)
        self.changed = tuple(
            (c.before, c.after) for c in self.changes if c.sign == "~" and c.before is not None and c.after is not None
        )

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    @property
    def heading(self) -> str:
        """One line: how much is different."""
        if not self:
            return _("The same {count} operations with the same shapes.", count=f"{len(self.after):,}")
        return _(
            "{before} → {after} operations: {added} added, {removed} removed, {changed} with other shapes",
            before=f"{len(self.before):,}",
            after=f"{len(self.after):,}",
            added=len(self.added),
            removed=len(self.removed),
            changed=len(self.changed),
        )

    def shown(self) -> Iterator[Change | int]:
        """The changes with a little around each; a number stands for so many operations that are the same."""
        near: set[int] = set()
        for at, change in enumerate(self.changes):
            if change.sign != " ":
                near.update(range(at - _AROUND, at + _AROUND + 1))
        hidden = 0
        for at, change in enumerate(self.changes):
            if at in near:
                if hidden:
                    yield hidden
                hidden = 0
                yield change
            else:
                hidden += 1
        if hidden and near:
            yield hidden

    def __repr__(self) -> str:
        same = "    " + _("… {count} the same")
        lines = [same.format(count=part) if isinstance(part, int) else f"  {part}" for part in self.shown()]
        return "\n".join([self.heading, *lines])

    @property
    def marks(self) -> dict[int, str]:
        """The sign of each operation of the second graph that is new or changed, by its number."""
        return {change.after.id: change.sign for change in self.changes if change.after and change.sign != " "}

    def picture(self, *, most: int | None = None) -> Picture:
        """The differences as something to look at: what is new, gone or changed is marked by sign and by colour.

        Args:
            most: So many lines at most; the operations of the second graph are then numbered, for the page of a run.
        """
        said = {"+": _("added"), "-": _("removed"), "~": _("other shapes"), " ": _("the same")}
        rows = []
        parts = list(self.shown())
        for part in parts if most is None else parts[:most]:
            if isinstance(part, int):
                rows.append(f'<li class="fl-skip">{escape(_("… {count} the same", count=part))}</li>')
                continue
            one = part.after or part.before
            assert one is not None
            shapes = escape(flow(one))
            if part.sign == "~" and part.before is not None:
                shapes = f"<del>{escape(flow(part.before))}</del> <ins>{shapes}</ins>"
            kind = {"+": "add", "-": "gone", "~": "other", " ": "same"}[part.sign]
            tag = f'<abbr title="{escape(said[part.sign])}" aria-label="{escape(said[part.sign])}">{part.sign}</abbr>'
            name = f"<del>{escape(one.name)}</del>" if part.sign == "-" else f"<b>{escape(one.name)}</b>"
            place = f"<i>{escape(part.place)}</i>" if part.place else ""
            number = f' data-op="{part.after.id}"' if most is not None and part.after is not None else ""
            rows.append(f'<li class="fl-{kind}"{number}>{tag} {name} <code>{shapes}</code> {place}</li>')
        if most is not None and len(parts) > most:
            more = _("… and {count} more", count=f"{len(parts) - most:,}")
            rows.append(f'<li class="fl-skip">{escape(more)}</li>')
        body = f'<ul class="fl-diff">{"".join(rows)}</ul>' if rows else ""
        html = f'<div class="fl-graph" role="group">{STYLE}<p class="fl-head">{escape(self.heading)}</p>{body}</div>'
        return Picture(html=html, text=repr(self))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self.picture().bundle()

    def show(self) -> None:
        """Show it where the person is."""
        self.picture().display()


def compare(before: Graph, after: Graph) -> Difference:
    """Lay two graphs beside one another."""
    inside, inside_after = branches(before), branches(after)
    changes: list[Change] = []
    work: list[tuple[Part | None, Part | None]] = list(reversed(list(_pairs(inside[None], inside_after[None]))))
    while work:
        one, other = work.pop()
        if isinstance(one, Call) or isinstance(other, Call):
            first = inside[one.id] if isinstance(one, Call) else []
            second = inside_after[other.id] if isinstance(other, Call) else []
            work.extend(reversed(list(_pairs(first, second))))
        elif one is None and other is not None:
            changes.append(Change("+", None, other, after.place(other)))
        elif other is None and one is not None:
            changes.append(Change("-", one, None, before.place(one)))
        elif one is not None and other is not None:
            sign = " " if _alike(one, other) else "~"
            changes.append(Change(sign, one, other, after.place(other)))
    return Difference(before, after, changes)


def _alike(one: Operation, other: Operation) -> bool:
    def form(operation: Operation) -> list[tuple[object, ...]]:
        return [(value.shape, value.dtype) for value in (*operation.inputs, *operation.outputs)]

    return form(one) == form(other)


def _key(part: Part) -> Hashable:
    if isinstance(part, Call):
        return ("call", part.module or part.model, part.kind)
    return ("operation", part.name)


def _pairs(first: Sequence[Part], second: Sequence[Part]) -> Iterator[tuple[Part | None, Part | None]]:
    """The parts of two levels that belong together, in order."""
    a, b = [_key(part) for part in first], [_key(part) for part in second]
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    yield from zip(first[:start], second[:start], strict=True)
    middle, other = first[start : len(a) - end], second[start : len(b) - end]
    keys, other_keys = a[start : len(a) - end], b[start : len(b) - end]
    if len(keys) * len(other_keys) > _LARGEST:
        codes = [("replace", 0, len(keys), 0, len(other_keys))]
    else:
        codes = list(SequenceMatcher(None, keys, other_keys, autojunk=False).get_opcodes())
    for code, i, j, k, m in codes:
        if code == "equal":
            yield from zip(middle[i:j], other[k:m], strict=True)
        else:
            yield from ((part, None) for part in middle[i:j])
            yield from ((None, part) for part in other[k:m])
    yield from zip(first[len(a) - end :], second[len(b) - end :], strict=True)
