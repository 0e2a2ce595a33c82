"""In which order zero_grad, backward and step come, for each optimizer between its own steps; and what it trains."""

import weakref
from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from firstlight.doctor.losses import SHAPES, LossGraph, Node, base
from firstlight.doctor.observer import Backward, Call, Feed, Observer
from firstlight.doctor.observers.fingerprint import some_of
from firstlight.doctor.places import Place, names_of

_LOOKS = (2, 5, 9, 19)  # backward passes after which it is seen which weights have gradients and which optimizer
_LATE = 8  # layers made after the first step that are looked at closely; other weights that stand for all
_MOST_GONE = 32  # optimizers that are no more, of which something is still known
_BARE = 8  # first steps without gradients that are heard in a row
_MOST = 400  # weights of which they are kept
_MOST_LOOSE = 64  # of those that are part of no model
# Nodes that use a weight, and as which of their inputs: what stands in another place may be data that wants a gradient.
_AS_WEIGHT = {"MmBackward": (1,), "MvBackward": (1,), "BmmBackward": (1,), "AddmmBackward": (0, 2),
              "ConvolutionBackward": (1, 2), "MkldnnConvolutionBackward": (1, 2), "LinearBackward": (1, 2),
              "MkldnnLinearBackward": (1, 2), "EmbeddingBackward": (0,)}  # fmt: skip


class _Steps:
    """What is known of one optimizer: counts, and the state of one of its gradients, which stands for all."""

    def __init__(self, optimizer: Optimizer, place: Place | None, born: int) -> None:
        self.optimizer = weakref.ref(optimizer)
        self.kind = type(optimizer).__name__
        self.made = place
        self.born = born
        self.stepped: Place | None = None
        self.backward: Place | None = None
        self.steps = self.reached = 0
        self.chances = 0  # steps of which it is known whether the gradients of the one before were still there
        self.looked = 0  # steps before which the gradients were looked at
        self.known: list[weakref.ref[Tensor]] = []  # its weights, which may outlive it
        self.uncleared = self.first_uncleared = 0
        self.emptied = self.first_emptied = 0  # steps whose gradients were set back after they were computed
        self.unreached = self.first_unreached = 0  # newest steps in a row that no backward pass came before
        self.bare = self.first_bare = 0  # steps with no gradient and no backward pass
        self.resting: tuple[weakref.ref[Tensor], Tensor] | None = None  # a weight at the first of them, some numbers
        self.thrown = self.first_thrown = 0  # steps before which most gradients were set back unused
        self.passes = 0  # backward passes of a step
        self.rest = 0  # of those since the last step, where the loader has no more batches for a whole one
        self.left = self.most_left = 0  # times that such a rest was set back unused, and of how many passes
        self.left_by: Place | None = None
        self.epochs = 0  # steps for which the gradients of a whole pass over a loader were added up
        self.since = 0  # backward passes since its last step
        self.most_lost = 0
        self.lost = 0  # of those, set back before the step
        self.lines: list[Any] = []  # of those passes, where that is worth to know
        self.zeroed = self.stepping = self.blank = False
        self.cleared = 0  # calls of its own zero_grad
        self.last: tuple[int, int] | None = None  # its gradient as it was last left: which object, which version
        self.before: tuple[int, int] | None = None
        self.emptied_by: Place | None = None
        self.witness: weakref.ref[Tensor] | None = None
        self.chosen = 0  # times that another weight had to stand for all

    def weights(self) -> list[Tensor]:
        optimizer = self.optimizer()
        if optimizer is None:
            return [weight for one in self.known if (weight := one()) is not None]
        return [w for group in optimizer.param_groups for w in group["params"]]

    def gradient(self) -> tuple[int, int] | None:
        weight = self.witness() if self.witness is not None else None
        gradient = weight.grad if weight is not None else None
        return None if gradient is None else (id(gradient), gradient._version)

    def is_bare(self) -> bool:
        """Whether no weight has a gradient."""
        weight = self.witness() if self.witness is not None else None
        if weight is not None and weight.grad is not None:
            return False
        return all(one.grad is None for one in self.weights())

    def rests(self) -> bool:
        """Whether no weight has a gradient now, and one is what it was at the first step without gradients."""
        if self.resting is None or self.optimizer() is None or not self.is_bare():
            return False
        weight, was = self.resting[0](), self.resting[1]
        return weight is not None and torch.equal(some_of(weight), was)

    def is_zero(self) -> bool:
        """Whether all gradients are zero, as far as reading them waits for nothing; asked where one was changed."""
        gradients = [one.grad for one in self.weights() if one.grad is not None]
        return all(g.device.type == "cpu" and not g.is_sparse and not bool(g.any()) for g in gradients)

    def choose(self) -> None:
        """The weight that stands for all: the first that has a gradient."""
        found = next((w for w in self.weights() if w.grad is not None), None)
        self.witness = weakref.ref(found) if found is not None else None
        if found is not None:
            self.known = [weakref.ref(w) for w in self.weights()[:_MOST]]


