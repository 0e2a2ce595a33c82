"""Which samples and labels a model learns from, which it is evaluated with, in which mode, and what comes out.

Shapes: N rows of a batch, C classes, F features.
"""

import contextlib
import functools
import math
import random
import sys
import weakref
from collections import Counter
from collections.abc import Iterator, Sized
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler

from firstlight.doctor.losses import LossGraph, classes_lie_last
from firstlight.doctor.observer import Backward, Call, Feed, Observer
from firstlight.doctor.observers.evaluating import evaluation_facts
from firstlight.doctor.observers.fingerprint import (
    bags,
    fingerprints,
    first_tensor,
    has_plain_numbers,
    rows_of,
    tensors_in,
)
from firstlight.doctor.observers.learning_rows import row_facts
from firstlight.doctor.observers.printed import Printed
from firstlight.doctor.observers.stand_in import StandIn, labels_by_hand, sources
from firstlight.doctor.observers.trying import Trials
from firstlight.doctor.observers.window import Window
from firstlight.doctor.places import Place
from firstlight.graph.source import kind_of_file

_ALWAYS = 64  # so many small batches are read whatever that costs: some milliseconds in all
_SMALL = 1 << 18  # elements of a small batch
_BLANK = 8  # first batches of a pass in which inputs of nothing but zeros are looked for
_LARGE = 1 << 20  # elements of a further input that is not read
_MOST_ROWS = 100_000  # that are remembered as numbers
_MOST_USES = 3_000
_FULL = 64  # so many steps of a model are heard one by one, then
_SAMPLED = 16  # one in so many
_KEPT_ROWS = 1_200  # that are copied, for neighbours and columns
_KEPT_WIDTH = 4_096
_TESTED_ROWS, _TESTED_WIDTH = 400, 256  # of a table's evaluation, to know rows again that were scaled anew
_TESTED_PASSES = 4
# They tell how often rows are equal by chance: of two words, which four floats are, fewer say too little.
_CHANCE_ROWS = 1_024
_DRAWN = {"dropout", "dropout1d", "dropout2d", "alpha_dropout", "rand", "rand_like", "randn", "randn_like", "bernoulli",
          "bernoulli_", "normal_", "uniform_"}  # fmt: skip
_WINDOWS = 12  # evaluations whose next functions are heard
_LOSSES = (
    "cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "mse_loss", "l1_loss",
    "smooth_l1_loss", "huber_loss",
)  # fmt: skip


class Use:
    """One call of a root: which rows, and what became of it. Holds no tensor of the program's."""

    grad = training = learned = scored = read = part = same = acts = unloaded = first = behind = False
    feed = position = -1
    width = target_width = 0
    cut = 0.0  # an only output above this speaks for class 1
    place: Place | None = None
    rows: Tensor | None = None  # their fingerprints
    print: int | None = None  # of all of them together
    labels: Tensor | None = None
    choice: Tensor | None = None  # the class that the output speaks for
    across: Tensor | None = None  # the row that speaks most for each class
    half: Tensor | None = None  # that it would speak for if logits were compared with 0.5
    several: dict[int, Tensor] | None = None  # the same for each dimension of an output of three
    matched: Tensor | None = None  # the same with inputs that look like those of the training
    guess: Tensor | None = None
    copy: Tensor | None = None
    values: dict[str, float] | None = None
    columns: Tensor | None = None
    missing: dict[str, Any] | None = None
    loss: tuple[str, float] | None = None
    input: weakref.ref[Tensor] | None = None
    gave: weakref.ref[Tensor] | None = None
    kept: Tensor | None = None
    output: tuple[int, ...] = ()
    places: tuple[dict[str, Any], ...] = ()

    def __init__(self, root: "Root", call: Call, at: int, step: int, phase: int, first: Tensor) -> None:
        self.root, self.at, self.step, self.phase = root, at, step, phase
        self.grad, self.training, self.place = call.grad, call.training, call.place
        self.shape = tuple(first.shape)
        self.size = self.shape[0]

    def mark(self, _gradients: Any) -> None:
        """The output goes backward."""
        self.learned = True
        self.root.taught[self.training] += 1


class Root:
    """One model: what it has learned from."""

    def __init__(self, module: nn.Module) -> None:
        self.module = weakref.ref(module)
        self.kind = type(module).__name__
        self.learned = self.hashed = self.delivered = 0
        self.taught = [0, 0]  # outputs that went backward, of evaluation mode and of training mode
        self.seen: set[int] = set()
        self.over = False  # whether the first epoch is
        self.sizes: Counter[int] = Counter()
        self.uses: list[Use] = []  # that were learned from
        self.evaluated: list[Use] = []
        self.words: list[Tensor] = []
        self.rows: list[Tensor] = []  # copies, (N, F)
        self.labels: list[Tensor] = []
        self.kept = 0
        self.tested: dict[tuple[int, int], list[Tensor]] = {}  # by cell and pass: copies of evaluated rows, (N, F)
        self.known_again: dict[tuple[int, int], tuple[int, int]] = {}  # of these: rows, and how many were learned from
        self.losses: Counter[str] = Counter()
        self.stats: list[dict[str, float]] = []
        self.input_kinds: list[str] = []
        self.first: list[dict[str, float]] = []  # what the first layer with weights is given
        self.first_at = -1
        self.again: dict[str, float] | None = None  # of inputs that were standardized, and are within the model too
        self.met: list[dict[str, float]] = []  # the same, by the graph of the loss
        self.loaded = False
        self.scores: list[tuple[int, float, int]] = []  # at, accuracy, rows
        self.values: list[tuple[int, float]] = []  # of the loss
        self.start: dict[str, Any] | None = None
        self.eval_stats = self.stats_phase = self.stats_learned = 0
        self.windows = 0
        self.fresh: int | None = None
        self.lost_shape: dict[str, Any] | None = None
        self.dims: dict[int, int] = {}
        self.class_axis: int | None = None  # of an output of three dimensions or more, as the loss reads it
        self.restarts = False  # whether weights were put back since it learned last
        self.front: Root | None = None  # whose output it is given: both are one model
        self.raw = self.inner = False  # whether it was given samples themselves; whether it is such a front
        self.behind: set[int] = set()

    def forget(self) -> None:
        """What was learned before is gone."""
        self.uses, self.evaluated, self.seen, self.over, self.tested = [], [], set(), False, {}


