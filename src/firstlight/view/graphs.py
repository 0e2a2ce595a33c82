"""The graph of a look as the graph tab shows it: the drawing, what changed, and the words around it."""

import gc
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from firstlight.locale import _
from firstlight.locale.units import size
from firstlight.view import words
from firstlight.view.looks import GraphLook, Looks

if TYPE_CHECKING:
    from firstlight.graph import Graph

_KEPT = 4  # graphs in memory: who goes back and forth sees them again at once
_MOST_CHANGES = 200  # lines of the list of changes
_FEW = 300  # operations up to which a saved notebook keeps the whole tree


@dataclass(frozen=True)
class Asked:
    """What a page asks to see.

    Attributes:
        step: The graph of the look at this step or the newest before it; None for the newest of all.
        within: Only what happened in this call of a module.
        level: How deep modules are unfolded in the drawing; None for as deep as there is room.
    """

    step: int | None = None
    within: int | None = None
    level: int | None = None

    @classmethod
    def read(cls, message: dict[str, Any]) -> "Asked":
        """Read a page's message; what is no number is left out."""
        found = {key: message.get(key) for key in ("step", "within", "level")}
        return cls(**{key: value if isinstance(value, int) else None for key, value in found.items()})


class Graphs:
    """Reads graphs from the record and draws them. Call it from one thread at a time."""

    def __init__(self, looks: Looks) -> None:
        self._looks = looks
        self._kept: OrderedDict[int, Graph] = OrderedDict()

    def read(self, look: GraphLook) -> "Graph":
        """The graph of a look.

        Raises:
            NotAGraph: Its rows are not on disk yet, or not any more.
        """
        from firstlight.graph import Graph

        graph = self._kept.get(look.rows_at)
        if graph is None:
            graph = Graph.from_rows(self._looks.run.operations(look.rows_at), step=look.rows_at)
            self._kept[look.rows_at] = graph
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(look.rows_at)
        return graph.at(look.step) if look.step != look.rows_at else graph

    def answer(self, asked: Asked) -> dict[str, Any] | None:
        """What a page asks to see; None where no look has been taken."""
        with _nothing_collected():
            return self._answer(asked)

    def _answer(self, asked: Asked) -> dict[str, Any] | None:
        from firstlight.graph import NotAGraph
        from firstlight.graph.drawing import Wish, boxes_by_level, draw, shown_level

        look = self._looks.graph_at(asked.step)
        if look is None:
            return None
        try:
            graph = self.read(look)
            before = self._looks.before(look)
            is_same = before is None or before.rows_at == look.rows_at
            difference = None if is_same or before is None else self.read(before).diff(graph)
        except NotAGraph as error:
            return {"step": look.step, "problem": str(error)}
        within = asked.within if asked.within is not None and asked.within < len(graph.calls) else None
        wish = Wish(within, asked.level, difference.marks if difference is not None else {})
        crumbs: list[dict[str, Any]] = []
        call = graph.calls[within] if within is not None else None
        while call is not None:
            if call.parent is not None:
                crumbs.insert(0, {"call": call.id, "title": call.title})
            call = graph.calls[call.parent] if call.parent is not None else None
        shown = shown_level(graph, wish)
        if not shown and asked.level is not None:  # too fine to be drawn
            wish = Wish(within, None, wish.marks)
            shown = shown_level(graph, wish)
        boxes = boxes_by_level(graph, within)
        here = boxes.get(shown, 0)  # a level that shows the same is no step of folding
        return {
            "step": look.step,
            "operations": len(graph),
            "said": _count(graph, look, before),
            "html": draw(graph, wish).html,
            "changed": len(difference.marks) + len(difference.removed) if difference is not None else 0,
            "changes": difference.picture(most=_MOST_CHANGES).html if difference is not None else "",
            "changes_title": _changes_title(before, changed=bool(difference)),
            "within": within,
            "crumbs": crumbs,
            "level": shown,
            "coarser": max((level for level, count in boxes.items() if level < shown and count < here), default=None),
            "finer": min((level for level, count in boxes.items() if level > shown and count > here), default=None),
            "problem": "",
        }

    def still(self) -> str:
        """The newest graph for a saved notebook, without scripts: whole where it is small, else its drawing alone."""
        from firstlight.graph import NotAGraph
        from firstlight.graph.drawing import draw

        look = self._looks.graph_at(None)
        if look is None:
            return ""
        try:
            graph = self.read(look)
            before = self._looks.before(look)
            changed = ""
            if before is not None and before.rows_at != look.rows_at:
                changed = self.read(before).diff(graph).picture(most=40).html
        except NotAGraph:
            return ""
        lines = [f"<p>{escape(_count(graph, look, before))}</p>"]
        lines.append(draw(graph, whole=len(graph) <= _FEW).html)
        if len(graph) > _FEW:
            more = _("The operations inside of each module: run.graph() in a cell.")
            lines.append(f"<p>{escape(more)}</p>")
        if changed:
            title = escape(_changes_title(before, changed=True))
            lines.append(f"<details><summary>{title}</summary>{changed}</details>")
        return "".join(lines)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Python's collector sleeps in this block.

    The thousands of parts of a large graph would wake it, to go through every object that torch has: a third of a
    second, in which the learner's loop stands still too, and then there is nothing to collect.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _count(graph: "Graph", look: GraphLook, before: GraphLook | None) -> str:
    """One line: how large the graph is, and whether it changed."""
    said = _(
        "Step {step}: {operations} operations in {calls} calls of modules, {saved} held for backward",
        step=words.count(look.step), operations=words.count(len(graph)), calls=words.count(len(graph.calls)),
        saved=size(look.saved or graph.saved_bytes),
    )  # fmt: skip
    if before is None:
        return said
    if not look.changes:
        return said + " · " + _("as at step {step}", step=words.count(before.step))
    return said + " · " + _("{count} changes since step {step}", count=words.count(look.changes),
                            step=words.count(before.step))  # fmt: skip


def _changes_title(before: GraphLook | None, *, changed: bool) -> str:
    if before is None:
        return _("This is the first look: there is nothing to compare it with.")
    if not changed:
        return _("Nothing changed since the look at step {step}.", step=words.count(before.step))
    return _("What changed since the look at step {step}", step=words.count(before.step))
