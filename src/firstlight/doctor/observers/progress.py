"""How far a training comes: its losses, how much steps change the weights, and whether others would do better.

Only trainings with one optimizer are followed: of several, no one loss tells how they fare.
"""

import contextlib
import copy
import inspect
import math
import statistics
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter, thread_time
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from firstlight.doctor.observer import Backward, Call, Observer
from firstlight.doctor.observers.mixing import copy_of
from firstlight.doctor.places import Place

_MOST_LOSSES = 4096
_READ_ALL, _READ_ONE_OF = 300, 4  # all of the first losses, then one of so many
_MOST_NUMBERS = 2_000_000  # of weights that are copied for a look, of a batch that is kept for an experiment
_BATCHES = 6
_KEPT_AT = 20  # steps, before which no experiment is worth its time
_TRIED = 40  # steps of an experiment
_PATIENCE_S = 4.0  # on a machine however busy, for each of them
_TRIED_S = 1.6  # and the seconds of this thread, not of a busy machine, that all of them may take
_LARGE = 60  # inputs beyond this are tried scaled, too
_KNOWN = ("NllLoss", "MseLoss", "BinaryCrossEntropy", "SmoothL1Loss", "HuberLoss", "SoftMarginLoss")
_PASSING = ("Mean", "Sum", "View", "Reshape", "Squeeze", "Unsqueeze", "Clone", "ToCopy", "Alias")