class Samples(Observer):
    """Facts `rows`, `labels`, `inputs`, `evaluations`, `metric_operations`, `feeds`, `outputs`, `trials`, `printed`."""

    kinds: ClassVar = (
        "rows", "labels", "inputs", "evaluations", "metric_operations", "feeds", "outputs", "trials", "printed",
    )  # fmt: skip
    hears: ClassVar = {
        **{f"loss_{name}": ("torch.nn.functional", name) for name in _LOSSES},
        "reset_linear": ("torch.nn.Linear", "reset_parameters"),
        "reset_convolution": ("torch.nn.modules.conv._ConvNd", "reset_parameters"),
        "loader_made": ("torch.utils.data.DataLoader", "__init__"),
        **{f"table_{name}": ("numpy", name) for name in ("mean", "sum", "average", "count_nonzero")},
        "weights_loaded": ("torch.nn.Module", "load_state_dict"),
        "printed": ("builtins", "print"),
    }

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self.roots: dict[int, Root] = {}
        self.feeds: dict[int, dict[str, Any]] = {}
        self.metrics: list[dict[str, Any]] = []
        self._made: weakref.WeakKeyDictionary[Any, Place | None] = weakref.WeakKeyDictionary()
        self._pending: list[Use] = []
        self._last: Use | None = None
        self._without_slope: tuple[weakref.ref[Tensor], dict[str, Any]] | None = None
        self._last_eval: Use | None = None
        self._count = self._phase = self._in_phase = 0
        self._reads = [0, 0, 0]
        self._batch: tuple[Feed, list[weakref.ref[Tensor]]] | None = None
        self._hashed: tuple[weakref.ref[Tensor], Tensor] | None = None
        self._states: dict[int, Any] = {}
        self._bases: dict[int, int] = {}
        self._window = Window(witness, self._saw)
        self._heard_by: Use | None = None
        self.trials = Trials(self)
        self.stand_in = StandIn(self)
        self.printed = Printed(self)
        self.cut_loss: dict[str, Any] | None = None
        self._tables = 0
        self.lost: dict[str, Any] | None = None
        self.left_out = False  # whether no such loss has gone backward so far

    # Batches of loaders.

    def feed_begins(self, feed: Feed) -> None:
        """What kind of loader it is."""
        self._window.end()
        loader = feed.loader
        number = self._number(loader)
        kept: dict[str, Any] = {
            "loader": number, "place": feed.place and feed.place.as_json(), "made": None, "batches": 0, "rows": 0,
            "distinct": 0, "sequential": False, "workers": 0, "length": None, "base": None, "draws": None,
            "prints": [], "scale": None, "learned": 0, "ended": False, "dataset": "", "drop_last": False,
            "items": None, "step": self.witness.step, "labels": None, "batch_size": None, "at": self._count,
        }  # fmt: skip
        if isinstance(loader, DataLoader):
            made = self._made.get(loader)
            dataset = loader.dataset
            base = _base(dataset)
            kept.update(
                made=made and made.as_json(),
                sequential=type(loader.sampler) is SequentialSampler and type(loader.batch_sampler) is BatchSampler,
                workers=loader.num_workers,
                base=self._number(base),
                dataset=type(base).__name__,
                drop_last=bool(loader.drop_last),
                held=_held(base),
                batch_size=loader.batch_size,
            )
            with contextlib.suppress(Exception):
                kept["all"] = len(cast(Sized, dataset))
            if type(loader.sampler) in (SequentialSampler, RandomSampler) and loader.batch_size:
                with contextlib.suppress(Exception):  # it is the learner's, and asks their dataset
                    kept["items"] = len(cast(Sized, loader.sampler))
                    whole, left = divmod(kept["items"], loader.batch_size)
                    kept["length"] = whole + (left > 0 and not loader.drop_last)
            if kept["sequential"] and not loader.num_workers and feed.number < 200:
                self._states[feed.number] = _randomness()
        if len(self.feeds) < 400:
            self.feeds[feed.number] = kept

    def _number(self, thing: Any) -> int:
        """A number for an object, another one for another object at the same address."""
        key = id(thing)
        if key not in self._bases:
            self._bases[key] = len(self._bases) + 1000 * len(self.feeds)
            with contextlib.suppress(TypeError):
                weakref.finalize(thing, self._bases.pop, key, None).atexit = False
        return self._bases[key]

    def batch(self, feed: Feed, batch: Any) -> None:
        """Which rows it holds, in the first passes."""
        self._window.end()
        values = batch if isinstance(batch, list | tuple) else [batch]
        tensors = tensors_in(values, batch if isinstance(batch, dict) else {})
        self._batch = feed, [weakref.ref(one) for one in tensors]
        kept = self.feeds.get(feed.number)
        if kept is None:
            return
        if feed.count == 1:
            before = self._states.pop(feed.number, None)
            if before is not None:
                kept["draws"] = before != _randomness()
        kept["batches"] = feed.count
        if not tensors or not tensors[0].ndim:
            return
        first = tensors[0]
        small = first.device.type == "cpu" and first.numel() <= _SMALL and has_plain_numbers(first)
        early = small and feed.count <= 2 and feed.number < 8
        shape = first.shape
        kept["rows"] += shape[0]
        if "shape" not in kept:
            kept["shape"] = list(shape[1:])
        if len(tensors) > 1 and kept["labels"] is None:
            kept["labels"] = "classes" if _are_classes(tensors[-1]) else "values"
        if early and first.is_floating_point():
            kept.setdefault("scales", []).append(_mean_and_spread(first.detach().float()))
        elif early and first.dtype != torch.bool and first.ndim > 1:
            counts = torch.unique(first.detach(), return_counts=True)[1]
            kept.setdefault("often", []).append(float(counts.max()) / first.numel())
        if feed.number >= 16 or len(kept["prints"]) >= 64:
            return
        few = kept["sequential"] and feed.count <= 2 and small
        if feed.count <= _BLANK and feed.number < 8:
            blank = [one.ndim >= 3 and one.device.type == "cpu" and one.numel() <= _SMALL and has_plain_numbers(one)
                     and not bool(one.any()) for one in tensors]  # fmt: skip
            kept["blank"] = [old and new for old, new in zip(kept.get("blank", blank), blank, strict=False)]
        if few or self._may_read(first, 0):
            rows = self._print(first)
            if rows is not None and rows.device.type == "cpu":
                numbers = rows.tolist()
                kept["prints"].append(hash(tuple(numbers)))
                kept.setdefault("set", set()).update(numbers)
                kept["counted"] = kept.get("counted", 0) + len(numbers)

    def feed_ends(self, feed: Feed) -> None:
        """A pass is over."""
        self._window.end()
        kept = self.feeds.get(feed.number)
        if kept is not None:
            kept["ended"] = True
            kept["batches"] = feed.count
            few = kept.get("counted", 0)
            if feed.number < 8 and few >= 64 and 1 < len(kept["set"]) < 0.05 * few and kept.get("stored") is None:
                with contextlib.suppress(Exception):
                    kept["stored"] = _stored(feed.loader.dataset, tuple(kept["shape"]), len(kept["set"]))
            kept["learned"] = max(kept["learned"], feed.learned)

    def _passes(self) -> list[dict[str, Any]]:
        """What is told of each pass, and how much of it is what the pass before gave at the same places."""
        found: list[dict[str, Any]] = []
        before: dict[int, list[int]] = {}
        for one in list(self.feeds.values())[:100]:
            told = {k: v for k, v in one.items() if k not in ("set", "prints")}
            earlier = before.get(one["loader"])
            pairs = list(zip(earlier or [], one["prints"], strict=False))
            told["as_before"] = sum(a == b for a, b in pairs) / len(pairs) if pairs else None
            told["distinct"] = len(one.get("set", ()))
            told["counted"] = one.get("counted", 0)
            before[one["loader"]] = one["prints"]
            found.append(told)
        return found

    def _learned_by(self, feed: int) -> None:
        if feed in self.feeds:
            self.feeds[feed]["learned"] += 1

    # Calls of models.

    def forward(self, call: Call) -> None:
        """Which rows, in which mode, and what came out."""
        if self._window.open:
            self._window.end()
        root = self._root(call.module)
        skips = root.learned >= _FULL and call.number % _SAMPLED and call.grad and call.training
        if skips and not self._teaches_nothing():
            self._last = None  # as many before it: a training goes on
            return
        inputs = tensors_in(call.args, call.kwargs)
        if not inputs or not inputs[0].ndim or not inputs[0].numel():
            return
        first, output = inputs[0], first_tensor(call.output)
        if first.ndim == 1 and output is not None and output.ndim and output.shape[0] != first.shape[0]:
            bag = bags(inputs, output.shape[0])
            if bag is not None:
                inputs, first = [bag], bag
        use = self.use_of(call, first)
        front = self._front(use, first)
        likely = not call.grad or not (call.training or root.taught[0] > 2 * root.taught[1] + 3)  # to be an evaluation
        if output is not None:
            use.output = tuple(output.shape)
            if call.grad and root.learned < 64 and output.numel() <= 4096:
                use.kept = output.detach()  # until the loss is known; it is small
            use.width = output.shape[1] if output.ndim == 2 else 1 if output.ndim == 1 else 0
            self._shape(use, first, output)
        if front is not None:
            self._go_on(use, front, likely)
        elif likely or root.learned < 512:
            self._read(use, inputs, likely, output)
        self._last = use
        if output is not None and output.grad_fn is not None:
            output.grad_fn.register_prehook(use.mark)
            self._pending.append(use)
            if len(self._pending) > 512:
                self._evaluated(self._pending.pop(0))
            if not likely and not self._evaluates(use):
                return
        if not call.grad or output is None or output.grad_fn is None:
            self._evaluated(use)
        if output is not None and type(output) is Tensor:
            self._evaluation(use, call, output)

    def use_of(self, call: Call, first: Tensor) -> Use:
        """What is kept of a call that is given this tensor."""
        use = Use(self._root(call.module), call, self._count, self.witness.step, self._phase, first)
        self._count += 1
        use.input = weakref.ref(first)
        self._of_feed(use, first)
        return use

    def _front(self, use: Use, first: Tensor) -> Use | None:
        """The call whose output this one is given, whatever was done with it: an encoder before a head."""
        root, last = use.root, self._last
        if use.grad and first.grad_fn is None:
            root.raw = True
        if root.raw or last is None or last.size != use.size or last.root is root or last.root.front is root:
            return None
        if use.grad and last.grad:
            root.front, last.root.inner = last.root, True
            root.behind.add(id(last.root))
        elif use.grad or id(last.root) not in root.behind:
            return None
        return last

    @staticmethod
    def _go_on(use: Use, front: Use, likely: bool) -> None:
        """What was given to the front is what this model was given."""
        root = use.root
        use.behind, use.shape, use.feed, use.position = True, front.shape, front.feed, front.position
        use.rows, use.print, use.part, use.missing = front.rows, front.print, front.part, front.missing
        use.values, use.columns, use.input = front.values, front.columns, front.input
        use.copy, front.copy = front.copy, None
        if use.labels is None:
            use.labels = front.labels
        if not root.words:
            root.words = front.root.words
        if not likely and use.values is not None:
            root.stats.append(use.values)

    def _root(self, module: nn.Module) -> Root:
        key = id(module)
        root = self.roots.get(key)
        if root is None or root.module() is not module:
            if root is not None:
                self.roots[-len(self.roots) - 2] = root
            root = self.roots[key] = Root(module)
        return root

    def _teaches_nothing(self) -> bool:
        """Whether this batch is a later one of a pass over a loader that nothing was learned from so far."""
        if self._batch is None:
            return False
        feed = self._batch[0]
        return not feed.ended and not feed.learned and feed.count >= 2

    def _evaluates(self, use: Use) -> bool:
        """Whether a call with gradients, in training mode, comes from a loader that nothing was learned from."""
        return use.root.learned > 0 and use.feed >= 0 and self._teaches_nothing()

    def _of_feed(self, use: Use, first: Tensor) -> None:
        if self._batch is None:
            return
        feed, tensors = self._batch
        held = tensors[0]() if tensors else None
        if feed.ended or held is None or not held.ndim or held.shape[0] != use.size:
            return
        use.feed, use.position = feed.number, feed.count
        labels = tensors[-1]() if len(tensors) > 1 else None
        if labels is not None and labels is not first and labels.ndim and labels.shape[0] == use.size:
            self._label(use, labels)

    def _label(self, use: Use, labels: Tensor) -> None:
        """Remember the labels of this batch, as long as they are of use."""
        root = use.root
        use.target_width = math.prod(labels.shape[1:])
        if use.labels is not None or (root.learned >= _FULL and use.grad and use.training and use.rows is None):
            return
        if labels.numel() <= 65_536 and labels.device.type == "cpu" and not labels.is_complex():
            plain = labels.detach()
            use.labels = plain.reshape(plain.shape[0], -1).clone()

    def _shape(self, use: Use, first: Tensor, output: Tensor) -> None:
        """Whether this output has lost the dimension of the batch."""
        root = use.root
        if use.size > 1:
            root.dims.setdefault(first.ndim, output.ndim)
        elif output.ndim < root.dims.get(first.ndim, 0) and root.lost_shape is None and use.feed >= 0:
            root.lost_shape = {"input": list(use.shape), "output": list(use.output), "step": use.step, "use": use}

    def _may_read(self, tensor: Tensor, kind: int) -> bool:
        """Whether there is time to read a tensor: 0 of a loader, 1 that is learned from, 2 that is evaluated."""
        if self._reads[kind] < _ALWAYS and tensor.numel() <= _SMALL * 2**kind and tensor.device.type == "cpu":
            self._reads[kind] += 1
            return True
        return self.witness.may_spend()

    def _print(self, tensor: Tensor) -> Tensor | None:
        """The fingerprints of its rows, computed once for a tensor that is asked about twice in a row."""
        known = self._hashed
        if known is not None and known[0]() is tensor:
            return known[1]
        words = rows_of(tensor)
        if words is None:
            return None
        rows = fingerprints(words)
        self._hashed = weakref.ref(tensor), rows
        return rows

    def _read(self, use: Use, inputs: list[Tensor], likely: bool, output: Tensor | None) -> None:
        root, first = use.root, inputs[0]
        wanted = likely or not root.over or root.learned < 64 or use.size not in root.sizes
        if not wanted or not self._may_read(first, 2 if likely else 1) or root.hashed > _MOST_ROWS:
            return
        rows = self._print(first)
        if rows is None:
            return
        alone = True
        further: list[Tensor] = []
        for number, other in enumerate(inputs[1:], start=2):
            alone = alone and not (other.ndim > 1 and len(other) == use.size)  # not lengths, one number for each
            if other.ndim and len(other) == use.size and other.numel() <= _LARGE:  # the same for each batch, or none
                more = rows_of(other)
                if more is not None and more.device == rows.device:
                    rows = rows + (2 * number + 1) * fingerprints(more)
                    further.append(more)
        use.rows = rows
        if first.device.type == "cpu":
            use.print = hash(tuple(rows.tolist()))
            if first.untyped_storage().nbytes() > 1.5 * first.numel() * first.element_size():
                use.part = True
            self._values(use, first, likely, output)
            if alone and not likely and not root.over and root.kept < _KEPT_ROWS and use.grad:
                self._copy(use, first)
            if likely and first.ndim == 2 and first.is_floating_point() and first.shape[1] <= _TESTED_WIDTH:
                self._keep_tested(use, first)
        if not likely and root.kept < _KEPT_ROWS and first.device.type == "cpu":
            words = rows_of(first)
            if words is not None and sum(len(one) for one in root.words) < _CHANCE_ROWS:
                words = torch.cat([words, *further], dim=1)  # all that makes a row what it is
                step = -(-words.shape[1] // 64)
                root.words.append(words[:, ::step].clone())

    def _values(self, use: Use, first: Tensor, likely: bool, output: Tensor | None) -> None:
        """Mean, spread and ends of the inputs, of the first batches that are learned from and evaluated."""
        root = use.root
        if likely:
            root.eval_stats += 1
        if (
            likely
            and self._phase != root.stats_phase
            and root.eval_stats > 8
            and root.learned >= 2 * root.stats_learned
        ):
            root.eval_stats = 6  # a later evaluation: a few of its batches, too
        if likely and self._phase != root.stats_phase:
            root.stats_phase, root.stats_learned = self._phase, root.learned
        if (len(root.stats) if not likely else root.eval_stats) > 10 or first.numel() > 4_000_000:
            return
        if not first.is_floating_point():
            low, high = torch.aminmax(first.detach()) if first.dtype != torch.bool else (first.min(), first.max())
            use.values = {"low": float(low), "high": float(high), "whole": 1.0, "finite": 1.0}
        else:
            plain = first.detach().float()
            low, high = torch.aminmax(plain)
            mean, spread = _mean_and_spread(plain)
            use.values = {
                "low": float(low), "high": float(high), "mean": mean, "spread": spread, "whole": 0.0,
                "finite": float(torch.isfinite(plain).all()),
            }  # fmt: skip
            if plain.ndim == 2 and plain.shape[1] <= 256 and len(plain) > 1:
                use.columns = torch.stack([plain.mean(0), plain.std(0)])
            if use.values["finite"] and use.values["high"] <= 0.02 and use.values["low"] >= 0:
                steps = plain * 65_025  # 255 * 255: bytes that were divided twice are whole numbers of this
                use.values["twice"] = float(((steps - steps.round()).abs() < 0.02).float().mean())
            if not use.values["finite"]:
                self._missing(use, first, "inputs")
                if use.missing is not None and output is not None and output.is_floating_point():
                    use.missing["finite_output"] = bool(torch.isfinite(output.detach()).all())
        if not likely:
            root.stats.append(use.values)

    def _missing(self, use: Use, tensor: Tensor, what: str) -> None:
        """Which rows and columns are not finite."""
        if not tensor.is_floating_point():
            return
        bad = ~torch.isfinite(tensor.detach())
        if not bad.any():
            return
        flat = bad.reshape(len(bad), -1) if bad.ndim else bad.reshape(1, 1)
        rows, columns = flat.any(1).nonzero().flatten(), flat.any(0).nonzero().flatten()
        use.missing = {
            "what": what, "count": int(flat.sum()), "rows": rows[:5].tolist(), "columns": columns[:5].tolist(),
            "bad_rows": len(rows), "size": len(flat), "width": flat.shape[1], "step": use.step,
            "nan": bool(torch.isnan(tensor.detach()).any()),
        }  # fmt: skip

    # Evaluations.

    def _evaluated(self, use: Use) -> None:
        if len(use.root.evaluated) < _MOST_USES:
            use.root.evaluated.append(use)

    def _evaluation(self, use: Use, call: Call, output: Tensor, heard: Tensor | None = None) -> None:
        """A call whose output will hardly go backward: what it says, and what is done with it (or `heard`)."""
        root = use.root
        use.gave = weakref.ref(output)
        late = root.evaluated[-3:-1]
        if len(late) == 2 and late[0].phase == late[1].phase == use.phase:
            first = late[0].gave
            if first is not None and first() is not None:  # outputs are collected, and looked at in the end
                late[0].read = late[1].read = use.read = True
        if len(root.evaluated) > _MOST_USES:
            return
        if call.training:
            use.acts = _acts(call.module)
        use.unloaded = root.loaded
        last = self._last_eval
        use.same = last is not None and last.print is not None and last.print == use.print and last.phase == use.phase
        use.same = use.same and last is not None and last.root is root
        if use.same and last is not None:
            last.same = True
        self._last_eval = use
        if root.windows < 64:
            use.places = tuple(_own_places())
            use.place = Place.from_json(use.places[0]) if use.places else None
            for place in use.places:
                self.witness._files.setdefault(place["file"])
        if output.device.type == "cpu" and output.is_floating_point() and output.numel() <= 4_000_000:
            plain = output.detach()
            if plain.ndim == 2 and plain.shape[1] > 1:
                use.choice = plain.argmax(1)
                use.across = plain.argmax(0) if plain.shape[1] <= 100 else None
            elif plain.numel() == use.size and plain.ndim and any("binary" in name for name in root.losses):
                use.cut = 0.5 if root.losses["binary_cross_entropy"] else 0.0
                use.choice = (plain.reshape(-1) > use.cut).long()
                use.half = (plain.reshape(-1) > 0.5).long() if not use.cut else None
            elif plain.ndim == 3 and plain.shape[2] > 1 and plain.numel() <= 100_000:
                use.several = {axis: plain.argmax(axis) for axis in (1, 2)}
        if not call.training and not use.behind:
            self.trials.match(use, call)
        new_phase = root.windows == 0 or self._phase != root.fresh
        if new_phase:
            root.fresh, self._in_phase = self._phase, 0
        self._in_phase += 1
        # Of samples that come from no loader, only the comparison tells the labels: all of one evaluation, then.
        few = (_WINDOWS, 2) if use.feed >= 0 else (3 * _WINDOWS, _WINDOWS)
        if root.windows < few[0] and self._in_phase <= few[1] and "compile" not in self.witness.blind:
            root.windows += 1
            self._heard_by = use
            self._window.begin(output if heard is None else heard, use.size)

    def _saw(self, name: str, what: dict[str, Any]) -> None:
        """Something was done with an output."""
        use = self._heard_by
        if use is None:
            return
        use.read = True
        if name == "threshold" and len(self.metrics) < 60:
            self.metrics.append(
                {
                    **what,
                    "kind": "threshold",
                    "step": use.step,
                    "use": use,
                    "size": use.size,
                    "output": list(use.output),
                }
            )
        if name == "labels" and use.labels is None and what["labels"].numel() == use.size:
            use.scored = True
            use.labels = what["labels"].detach().reshape(-1, 1).cpu().clone()
        if name not in ("equal", "taken"):
            return
        labels = what.pop("labels")
        what.pop("chosen", None)
        use.scored = True
        if use.labels is None and labels.numel() == use.size:
            use.labels = labels.detach().reshape(-1, 1).cpu().clone()
        elif use.labels is not None and use.labels.shape == (labels.numel(), 1) and not labels.is_floating_point():
            same = torch.equal(labels.detach().reshape(-1).cpu().long(), use.labels[:, 0].long())
            what["other"] = what.get("other", False) or not same  # other class numbers than the loader's
        if len(self.metrics) < 60:
            label = use.labels
            self.metrics.append(
                {
                    **what, "kind": name, "step": use.step, "use": use, "size": use.size, "output": list(use.output),
                    "arange": bool(label is not None and torch.equal(label[:, 0].long(), torch.arange(len(label)))),
                }
            )  # fmt: skip

    # Losses.

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """A loss was computed, a loader made, or weights loaded."""
        if name == "loader_made":
            if args and len(self._made) < 200:
                self._made[args[0]] = self.witness.place()
        elif name == "weights_loaded":
            root = self.roots.get(id(args[0])) if args else None
            if root is None and isinstance(args[0], nn.Module):
                root = self._root(args[0])
            if root is not None:
                root.loaded = root.restarts = True
        elif name.startswith("reset_"):
            if args and self.witness.name_of(getattr(args[0], "weight", None)) is not None:
                for root in self.roots.values():
                    root.restarts = True
        elif name.startswith("table_"):
            self._table(name, args)
        elif name.startswith("loss_"):
            self._loss(name[5:], args, kwargs, result)
        elif name == "printed":
            if not self.printed.heard(args):
                self.witness.enough(self, name)
        elif name.startswith("met_"):
            self.stand_in.met(name, args, result)

    def _table(self, name: str, args: tuple[Any, ...]) -> None:
        """Right and wrong answers as a NumPy array of N times N: a column was compared with a row."""
        self._tables += 1
        if self._tables > 400:
            self.witness.enough(self, name)
        use, found = self._last_eval, args[0] if args else None
        shape: tuple[int, ...] = getattr(found, "shape", ())
        kind = getattr(getattr(found, "dtype", None), "kind", "")
        if use is None or kind != "b" or len(shape) != 2 or shape[0] != shape[1] or shape[0] < 2:
            return
        if use.output[1:] != (1,) or len(self.metrics) >= 60:
            return
        late = [one.size for one in use.root.evaluated[-200:] if one.phase == use.phase]
        if shape[0] not in (use.size, sum(late)):
            return
        place, rows = self.witness.place(), int(shape[0])
        self.metrics.append(
            {
                "kind": "equal", "step": use.step, "use": use, "size": rows, "output": [rows, 1], "mine": [rows, 1],
                "label": [rows], "result": [rows, rows], "place": place and place.as_json(), "made": None,
                "rows": rows, "arange": False,
            }
        )  # fmt: skip

    def _loss(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        use = self._last
        if self._without_modules() and (use is None or use.grad):
            if use is not None and use.gave is not None and args and use.gave() is args[0]:
                return  # heard a second time, from within the mode of somebody else
            use = self._last = self.stand_in.taught(args[0]) if args and isinstance(args[0], Tensor) else None
        if use is None:
            return
        given = [*args, kwargs.get("input"), kwargs.get("target")]
        tensors = [one for one in given if isinstance(one, Tensor)]
        if len(tensors) < 2 or not tensors[0].ndim:
            return
        guess, target = tensors[0], tensors[1]
        use.scored = use.read = True
        root = use.root
        root.losses[name] += 1
        if len(use.output) > 2 and root.class_axis is None and name in ("cross_entropy", "nll_loss"):
            last = classes_lie_last(target.detach()) and guess.shape == use.output
            root.class_axis = len(use.output) - 1 if last else _class_axis(use.output, guess)
        if target.ndim and target.shape[0] == use.size and (not use.learned or root.learned < 2_000):
            self._label(use, target)
        few = root.losses[name] <= 3 or not root.losses[name] % 8
        if result is None or not isinstance(result, Tensor) or result.numel() != 1 or guess.device.type != "cpu":
            return
        if name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "cross_entropy") and use.grad:
            self._cut(use, name, guess, result)
        if use.grad and self.lost is None and not math.isfinite(result.item()):
            self._not_finite(use, left_out=True)  # a loop may leave it out, so that it never goes backward
        if not few:
            return
        value = float(result.detach())
        if kwargs.get("reduction") == "sum":
            value /= max(guess.shape[0], 1)
        use.loss = (name, value)
        if use.grad:
            root.values.append((use.at, value))
        if root.start is None and use.grad:
            root.start = {"loss": name, "value": value, "classes": guess.shape[1] if guess.ndim > 1 else 1}
        if target.dtype == torch.int64 and guess.ndim == 2 and target.ndim == 1 and len(target) == len(guess):
            right = float((guess.detach().argmax(1) == target).float().mean())
            if use.grad and len(root.scores) < 2_000:
                root.scores.append((use.at, right, len(target)))
        elif "binary" in name and guess.numel() == target.numel():
            half = 0.0 if name.endswith("logits") else 0.5
            right = float(((guess.detach().reshape(-1) > half) == (target.reshape(-1) > 0.5)).float().mean())
            if use.grad and len(root.scores) < 2_000:
                root.scores.append((use.at, right, target.numel()))

    def _without_modules(self) -> bool:
        """Whether no module was called so far."""
        return not self.roots or (len(self.roots) == 1 and id(self.stand_in.model) in self.roots)

    def _cut(self, use: Use, name: str, guess: Tensor, result: Tensor) -> None:
        """Whether a loss was given numbers of classes: then no gradient gets through, should it go backward."""
        own = guess.requires_grad and guess.is_leaf  # asked for by hand: nothing lies behind it all the same
        if self.cut_loss is not None or use.width < 2 or not (own or not (result.requires_grad or guess.requires_grad)):
            return
        plain = guess.detach().reshape(-1)
        if plain.numel() != use.size or not bool((plain == plain.round()).all()) or not float(plain.min()) >= 0:
            return
        if float(plain.max()) < use.width:
            place = self.witness.place()
            what = {"loss": name, "place": place and place.as_json(), "step": use.step, "rows": use.size}
            self._without_slope = weakref.ref(result), what

    # Learning.

    def backward_begins(self, going: Backward) -> None:
        """A loss that is no number: look at what the model was given."""
        if self._window.open:
            self._window.end()
        if self._without_modules() and not self._pending and going.losses:
            self._last = self.stand_in.taught_by_hand(going)
        use = self._last
        if use is None or not going.losses:
            return
        loss = going.losses[0]
        if going.close and not use.root.first and len(use.root.met) < 8 and use.grad:
            found, _firsts, _lasts = sources(LossGraph.of([loss], most=400))
            if len(found) == 1 and found[0].is_floating_point() and 0 < found[0].numel() <= _SMALL:
                use.root.met.append(_tiny(found[0]))  # of a model that has no layers which could be heard
        if use.labels is None and use.grad and not use.scored and use.root.learned < 64:
            self._labels_by_hand(use, loss)
        if self.cut_loss is None and going.close and going.number < 16 and use.grad:
            stair = _stair(loss.grad_fn)
            if stair is not None:
                place = going.place or self.witness.place()
                self.cut_loss = {"stair": stair, "place": place and place.as_json(), "step": use.step}
        if self._without_slope is not None and self._without_slope[0]() is loss:
            self.cut_loss = self._without_slope[1]
        if (
            use.missing is not None
            or (self.lost is not None and not self.left_out)
            or loss.device.type != "cpu"
            or loss.numel() != 1
            or type(loss) is not Tensor
        ):
            return
        if not math.isfinite(loss.item()):
            self._not_finite(use)

    def _not_finite(self, use: Use, *, left_out: bool = False) -> None:
        """A loss that is no number: are the inputs, or the labels?"""
        given = use.input() if use.input is not None else None
        if use.missing is None and given is not None:
            self._missing(use, given, "inputs")
        if use.missing is None and use.labels is not None:
            self._missing(use, use.labels, "labels")
        bad: dict[str, Any] | None = use.missing
        if bad is not None:
            self.lost = {**bad, "finite_loss": False, "place": use.place and use.place.as_json(), "use": use}
            self.left_out = left_out

    def _labels_by_hand(self, use: Use, loss: Tensor) -> None:
        found = labels_by_hand(loss, use.size, use.kept)
        use.kept = None
        if found is None:
            return
        use.scored = use.read = True
        self._label(use, found[0])
        if found[1] == "cross_entropy":
            use.root.losses["cross_entropy"] += 1

    def backward(self, going: Backward) -> None:
        """What was learned from."""
        if not self._pending:
            return
        self._phase += 1
        left = []
        for use in self._pending:
            if use.learned:
                self._trained(use)
            else:
                left.append(use)
        self._pending = left

    def _trained(self, use: Use) -> None:
        root = use.root
        use.kept = None
        if root.restarts and root.learned and root.uses:
            root.forget()  # learns anew, as in the next fold of a cross-validation
        root.restarts = root.loaded = False
        root.learned += 1
        self._learned_by(use.feed)
        if len(root.uses) >= _MOST_USES:
            return
        root.uses.append(use)
        root.sizes[use.size] += 1
        if root.learned <= 3 and use.place is None:
            use.place = self.witness.place()
        if use.rows is None:
            return
        root.hashed += use.size
        if use.rows.device.type == "cpu" and not root.over:
            numbers = use.rows.tolist()
            if sum(one in root.seen for one in numbers) * 2 > len(numbers):
                root.over = True
            use.first = not root.over
            root.seen.update(numbers)
            self._keep(use)

    def _copy(self, use: Use, given: Tensor) -> None:
        """Copy some rows, for questions about neighbours and columns."""
        flat = given.detach().reshape(use.size, -1)
        if flat.shape[1] > _KEPT_WIDTH:
            flat = flat[:, :: -(-flat.shape[1] // _KEPT_WIDTH)]
        if len(flat) > _KEPT_ROWS:
            flat = flat[:: -(-len(flat) // _KEPT_ROWS)]
        use.copy = flat.float().clone() if flat.is_floating_point() else flat.clone()

    def _keep_tested(self, use: Use, given: Tensor) -> None:
        """Copy some rows that a notebook evaluates, of the newest passes."""
        cell = int(self.witness.session.get("cell", 0))
        if not cell:
            return
        held = use.root.tested.setdefault((cell, use.feed if use.feed >= 0 else -1 - use.at), [])
        left = _TESTED_ROWS - sum(len(one) for one in held)
        if left > 0:
            held.append(given.detach()[:left].float().clone())
        if len(use.root.tested) > _TESTED_PASSES:
            oldest = next(iter(use.root.tested))
            del use.root.tested[oldest]
            use.root.known_again.pop(oldest, None)

    def _keep(self, use: Use) -> None:
        root, copy, labels = use.root, use.copy, use.labels
        use.copy = None
        if copy is None or labels is None or root.kept >= _KEPT_ROWS or len(labels) != use.size or not use.first:
            return
        root.rows.append(copy)
        root.labels.append(labels[:: -(-len(labels) // _KEPT_ROWS)])
        root.kept += len(copy)

    def failed(self, error: BaseException) -> None:
        """The program ends here."""
        self._window.end()

    def module(self, call: Call, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        """The first layer that reads the inputs, and what a convolution over pictures is given."""
        root = self.roots.get(id(call.module))
        if root is None:
            root = self._root(call.module)
        if len(root.input_kinds) < 4 and next(module.children(), None) is None:
            root.input_kinds.append(type(module).__name__)
        self.trials.pictures(module, args)
        if len(root.first) < 8 and root.first_at != call.number and call.grad and args:
            given = args[0]
            owns = next(module.parameters(recurse=False), None) is not None
            if owns and isinstance(given, Tensor) and has_plain_numbers(given):
                root.first_at = call.number
                if root.again is None and call.args and isinstance(call.args[0], Tensor):
                    root.again = _standardized_again(call.args[0], given)
                if given.device.type == "cpu" and given.is_floating_point() and 0 < given.numel() <= _SMALL:
                    root.first.append(_tiny(given))

    def probe(self) -> None:
        """Ask the rows that were kept what they say about the labels."""
        self._window.end()
        self.trials.run()

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What is known of samples so far."""
        self._window.end()
        used = [root for root in self.roots.values() if root.learned or root.evaluated]
        if self.feeds:
            yield "feeds", self._passes()
        if not used and not self._pending:
            return
        waiting = [use for use in self._pending if not use.learned]
        yield from row_facts(self, used)
        yield from evaluation_facts(self, used, waiting)
        yield from self.printed.facts(used)
        tried = self.trials.facts()
        if tried:
            yield "trials", tried


def _base(dataset: Any) -> Any:
    """What a `Subset` of a `Subset` is part of."""
    for _depth in range(8):
        inside = getattr(dataset, "__dict__", {}).get("dataset")
        if inside is None or inside is dataset:
            break
        dataset = inside
    return dataset


def _held(dataset: Any) -> list[str]:
    """Attributes in which a dataset holds tensors or arrays, of which indexing gives views."""
    return [
        name
        for name, value in list(getattr(dataset, "__dict__", {}).items())[:16]
        if isinstance(value, Tensor) or (type(value).__module__ == "numpy" and type(value).__name__ == "ndarray")
    ]


def _stored(dataset: Any, shape: tuple[int, ...], distinct: int) -> int:
    """How many different rows of this shape a dataset holds: in each of its tensors that has one for each item."""
    found: list[int] = []
    for value in list(getattr(dataset, "__dict__", {}).values())[:16]:
        if not isinstance(value, Tensor) and type(value).__module__ == "numpy" and value.dtype.kind in "fiu":
            value = torch.from_numpy(value)
        if isinstance(value, list | tuple) and 2 <= len(value) <= 5000:
            value = _put_together(value)
        if not isinstance(value, Tensor) or value.device.type != "cpu" or not value.ndim or not len(value):
            continue
        if value.ndim == 1 and len(value) == len(dataset) and len(torch.unique(value)) == distinct:
            return 0  # an index that holds few places, many times
        # One row for each item, or for so many items each, as a picture in four directions; or picked by an index.
        if value[0].numel() == math.prod(shape) > 1 and 2 * len(value) >= min(len(dataset), 200):
            words = rows_of(value[:5000])
            found.append(len(torch.unique(fingerprints(words))) if words is not None else 0)
    return min(found, default=0)


def _put_together(values: Any) -> Tensor | None:
    """The first tensors of some items, where all have one shape."""
    firsts = [one[0] if isinstance(one, list | tuple) and one else one for one in values]
    if not all(isinstance(one, Tensor) and one.shape == firsts[0].shape for one in firsts):
        return None
    return torch.stack(firsts)


def _stair(node: Any) -> str | None:
    """A function without a slope through which all of a loss has come; None where there is none near."""
    for _depth in range(8):
        if node is None:
            return None
        name = node.name().split("::")[-1].removesuffix("0").removesuffix("Backward").lower()
        if name in ("round", "floor", "ceil", "trunc", "sign"):
            return str(name)
        following = [one for one, _number in node.next_functions if one is not None]
        node = following[0] if len(following) == 1 else None
    return None


def _standardized_again(given: Tensor, inner: Tensor) -> dict[str, float] | None:
    """Whether inputs with mean 0 and spread 1 in each column get others before the first layer, by two numbers each.

    Columns are the last dimension of (N, F) and (N, T, F), and the second one of pictures (N, C, H, W).
    """
    if given.shape != inner.shape or not 2 <= given.ndim <= 4 or given.numel() > _SMALL:
        return None
    if not (given.is_floating_point() and inner.is_floating_point() and given.device.type == "cpu"):
        return None
    if not has_plain_numbers(given):
        return None
    columns = [one.detach().double().movedim(1 if one.ndim == 4 else -1, 0).flatten(1) for one in (given, inner)]
    if columns[0].shape[1] < 32 or not all(bool(one.isfinite().all()) for one in columns):
        return None
    (spread, mean), (other, middle) = (torch.std_mean(one, dim=1) for one in columns)
    if not bool(((mean.abs() < 0.3) & (spread > 0.7) & (spread < 1.4)).all()):
        return None
    scale = other / spread
    fits = (columns[1] - middle[:, None] - scale[:, None] * (columns[0] - mean[:, None])).abs().amax(1)
    moved = (middle - scale * mean).abs() / other.clamp(min=1e-9)
    # By numbers of their own for each column, as a mean and a spread are; moved by more than the spread that is left.
    if not bool((fits < 1e-3 * other.clamp(min=1e-6)).all()) or float(moved.max()) < 1:
        return None
    if len(scale) > 1 and float(scale.max() / scale.min()) < 1.1:
        return None
    return {"mean": float(middle[moved.argmax()]), "spread": float(other[moved.argmax()])}


def _mean_and_spread(plain: Tensor) -> list[float]:
    """Of all values together; `torch.std_mean` takes several times as long."""
    mean = plain.mean()
    return [float(mean), float((plain - mean).square_().mean().sqrt())]


def _tiny(given: Tensor) -> dict[str, float]:
    """The ends of some values, and the share of whole numbers of 1/255/255 among them."""
    plain = given.detach().float()
    low, high = torch.aminmax(plain)
    steps = plain * 65_025
    twice = float(((steps - steps.round()).abs() < 0.02).float().mean())
    return {"low": float(low), "high": float(high), "twice": twice, "finite": 1.0, "mean": 0.0}


def _randomness() -> tuple[Any, ...]:
    """Where the random numbers of torch, Python and NumPy stand."""
    numpy = sys.modules.get("numpy")
    state = numpy.random.get_state() if numpy is not None else None
    return (
        torch.get_rng_state().numpy().tobytes(),
        hash(random.getstate()),
        (state[1].tobytes(), state[2]) if state is not None else None,
    )


def _class_axis(output: tuple[int, ...], guess: Tensor) -> int | None:
    """Which dimension of an output holds the classes, as what a loss was given shows; None where that is not sure."""
    rows, classes = math.prod(output[:-1]), output[-1]
    if tuple(guess.shape) == output and guess.is_contiguous():
        return 1
    flat = tuple(guess.shape) == (rows, classes) and guess.stride() == (classes, 1)
    if flat and guess._is_view():
        return len(output) - 1
    turned = guess.ndim == 3 and guess.shape[1] == classes and guess.stride()[1:] == (1, classes)
    return 2 if turned and len(output) == 3 else None


def _are_classes(labels: Tensor) -> bool:
    return labels.dtype in (torch.int64, torch.int32, torch.uint8) and labels.ndim == 1


def _acts(module: nn.Module) -> bool:
    """Whether it holds a dropout or batch norm that is in training mode, and does something there."""
    for one in module.modules():
        if not one.training:
            continue
        if isinstance(one, nn.modules.dropout._DropoutNd) and one.p > 0:
            return True
        if isinstance(one, nn.modules.batchnorm._BatchNorm) and one.track_running_stats:
            return True
        if isinstance(one, nn.RNNBase) and one.dropout > 0 and one.num_layers > 1:
            return True
        if isinstance(one, nn.MultiheadAttention) and one.dropout > 0:
            return True
        if _draws_in_training(cast(Any, type(one))):
            return True
    return False


@functools.cache
def _draws_in_training(kind: Any) -> bool:
    """Whether a module of the learner's asks for its mode and draws random numbers, as a dropout of their own does."""
    names: tuple[str, ...] = getattr(getattr(kind.forward, "__code__", None), "co_names", ())
    return not kind.__module__.startswith("torch.") and "training" in names and bool(_DRAWN & set(names))


def _own_places() -> list[dict[str, Any]]:
    """The learner's lines on the way to this call, the innermost first."""
    found: list[dict[str, Any]] = []
    frame: Any = sys._getframe(3)
    while frame is not None and len(found) < 6:
        if kind_of_file(frame.f_code.co_filename) == "own":
            found.append(Place.at(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name).as_json())
        frame = frame.f_back
    return found
