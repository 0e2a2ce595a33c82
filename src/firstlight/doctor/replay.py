"""Proof by replay: the filmed steps are run again on copies, as written and as mended, and what comes of both compared.

First of all, the steps as written must give the filmed losses again, bit for bit: else the film lacks something, and
nothing is said. Then both are run several times with other batches and a little noise on the first weights, and samples
held aside are judged. A difference is shown only where it is there every time.

Shapes: N rows.
"""

import contextlib
import copy
import math
import random
import statistics
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Variable
from torch.optim.optimizer import Optimizer
from torch.overrides import TorchFunctionMode

from firstlight.doctor.formulas import Formula, compute
from firstlight.doctor.losses import LossGraph, tensors_in
from firstlight.doctor.observers.film import Film, Frame
from firstlight.doctor.proof import Proof
from firstlight.doctor.rule import Finding, newest
from firstlight.doctor.witness import Witness
from firstlight.run import Run

SECONDS = 3.0
"""What all proofs of one report may take."""

_SEEDS = 6  # with all six alike, a sign test gives p = 0.03; the t test below is stricter
_FEWEST_SEEDS = 5
_T = {5: 4.60, 6: 4.03}  # Student's t, two-sided p = 0.01, for so many pairs
_LEAST = 0.01  # of the loss as written: less than that is nothing to show, however sure
_MOST_STEPS, _FEWEST_STEPS = 120, 10
_NOISE = 0.01  # of a weight's spread
_HELD = 512
_POINTS = 10
_ELEMENTWISE = ("mse", "smooth_l1", "huber")

Batch = tuple[tuple[Any, ...], dict[str, Any], tuple[Tensor, ...], int]
Event = tuple[Any, ...]


@dataclass(frozen=True)
class Way:
    """One way to run the steps: as written, or with one thing mended.

    Attributes:
        segments: Events from step to step.
        formula: Of the loss.
        training: The mode; None for the filmed one.
        everything: Whether the optimizer is to hold all weights.
        rate: Factor on the learning rate.
        steady: Whether the learning rate stays what it was at first.
        skip: A function of torch that is left out: its name, and which of its calls.
        ordered: Whether batches come as they were filmed; else at random from all rows.
        scaled: Whether inputs are given mean 0 and spread 1.
    """

    segments: tuple[tuple[Event, ...], ...]
    formula: Formula
    training: bool | None = None
    everything: bool = False
    rate: float = 1.0
    steady: bool = False
    skip: tuple[str, int] | None = None
    ordered: bool = False
    scaled: bool = False


def prove(witness: Witness, run: Run, findings: Sequence[Finding], seconds: float = SECONDS) -> dict[str, Any] | None:
    """Try what mends each finding, as far as that is known and the time suffices.

    Works on copies; nothing of the learner's is changed, read from disk or written.

    Args:
        witness: Who has listened; its film is replayed.
        run: What it has told.
        findings: Of that run, the most important first.
        seconds: For all of them together.

    Returns:
        The data of the fact `proof`: one of `proofs` for each finding that was tried, with its code and place; seconds.
        None where none could be tried.
    """
    film = next((one for one in witness.observers if isinstance(one, Film)), None)
    wanted = list({one.code: one for one in reversed(findings) if one.code in MENDS}.values())[::-1]
    if film is None or not film.whole() or not wanted or seconds <= 0:
        return None
    began = perf_counter()
    found: list[dict[str, Any]] = []
    with witness.apart(), _undisturbed(), contextlib.suppress(Exception):
        replay = Replay(film)
        mends: list[tuple[Finding, tuple[Way, Way]]] = []
        for finding in wanted:
            ways = MENDS[finding.code](replay, run)
            if ways is not None:
                mends.append((finding, ways))
        if not mends or not replay.reproduce(began + seconds / 2):
            return None
        for at, (finding, (written, mended)) in enumerate(mends):
            now = perf_counter()
            share = (began + seconds - now) / (len(mends) - at)
            proof = None
            with contextlib.suppress(Exception):  # a model that takes no other batch, a loss that is no number
                proof = replay.compare(finding.code, written, mended, share)
            if proof is not None:
                place = finding.place
                found.append({
                    "code": finding.code, "file": place.file if place else None, "line": place.line if place else None,
                    "proof": proof.as_json(),
                })  # fmt: skip
    if not found:
        return None
    return {"took_s": round(perf_counter() - began, 3), "budget_s": seconds, "proofs": found}