class _Untrained:
    """A weight that gets gradients: does anything change it?"""

    def __init__(self, weight: Tensor, name: str, root: nn.Module) -> None:
        self.weight = weakref.ref(weight)
        self.name, self.kind, self.training = name, type(root).__name__, root.training
        self.root = weakref.ref(root)
        self.times = self.since = 0  # looks at it, and steps that were made before the first
        self.numbers, self.shape = weight.numel(), tuple(weight.shape)
        self.gradient: Tensor | None = None  # some numbers of it, at the look before
        self.was = some_of(weight)
        # As of the newest look: whether something has changed it, which optimizers hold it, whether it was made after
        # them or is of the last layer that was called, and whether it is a copy. Its model may be gone by the end.
        self.moved = self.held = self.later = self.last = self.copied = False
        self.rank: int | None = None  # of its layer, among those of its root in the order in which they ran
        self.alone = False  # whether its root consists of nothing but weights of its own, as a loss with weights does
        self.holders: tuple[_Steps, ...] = ()
        self.of = id(root)

    def is_reached(self, gradient: Tensor) -> bool:
        """Whether its gradient is another one than at the look before: one that an earlier cell left stays as it is."""
        now = None if gradient.is_sparse else some_of(gradient)
        before, self.gradient = self.gradient, now
        return now is None or before is None or not torch.equal(now, before)

    def changed(self) -> bool:
        weight = self.weight()
        return weight is None or not torch.equal(some_of(weight), self.was)


class _Loose:
    """A weight of no model, as of a net that is made of tensors: does an optimizer hold it, does anything change it?"""

    def __init__(self, weight: Tensor) -> None:
        self.weight = weakref.ref(weight)
        self.name = ""
        self.shape = tuple(weight.shape)
        self.was = some_of(weight)
        self.gradient: Tensor | None = None
        self.times = 0
        self.held = self.moved = False

    def look(self, weight: Tensor) -> None:
        """It has a gradient: another one than at the look before?"""
        if weight.grad is None or weight.grad.is_sparse:
            return
        now = some_of(weight.grad)
        self.times += self.gradient is None or not torch.equal(now, self.gradient)
        self.gradient = now


class _ByHand:
    """A weight that no optimizer holds and that is changed all the same: by the learner's own lines."""

    def __init__(self, weight: Tensor) -> None:
        self.weight = weakref.ref(weight)
        self.last: tuple[int, int] | None = None
        self.was = some_of(weight)
        self.chances = self.uncleared = self.step = 0
        self.still = 0  # passes before which it had not changed
        self.up = self.down = 0  # changes along its gradient, and against it
        self.slope: Tensor | None = None  # some numbers of its gradient, after the newest pass
        self.place: Place | None = None

    def before(self, step: int) -> None:
        """A backward pass begins: is the gradient of the one before still there, and was it used?"""
        weight = self.weight()
        if weight is None:
            return
        now = some_of(weight)
        if torch.equal(now, self.was):
            self.still += 1
            return  # several passes for one change
        if self.slope is not None and self.slope.shape == now.shape:
            way = float(((now - self.was) * self.slope).sum())
            self.up += way > 0
            self.down += way < 0
            self.slope = None
        if weight.grad is None or self.last is None:
            self.was, self.still = now, -1_000_000
            return
        self.was = now
        self.chances += 1
        if (id(weight.grad), weight.grad._version) == self.last:
            self.uncleared += 1
            if self.uncleared == 3:
                self.step = step

    def after(self) -> None:
        weight = self.weight()
        if weight is not None and weight.grad is not None:
            self.last = (id(weight.grad), weight.grad._version)
            if self.chances < 40 and not weight.grad.is_sparse:
                self.slope = some_of(weight.grad)


