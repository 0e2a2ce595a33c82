"""How layers are used: in which mode, with how many samples, how often in one pass, and whether their units answer."""

import sys
import weakref
from collections import deque
from collections.abc import Iterator
from time import perf_counter
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from firstlight.doctor.losses import LossGraph, base, tensor_of, tensors_in
from firstlight.doctor.observer import Backward, Call, Observer
from firstlight.doctor.observers.fingerprint import has_plain_numbers
from firstlight.doctor.places import Place
from firstlight.doctor.trail import line_of

_RELUS = ("ReluBackward", "ClampMinBackward", "ClampBackward", "ThresholdBackward", "MaximumBackward",
          "WhereBackward")  # fmt: skip
_WINDOW = 10  # batches in which a unit must have answered at least once
_SMALLEST = 8  # samples of a batch that says something about units
_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
_MOST_UNITS = 65_536
_AGAIN = 3  # passes over the same samples with the same weights
_FEWEST_UNITS = 4  # of a condition by hand
_FREE_S = 0.01  # for the first looks


class Layers(Observer):
    """Facts `silent_units`, `single_samples`, `dropout`, `called_twice`."""

    kinds: ClassVar = ("silent_units", "single_samples", "dropout", "called_twice")
    gaps: ClassVar = True
    hears: ClassVar = {
        **{
            name: ("torch.nn.functional", name)
            for name in ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
        },
        "torch.dropout": ("torch", "dropout"),
        "attention": ("torch.nn.functional", "scaled_dot_product_attention"),
    }

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._units: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._roots: weakref.WeakKeyDictionary[nn.Module, dict[str, Any]] = weakref.WeakKeyDictionary()
        self._models: list[dict[str, Any]] = []  # what is known of roots outlives them
        self._call: Call | None = None
        self._shown: Call | None = None  # stands for the last one, where that was in evaluation
        self._nobody = nn.Identity()
        self._counts: dict[int, int] = {}
        self._twice: dict[str, dict[str, Any]] = {}
        self._dropout: dict[Any, dict[str, Any]] = {}
        self._heard = 0
        self._dropped: Any = lambda: None  # what was dropped from last
        self._learned: dict[tuple[Any, ...], tuple[float, int] | None] = {}  # dropouts in no model that were learned
        self._spent_s = 0.0

    def forward_begins(self, call: Call) -> None:
        self._call = call
        self._counts = {}

    def module(self, call: Call, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if call.grad and module._parameters:
            self._counts[id(module)] = self._counts.get(id(module), 0) + 1
        if isinstance(module, _BatchNorm) and module.training and args and isinstance(args[0], Tensor):
            self._of(call.module)["norm_of_one"] |= args[0].shape[0] == 1

    def forward(self, call: Call) -> None:
        self._call = None
        self._shown = None
        if not call.grad and not call.training:
            self._shown = Call(self._nobody, (), {}, grad=False, training=False, number=call.number, close=False)
        if not call.grad or not call.training:
            return
        found = self._of(call.module)
        found["calls"] += 1
        if found["norms"]:
            first = next(tensors_in((call.args, call.kwargs)), None)
            if first is not None and first.dim() > 1 and first.shape[0] == 1:
                found["ones"] += 1
                if found["ones"] == 5:
                    found["step"] = self.witness.step
        if call.close:
            found["called"] = found["called"] or call.place
            for name, module in call.module.named_modules():
                count = self._counts.get(id(module), 0)
                owner = call.module.get_submodule(name.rpartition(".")[0]) if name else None
                if not isinstance(module, _BatchNorm) or count < 2 or owner is None:
                    continue
                others = [one for one in owner.children() if not isinstance(one, _BatchNorm)]
                if sum(self._counts.get(id(one), 0) == 1 for one in others) >= count:
                    row = self._twice.setdefault(name, {"name": name, "layer": type(module).__name__, "looks": 0})
                    row |= {"count": count, "looks": row["looks"] + 1}

    def _of(self, root: nn.Module) -> dict[str, Any]:
        found = self._roots.get(root)
        if found is None:
            modules = list(root.named_modules())
            found = self._roots[root] = {
                "class": type(root).__name__, "calls": 0, "ones": 0, "step": None, "called": None, "norm_of_one": False,
                "norms": [name for name, one in modules if isinstance(one, _BatchNorm)][:5],
                "dropouts": [[name, p] for name, one in modules if (p := _drops(one)) > 0.8][:5],
                "repeated": [[name or "model", *row] for name, one in modules if (row := _repeated(one))][:5],
            }  # fmt: skip
            if len(self._models) < 40:
                self._models.append(found)
        return found

    def calling(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        call = (
            self._call or self._shown
        )  # a function of the learner's may drop between layers that are roots themselves
        if self._heard > 200 and call is not None and call.training:
            return
        self._heard += 1
        if name == "attention":  # which knows no mode: its share is 0 where nothing is to be dropped
            share = kwargs.get("dropout_p", args[4] if len(args) > 4 else 0.0)
            args, kwargs = args[:1], {"p": share}
        if call is None:
            self._drop_by_hand(args, kwargs)
            return
        share = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
        on = kwargs.get("training", args[2] if len(args) > 2 else True)
        said = "training" in kwargs or len(args) > 2
        if not on or not share:
            return
        if name == "attention" and not call.training and _runs_in_training():
            return  # a part of the model that is in training mode, on purpose
        maker = None if call.training or name == "attention" else _layer_that_runs()
        if (
            maker is not None
        ):  # a layer: of the model, whose mode it has been given, or made on the way, in training mode
            said = any(maker is one for one in call.module.modules())
        key = (id(call.module), call.training, said, share)
        row = self._dropout.get(key)
        if row is None:
            if len(self._dropout) >= 40:
                return
            place = self.witness.place()
            row = self._dropout[key] = {
                "root_training": call.training, "said": said, "p": float(share), "times": 0, "grad": call.grad,
                "place": place and place.as_json(), "step": self.witness.step,
                "function": "F.scaled_dot_product_attention" if name == "attention" else "F.dropout",
            }  # fmt: skip
        row["times"] += 1

    def _drop_by_hand(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A dropout in no model: on, of something that had a gradient when it was learned, and now has none."""
        given = args[0] if args else kwargs.get("input")
        share = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
        on = kwargs.get("training", args[2] if len(args) > 2 else True)
        if not isinstance(given, Tensor) or not on or not share or given.dim() < 2 or not given.numel():
            return
        key = ("by hand", tuple(given.shape[1:]), share)
        if given.requires_grad:
            if not self._learned:  # no model says when it is evaluated: this has to be heard at each step
                for name, target in self.hears.items():
                    self.witness._functions[target].by_few["calling"].append((self, self.calling, name))
            self._learned[key] = None
            return
        if key not in self._learned or _layer_that_runs() is not None or self._dropped() is given:
            return  # under a mode that hears functions, the same call comes twice
        self._dropped = weakref.ref(given)
        seen = float(given.detach().double().sum())
        before = self._learned[key]
        again = before[1] + 1 if before is not None and before[0] == seen else 0
        self._learned[key] = seen, again
        row = self._dropout.get(key)
        if row is None:
            place = self.witness.place()
            row = self._dropout[key] = {
                "root_training": False, "said": "training" in kwargs or len(args) > 2, "p": float(share), "times": 0,
                "grad": False, "place": place and place.as_json(), "step": self.witness.step,
            }  # fmt: skip
        row["said"] |= again >= _AGAIN  # the same again and again: to see how much the answers differ
        row["times"] += 1

    def backward_begins(self, going: Backward) -> None:
        number = going.number
        due = not number % (2 if number < 24 else 10) or number == 1  # the second is the one whose lines are known
        if not due or not (self._spent_s < _FREE_S or self.witness.may_spend()):
            return
        began = perf_counter()
        self._look(going)
        self._spent_s += perf_counter() - began

    def _look(self, going: Backward) -> None:
        graph = LossGraph.of(going.losses, most=5000)
        if not graph.whole:
            return
        at = 0
        for node in graph.nodes:
            if getattr(node, "variable", None) is not None or base(node) not in _RELUS:
                continue
            at += 1
            result = _answer(node)
            if result is None or not has_plain_numbers(result) or at > 64:
                continue
            if result.dim() < 2 or result.shape[0] < _SMALLEST:
                continue
            self._note_units(at, result, node)

    def _note_units(self, at: int, result: Tensor, node: Any) -> None:
        dim = result.dim() - 1 if result.dim() == 3 else 1
        if result.shape[dim] > _MOST_UNITS:
            return
        others = [one for one in range(result.dim()) if one != dim]
        key = (at, result.shape[dim], result.dim())
        row = self._units.get(key)
        if row is None:
            row = self._units[key] = {
                "masks": deque(maxlen=_WINDOW),
                "line": None,
                "step": None,
                "samples": 0,
                "began": 0,
            }
        if row["line"] is None:
            row["line"] = line_of(node)
        row["masks"].append((result > 0).any(dim=others[0]) if len(others) == 1 else (result > 0).amax(dim=others))
        row["samples"] += result.shape[0]
        if len(row["masks"]) == _WINDOW and row["step"] is None and _silent(row["masks"]) >= 0.95:
            row["step"] = self.witness.step

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What was seen by now."""
        units = [
            {"units": key[1], "silent": _silent(row["masks"]), "batches": len(row["masks"]), "step": row["step"],
             "line": _place(row["line"]), "samples": row["samples"], "at": key[0],
             "first": _silent([row["masks"][0]])}
            for key, row in self._units.items()
            if len(row["masks"]) == _WINDOW
        ]  # fmt: skip
        if units:
            yield "silent_units", units
        roots = [{**row, "called": _place(row["called"])} for row in self._models]
        if roots:
            yield "single_samples", roots
        if self._dropout:
            yield "dropout", list(self._dropout.values())
        if self._twice:
            yield "called_twice", list(self._twice.values())[:20]


def _answer(node: Any) -> Tensor | None:
    """What a ReLU gave, or what was above its lowest value, where it was written as clamp or threshold."""
    if base(node) == "ReluBackward":
        return tensor_of(node, "result")
    if base(node) == "WhereBackward":  # `where(x > 0, x, 0)`: nothing is learned where the condition is not met
        following = node.next_functions
        held = tensor_of(node, "condition")
        alone = len(following) == 2 and following[0][0] is not None and following[1][0] is None
        return held if alone and held is not None and held.dim() > 1 and held.shape[1] >= _FEWEST_UNITS else None
    given = tensor_of(node, "self")
    if base(node) == "MaximumBackward":
        other = tensor_of(node, "other")
        return given if other is not None and not bool(other.any()) else None
    low = getattr(node, "_saved_min", getattr(node, "_saved_threshold", None))
    high = getattr(node, "_saved_max", None)
    return given if given is not None and low == 0 and high is None else None


def _runs_in_training() -> bool:
    """Whether the innermost module of the learner's that runs now is in training mode."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        owner = frame.f_locals.get("self") if frame.f_code.co_name == "forward" else None
        if isinstance(owner, nn.Module):
            return owner.training
        frame = frame.f_back
    return False


def _layer_that_runs() -> nn.Module | None:
    """The dropout layer whose forward called the function that is heard now."""
    frame: Any = sys._getframe(2)
    for _deep in range(8):
        if frame is None:
            return None
        code = frame.f_code
        if code.co_name == "forward" and code.co_filename.endswith("dropout.py"):
            found = frame.f_locals.get("self")
            return found if isinstance(found, nn.Module) else None
        frame = frame.f_back
    return None


def _drops(module: nn.Module) -> float:
    """Which share a layer drops: a dropout, or a recurrent net between its layers."""
    if isinstance(module, nn.RNNBase):
        return float(module.dropout) if module.num_layers > 1 else 0.0
    if isinstance(module, nn.MultiheadAttention):
        return float(module.dropout)
    return float(module.p) if isinstance(module, _DROPOUTS) else 0.0


def _repeated(module: nn.Module) -> tuple[str, int] | None:
    """The kind of a layer with weights that a container holds more than once, and how often."""
    if isinstance(module, nn.Sequential | nn.ModuleList):
        held = list(module._modules.values())
        for one in held:
            times = sum(other is one for other in held)
            if one is not None and times > 1 and next(one.parameters(), None) is not None:
                return type(one).__name__, times
    return None


def _silent(masks: Any) -> float:
    """The share of units that answered in none of these batches."""
    alive = torch.stack(list(masks)).any(dim=0)
    return 1 - float(alive.float().mean())


def _place(place: Place | None) -> Any:
    return place.as_json() if place is not None else None