class Replay:
    """Runs what a film holds.

    Args:
        film: Of one training.
    """

    def __init__(self, film: Film) -> None:
        self.film = film
        _without_hooks(film.model)
        _without_side_effects(film.model)
        self.frames = film.frames
        segments = film.segments()
        later = segments[1:] if len(segments) > 3 else segments  # the first lacks what came before its forward pass
        formula = film.frames[0].formula
        if any(frame.formula != formula and not _alike(frame.formula, formula) for frame in film.frames):
            raise _CannotReplay
        self.written = Way(tuple(tuple(one) for one in later), formula)
        self.data = _data(film)
        self.reproduced = 0
        self.step_s = 0.0

    def copies(self) -> tuple[nn.Module, Optimizer]:
        """Fresh ones, as they were when the film began."""
        model, optimizer = copy.deepcopy((self.film.model, self.film.optimizer))
        assert model is not None
        assert optimizer is not None
        return model, optimizer

    def reproduce(self, until: float) -> bool:
        """Whether the steps as written give the filmed losses again, bit for bit; those that fit into the time."""
        model, optimizer = self.copies()
        times: list[float] = []
        for event in self.film.events:
            if event[0] != "backward":
                self._do(event, model, optimizer, self.written)
                continue
            began = perf_counter()
            frame = self.frames[event[1]]
            torch.set_rng_state(frame.numbers)
            if frame.training != model.training:
                model.train(frame.training)
            loss = self._loss(model, _batch_of(frame), frame.formula, None)
            if not _same(float(loss.detach()), frame.loss):
                return False
            _backward(loss)
            self.reproduced += 1
            times.append(perf_counter() - began)
            if perf_counter() > until and self.reproduced >= _FEWEST_STEPS:
                break
        self.step_s = statistics.median(times) if times else 0.0
        return self.reproduced >= 3

    def compare(self, code: str, written: Way, mended: Way, seconds: float) -> Proof | None:
        """Both ways, several times; None where the time does not suffice for that."""
        began = perf_counter()
        passes = statistics.mean(sum(event[0] == "backward" for event in one) for one in written.segments)
        steps = int(seconds * 0.8 / (2 * _SEEDS) / max(self.step_s * passes, 1e-6))  # at most; the first try shows more
        steps = min(steps, len(written.segments) if _varies(written) else _MOST_STEPS)
        curves: list[tuple[list[float], list[float]]] = []
        while not curves:
            if written.ordered:  # whole rounds: else the last class has the last word
                steps = steps // len(self.frames) * len(self.frames)
            if steps < _FEWEST_STEPS:
                return None
            now = perf_counter()
            one = self._curve(written, mended, steps, 0), self._curve(mended, mended, steps, 0)
            took, left = perf_counter() - now, seconds - (perf_counter() - began)
            if took * 1.2 * (_FEWEST_SEEDS - 1) <= left:
                curves.append(one)
            else:  # slower than it looked
                steps = int(steps * 0.8 * left / (took * _SEEDS))
        for seed in range(1, _SEEDS):
            left = seconds - (perf_counter() - began)
            if seed >= _FEWEST_SEEDS and left < took:
                break
            if left < 0:
                return None
            curves.append((self._curve(written, mended, steps, seed), self._curve(mended, mended, steps, seed)))
        points = _points(steps)
        return Proof(
            code=code,
            real=_is_real([(_late(mine), _late(better)) for mine, better in curves]) and _falls(curves),
            reproduced=self.reproduced,
            seeds=len(curves),
            steps=tuple(points),
            written=_band([one for one, _other in curves]),
            mended=_band([other for _one, other in curves]),
            rows=self.data.held_rows,
            seconds=round(perf_counter() - began, 3),
        )

    def _curve(self, way: Way, judge: Way, steps: int, seed: int) -> list[float]:
        """The loss of what is held aside, at each of the points, as the mended program reads it."""
        numbers = torch.Generator().manual_seed(seed)
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reach accelerators too
        model, optimizer = self.copies()
        with torch.no_grad():
            for weight in model.parameters():
                if weight.is_floating_point() and weight.numel() > 1:
                    weight.add_(torch.randn(weight.shape, generator=numbers).to(weight.dtype) * weight.std() * _NOISE)
        if way.everything:
            _hold_all(model, optimizer)
        if way.training is not None:
            model.train(way.training)
        elif self.frames[0].training != model.training:
            model.train(self.frames[0].training)
        points, found = set(_points(steps)), []
        data = self.data
        order = data.order(numbers, ordered=way.ordered)
        for step in range(steps + 1):
            if step in points:
                found.append(self._judge(model, way, judge))
                if not math.isfinite(found[-1]):
                    return found + [math.inf] * (len(points) - len(found))
            for event in way.segments[step % len(way.segments)] if step < steps else ():
                if event[0] == "backward":
                    batch = next(order)
                    loss = self._loss(model, data.scaled(batch) if way.scaled else batch, way.formula, way.skip)
                    _backward(loss)
                else:
                    self._do(event, model, optimizer, way)
        return found

    def _judge(self, model: nn.Module, way: Way, judge: Way) -> float:
        """With what is mended in the loss; as written too, where that reads better."""
        modes = [(module, module.training) for module in model.modules()]
        kept = torch.get_rng_state()
        torch.default_generator.manual_seed(0)
        model.eval()
        readings = {(judge.formula, judge.skip)}
        if way.skip != judge.skip:
            readings.add((way.formula, way.skip))
        try:
            with torch.no_grad():
                losses = [
                    statistics.mean(
                        float(self._loss(model, self.data.scaled(one) if way.scaled else one, formula, skip))
                        for one in self.data.held()
                    )
                    for formula, skip in readings
                ]
        finally:
            torch.set_rng_state(kept)
            for module, mode in modes:
                module.training = mode
        return min((one for one in losses if not math.isnan(one)), default=math.inf)

    def _loss(self, model: nn.Module, batch: Batch, formula: Formula, skip: tuple[str, int] | None) -> Tensor:
        args, kwargs, given, rows = batch
        with _Skipping(*skip) if skip is not None else contextlib.nullcontext():
            outputs = list(tensors_in(model(*args, **kwargs)))
            weights = dict(model.named_parameters()) if "weight" in formula.ops() else {}
            return compute(formula, outputs, given, weights, rows)

    def _do(self, event: Event, model: nn.Module, optimizer: Optimizer, way: Way) -> None:
        if event[0] in ("clear", "bare"):
            for weight in (*model.parameters(), *(w for group in optimizer.param_groups for w in group["params"])):
                weight.grad = None
        elif event[0] == "clip":
            weights = [weight for weight in model.parameters() if weight.grad is not None]
            if event[1] == "norm":
                nn.utils.clip_grad_norm_(weights, event[2], norm_type=event[3])
            else:
                nn.utils.clip_grad_value_(weights, event[2])
        elif event[0] == "step":
            first = way.segments[0][-1][1] if way.steady else event[1]
            for group, values in zip(optimizer.param_groups, first, strict=False):
                group.update({name: value * way.rate if name == "lr" else value for name, value in values})
            type(optimizer).step(optimizer)  # an instance's own `step` may be a scheduler's, who knows the original

    def feeder(self, heads: Sequence[str], feeders: Sequence[str]) -> tuple[str, int] | None:
        """The call of a function of torch whose result feeds such a loss: its name, and which of its calls."""
        model, _optimizer = self.copies()
        frame = self.frames[0]
        model.train(frame.training)
        args, kwargs, given, rows = _batch_of(frame)
        with _Counting() as calls:
            outputs = list(tensors_in(model(*args, **kwargs)))
            loss = compute(frame.formula, outputs, given, dict(model.named_parameters()), rows)
        for head in LossGraph.of([loss]).heads():
            if head.kind in heads and head.feeder.removesuffix("Backward") in feeders:
                return next((key for key, node in calls.found.items() if node is head.fed), None)
        return None


