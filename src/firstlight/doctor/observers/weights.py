"""What weights are like at the first step and a few steps later: their spread, their type, and whether units differ."""

import math
import weakref
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from firstlight.doctor.losses import LossGraph, base, below, is_wrapped, tensor_of, tensors_in
from firstlight.doctor.observer import Backward, Call, Observer
from firstlight.doctor.places import Place

_MOST = 200  # weights of a root that are looked at
_READ = 4096  # numbers of a weight that its spread is read from
_GOES_ON = 9  # passes after the first one: who computes a slope once or twice trains nothing
_STEPS = 5  # steps after which units that began equal must differ
_PRODUCTS = {"MmBackward": 0, "AddmmBackward": 1}  # and where the first factor stands
_SATURATING = (nn.Sigmoid, nn.Tanh, nn.Softsign, nn.Hardsigmoid)
_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = ("Norm",)


class Weights(Observer):
    """Facts `weights` (one entry for each root), `equal_units`, `loss_values`, `updates` and `slopes`."""

    kinds: ClassVar = ("weights_of_models", "weights_by_hand", "equal_units", "loss_values", "updates", "slopes")
    gaps: ClassVar = True

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._roots: weakref.WeakKeyDictionary[nn.Module, dict[str, Any]] = weakref.WeakKeyDictionary()
        self._models: list[dict[str, Any]] = []  # what is known of roots outlives them
        self._equal: list[dict[str, Any]] = []
        self._checked = -1
        self._losses: list[tuple[int, float]] = []
        self._last: weakref.ref[Tensor] | None = None
        self._updates: list[dict[str, Any]] = []
        self._slopes: list[dict[str, Any]] = []  # of the first and the last weight, by their sizes
        self._double: list[str] = []
        self._by_hand: dict[str, Any] | None = None
        self._saturating = 0  # nodes of the graph of a loss
        self._before: list[tuple[weakref.ref[Tensor], Tensor, str]] = []
        self._optimizers: dict[str, dict[str, Any]] = {}

    def forward_begins(self, call: Call) -> None:
        if not call.close or not call.grad:
            return
        known = self._roots.get(call.module)
        if known is not None:
            known["calls"] += 1
        if known is not None or len(self._models) >= 16:
            return
        if is_wrapped((call.args, call.kwargs)) or is_wrapped(call.module):
            return
        self._roots[call.module] = found = self._look(call)
        self._models.append(found)

    def _look(self, call: Call) -> dict[str, Any]:
        root = call.module
        largest = 0.0
        for tensor in tensors_in((call.args, call.kwargs)):
            if tensor.is_floating_point() and tensor.numel() and not tensor.is_meta and tensor.layout == torch.strided:
                largest = max(largest, float(tensor.detach().abs().max()))
        layers, biases, norms, types, wide, constant = 0, 0, 0, set(), [], 0
        for name, module in root.named_modules():
            if any(mark in type(module).__name__ for mark in _NORMS):
                norms += 1
            for key, weight in module._parameters.items():
                if weight is None or isinstance(weight, nn.parameter.UninitializedParameter) or not weight.numel():
                    continue
                types.add(str(weight.dtype).removeprefix("torch."))
                biases += weight.dim() < 2
                if weight.dim() < 2 or weight.is_meta or not weight.is_floating_point():
                    continue
                layers += isinstance(module, _LAYERS)
                one_number = isinstance(module, _LAYERS) and weight.numel() > 1 and weight.requires_grad
                constant += one_number and bool((weight.detach() == weight.detach().flatten()[0]).all())
                if not isinstance(module, (*_LAYERS, nn.RNNBase)) and layers <= _MOST and weight.dim() == 2:
                    # Of a weight of the learner's own, which side is the input is not known: the longer one.
                    usual = 1.0 if isinstance(module, nn.Embedding) else math.sqrt(2 / max(weight.shape))
                    spread = float(weight.detach().flatten()[:_READ].float().std()) if weight.numel() > 1 else 0.0
                    if spread > (10 if isinstance(module, nn.Embedding) else 3) * usual:
                        wide.append([f"{name}.{key}".lstrip("."), spread, usual, type(module).__name__])
                if layers <= _MOST and isinstance(module, _LAYERS):
                    fan = weight[0].numel()
                    spread = float(weight.detach().flatten()[:_READ].float().std()) if weight.numel() > 1 else 0.0
                    if spread > 10 * math.sqrt(2 / fan):  # He et al. 2015 take sqrt(2 / fan); ten times is no choice
                        wide.append([f"{name}.{key}".lstrip("."), spread, math.sqrt(2 / fan), type(module).__name__])
                if weight.requires_grad and len(self._equal) < _MOST and _rows_equal(weight.detach(), module):
                    self._equal.append(
                        {"weight": weakref.ref(weight), "owner": weakref.ref(module), "name": name, "steps": None,
                         "layer": type(module).__name__, "key": key, "rows": weight.shape[0], "equal": None}
                    )  # fmt: skip
        return {
            "class": type(root).__name__, "largest": largest, "layers": layers, "biases": biases, "norms": norms,
            "constant": constant, "types": sorted(types), "wide": wide[:10], "called": call.place,
            "saturating": sum(isinstance(module, _SATURATING) for module in root.modules()), "calls": 1,
        }  # fmt: skip

    def backward_begins(self, going: Backward) -> None:
        if going.by != "backward" or not going.losses or going.losses[0].numel() != 1:
            return
        loss = going.losses[0]
        if going.number == 0:
            self._by_hand = _by_hand(loss, self.witness)
        if going.number == _GOES_ON:
            self._double = _double(loss, self.witness)
        if going.number == 1:
            nodes = LossGraph.of([loss], most=3000).nodes
            self._saturating = sum(
                base(node) in ("SigmoidBackward", "TanhBackward")
                for node in nodes
                if getattr(node, "variable", None) is None
            )
        if going.close or (going.number < 64 and not going.number % 8 and self.witness.may_spend()):
            self._losses.append((going.number, float(loss.detach())))

    def step_begins(self, optimizer: Optimizer) -> None:
        if self.witness.steps_of(optimizer) not in (0, 1, 2, 10, 20, 40, 80):
            return
        group = optimizer.param_groups[0]
        rate = group.get("lr", 0.0)
        self._optimizers[type(optimizer).__name__] = {
            "lr": float(rate) if not isinstance(rate, Tensor) else None,
            "momentum": float(group.get("momentum", 0.0) or 0.0),
        }
        words = _embeddings(self.witness)  # most of their rows get nothing from one batch
        weights = [w for one in optimizer.param_groups for w in one["params"] if id(w) not in words]
        held = [w for w in weights if w.dim() >= 2 and w.grad is not None]
        if len(held) >= 4 and len(self._slopes) < 20 and not held[0].grad.is_sparse:
            ends = [float(w.grad.detach().norm() / w.detach().norm().clamp_min(1e-12)) for w in (held[0], held[-1])]
            self._slopes.append({"step": self.witness.step, "first": ends[0], "last": ends[1]})
        if len(held) >= 3 and max(held[0].numel(), held[-1].numel()) < 10**7:
            self._before = [
                (weakref.ref(w), w.detach().clone(), at) for w, at in ((held[0], "first"), (held[-1], "last"))
            ]

    def step(self, optimizer: Optimizer) -> None:
        if self._before:
            moved: dict[str, Any] = {"step": self.witness.step}
            for reference, before, at in self._before:
                weight = reference()
                if weight is not None and weight.shape == before.shape:
                    moved[at] = float((weight.detach() - before).norm() / before.norm().clamp_min(1e-12))
            self._updates.append(moved)
            self._before = []
        if self._equal and self.witness.steps in (_STEPS, 4 * _STEPS):
            self._compare()

    def _compare(self) -> None:
        for row in self._equal:
            weight, owner = row["weight"](), row["owner"]()
            if weight is None or owner is None:
                continue
            row["equal"] = _rows_equal(weight.detach(), owner)
            row["trained"] = weight.grad is not None
            row["steps"] = self.witness.steps
            row.setdefault("step", self.witness.step)

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What was seen by now."""
        rows = [{**row, "called": _place(row["called"])} for row in self._models]
        if rows:
            yield "weights_of_models", rows
        if self._by_hand is not None or self._double:
            yield "weights_by_hand", {**(self._by_hand or {"wide": []}), "double": self._double}
        equal = [
            {key: value for key, value in row.items() if key not in ("weight", "owner")}
            for row in self._equal
            if row["equal"]
        ]
        if equal:
            yield "equal_units", equal
        if self._losses:
            yield "loss_values", {"values": self._losses[:100], "optimizers": self._optimizers}
        if len(self._updates) > 2:
            yield "updates", self._updates[:20]
        if len(self._slopes) > 3:
            yield "slopes", {"looks": self._slopes, "saturating": self._saturating}


def _embeddings(witness: Any) -> dict[int, str]:
    """The names of the embeddings of all roots, by the address of their weight."""
    return {
        id(module.weight): name
        for root in witness.roots()
        for name, module in root.named_modules()
        if isinstance(module, nn.Embedding | nn.EmbeddingBag)
    }


def _by_hand(loss: Tensor, witness: Any) -> dict[str, Any] | None:
    """At the first loss: weights of no module that began wide, and how sure the first scores were of nothing yet.

    Shapes: N samples, K classes.
    """
    graph = LossGraph.of([loss], most=3000)
    wide, largest, first, classes = [], 0.0, 0.0, 0
    # An embedding begins with numbers of a spread of 1: wide, where it is a layer as well, as the last one may be.
    tied = _embeddings(witness)
    for node in graph.nodes:
        if getattr(node, "variable", None) is not None:
            continue
        kind = base(node)
        if kind in ("LogSoftmaxBackward", "LogsumexpBackward"):
            result = tensor_of(node, "result")
            scores = result if kind == "LogSoftmaxBackward" else tensor_of(node, "self")
            if result is not None and scores is not None and scores.dim() == 2 and scores.shape[1] > 1:
                # The cross-entropy of labels that know nothing of the scores, as those of a fresh net.
                logs = scores if kind == "LogSoftmaxBackward" else scores - scores.logsumexp(1, keepdim=True)
                first, classes = -float(logs.mean()), scores.shape[1]
        side = _PRODUCTS.get(kind)
        for at, (one, _input) in enumerate(node.next_functions):
            turned = one is not None and base(one) in ("TBackward", "TransposeBackward", "PermuteBackward")
            leaf = getattr(below(one) if turned else one, "variable", None)
            if side is None or not isinstance(leaf, Tensor) or leaf.dim() != 2 or leaf.numel() < 2 or leaf.is_meta:
                continue
            if (witness.name_of(leaf) is not None and id(leaf) not in tied) or at < side:
                continue
            fan = leaf.shape[0] if (at > side) != turned else leaf.shape[1]
            spread, usual = float(leaf.detach().flatten()[:_READ].float().std()), math.sqrt(2 / max(fan, 1))
            given = tensor_of(node, "self" if kind == "MmBackward" else "mat1")
            if at > side and given is not None and given.numel():
                largest = max(largest, float(given.abs().max())) if below(node, side) is None else largest
            if spread > 3 * usual:
                wide.append([tied.get(id(leaf), str(tuple(leaf.shape))), spread, usual, "Tensor"])
    return {"wide": wide[:10], "largest": largest, "first": first, "classes": classes} if wide else None


def _double(loss: Tensor, witness: Any) -> list[str]:
    """Shapes of weights of no module that have twice the usual digits."""
    leaves = LossGraph.of([loss], most=3000).leaves.values()
    found = [one for one in leaves if one.dtype == torch.float64 and witness.name_of(one) is None]
    return [str(tuple(one.shape)) for one in found[:3]]


def learns(run_values: dict[str, Any] | None, share: float = 0.05) -> bool:
    """Whether a loss got smaller: the newest values lie below the first by more than this share.

    Example:
        >>> learns({"values": [(0, 2.0), (10, 1.0)]}), learns({"values": [(0, 2.0), (10, 1.99)]})
        (True, False)
    """
    values = [value for _number, value in (run_values or {}).get("values", ())]
    if len(values) < 2:
        return True  # nothing is known, so nothing is said
    if not all(math.isfinite(value) for value in values):
        return False
    first, newest = values[0], values[1:][-3:]
    late = sorted(newest)[len(newest) // 2]
    return bool(late < first - share * abs(first))


def _rows_equal(weight: Tensor, module: nn.Module) -> bool:
    """Whether all units of a layer have the same weights; within each gate of an RNN."""
    rows = weight
    if isinstance(module, nn.RNNBase):
        gates = {"LSTM": 4, "GRU": 3}.get(module.mode, 1)
        rows = weight.reshape(gates, -1, *weight.shape[1:])[0]
    if isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        rows = weight.transpose(0, 1)
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d) and module.groups > 1:
        return False  # each group sees other channels
    if rows.shape[0] < 2 or not torch.equal(rows[0], rows[1]):
        return False
    return bool((rows == rows[:1]).all())


def _place(place: Place | None) -> Any:
    return place.as_json() if place is not None else None
