"""Which forward passes a backward pass goes through, which it leaves out, and what of them stays alive.

A small callable is hung on the autograd node of a root's output. It is called where a backward pass comes through, and
lives exactly as long as the graph does: nothing of the learner's is held.
"""

import sys
import weakref
from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from firstlight.doctor.observer import Backward, Call, Observer
from firstlight.doctor.places import Place
from firstlight.graph.source import kind_of_file

_FOLLOWED = 64  # so many first calls and losses are followed; later ones only where something is going on
_WAYS = 400  # so many ways through the learner's code are kept
_EXAMINED = 3
_MOST_NODES = 3000
_SMALL = 200  # nodes of a loss that was cut off: what is left of it is a formula

Way = tuple[tuple[str, int], ...]


class _Pass:
    """One forward pass: whether a backward pass came through it, and whether its graph still lives."""

    __slots__ = ("fired", "number", "root", "seen", "token", "way")

    def __init__(self, call: Call, way: Way | None) -> None:
        self.number, self.way = call.number, way
        self.root = weakref.ref(call.module)
        self.fired = self.seen = 0
        self.token: Any = None

    def alive(self) -> bool:
        return self.token() is not None


class _Token:
    """Hangs on a node."""

    __slots__ = ("__weakref__", "told")

    def __init__(self, told: Any) -> None:
        self.told = told

    def __call__(self, _gradients: Any) -> None:
        self.told.fired += 1


class _Node:
    """How often backward passes came through one node."""

    __slots__ = ("fired", "token")

    def __init__(self) -> None:
        self.fired = 0
        self.token: Any = None