class _CannotReplay(Exception):
    pass


# What mends. Each gives both ways, or None where the film does not show the fault or the change is not known.


def _clears(replay: Replay, _run: Run) -> tuple[Way, Way] | None:
    """L01: gradients are set back before the first backward pass of each step."""
    written = replay.written
    if any(event[0] in ("clear", "bare") for one in written.segments[1:] for event in one):
        return None
    return written, replace(written, segments=tuple((("clear",), *one) for one in written.segments))


def _clears_first(replay: Replay, _run: Run) -> tuple[Way, Way] | None:
    """L02: gradients are set back before backward passes instead of after them."""
    written = replay.written

    def late(one: Sequence[Event]) -> bool:
        kinds = [event[0] for event in one]
        return "clear" in kinds and "backward" not in kinds[len(kinds) - 1 - kinds[::-1].index("clear") :]

    if sum(map(late, written.segments)) < 0.9 * len(written.segments):
        return None
    mended = tuple((("clear",), *(event for event in one if event[0] != "clear")) for one in written.segments)
    return written, replace(written, segments=mended)


def _trains(replay: Replay, _run: Run) -> tuple[Way, Way] | None:
    """L10, L11: training mode."""
    if all(frame.training for frame in replay.frames):
        return None
    return replace(replay.written, training=False), replace(replay.written, training=True)