class Order(Observer):
    """Facts `order_of_steps`, one entry for each optimizer in the order in which they were made, and `coverage`."""

    kinds: ClassVar = ("order_of_steps", "order_by_hand", "coverage", "loose_weights")
    gaps: ClassVar = frozenset({"module", "cleared", "backward_begins", "backward", "step_begins", "step"})

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._by: dict[int, _Steps] = {}
        self._live: list[_Steps] = []
        self._gone: list[_Steps] = []
        self._weights: dict[int, _Untrained] = {}
        self._loose: dict[int, _Loose] = {}
        self._last: weakref.WeakKeyDictionary[nn.Module, weakref.ref[nn.Module]] = weakref.WeakKeyDictionary()
        # Of each root, in which order its layers with weights of their own ran first, by their `id`.
        self._ranks: weakref.WeakKeyDictionary[nn.Module, dict[int, int]] = weakref.WeakKeyDictionary()
        self._owns: dict[tuple[int, int], bool] = {}
        self._lines = self._soon = self._late = 0
        self._by_hand: _ByHand | None = None
        session = witness.session
        session.setdefault("clock", 0)
        self._births: dict[int, tuple[weakref.ref[Tensor], int]] = session.setdefault("births", {})
        self._made: list[tuple[weakref.ref[Optimizer], Place | None, int]] = session.setdefault("optimizers", [])
        self._made[:] = [one for one in self._made if one[0]() is not None][-50:]
        for reference, place, born in self._made:
            optimizer = reference()
            if optimizer is not None:
                self._add(optimizer, _Steps(optimizer, place, born))

    def missed(self) -> None:
        """What came before the step that is heard next is not known: nothing is said of it."""
        for one in self._live:
            one.since = one.lost = 0
            one.blank, one.stepping = True, False
            one.lines.clear()
            one.last = one.before = one.gradient()

    def _tick(self) -> int:
        self.witness.session["clock"] += 1
        return int(self.witness.session["clock"])

    def registered(self, parameter: nn.Parameter) -> None:
        key, births = id(parameter), self._births

        def forget(gone: "weakref.ref[Tensor]") -> None:
            if key in births and births[key][0] is gone:
                del births[key]

        if key not in births or births[key][0]() is not parameter:
            births[key] = (weakref.ref(parameter, forget), self._tick())
            if self.witness.steps and self._late < _LATE:  # a layer that is made in the middle: who will train it?
                self._late += 1
                self._soon = 3
                self.witness.listen_fully()

    def optimizer_made(self, optimizer: Optimizer, place: Place | None) -> None:
        born = self._tick()
        self._add(optimizer, _Steps(optimizer, place, born))
        self._made.append((weakref.ref(optimizer), place, born))

    def _add(self, optimizer: Optimizer, one: _Steps) -> _Steps:
        self._gone += [other for other in self._live if other.optimizer() is None and (other.steps or other.reached)]
        del self._gone[:-_MOST_GONE]
        self._live = [*(other for other in self._live if other.optimizer() is not None), one]
        self._by = {id(other.optimizer()): other for other in self._live}
        return one

    def _of(self, optimizer: Optimizer) -> _Steps:
        known = self._by.get(id(optimizer))
        if known is None or known.optimizer() is not optimizer:
            known = self._add(optimizer, _Steps(optimizer, None, 0))
        return known

    def module(self, call: Call, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if call.grad and module._parameters and module is not call.module:
            self._last[call.module] = weakref.ref(module)
            ranks = self._ranks.setdefault(call.module, {})
            ranks.setdefault(id(module), len(ranks))

    def feed_begins(self, feed: Feed) -> None:
        """Count the steps of this pass."""
        feed.extra["steps"] = self.witness.steps

    def feed_ends(self, feed: Feed) -> None:
        """Were the last batches too few for a step? Counted for all, as not each of them is heard."""
        if len(self._live) != 1 or "steps" not in feed.extra:
            return
        (one,) = self._live
        rest = feed.learned - one.passes * (self.witness.steps - feed.extra["steps"])
        if 0 < rest < one.passes:
            one.rest = rest
            self.witness.rouse()

    def cleared(self, owner: Any) -> None:
        for one in self._live:
            if one.stepping or not self._covers(owner, one):
                continue
            one.zeroed = True
            one.cleared += isinstance(owner, Optimizer)
            if one.rest:
                one.left += 1
                one.most_left, one.rest = max(one.most_left, one.rest), 0
                one.left_by = one.left_by or self.witness.place()
            if one.since > one.lost:
                one.lost = one.since
                if one.steps < 8:
                    one.emptied_by = self.witness.place()

    def _covers(self, owner: Any, one: _Steps) -> bool:
        """Whether setting back the gradients of this optimizer or module sets back the one that stands for all."""
        if isinstance(owner, Optimizer):
            return one.optimizer() is owner
        weight = one.witness() if one.witness is not None else None
        if weight is None:
            return False
        key = (id(owner), id(weight))
        if key not in self._owns:
            if len(self._owns) > 256:
                self._owns.clear()
            self._owns[key] = any(weight is other for other in owner.parameters())
        return self._owns[key]

    def backward_begins(self, going: Backward) -> None:
        if not self._live and going.by == "backward" and going.number < 200:
            if self._by_hand is None and going.number < 3 and going.losses:
                leaf = _first_leaf(going.losses[0].grad_fn)
                self._by_hand = _ByHand(leaf) if leaf is not None and leaf.device.type == "cpu" else None
            if self._by_hand is not None:
                self._by_hand.before(self.witness.step)
                self._by_hand.place = self._by_hand.place or going.place
        for one in self._live:
            one.before = one.gradient()

    def backward(self, going: Backward) -> None:
        if self._by_hand is not None:
            self._by_hand.after()
        for one in self._live:
            if (one.witness is None or one.witness() is None) and (going.number < 50 or going.close):
                one.choose()
            after = one.gradient()
            if after is None and one.unreached >= 2 and one.chosen < _LATE:
                one.choose()  # the weight that stood for all may be that of a layer which is no more
                one.chosen += 1
                after, one.before, one.blank = one.gradient(), None, True  # of whose gradient nothing is known so far
            if after is None or after == one.before:
                continue  # this loss is another optimizer's
            one.zeroed = one.zeroed or one.before is None or one.before != one.last
            one.last = after
            one.since += 1
            one.reached += 1
            one.rest = 0
            if going.place is not None and one.backward is None:
                one.backward = going.place
            if (one.lost or one.since > 3) and self._lines < 400:  # gradients that nothing has used: of which line?
                self._lines += 1
                place = going.place or self.witness.place()
                one.lines.append((one.since, place and (place.file, place.line)))
        if going.number in _LOOKS or (going.close and going.number > 20) or self._soon:
            self._soon = max(0, self._soon - 1)
            self._see()
            self._see_loose(going)

    def step_begins(self, optimizer: Optimizer) -> None:
        one = self._of(optimizer)
        one.stepping = True
        if not one.since:
            return
        emptied = one.lost == one.since or one.is_bare()
        if not emptied and one.gradient() != one.last:
            # Changed by hand since the backward pass: scaled, clipped, or set back. Read at first, then believed.
            emptied = one.is_zero() if one.steps < 32 else one.emptied == one.looked
        one.looked += 1
        if emptied:
            one.zeroed = True
            one.emptied += 1
            if one.emptied == 3:
                one.first_emptied = self.witness.step
        elif one.lost >= 2 and len(one.lines) >= 2:
            newest = one.lines[-1][1]
            if newest is not None and sum(line == newest for _at, line in one.lines) >= min(4, len(one.lines)):
                one.most_lost = max(one.most_lost, one.lost)
                one.thrown += 1
                if one.thrown == 2:
                    one.first_thrown = self.witness.step
        feed = self.witness.feed
        if feed is not None and feed.ended and one.since >= 5 and one.since == feed.count and not one.lost:
            one.epochs += 1

    def step(self, optimizer: Optimizer) -> None:
        one = self._of(optimizer)
        one.stepping = False
        one.chances += bool(one.steps and one.since and not one.blank)
        if one.since and not one.zeroed and not one.blank and one.steps:
            one.uncleared += 1
            if one.uncleared == 3:
                one.first_uncleared = self.witness.step
        elif not one.since and one.bare < 200 and one.is_bare():
            one.bare += 1
            if one.bare == 1 and (weights := one.weights()):
                one.resting = weakref.ref(weights[0]), some_of(weights[0])
            if one.bare == 3:
                one.first_bare = self.witness.step
            if one.bare < _BARE and not one.reached:
                self.witness.stay()
        if one.since:
            one.unreached = 0
        elif not one.blank:
            one.unreached += 1
            if one.unreached == 5:
                one.first_unreached, self._soon = self.witness.step, 2
        one.steps += 1
        one.passes = max(one.passes, one.since - one.lost)
        one.since = one.lost = 0
        one.zeroed = one.blank = False
        one.lines.clear()
        one.last = one.gradient()
        if one.steps <= 2:
            one.stepped = self.witness.place()

    def _see(self) -> None:
        """Which weights have gradients now, and begin to see whether something changes them."""
        for root in self.witness.roots():
            for name, weight in root.named_parameters():
                if weight.grad is None or not weight.requires_grad:
                    continue
                known = self._weights.get(id(weight))
                if known is None or known.weight() is not weight:
                    if len(self._weights) >= _MOST:
                        return
                    known = self._weights[id(weight)] = _Untrained(weight, name, root)
                    known.since = self.witness.steps
                known.times += known.is_reached(weight.grad)
        self._look()

    def _see_loose(self, going: Backward) -> None:
        """The same of weights that are part of no model that was called."""
        if going.by != "backward" or not self._live or len(self._loose) >= _MOST_LOOSE:
            return
        graph = LossGraph.of(going.losses)
        known = self.witness.name_of
        nodes = [(one, leaf) for one in graph.nodes if isinstance(leaf := getattr(one, "variable", None), Tensor)]
        for node, leaf in nodes if graph.whole else ():
            one = self._loose.get(id(leaf))
            if one is None or one.weight() is not leaf:
                if leaf.grad is None or known(leaf) is not None or len(self._loose) >= _MOST_LOOSE:
                    continue
                if not isinstance(leaf, nn.Parameter) and not _is_used_as_weight(graph, node):
                    continue
                one = self._loose[id(leaf)] = _Loose(leaf)
            one.look(leaf)
            if one.times == 2 and not one.name:
                one.name = names_of(leaf) or "x".join(map(str, one.shape)) or "1"

    def _look(self) -> None:
        """What is so now of the weights that live."""
        holders: dict[int, tuple[_Steps, ...]] = {}
        for steps in self._live:
            for weight in steps.weights():
                holders[id(weight)] = (*holders.get(id(weight), ()), steps)
        for loose in self._loose.values():
            own = loose.weight()
            if own is not None:
                loose.held |= id(own) in holders
                loose.moved |= not torch.equal(some_of(own), loose.was)
        youngest = max((one.born for one in self._live if one.steps), default=0)
        for one in self._weights.values():
            held, root = one.weight(), one.root()
            if held is None or root is None:
                continue
            birth = self._births.get(id(held))
            last = self._last.get(root)
            module = last() if last is not None else None
            one.moved, one.copied = one.changed(), birth is None
            one.holders = holders.get(id(held), ())
            one.held = bool(one.holders)
            one.later = bool(youngest and birth is not None and birth[0]() is held and birth[1] > youngest)
            if one.rank is None:
                owner = one.name.rpartition(".")[0]
                ranks = self._ranks.get(root, {})
                one.rank = ranks.get(id(root.get_submodule(owner))) if owner else None
            one.last = module is not None and any(held is own for own in module._parameters.values())
            one.alone = not root._modules and not type(root).__module__.startswith("torch.")

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What each optimizer did, and which weights with gradients belong to none."""
        self._look()
        rows = [self._row(one) for one in (*self._gone, *self._live) if one.steps or one.reached]
        hand = self._by_hand
        if hand is not None and (hand.chances or hand.up or hand.still > 0) and not rows:
            yield (
                "order_by_hand",
                {
                    "chances": hand.chances,
                    "uncleared": hand.uncleared,
                    "still": hand.still,
                    "up": hand.up,
                    "down": hand.down,
                    "step": hand.step,
                    "backward": hand.place and hand.place.as_json(),
                },
            )
        if rows:
            yield "order_of_steps", rows
        if any(one.times >= 2 for one in self._loose.values()):
            free = [one for one in self._loose.values() if one.times >= 2 and not one.held and not one.moved]
            yield (
                "loose_weights",
                {
                    "free": [one.name for one in free[:6]],
                    "count": len(free),
                    "held": sum(one.held for one in self._loose.values()),
                },
            )
        seen = [one for one in self._weights.values() if one.weight() is not None and one.root() is not None]
        seen = seen or list(self._weights.values())  # models that ended with the function that made them
        if not seen:
            return
        roots: dict[int, dict[str, Any]] = {}
        for one in seen:
            row = roots.setdefault(one.of, {
                "of": one.of, "root": one.kind, "training": one.training, "free": [], "held": 0, "numbers": 0,
                "later": 0, "last": False, "changed": 0, "unchanged": 0, "copied": 0, "alone": one.alone,
                "held_numbers": 0, "held_from": None, "free_to": None,
            })  # fmt: skip
            row["changed" if one.moved else "unchanged"] += 1
            row["copied"] += one.copied
            if one.held:
                row["held"] += 1
                row["held_numbers"] += one.numbers
                if one.rank is not None:
                    row["held_from"] = one.rank if row["held_from"] is None else min(row["held_from"], one.rank)
            elif not one.moved and one.times >= 2:
                row["free"].append(one.name)
                row["numbers"] += one.numbers
                row["later"] += one.later
                row["last"] |= one.last
                if one.rank is not None:
                    row["free_to"] = one.rank if row["free_to"] is None else max(row["free_to"], one.rank)
        dead = self._orphans()
        for row in roots.values():
            shapes = [one.shape for one in seen if one.of == row["of"] and not one.held and not one.moved]
            late = all(self.witness.steps - one.since >= _LATE for one in seen if one.of == row["of"])
            row["replaced"] = late and bool(shapes) and not Counter(shapes) - Counter(dead)
        yield (
            "coverage",
            {
                "optimizers": len([one for one in self._live if one.optimizer() is not None]),
                "stepped": sum(one.steps > 0 for one in (*self._gone, *self._live)),
                "backwards": self.witness.backwards,
                "roots": [
                    {**{k: v for k, v in row.items() if k != "of"}, "free": row["free"][:6], "count": len(row["free"])}
                    for row in roots.values()
                ],
            },
        )

    def _orphans(self) -> list[tuple[int, ...]]:
        """Shapes of weights that optimizers with steps hold, and that are part of no model that lives."""
        alive = {id(weight) for root in self.witness.roots() for weight in root.parameters()}
        return [
            tuple(weight.shape)
            for steps in self._live
            if steps.steps
            for weight in steps.weights()
            if id(weight) not in alive
        ]

    def _row(self, one: _Steps) -> dict[str, Any]:
        own = [known for known in self._weights.values() if one in known.holders]
        return {
            "optimizer": one.kind,
            "steps": one.steps,
            "reached": one.reached,
            "cleared": one.cleared,
            "uncleared": one.uncleared,
            "chances": one.chances,
            "looked": one.looked,
            "step": one.first_uncleared,
            "emptied": one.emptied,
            "emptied_step": one.first_emptied,
            "emptied_by": one.emptied_by and one.emptied_by.as_json(),
            "bare": one.bare,
            "rests": one.rests(),
            "unreached": one.unreached,
            "unreached_step": one.first_unreached,
            "bare_step": one.first_bare,
            "thrown": one.thrown,
            "most_thrown": one.most_lost,
            "thrown_step": one.first_thrown,
            "epochs": one.epochs,
            "passes": one.passes,
            "left": one.left,
            "most_left": one.most_left,
            "left_by": one.left_by and one.left_by.as_json(),
            "changed": sum(known.moved for known in own),
            "unchanged": sum(not known.moved for known in own),
            "made": one.made and one.made.as_json(),
            "stepped": one.stepped and one.stepped.as_json(),
            "backward": one.backward and one.backward.as_json(),
        }


def _is_used_as_weight(graph: LossGraph, node: Node) -> bool:
    """Whether what a leaf's node stands for is a factor or a bias of a layer, directly or in another shape."""
    waiting = [node]
    for one in waiting:
        for above in graph.above.get(one, ()):
            kind = base(above)
            if any(following is one and at in _AS_WEIGHT.get(kind, ()) for at, (following, _input) in
                   enumerate(above.next_functions)):  # fmt: skip
                return True
            if kind in SHAPES and len(waiting) < 8:
                waiting.append(above)
    return False


def _first_leaf(node: Any) -> Tensor | None:
    """A weight that a loss hangs on; None where none is found near."""
    todo, seen = [node], 0
    while todo and seen < 500:
        one = todo.pop(0)
        seen += 1
        if one is None:
            continue
        variable = getattr(one, "variable", None)
        if isinstance(variable, Tensor):
            return variable
        todo += [below for below, _at in one.next_functions]
    return None