class Progress(Observer):
    """Facts `progress`, `not_finite` and `loss_sign`."""

    kinds: ClassVar = ("progress", "not_finite", "loss_sign")
    hears: ClassVar = {
        f"progress.{name}": ("torch.nn.functional", name)
        for name in ("cross_entropy", "mse_loss", "nll_loss", "binary_cross_entropy_with_logits",
                     "binary_cross_entropy", "l1_loss", "smooth_l1_loss", "huber_loss")
    }  # fmt: skip

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._losses: list[float] = []
        self._count = 0
        self._place: Place | None = None
        self._optimizers: list[weakref.ref[Optimizer]] = []
        self._made: Place | None = None
        self._steps = 0
        self._ratios: list[tuple[int, float]] = []
        self._weights: list[tuple[Tensor, Tensor]] = []
        self._norms: list[tuple[int, float, float]] = []  # at a step: of weights, of gradients
        self._numbers: dict[str, Any] = {}
        self._infinite: dict[str, Any] | None = None
        self._hazards: list[tuple[str, str]] = []
        self._sign: dict[str, Any] | None = None
        self._leaves: list[weakref.ref[Tensor]] = []
        self._whole = False  # whether the only optimizer holds all that the loss hangs on
        # For an experiment: batches, how they are judged, and how it all began.
        self._root: weakref.ref[nn.Module] | None = None
        self._given: tuple[weakref.ref[Tensor], weakref.ref[Tensor]] | None = None  # what the root was given, and gave
        self._batches: list[tuple[Tensor, Tensor, str, dict[str, Any], tuple[int, ...]]] = []
        self._begin: dict[str, Tensor] | None = None
        self._tried: dict[str, Any] | None = None
        self._scaled: dict[str, float] | None = None  # losses after the same steps, with inputs as they are and scaled
        self._several_roots = self._probed = False
        self._kept: _Setting | None = None
        self._shrunk = 1.0  # of the newest experiment: how large the weights were in the end, as a share of the start

    # Batches, and how they are judged.

    def forward(self, call: Call) -> None:
        if len(self._batches) >= _BATCHES or not call.grad:
            return
        self._given = None
        known = self._root() if self._root is not None else None
        if known is not None and known is not call.module:
            self._several_roots = True
            return
        if len(call.args) != 1 or call.kwargs or not isinstance(call.args[0], Tensor):
            return
        given, output = call.args[0], call.output
        if not isinstance(output, Tensor) or given.device.type != "cpu" or given.numel() > _MOST_NUMBERS // 10:
            return
        if known is None:
            if sum(w.numel() for w in call.module.parameters()) > _MOST_NUMBERS:
                return
            self._root = weakref.ref(call.module)
        if self._begin is None:
            state = call.module.state_dict()
            self._begin = {name: value.detach().clone() for name, value in state.items() if isinstance(value, Tensor)}
        self._given = (weakref.ref(given), weakref.ref(output))

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if len(self._batches) >= _BATCHES or (self._count > 60 and not self._batches):
            for other in type(self).hears:
                self.witness.enough(self, other)
            self._given = None
            return
        held, self._given = self._given, None
        if held is None or len(args) < 2:
            return
        given, output = held[0](), held[1]()
        if given is None or output is None:
            return
        score, target = args[0], args[1]
        if not isinstance(score, Tensor) or not isinstance(target, Tensor) or score.numel() != output.numel():
            return
        if score is not output and not _only_reshaped(score, output):
            return
        rest = {key: value.detach().clone() if isinstance(value, Tensor) else value for key, value in kwargs.items()}
        self._batches.append((
            given.detach().clone(), target.detach().clone(), name.split(".")[1], rest, tuple(score.shape)
        ))  # fmt: skip

    # Losses.

    def backward_begins(self, going: Backward) -> None:
        self._given = None
        if going.by != "backward" or len(going.losses) != 1:
            return
        loss = going.losses[0]
        self._count += 1
        if self._count > _READ_ALL and self._count % _READ_ONE_OF and not going.close:
            return
        if loss.numel() != 1:
            return
        if going.place is not None:
            self._place = self._place or going.place
        if going.number < 3 and loss.grad_fn is not None:
            self._look_for_hazards(loss.grad_fn)
            if self._sign is None:
                self._sign = _sign_of(loss.grad_fn)
                if self._sign is not None:
                    self._leaves = [weakref.ref(one) for one in _leaves(loss.grad_fn)]
        if not loss.is_cpu and not going.close:
            return  # asking would wait for the device
        value = loss.item()
        self._losses.append(value)
        if self._infinite is None and not math.isfinite(value):
            self._not_finite(loss, value)
        if len(self._losses) >= _MOST_LOSSES:
            del self._losses[64:-64:2]

    def _look_for_hazards(self, root: Any) -> None:
        for node, name in _nodes(root):
            if name.startswith("Sqrt") and _any(node, "_saved_result", lambda t: t == 0):
                self._hazards.append(("sqrt", "0"))
            elif name.startswith("Pow") and _any(node, "_saved_self", lambda t: t == 0):
                exponent = getattr(node, "_saved_exponent", 2)
                if isinstance(exponent, int | float) and exponent < 1:
                    self._hazards.append(("pow", "0"))

    def _not_finite(self, loss: Tensor, value: float) -> None:
        """The first loss that is no number: what made it, and whether the weights were still numbers."""
        weights = [w for root in self.witness.roots() for w in root.parameters()]
        broken = any(not bool(torch.isfinite(w).all()) for w in weights[:200])
        cause: tuple[str, str] | None = None
        if loss.grad_fn is not None and not broken:
            for node, name in _nodes(loss.grad_fn):
                found = _cause(node, name)
                cause = found or cause  # the one farthest from the loss comes last
        before = [one for one in self._losses[:-1] if math.isfinite(one)]
        grew = bool(before) and max(map(abs, before[-5:])) > 10 * abs(statistics.median(before[:5])) + 1e-12
        self._infinite = {
            "value": str(value),
            "step": self.witness.step,
            "weights": broken,
            "cause": cause or (self._hazards[0] if self._hazards and not grew else None),
            "grew": grew,
            "before": before[-3:],
        }

    # Steps.

    def step_begins(self, optimizer: Optimizer) -> None:
        known = self._optimizers
        if not (known and known[0]() is optimizer) and not any(one() is optimizer for one in known):
            if len(self._optimizers) < 8:
                self._optimizers.append(weakref.ref(optimizer))
                births = self.witness.session.get("optimizers", [])
                if len(self._optimizers) == 1:
                    self._made = next((place for one, place, _born in births if one() is optimizer), None)
            if len(self._optimizers) > 1:
                return
        if len(self._optimizers) > 1 or not self._is_due():
            return
        self._weights, room = [], _MOST_NUMBERS
        for group in optimizer.param_groups:
            for weight in group["params"]:
                room -= weight.numel()
                if weight.dim() >= 2 and room >= 0 and weight.is_leaf and not weight.is_sparse:
                    self._weights.append((weight, weight.detach().clone()))
        if not self._numbers and optimizer.param_groups:
            group = optimizer.param_groups[0]
            self._numbers = {
                name: float(group[name]) for name in ("lr", "weight_decay", "momentum") if _is_number(group, name)
            }
            decays = [float(one["weight_decay"]) for one in optimizer.param_groups if _is_number(one, "weight_decay")]
            if decays:  # biases have often none, and stand in a group of their own
                self._numbers["weight_decay"] = max(decays)
            self._numbers["maximize"] = bool(group.get("maximize", False))

    def _is_due(self) -> bool:
        count = self._steps
        if count < 4:
            return True
        return (count < 10 or count in (20, 40, 60, 100) or count % 200 == 0) and self.witness.may_spend()

    def step(self, optimizer: Optimizer) -> None:
        if not self._optimizers or self._optimizers[0]() is not optimizer:
            return
        at, self._steps = self._steps, self._steps + 1
        if at < 3:
            self._whole = self._all_trained()  # later it may be gone, with the function that made it
        if at == _KEPT_AT and len(self._optimizers) == 1:
            self._keep(optimizer)
        held, self._weights = self._weights, []
        if not held or (held[0][0].device.type != "cpu" and at > 100):
            return
        ratios: list[float] = []
        size = slope = 0.0
        for weight, before in held:
            was = float(before.norm())
            size += was * was
            if weight.grad is not None and not weight.grad.is_sparse:
                slope += float(weight.grad.norm()) ** 2
            if was > 0:
                ratios.append(float((weight.detach() - before).norm()) / was)
        finite = [ratio for ratio in ratios if math.isfinite(ratio)]
        if finite:
            self._ratios.append((at, statistics.median(finite)))
        if math.isfinite(size) and math.isfinite(slope):
            self._norms.append((at, math.sqrt(size), math.sqrt(slope)))

    def _keep(self, optimizer: Optimizer) -> None:
        """A function may own model and optimizer, and be over before we ask: copy them, where nothing is learned."""
        root = self._root() if self._root is not None else None
        if root is None or len(self._batches) < 2 or self._several_roots:
            return
        if _learns(self._losses) and not self._was_thrown():
            return
        model = copy_of(root)
        if model is not None:
            self._kept = _Setting.of(root, optimizer, model)

    # An experiment: would other steps do better?

    def probe(self) -> None:
        if self._probed or len(self._optimizers) != 1 or len(self._batches) < 2 or self._several_roots:
            return
        root = self._root() if self._root is not None else None
        optimizer, setting = self._optimizers[0](), self._kept
        self._kept = None
        if self._begin is None or self._steps < 20 or "lr" not in self._numbers:
            return
        if root is not None and optimizer is not None:
            setting = _Setting.of(root, optimizer, root)
        if setting is None or len({group.get("lr") for group in setting.groups}) != 1:
            return
        with contextlib.suppress(Exception):
            self._probed = True
            self._experiment_scaled(setting)
        if _learns(self._losses) and not self._was_thrown():
            return
        with contextlib.suppress(Exception):  # a model that cannot be copied, a loss that needs more than is known
            self._experiment(setting)

    def _experiment_scaled(self, setting: "_Setting") -> None:
        """The same steps from the same beginning, with each column, or all of a picture, at mean 0 and spread 1."""
        given = [one[0] for one in self._batches]
        whole = torch.cat(given)
        if not whole.is_floating_point() or not bool(whole.abs().max() > _LARGE) or not bool(whole.isfinite().all()):
            return
        spread, mean = torch.std_mean(whole, dim=0) if whole.ndim == 2 else torch.std_mean(whole)
        spread = torch.where(spread > 0, spread, 1.0)
        rate = self._numbers["lr"]
        kept, results = self._batches, {}
        try:
            for name in ("plain", "scaled"):
                if name == "scaled":
                    self._batches = [((one[0] - mean) / spread, *one[1:]) for one in kept]
                found = self._try(setting, rate, thread_time())
                if found is None:
                    return
                results[name] = found[1] if math.isfinite(found[1]) else 1e30
        finally:
            self._batches = kept
        self._scaled = results

    def _experiment(self, setting: "_Setting") -> None:
        """The same steps from the same beginning, with other numbers."""
        rate = self._numbers["lr"]
        early = self._early()
        wanted: list[tuple[str, float]] = []
        if early is not None and early < 1e-3 and self._burst() < 0.1:
            # As far as a healthy step goes: 0.01 of a weight's size.
            times = 10.0 ** max(2, min(8, round(math.log10(0.01 / max(early, 1e-12)))))
            wanted = [("more", rate * times)] if rate > 0 else []
        else:
            wanted = [("1/10", rate / 10), ("1/100", rate / 100)]
        if self._numbers.get("weight_decay", 0.0) >= 0.01:
            wanted.append(("decay", rate))
        results: dict[str, float] = {}
        began = thread_time()
        for name, one_rate in [("1", rate), *wanted]:
            found = self._try(setting, one_rate, began, decays=name != "decay")
            if found is None:
                return
            results["start"], results[name] = found
            if name == "1":
                results["shrunk"] = self._shrunk
        self._tried = {key: value if math.isfinite(value) else None for key, value in results.items()}
        self._tried["times"] = wanted[0][1] / rate if rate else None

    def _try(
        self, setting: "_Setting", rate: float, began: float, *, decays: bool = True
    ) -> tuple[float, float] | None:
        """The mean loss of the kept batches before and after some steps on a copy, as it was when all began."""
        torch.manual_seed(0)
        model = copy.deepcopy(setting.model)
        model.load_state_dict(self._begin or {})
        made = setting.another(model, rate, decays=decays)
        if made is None:
            return None
        start, before, until = self._mean_loss(model), _size(model), perf_counter() + _PATIENCE_S
        for at in range(_TRIED):
            if thread_time() - began > _TRIED_S or perf_counter() > until:
                return None
            made.zero_grad()
            loss = self._loss(model, *self._batches[at % len(self._batches)])
            if not bool(torch.isfinite(loss)):
                return start, math.inf
            torch.autograd.backward(loss)
            made.step()
        self._shrunk = _size(model) / max(before, 1e-12)
        return start, self._mean_loss(model)

    def _mean_loss(self, model: nn.Module) -> float:
        with torch.no_grad():
            losses = [float(self._loss(model, *batch).mean()) for batch in self._batches]
        return sum(losses) / len(losses)

    def _loss(
        self, model: nn.Module, given: Tensor, target: Tensor, name: str, rest: dict[str, Any], shape: tuple[int, ...]
    ) -> Tensor:
        loss: Tensor = getattr(nn.functional, name)(model(given).reshape(shape), target, **rest)
        return loss.mean()

    def _early(self) -> float | None:
        """The median of how far the first steps moved the weights; more where later looks saw more."""
        first = [ratio for at, ratio in self._ratios if at < 10]
        later = [ratio for at, ratio in self._ratios if at >= 10]
        return max([statistics.median(first), *later]) if first else None

    def _burst(self) -> float:
        """How far the largest of the very first steps moved the weights: one may have thrown them where all is flat."""
        return max((ratio for at, ratio in self._ratios if at < 4), default=0.0)

    def _was_thrown(self) -> bool:
        """Whether steps of more than a tenth of the weights threw the loss up to three times what it was."""
        first, early = _first(self._losses), [ratio for at, ratio in self._ratios if at < 10]
        if first is None or first <= 0 or not early or statistics.median(early) <= 0.1:
            return False
        return max((one for one in self._losses if math.isfinite(one)), default=0.0) > 3 * first

    def _all_trained(self) -> bool:
        """Whether the optimizer holds all that the loss hangs on: else something is made worse on purpose."""
        optimizer = self._optimizers[0]()
        if optimizer is None:
            return False
        held = {id(w) for group in optimizer.param_groups for w in group["params"]}
        leaves = {id(leaf) for one in self._leaves if (leaf := one()) is not None}
        weights = {id(w) for root in self.witness.roots() for w in root.parameters()}
        # Else an input is changed, to fool a net.
        return bool(leaves) and leaves <= held and (bool(leaves & weights) if weights else len(leaves) > 1)

    def facts(self) -> Iterator[tuple[str, Any]]:
        """How the training went, as far as it can be told."""
        if self._infinite is not None:
            yield "not_finite", {**self._infinite, "place": self._place and self._place.as_json()}
        if self._sign is not None and ((self._whole and len(self._optimizers) == 1) or not self._optimizers):
            yield (
                "loss_sign",
                {
                    **self._sign,
                    "maximize": self._numbers.get("maximize", False),
                    "optimizers": len(self._optimizers),
                    "first": _mean(self._losses[:3]),
                    "last": _mean(self._losses[-5:]),
                    "count": len(self._losses),
                    "place": self._place and self._place.as_json(),
                },
            )
        if not self._losses or len(self._optimizers) != 1 or not self._steps:
            return
        first = [ratio for at, ratio in self._ratios if at < 10]
        made = self._made
        yield (
            "progress",
            {
                "steps": self._steps,
                "losses": len(self._losses),
                "first": _first(self._losses),
                "last": _mean(self._losses[-max(3, len(self._losses) // 10) :]),
                "most": max((one for one in self._losses if math.isfinite(one)), default=None),
                "learns": _learns(self._losses),
                "finite": self._infinite is None,
                "ratio": statistics.median(first) if first else None,
                "largest_ratio": self._early(),
                "burst": self._burst(),
                "numbers": self._numbers,
                "norms": [list(one) for one in self._norms[:1] + self._norms[-1:]],
                "tried": self._tried,
                "scaled": self._scaled,
                "made": made and made.as_json(),
                "backward": self._place and self._place.as_json(),
            },
        )


def _size(model: nn.Module) -> float:
    """The norm of all weights but biases and the like."""
    return math.sqrt(sum(float(w.detach().norm()) ** 2 for w in model.parameters() if w.dim() >= 2))


def _mean(losses: list[float]) -> float | None:
    finite = [one for one in losses if math.isfinite(one)]
    return sum(finite) / len(finite) if finite else None


def _first(losses: list[float]) -> float | None:
    """Where a training begins: its first loss, or the mean of three where that is less; one step may throw it far."""
    mean = _mean(losses[:3])
    return mean if mean is None or not math.isfinite(losses[0]) else min(mean, losses[0])


def _learns(losses: list[float]) -> bool:
    """Whether the losses have come down by a tenth: the gate of all that is not a fact. Losses below zero count too."""
    if len(losses) < 6 or not math.isfinite(losses[-1]):
        return False
    first, last = _first(losses), _mean(losses[-max(3, len(losses) // 10) :])
    return first is None or last is None or last < first - 0.1 * abs(first)


def _is_number(group: dict[str, Any], name: str) -> bool:
    value = group.get(name)
    return isinstance(value, int | float) or (isinstance(value, Tensor) and value.numel() == 1)


def _only_reshaped(score: Tensor, output: Tensor) -> bool:
    """Whether nothing but the shape lies between what a root gave and what a loss was given."""
    node = score.grad_fn
    for _deep in range(4):
        if node is None or node is output.grad_fn:
            return node is not None
        if not node.name().startswith(("View", "Squeeze", "Unsqueeze", "Reshape", "UnsafeView", "Select")):
            return False
        node = node.next_functions[0][0] if node.next_functions else None
    return False


@dataclass
class _Setting:
    """What an experiment needs: a model, and an optimizer's kind, its groups and which weights each of them holds."""

    model: nn.Module
    kind: Callable[..., Optimizer]
    names: set[str]  # of the numbers that the optimizer is made with
    groups: list[dict[str, Any]]
    held: list[list[int]]  # places among the model's weights

    @classmethod
    def of(cls, root: nn.Module, optimizer: Optimizer, model: nn.Module) -> "_Setting":
        """`model` is the root or a copy of it."""
        at = {id(weight): number for number, weight in enumerate(root.parameters())}
        allowed = set(inspect.signature(type(optimizer).__init__).parameters)
        return cls(
            model,
            type(optimizer),
            {name for name in optimizer.defaults if name in allowed},
            [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups],
            [[at[id(w)] for w in group["params"] if id(w) in at] for group in optimizer.param_groups],
        )

    def another(self, model: nn.Module, rate: float, *, decays: bool) -> Optimizer | None:
        """An optimizer of the same kind and numbers for a copy of the model, but for the rate, or without decay."""
        weights = list(model.parameters())
        made = []
        for group, held in zip(self.groups, self.held, strict=True):
            mine = [weights[at] for at in held if weights[at].requires_grad]
            numbers = {name: group[name] for name in self.names if name in group} | {"lr": rate}
            if "weight_decay" in numbers and not decays:
                numbers["weight_decay"] = 0.0
            if mine:
                made.append({"params": mine, **numbers})
        return self.kind(made, lr=rate) if made else None


def _nodes(root: Any) -> Iterator[tuple[Any, str]]:
    """The nodes of a graph, from the loss on; a few thousand at most."""
    seen, now = {root}, [root]
    while now and len(seen) < 3000:
        below = []
        for node in now:
            yield node, node.name()
            for one, _at in node.next_functions:
                if one is not None and one not in seen:
                    seen.add(one)
                    below.append(one)
        now = below


def _leaves(root: Any) -> Iterator[Tensor]:
    """What gets a gradient in the end."""
    for node, _name in _nodes(root):
        variable = getattr(node, "variable", None)
        if isinstance(variable, Tensor):
            yield variable


def _any(node: Any, name: str, test: Any) -> bool:
    try:
        value = getattr(node, name, None)
    except RuntimeError:  # freed, or changed in place since
        return False
    if not isinstance(value, Tensor) or value.device.type != "cpu" or value.numel() > _MOST_NUMBERS:
        return False
    return bool(test(value.detach()).any())


def _cause(node: Any, name: str) -> tuple[str, str] | None:
    """What a node did that gives no number: the function and the value that it was given."""
    if name.startswith(("LogBackward", "Log2", "Log10")):
        if _any(node, "_saved_self", lambda t: t == 0):
            return ("log", "0")
        if _any(node, "_saved_self", lambda t: t < 0):
            return ("log", "< 0")
    if name.startswith("SqrtBackward") and _any(node, "_saved_result", torch.isnan):
        return ("sqrt", "< 0")
    if name.startswith("DivBackward") and _any(node, "_saved_other", lambda t: t == 0):
        return ("/", "0")
    if name.startswith("ReciprocalBackward") and _any(node, "_saved_result", torch.isinf):
        return ("/", "0")
    if name.startswith("ExpBackward") and _any(node, "_saved_result", torch.isinf):
        return ("exp", "> 88")
    if name.startswith("PowBackward") and _any(node, "_saved_self", lambda t: t < 0):
        exponent = getattr(node, "_saved_exponent", 2)
        if isinstance(exponent, float) and not exponent.is_integer():
            return ("pow", "< 0")
    return None


def _sign_of(node: Any) -> dict[str, Any] | None:
    """Whether a known loss, or the logarithm of a probability, is made smaller or larger; None where it is neither."""
    sign = 1
    for _deep in range(12):
        if node is None:
            return None
        name = node.name()
        below = [one for one, _at in node.next_functions if one is not None]
        if name.startswith(_KNOWN):
            return {"sign": sign, "loss": name.removesuffix("Backward0")}
        if name.startswith("Pow") and below and below[0].name().startswith("Sub"):
            return {"sign": sign, "loss": "MseLoss"} if _scalar(node, "_saved_exponent") == 2 else None
        if name.startswith(("LogSoftmax", "LogSigmoid")):
            return {"sign": -sign, "loss": name.removesuffix("Backward0")}
        if len(below) != 1:
            return None
        if name.startswith("Neg"):
            sign = -sign
        elif name.startswith(("Mul", "Div")):
            other = _scalar(node, "_saved_other")
            if other is None:
                return None
            sign = -sign if other < 0 else sign
        elif not name.startswith((*_PASSING, "Gather", "Index", "Select")):
            return None
        node = below[0]
    return None


def _scalar(node: Any, name: str) -> float | None:
    try:
        value = getattr(node, name, None)
    except RuntimeError:
        return None
    if isinstance(value, int | float):
        return float(value)
    return float(value) if isinstance(value, Tensor) and value.numel() == 1 and value.device.type == "cpu" else None