def _holds_all(replay: Replay, _run: Run) -> tuple[Way, Way] | None:
    """L05, L06: the optimizer holds all weights of the model."""
    model, optimizer = replay.copies()
    held = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    if all(id(weight) in held or not weight.requires_grad for weight in model.parameters()):
        return None
    return replay.written, replace(replay.written, everything=True)


def _slower(replay: Replay, run: Run) -> tuple[Way, Way] | None:
    """L14: the learning rate divided by ten; by a hundred where only that helped when it was tried."""
    tried = (newest(run, "progress") or {}).get("tried") or {}
    start = tried.get("start") or 0.0
    by = next((by for by in (10, 100) if (tried.get(f"1/{by}") or math.inf) < 0.8 * start), 10)
    return replay.written, replace(replay.written, rate=1 / by)


def _faster(replay: Replay, _run: Run) -> tuple[Way, Way] | None:
    """L15: a hundred times the learning rate."""
    return replay.written, replace(replay.written, rate=100.0)


def _steady(replay: Replay, _run: Run) -> tuple[Way, Way] | None:
    """L13: a schedule meant for epochs leaves the learning rate of the first steps alone."""
    return (replay.written, replace(replay.written, steady=True)) if _varies(replay.written) else None


def _scales(replay: Replay, _run: Run) -> tuple[Way, Way] | None:
    """D04, D05: inputs with mean 0 and spread 1."""
    args = replay.frames[0].args
    if not isinstance(replay.data, _Pool) or len(args) != 1 or not args[0].is_floating_point():
        return None
    return replay.written, replace(replay.written, scaled=True)


def _shuffles(replay: Replay, _run: Run) -> tuple[Way, Way] | None:
    """D12: rows at random, where the film has seen all classes."""
    data, frame = replay.data, replay.frames[0]
    if not isinstance(data, _Pool) or replay.written.formula.op != "nll" or not frame.given:
        return None
    model, _optimizer = replay.copies()
    labels = data.given[0]
    with torch.no_grad():
        outputs = list(tensors_in(model.eval()(*frame.args, **frame.kwargs)))
    seen = len(torch.unique(labels[labels >= 0]))
    if len(outputs) != 1 or outputs[0].dim() != 2 or seen < max(3, outputs[0].shape[1]):
        return None
    return replace(replay.written, ordered=True), replay.written