class Passes(Observer):
    """Fact `passes`: forward passes that were left out, graphs that were kept, losses that reach no weight."""

    kinds: ClassVar = ("passes",)
    gaps: ClassVar = True

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._now: list[_Pass] = []  # since the last backward pass
        self._old: list[_Pass] = []
        self._left: Counter[Way] = Counter()  # passes since then of which nothing is left, by their way
        self._calls = 0  # since then
        self._ways = 0
        self._outside = self._outside_step = self._outside_count = self._outside_asked = 0
        self._outside_place: Place | None = None
        self._outside_backward: Place | None = None
        self._losses: list[_Node] = []
        self._kept = self._kept_step = 0
        self._kept_outputs = self._kept_outputs_step = 0
        self._used_outputs = self._used_outputs_step = 0
        self._loss_place: Place | None = None
        self._stale = self._stale_step = self._told = 0
        self._stale_place: Place | None = None
        self._twice = self._asked = 0
        self._twice_place: Place | None = None
        self._retained = self._plain = self._examined = 0
        self._retained_step = 0
        self._retained_place: Place | None = None
        self._nodes: list[_Node] = []
        self._leaves = self._leaves_step = 0
        self._leaf_place: Place | None = None
        self._leaf: weakref.ref[Tensor] | None = None
        self._formulas = 0  # losses that were made of such a leaf
        self._shown = 0  # calls of roots without gradients since the last backward pass
        self._rootless = 0
        self._call_place: Place | None = None

    def missed(self) -> None:
        """Passes of the step before may have been used meanwhile."""
        self._now, self._calls, self._left = [], 0, Counter()
        for one in self._old:
            one.seen = one.fired

    def forward(self, call: Call) -> None:
        if not call.grad:
            self._shown += 1
            return
        self._calls += 1
        if call.number >= _FOLLOWED and self._calls <= 2 and not call.close:
            return
        node = _node_of(call.output)
        if node is None:
            return
        way = None
        if (call.number < 8 or self._calls > 2) and self._ways < _WAYS:
            self._ways += 1
            way = _way()
        one = _Pass(call, way)
        token = _Token(one)
        node.register_prehook(token)
        one.token = weakref.ref(token)
        if call.place is not None and self._call_place is None:
            self._call_place = call.place
        self._now.append(one)
        if len(self._now) > 64:
            for old in self._now[:32]:
                if old.way is not None and not old.fired and not old.alive():
                    self._left[old.way] += 1
            del self._now[:32]

    def backward_begins(self, going: Backward) -> None:
        if going.by != "backward" or not going.losses:
            return
        self._plain += 1
        if going.number >= _FOLLOWED and not (going.retain or going.close or self._kept or self._leaves):
            return
        loss = going.losses[0]
        if _transformed():
            return
        node = loss.grad_fn
        if node is None:
            self._leaf_loss(loss)
            return
        if going.number < 8 or going.close:
            leaf = _only_leaf(node)
            if leaf is not None:
                self._formulas += 1
                self._leaf_loss(leaf)
                return
        if going.retain and not going.create:
            self._retained += 1
            if self._retained == 10:
                self._retained_step = self.witness.step
            if going.close or self._examined < _EXAMINED:  # slopes asked for by `grad` count as passes, too
                self._retained_place = self._retained_place or going.place or self.witness.place()
                self._examined += 1
                self._examine(node)
        if not going.create and (going.number < _FOLLOWED or self._kept):
            self._keep(node, going)

    def _leaf_loss(self, loss: Tensor) -> None:
        """All that a loss hangs on is a tensor that is no weight."""
        if not loss.requires_grad or isinstance(loss, nn.Parameter):
            return
        if self._leaf is not None and self._leaf() is loss:
            return  # the same leaf again: it is what is trained
        if not self._calls and not self._shown:
            return
        self._leaf = weakref.ref(loss)
        self._leaves += 1
        if self._leaves <= 3:
            self._leaf_place = self.witness.place()
            self._leaves_step = self.witness.step

    def _keep(self, node: Any, going: Backward) -> None:
        """Losses of earlier passes whose graphs still live."""
        one = _Node()
        token = _Token(one)
        node.register_prehook(token)
        one.token = weakref.ref(token)
        self._losses.append(one)
        if len(self._losses) > 4 * _FOLLOWED:
            del self._losses[:_FOLLOWED]
        if going.place is not None:
            self._loss_place = self._loss_place or going.place
        if len(self._losses) >= 12 and len(self._losses) % 4 == 0:
            lives = [other.token() is not None for other in self._losses[:-2]]
            first = lives.index(True) if True in lives else len(lives)
            alive = sum(lives)
            if alive >= 10 and alive >= 0.8 * (len(lives) - first) and alive > self._kept:
                if not self._kept:
                    self._kept_step = self.witness.step
                self._kept = alive

    def _examine(self, root: Any) -> None:
        """Hang something on all nodes that use a weight: it tells whether another backward pass comes through."""
        seen, todo, hung = {root}, [root], 0
        while todo and len(seen) < _MOST_NODES and hung < 64:
            node = todo.pop()
            below = [one for one, _at in node.next_functions if one is not None]
            if any(hasattr(one, "variable") for one in below) and hasattr(node, "register_prehook"):
                record = _Node()
                token = _Token(record)
                node.register_prehook(token)
                self._nodes.append(record)
                hung += 1
            for one in below:
                if one not in seen and not hasattr(one, "variable"):
                    seen.add(one)
                    todo.append(one)

    def backward(self, going: Backward) -> None:
        if going.by != "backward":
            return
        now, self._now = self._now, []
        calls, self._calls, self._shown = self._calls, 0, 0
        left = self._left
        if left:
            self._left = Counter()
        hit = [one for one in now if one.fired]
        feed = self.witness.feed
        # One pass over all of a loader's few batches, and then one step: of later passes only some are followed.
        whole = feed is not None and feed.ended and calls == feed.count >= 3
        if (calls >= 6 or whole) and hit:
            self._outside_asked += any(one.way is not None for one in hit)
            self._judge_outside(now, hit, left, going, calls if whole else 0)
        elif calls:
            self._outside_asked += 1
        if now and not hit:
            self._judge_stale(now)
        if now and hit:
            self._asked += 1
            if 2 <= len(now) <= 8:
                self._judge_twice(now, hit)
        for one in now:
            one.seen = one.fired
        before = self._old
        for one in before:
            one.seen = one.fired
        if going.number in (16, 31, 47, 63) or (going.close and going.number > 20):
            # Of passes that are long over, nearly all that were followed: something collects them.
            used = [one for one in before[:-4] if one.fired]
            alive = sum(one.alive() for one in used)
            if alive >= 10 and alive >= 0.8 * len(used) and alive > self._used_outputs:
                self._used_outputs_step = self._used_outputs_step or self.witness.step
                self._used_outputs = alive
        self._old = [*before, *now][-80:]
        if going.number % 8 == 7 and (calls > 1 or self._kept_outputs):
            kept = sum(not one.fired and one.alive() for one in self._old)
            if kept >= 10 and kept > self._kept_outputs:
                self._kept_outputs, self._kept_outputs_step = kept, self.witness.step

    def _judge_outside(
        self, now: list[_Pass], hit: list[_Pass], left: "Counter[Way]", going: Backward, all_of: int
    ) -> None:
        """Passes at the same line as the one that was used, and of which nothing is left."""
        for way in {one.way for one in hit if one.way is not None}:
            lost = left[way] + sum(not one.fired and one.way == way and not one.alive() for one in now)
            if lost < (1 if all_of else 5):
                continue
            self._outside += 1
            self._outside_count = max(self._outside_count, lost, all_of - 1)
            if self._outside <= 2:
                self._outside_step = self.witness.step
                self._outside_place = self._call_place
                self._outside_backward = going.place or self.witness.place()
            return

    def _judge_stale(self, now: list[_Pass]) -> None:
        """No pass since the last backward was used, but an older one of the same root."""
        roots = {id(one.root()) for one in now}
        self._told += 1
        if any(one.fired > one.seen and id(one.root()) in roots for one in self._old):
            self._stale += 1
            if self._stale <= 5:
                self._stale_step = self.witness.step
                self._stale_place = self.witness.place()

    def _judge_twice(self, now: list[_Pass], hit: list[_Pass]) -> None:
        """The same root was called again, and one of the two outputs is not used."""
        for one in now:
            if not one.fired and any(one.root() is other.root() for other in hit):
                self._twice += 1
                if self._twice_place is None:
                    self._twice_place = self.witness.place()
                return

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What was seen so far."""
        if not self._plain:
            return
        yield (
            "passes",
            {
                "backwards": self._plain,
                "outside": self._outside,
                "outside_asked": self._outside_asked,
                "outside_step": self._outside_step,
                "outside_count": self._outside_count,
                "outside_forward": _json(self._outside_place),
                "outside_backward": _json(self._outside_backward),
                "kept": self._kept,
                "kept_step": self._kept_step,
                "kept_place": _json(self._loss_place),
                "kept_outputs": self._kept_outputs,
                "kept_outputs_step": self._kept_outputs_step,
                "used_outputs": self._used_outputs,
                "used_outputs_step": self._used_outputs_step,
                "forward": _json(self._call_place),
                "stale": self._stale,
                "stale_step": self._stale_step,
                "stale_place": _json(self._stale_place),
                "twice": self._twice,
                "twice_asked": self._asked,
                "twice_place": _json(self._twice_place),
                "retained": self._retained,
                "retained_step": self._retained_step,
                "retained_place": _json(self._retained_place),
                "examined": self._examined,
                "shared": sum(one.fired > 1 for one in self._nodes),
                "leaves": self._leaves,
                "formulas": self._formulas,
                "leaves_step": self._leaves_step,
                "leaf_place": _json(self._leaf_place),
            },
        )


def _only_leaf(root: Any) -> Tensor | None:
    """The tensor that a graph ends in, where it is small and has one end only, which is no weight."""
    seen, todo = {root}, [root]
    leaf: Tensor | None = None
    while todo:
        node = todo.pop()
        variable = getattr(node, "variable", None)
        if isinstance(variable, Tensor):
            if isinstance(variable, nn.Parameter) or (leaf is not None and leaf is not variable):
                return None
            leaf = variable
        for one, _at in node.next_functions:
            if one is not None and one not in seen:
                seen.add(one)
                todo.append(one)
        if len(seen) > _SMALL:
            return None
    return leaf


def _node_of(output: Any) -> Any:
    """The autograd node of the first tensor in an output that has one."""
    if isinstance(output, Tensor):
        return None if _transformed() else output.grad_fn
    values = output.values() if isinstance(output, dict) else output if isinstance(output, list | tuple) else ()
    for one in values:
        node = _node_of(one) if isinstance(one, Tensor | list | tuple) else None
        if node is not None:
            return node
    return None


def _transformed() -> bool:
    """Whether torch.func transforms what runs: its graphs are not ours to hang something on."""
    active = getattr(torch._C, "_are_functorch_transforms_active", None)
    return bool(active()) if active is not None else False


def _way() -> Way:
    """The learner's lines that led here, the innermost first."""
    found: list[tuple[str, int]] = []
    frame = sys._getframe(2)
    while frame is not None and len(found) < 6:
        if kind_of_file(frame.f_code.co_filename) == "own":
            found.append((frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back  # type: ignore[assignment]
    return tuple(found)


def _json(place: Place | None) -> Any:
    return place and place.as_json()