def _matches(replay: Replay, _run: Run) -> tuple[Way, Way] | None:
    """M27: the output has the shape of the target."""

    def change(one: Formula) -> Formula:
        if one.op not in (*_ELEMENTWISE, "sub") or one.parts[1].op != "given":
            return one
        return replace(one, parts=(Formula("like", one.parts), one.parts[1]))

    written = replay.written
    mended = written.formula.changed(change)
    return (written, replace(written, formula=mended)) if mended != written.formula else None


def _swaps(replay: Replay, _run: Run) -> tuple[Way, Way] | None:
    """L29: the arguments of the loss in the other order."""

    def change(one: Formula) -> Formula:
        if one.op in ("bce", "bce_logits") and one.parts[0].op == "given" and one.parts[1].op != "given":
            return replace(one, parts=(one.parts[1], one.parts[0], *one.parts[2:]))
        if one.op == "sub" and one.parts[0].op == "xlogy" and one.parts[1].op == "mul":  # how kl_div is made
            output, (left, right) = one.parts[0].parts[0], one.parts[1].parts
            target = right if left == output else left
            if target.op == "given" and output.op != "given":
                return Formula("sub", (Formula("xlogy", (target, target)), Formula("mul", (target, output))))
        return one

    written = replay.written
    mended = written.formula.changed(change)
    return (written, replace(written, formula=mended)) if mended != written.formula else None


def _averages(replay: Replay, _run: Run) -> tuple[Way, Way] | None:
    """M32: the mean of the losses of a batch instead of their sum."""

    def change(one: Formula) -> Formula:
        if one.op in ("nll", "bce", "bce_logits", *_ELEMENTWISE) and one.values[0] == 2:
            return replace(one, values=(1, *one.values[1:]))
        return one

    written = replay.written
    mended = written.formula.changed(change)
    return (written, replace(written, formula=mended)) if mended != written.formula else None


def _without(heads: Sequence[str], feeders: Sequence[str]) -> "Mend":
    """M01 to M04, M07: the loss is given what the last function was given."""

    def mend(replay: Replay, _run: Run) -> tuple[Way, Way] | None:
        skip = replay.feeder(heads, feeders)
        return (replay.written, replace(replay.written, skip=skip)) if skip is not None else None

    return mend


Mend = Callable[[Replay, Run], tuple[Way, Way] | None]

MENDS: Mapping[str, Mend] = {
    "D04": _scales,
    "D05": _scales,
    "D12": _shuffles,
    "L01": _clears,
    "L02": _clears_first,
    "L05": _holds_all,
    "L06": _holds_all,
    "L10": _trains,
    "L11": _trains,
    "L13": _steady,
    "L14": _slower,
    "L15": _faster,
    "L29": _swaps,
    "M01": _without(("log_softmax",), ("Softmax",)),
    "M02": _without(("log_softmax",), ("LogSoftmax",)),
    "M03": _without(("log_softmax",), ("Sigmoid",)),
    "M04": _without(("bce_logits",), ("Sigmoid",)),
    "M07": _without(("log_softmax", "bce_logits"), ("Relu", "LeakyRelu", "Tanh", "Clamp", "ClampMin", "Elu")),
    "M27": _matches,
    "M32": _averages,
}
"""By the code of a rule. The keys are the faults that a replay can try to mend."""

# Data.


class _Pool:
    """All rows that were filmed, apart: batches can be put together anew."""

    def __init__(self, film: Film) -> None:
        frames = film.frames
        first = frames[0]
        self._first = first
        self._keys = [(0, at) for at, one in enumerate(first.args) if isinstance(one, Tensor)]
        self._names = [name for name, one in first.kwargs.items() if isinstance(one, Tensor)]
        inputs, self._aligned = [], []
        parts: list[list[Tensor]] = [[] for _one in self._tensors(first)]
        self._of_frame: list[list[int]] = []
        for at, one in enumerate(self._tensors(first)):
            aligned = all(self._tensors(f)[at].dim() and len(self._tensors(f)[at]) == f.rows for f in frames)
            fixed = all(self._tensors(f)[at] is one or torch.equal(self._tensors(f)[at], one) for f in frames)
            if not aligned and not fixed:
                raise _CannotReplay
            self._aligned.append(aligned)
            inputs.append(at < len(self._keys) + len(self._names))
        if not any(mine for mine, is_input in zip(self._aligned, inputs, strict=True) if is_input):
            raise _CannotReplay
        known: dict[Any, int] = {}
        seen: dict[tuple[int, ...], list[int]] = {}
        for frame in frames:
            tensors = self._tensors(frame)
            ids = tuple(map(id, tensors))
            if ids not in seen:
                rows = [one for one, aligned in zip(tensors, self._aligned, strict=True) if aligned]
                here = []
                words = [_bytes(one) for one in rows]
                new = []
                for at in range(frame.rows):
                    key = tuple(word[at] for word in words)
                    if key not in known:
                        known[key] = len(known)
                        new.append(at)
                    here.append(known[key])
                for at, (one, aligned) in enumerate(zip(tensors, self._aligned, strict=True)):
                    if aligned:
                        parts[at].append(one[new])
                seen[ids] = here
            self._of_frame.append(seen[ids])
        if len(known) < 8:
            raise _CannotReplay
        self._all = [torch.cat(one) if aligned else first for one, aligned, first in
                     zip(parts, self._aligned, self._tensors(first), strict=True)]  # fmt: skip
        aside = max(2, min(_HELD, len(known) // 4))
        order = torch.randperm(len(known), generator=torch.Generator().manual_seed(0))
        self._held, self._train = order[:aside], order[aside:]
        self._size = min(first.rows, len(self._train))
        self.held_rows = aside
        self._middle: tuple[Tensor, Tensor] | None = None

    @property
    def given(self) -> list[Tensor]:
        """Targets and the like, of all rows."""
        return self._all[len(self._keys) + len(self._names) :]

    def _tensors(self, frame: Frame) -> list[Tensor]:
        return [*(frame.args[at] for _kind, at in self._keys), *(frame.kwargs[n] for n in self._names), *frame.given]

    def _batch(self, rows: Tensor) -> Batch:
        tensors = [one[rows] if aligned else one for one, aligned in zip(self._all, self._aligned, strict=True)]
        args, kwargs = list(self._first.args), dict(self._first.kwargs)
        for (_kind, at), one in zip(self._keys, tensors, strict=False):
            args[at] = one
        for name, one in zip(self._names, tensors[len(self._keys) :], strict=False):
            kwargs[name] = one
        return tuple(args), kwargs, tuple(tensors[len(self._keys) + len(self._names) :]), len(rows)

    def order(self, numbers: torch.Generator, *, ordered: bool) -> Iterator[Batch]:
        """Batches without end: as filmed, less what is held aside; or at random, each row once before any again."""
        if ordered:
            aside = set(self._held.tolist())
            frames = [torch.tensor([row for row in one if row not in aside]) for one in self._of_frame]
            frames = [one for one in frames if len(one)]
            while True:
                yield from (self._batch(one) for one in frames)
        while True:
            shuffled = self._train[torch.randperm(len(self._train), generator=numbers)]
            for start in range(0, len(shuffled) - self._size + 1, self._size):
                yield self._batch(shuffled[start : start + self._size])

    def held(self) -> list[Batch]:
        """What no step sees."""
        return [self._batch(self._held)]

    def scaled(self, batch: Batch) -> Batch:
        """The same rows, with the mean and spread of all rows taken out: by column, by channel."""
        if self._middle is None:
            rows = self._all[0][self._train]
            dims = (0,) if rows.dim() == 2 else (0, *range(2, rows.dim()))
            self._middle = rows.mean(dims, keepdim=True), rows.std(dims, keepdim=True)
        middle, spread = self._middle
        args, kwargs, given, count = batch
        return ((args[0] - middle) / torch.where(spread > 0, spread, 1), *args[1:]), kwargs, given, count


class _Frames:
    """Batches as they were filmed, where their rows cannot be told apart; the last ones are held aside."""

    def __init__(self, film: Film) -> None:
        frames = film.frames
        aside = max(1, len(frames) // 4)
        self._held, self._train = frames[-aside:], frames[:-aside]
        self.held_rows = sum(frame.rows for frame in self._held)

    def order(self, numbers: torch.Generator, *, ordered: bool) -> Iterator[Batch]:
        """Batches without end."""
        while True:
            at = range(len(self._train)) if ordered else torch.randperm(len(self._train), generator=numbers).tolist()
            yield from (_batch_of(self._train[one]) for one in at)

    def held(self) -> list[Batch]:
        """What no step sees."""
        return [_batch_of(frame) for frame in self._held]

    def scaled(self, batch: Batch) -> Batch:
        """Unchanged."""
        return batch


def _data(film: Film) -> "_Pool | _Frames":
    try:
        return _Pool(film)
    except (_CannotReplay, RuntimeError, IndexError):
        return _Frames(film)


def _batch_of(frame: Frame) -> Batch:
    return frame.args, frame.kwargs, frame.given, frame.rows


def _bytes(rows: Tensor) -> list[bytes]:
    flat = rows.contiguous().reshape(len(rows), -1)
    return [row.tobytes() for row in flat.view(torch.uint8).numpy()]


def _alike(one: Formula, other: Formula) -> bool:
    """Equal but for the sizes of batches, which views name."""

    def without(part: Formula) -> Formula:
        return replace(part, values=(-1, *part.values[1:])) if part.op == "view" and part.values else part

    return one.changed(without) == other.changed(without)


# Judging.


def _is_real(pairs: Sequence[tuple[float, float]]) -> bool:
    """Whether what is mended is better every time, by more than chance gives and by more than a trifle.

    Example:
        >>> _is_real([(1.0, 0.5), (1.1, 0.6), (1.0, 0.6), (1.2, 0.6), (1.0, 0.4)])
        True
        >>> _is_real([(1.0, 0.5), (1.1, 1.2), (1.0, 0.6), (1.2, 0.6), (1.0, 0.4)])
        False
        >>> _is_real([(900.0, 0.5), (1.1e2, 0.6), (80.0, 0.6), (1.2e4, 0.6), (50.0, 0.4)])
        True
    """
    finite = [value for pair in pairs for value in pair if math.isfinite(value)]
    if not all(math.isfinite(better) and better < mine for mine, better in pairs):
        return False
    if all(not math.isfinite(mine) for mine, _better in pairs):
        return True
    beyond = 10 * max(map(abs, finite)) + 1
    ends = [(min(mine, beyond), better) for mine, better in pairs]
    gain = statistics.mean(mine - better for mine, better in ends)
    if gain <= _LEAST * statistics.mean(abs(mine) for mine, _better in ends):
        return False
    if all(better > 0 for _mine, better in ends):  # losses that run away differ by factors, not by so and so much
        gains = [math.log(mine / better) for mine, better in ends]
    else:
        gains = [mine - better for mine, better in ends]
    return statistics.mean(gains) > _T.get(len(pairs), 4.7) * statistics.stdev(gains) / math.sqrt(len(pairs))


def _falls(curves: Sequence[tuple[list[float], list[float]]]) -> bool:
    """Whether the mended program learns: that another one is worse still proves little to anybody."""
    mean = [statistics.mean(values) for values in zip(*(one for _mine, one in curves), strict=True)]
    return bool(min(mean) < mean[0])


def _points(steps: int) -> list[int]:
    return sorted({round(steps * at / _POINTS) for at in range(_POINTS + 1)})


def _late(curve: Sequence[float]) -> float:
    """Where a curve ends: the mean of its last third, since single points jump."""
    return statistics.mean(curve[-max(1, len(curve) // 3) :])


def _band(curves: Sequence[Sequence[float]]) -> tuple[tuple[float, float, float], ...]:
    found = []
    for values in zip(*curves, strict=True):
        finite = [value for value in values if math.isfinite(value)]
        whole = len(finite) == len(values)
        found.append((statistics.mean(values) if whole else math.inf, min(finite, default=math.inf),
                      max(values) if whole else math.inf))  # fmt: skip
    return tuple(found)


def _varies(way: Way) -> bool:
    return len({one[-1][1] for one in way.segments}) > 1


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


# Running, on copies and unheard.


def _backward(loss: Tensor) -> None:
    """As `loss.backward()`, but past all who listen to that."""
    engine: Any = Variable._execution_engine
    engine.run_backward(
        (loss,), (torch.ones_like(loss),), False, False, (), allow_unreachable=True, accumulate_grad=True
    )


def _hold_all(model: nn.Module, optimizer: Optimizer) -> None:
    """Let the optimizer hold what the model has, beside what it holds of it already, and nothing else."""
    own = {id(weight) for weight in model.parameters()}
    held: set[int] = set()
    for group in optimizer.param_groups:
        group["params"] = [weight for weight in group["params"] if id(weight) in own]
        held.update(map(id, group["params"]))
    optimizer.param_groups[0]["params"] += [
        weight for weight in model.parameters() if weight.requires_grad and id(weight) not in held
    ]


_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def _without_hooks(model: nn.Module | None) -> None:
    """Take the learner's hooks off our copy: they may do anything. Torch's own, of weight norms, stay."""
    for module in model.modules() if model is not None else ():
        for name in _HOOKS:
            hooks = getattr(module, name, {})
            for key, hook in list(hooks.items()):
                home = getattr(hook, "__module__", None) or type(hook).__module__
                if not str(home).startswith("torch."):
                    del hooks[key]


def _without_side_effects(model: nn.Module | None) -> None:
    """Raises where the code of a model assigns to names outside of it: copying the model does not copy those."""
    for kind in {type(module) for module in (model.modules() if model is not None else ())}:
        if kind.__module__.startswith("torch."):
            continue
        for value in vars(kind).values():
            code = getattr(value, "__code__", None)
            names = _globals_written(code) if code is not None else False
            if names:
                raise _CannotReplay


def _globals_written(code: Any) -> bool:
    import dis

    return any(one.opname in ("STORE_GLOBAL", "DELETE_GLOBAL") for one in dis.get_instructions(code))


class _Skipping(TorchFunctionMode):
    """Leaves one call of a function of torch out: it gives what it was given."""

    def __init__(self, name: str, which: int) -> None:
        super().__init__()
        self._name, self._left = name, which

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") == self._name:
            self._left -= 1
            if self._left == -1:
                return args[0] if args else kwargs["input"]
        return func(*args, **kwargs)


class _Counting(TorchFunctionMode):
    """Which call of which function of torch made which node."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[tuple[str, int], Any] = {}
        self._counts: dict[str, int] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        count = self._counts.get(name, 0)
        self._counts[name] = count + 1
        if isinstance(result, Tensor) and result.grad_fn is not None:
            self.found[name, count] = result.grad_fn
        return result


class _Outside(Exception):
    """A copy's code wants to write a file, start a process or use the network."""


_guarded = threading.local()
_WRITES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "subprocess.Popen", "socket.connect", "os.system",
           "shutil.move", "shutil.rmtree", "os.truncate", "os.exec", "os.fork")  # fmt: skip
_WRITING = 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND
_watching = False


def _watch_outside(event: str, args: tuple[Any, ...]) -> None:
    if getattr(_guarded, "on", False):
        flags = args[2] if event == "open" and len(args) > 2 else 0
        if event in _WRITES or (isinstance(flags, int) and flags & _WRITING):
            raise _Outside(event)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """A block in which copies can run: silent, and with no way to files, processes and the network."""
    global _watching
    if not _watching:  # a hook of this kind cannot be taken away again; outside of such a block it does nothing
        sys.addaudithook(_watch_outside)
        _watching = True
    before = random.getstate()
    _guarded.on = True
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
            warnings.simplefilter("ignore")
            yield
    finally:
        _guarded.on = False
        random.setstate(before)
