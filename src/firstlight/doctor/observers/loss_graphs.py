"""What losses are made of, which weights they reach, what cuts the way: the graph of a loss, at close looks."""

import traceback
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from firstlight.doctor.losses import (
    SHAPES,
    Head,
    LossGraph,
    Node,
    base,
    below,
    classes_lie_last,
    dim_of,
    is_wrapped,
    mark_output,
    tensor_of,
    tensors_in,
    through_shapes,
)
from firstlight.doctor.observer import Backward, Call, Feed, Observer
from firstlight.doctor.observers.fingerprint import has_plain_numbers
from firstlight.doctor.places import Place
from firstlight.doctor.trail import FROM, line_of, place_at
from firstlight.graph.source import kind_of_file

_LAYER = "firstlight.layer"
_MET = "firstlight.met"  # in the metadata of a node: the backward pass that it was first met in
_IN_A_ROW = 12  # passes that are looked at where a graph holds parts of an earlier one
_MOST = 40  # entries of a list in a fact
_LABELS_READ = 256  # calls of a loss whose labels are read, as long as that is cheap
_SCORES_READ = 4  # calls of a loss whose scores are read
_ERRORS = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
_EXACT = 1e-4  # of sums that are 1: those of softmaxes in float32 are right to 0.000001
# From where to where what these give can reach.
_REACHED: dict[str, tuple[float | None, float | None]] = {
    "Relu": (0.0, None), "Sigmoid": (0.0, 1.0), "Tanh": (-1.0, 1.0), "Softplus": (0.0, None), "Softmax": (0.0, 1.0),
}  # fmt: skip
# Where nodes of layers keep what they were given.
_GIVEN = {"AddmmBackward": ("mat1", 1), "MmBackward": ("self", 0), "ConvolutionBackward": ("input", 0),
          "LinearBackward": ("input", 0), "MkldnnLinearBackward": ("input", 0)}  # fmt: skip
_STEPPED = {"SignBackward", "RoundBackward", "FloorBackward", "CeilBackward", "TruncBackward"}
_NOT_THEIRS = ("builtins", "collections", "functools", "numpy", "torch", "weakref")
_STEPS = 2  # of an optimizer, before it is said to hold a weight in vain
_TOLERANCE = 0.01  # of logsumexp of log-probabilities, which is 0: float16 is right to 0.001

# Nodes that are linear in what they are given: of them alone, many layers are one.
_LINEAR = SHAPES | {
    "AddmmBackward", "MmBackward", "BmmBackward", "ConvolutionBackward", "AddBackward", "SubBackward", "MeanBackward",
    "SumBackward", "AvgPool2DBackward", "AvgPool1DBackward", "AdaptiveAvgPool2DBackward", "NativeDropoutBackward",
    "AdaptiveAvgPool1DBackward", "ConstantPadNdBackward", "NativeBatchNormBackward", "EmbeddingBackward",
    "MkldnnConvolutionBackward", "UpsampleNearest2DBackward",
    "MkldnnLinearBackward", "LinearBackward", "BaddbmmBackward", "MvBackward", "DotBackward",
}  # fmt: skip
_WEIGHTED = {"AddmmBackward", "MmBackward", "ConvolutionBackward", "MkldnnConvolutionBackward", "LinearBackward"}


class LossGraphs(Observer):
    """Facts `loss_heads`, `loss_calls`, `graph_models`, `reach`, `loss_growth`, `frozen`, and rarer ones."""

    kinds: ClassVar = ("loss_heads", "loss_calls", "graph_models", "reach", "loss_growth", "frozen", "out_of_range",
                       "equal_by_hand", "rearranged", "written_over")  # fmt: skip
    gaps: ClassVar = True
    hears: ClassVar = {
        f"loss.{name}": ("torch.nn.functional", name)
        for name in (
            "cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits", "mse_loss",
            "l1_loss", "smooth_l1_loss", "huber_loss", "multilabel_soft_margin_loss", "kl_div",
        )
    }  # fmt: skip

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._looks = self._summed = 0
        self._heads: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._calls: dict[tuple[str, Place | None], dict[str, Any]] = {}
        self._counts: dict[str, int] = {}
        self._place: Place | None = None  # of the newest loss that was computed
        self._backward: Place | None = None
        self._growth: list[tuple[int, int, int]] = []  # number, nodes, steps before it
        self._written: dict[tuple[str, Any], int] = {}  # how and where values of the graph were written over: the step
        self._held: list[dict[str, int]] = []  # of graphs with parts of earlier ones: how many, and how old
        self._turns = 2  # how often some passes in a row are looked at, since such a graph was met
        self._roots: weakref.WeakKeyDictionary[nn.Module, dict[str, Any]] = weakref.WeakKeyDictionary()
        self._models: list[dict[str, Any]] = []  # what is known of roots outlives them: a function may own them
        self._optimizers: weakref.WeakSet[Optimizer] = weakref.WeakSet()
        self._steppers: list[dict[str, Any]] = []
        self._frozen: weakref.WeakKeyDictionary[Optimizer, dict[str, Any]] = weakref.WeakKeyDictionary()
        self._out_of_range: dict[str, Any] | None = None
        self._reach = _Reach(self)
        self._equal = _EqualByHand(self)
        self._batch: list[weakref.ref[Tensor]] = []
        self._more = 0
        self._rearranged: dict[str, Any] | None = None

    # What is called.

    def batch(self, feed: Feed, batch: Any) -> None:
        first = batch[0] if isinstance(batch, list | tuple) and batch else batch
        self._batch = [weakref.ref(first)] if type(first) is Tensor else []

    def optimizer_made(self, optimizer: Optimizer, place: Place | None) -> None:
        self._optimizers.add(optimizer)
        self._row_of(optimizer, place)

    def step_begins(self, optimizer: Optimizer) -> None:
        self._optimizers.add(optimizer)
        row = self._row_of(optimizer, None)
        row["steps"] += 1
        if row["steps"] >= row["again"]:
            row["again"] = 3 * row["steps"]
            self._reach.again()
        if row["steps"] > 3 and row["frozen"] < row["steps"] - 1:
            return  # it trains something
        held = [weight for group in optimizer.param_groups for weight in group["params"]]
        row["weights"] = len(held)
        row["frozen"] += not any(weight.requires_grad for weight in held)
        if row["frozen"] == 3:
            row["step"] = self.witness.step

    def _row_of(self, optimizer: Optimizer, place: Place | None) -> dict[str, Any]:
        row = self._frozen.get(optimizer)
        if row is None:
            name = type(optimizer).__name__
            row = {"optimizer": name, "steps": 0, "frozen": 0, "made": place, "step": None, "again": 5}
            self._frozen[optimizer] = row
            if len(self._steppers) < _MOST:
                self._steppers.append(row)
        return row

    def module(self, call: Call, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if call.trail is not None:
            found = self._of(call)
            name = found["names"].get(id(module), "")
            line = self.witness.place() if len(call.trail.events) < 400 else None
            call.trail.events.append(("module", name, line))
            if not module._modules:  # a layer
                for tensor in tensors_in(output):
                    node: Any = tensor.grad_fn
                    if node is not None:
                        node.metadata.setdefault(_LAYER, (type(module).__name__, name))
                        if module._parameters:
                            node.metadata[FROM] = frozenset((name,))
        if call.grad:
            self._reach.called(module)

    def forward(self, call: Call) -> None:
        if not call.close:
            return
        found = self._of(call)
        if found["called"] is None:
            found["called"] = call.place
        if not call.grad:
            self._reach.blind(call)
            return
        self._reach.called(call.module)
        mark_output(call.output)
        found.setdefault("last", _layer_of(call.output))
        found["dims"] = [tensor.dim() for tensor in tensors_in(call.output)][:8]
        if call.trail is not None:
            found["trail"], found["lost"] = call.trail.events, call.trail.lost
            for how, line in call.trail.written:
                if len(self._written) < _MOST and line is not None:
                    self._written.setdefault((how, line), self.witness.step)
            call.trail = None
            if "linear" not in found:
                found["linear"] = _linear_chain(call.output)

    def _of(self, call: Call) -> dict[str, Any]:
        found = self._roots.get(call.module)
        if found is None:
            self._more = 3 if call.grad else self._more  # another training begins, maybe: it is looked at too
            names = {id(module): name for name, module in call.module.named_modules()}
            found = self._roots[call.module] = {"names": names, "called": None, "trail": []}
            found["class"] = type(call.module).__name__
            found["forwards"] = _forwards(call.module)
            if len(self._models) < _MOST:
                self._models.append(found)
        return found

    # Losses as they are computed.

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        count = self._counts[name] = self._counts.get(name, 0) + 1
        if count > _LABELS_READ:
            self.witness.enough(self, name)
        name = name.removeprefix("loss.")
        if count > _LABELS_READ or (count > 4 and not self.witness.may_spend()):
            return
        scores = kwargs.get("input", args[0] if args else None)
        labels = kwargs.get("target", args[1] if len(args) > 1 else None)
        if not isinstance(scores, Tensor) or not isinstance(labels, Tensor):
            return
        if not isinstance(result, Tensor) or not result.requires_grad or is_wrapped((scores, labels)):
            return
        place = self.witness.place() if count <= 4 else self._place
        self._place = place
        row = self._calls.setdefault((name, place), {"loss": name, "place": place, "times": 0, "samples": 0})
        row["times"] += 1
        if row["times"] == 1:
            row |= {"step": self.witness.step, "scores": tuple(scores.shape), "labels": tuple(labels.shape)}
            row["floating"] = labels.is_floating_point()
            row["reduction"] = kwargs.get("reduction", "mean")
        if labels.numel() and labels.device.type == "cpu" and labels.numel() <= 100_000:
            _note_labels(row, name, scores.detach(), labels.detach(), kwargs)
        few = scores.numel() <= 300_000 and scores.device.type == "cpu" and labels.device.type == "cpu"
        if row["times"] <= _SCORES_READ and few and scores.numel():
            _note_scores(row, name, scores, labels.detach(), result)

    # Backward.

    def backward_begins(self, going: Backward) -> None:
        if not going.close and not self._more:
            return
        self._more = max(0, self._more - 1)
        self._backward = going.place or self._backward
        graph = LossGraph.of(going.losses)
        if not graph.nodes:
            return
        self._looks += 1
        self._growth.append((going.number, len(graph.nodes) if graph.whole else -1, self.witness.steps))
        self._note_held(graph, going)
        self._summed = max(self._summed, _sums_samples(graph))
        outputs = dict(graph.outputs()) if self._looks <= 4 else {}
        for head in graph.heads():
            self._note_head(head, going, outputs, top=head.node is graph.nodes[0])
        columns = {**_columns_by_hand(graph, sliced=bool(outputs)), **outputs} if self._looks <= 4 else {}
        for node, shape in columns.items():
            self._note_spread(graph, node, shape, going)
        if self._looks <= 4 and self._batch:
            self._compare_rows(graph)
        if graph.whole:
            self._reach.look(graph, going)
            self._equal.look(graph, going)

    def _note_held(self, graph: LossGraph, going: Backward) -> None:
        """Parts of this graph that were in the graph of an earlier loss already: nodes remember where they were met."""
        if going.create or going.by != "backward":
            return  # slopes of slopes lead through earlier passes, and are meant to
        met: set[int] = set()
        for node in graph.nodes:
            if getattr(node, "variable", None) is None:
                met.add(node.metadata.setdefault(_MET, going.number))
        earlier = {number for number in met if number < going.number}
        if not earlier:
            return
        if len(self._held) < _MOST:
            self._held.append({
                "number": going.number, "oldest": min(earlier), "earlier": len(earlier), "nodes": len(graph.nodes),
                "steps": self.witness.steps,
            })  # fmt: skip
        if self._turns and not self._more:
            self._turns -= 1
            self._more = _IN_A_ROW

    def _compare_rows(self, graph: LossGraph) -> None:
        """Whether what the first layers were given are the numbers of the loader's batch, in other rows than there."""
        batch = self._batch[0]()
        if batch is None or not has_plain_numbers(batch) or batch.dim() < 2 or len(batch) < 4:
            return
        if batch.numel() > 300_000:
            return
        for node in graph.nodes:
            name, at = _GIVEN.get(base(node), ("", 0)) if getattr(node, "variable", None) is None else ("", 0)
            given = tensor_of(node, name) if name and below(node, at) is None else None  # nothing was computed before
            if given is None or given.numel() != batch.numel() or given.device != batch.device:
                continue
            same = len(given) == len(batch) and given.dtype == batch.dtype
            if same and torch.equal(given.reshape(batch.shape), batch):
                return  # the batch itself, as nearly always: nothing has to be sorted
            if _rows_differ(batch.detach(), given):
                row = self._rearranged or {"times": 0, "step": self.witness.step, "line": line_of(node),
                                           "shape": list(batch.shape), "given": list(given.shape)}  # fmt: skip
                row["times"] += 1
                self._rearranged = row
            return

    def _note_head(self, head: Head, going: Backward, outputs: dict[Node, tuple[int, ...]], *, top: bool) -> None:
        fed, feeder = head.fed, head.feeder
        if feeder == "LogBackward":  # of a softmax, maybe
            fed = through_shapes(below(fed))
            feeder = "Log" + (base(fed) if fed is not None else "")
            feeder = feeder if feeder in ("LogSoftmaxBackward",) else head.feeder
        fed_dim = dim_of(fed) if feeder.endswith("SoftmaxBackward") else None
        key = (head.kind, feeder, fed_dim, head.under, head.dim(), head.clamped)
        row = self._heads.get(key)
        if row is None:
            if len(self._heads) >= _MOST:
                return
            scores = tensor_of(head.node, "self")
            if scores is None:
                scores = tensor_of(head.node, "result")
            row = self._heads[key] = {
                "kind": head.kind, "feeder": feeder.removesuffix("Backward"), "under": head.under,
                "dim": head.dim(), "fed_dim": fed_dim, "times": 0, "step": 0, "line": None, "layer": None,
                "shape": list(scores.shape) if scores is not None else None, "loss": self._place,
                "backward": self._backward, "off": 0.0, "output": False,
                "clamped": head.clamped.removesuffix("Backward"),
            }  # fmt: skip
        row["times"] += 1
        row["top"] = top
        if row["times"] <= 2:
            row["step"] = self.witness.step
        if row["line"] is None and head.fed is not None:
            row["line"] = line_of(fed)
            row["layer"] = fed.metadata.get(_LAYER)
        if row["times"] > 8:
            return
        if head.feeder in ("HardtanhBackward", "ClampBackward", "ClampMinBackward", "ClampMaxBackward"):
            low = getattr(head.fed, "_saved_min_val", getattr(head.fed, "_saved_min", None))
            row["low"] = float(low) if isinstance(low, int | float) else None
        if head.under == "hand" and head.kind == "nll":
            row["off"], row["value"] = 1.0, float(going.losses[0].detach())
        elif head.kind == "nll":
            self._note_nll(row, head.node)

    def _note_nll(self, row: dict[str, Any], node: Node) -> None:
        scores, labels = tensor_of(node, "self"), tensor_of(node, "target")
        weights = tensor_of(node, "total_weight")
        if scores is None or labels is None or scores.dim() < 2 or not scores.numel():
            return
        classes = scores.shape[1]
        sums = scores.float().logsumexp(1)
        row["off"] = max(row["off"], float((sums.abs() > _TOLERANCE).float().mean()))
        row["over"] = float((sums > _TOLERANCE).float().mean())
        chosen = scores.gather(1, labels.clamp(0, classes - 1).unsqueeze(1))
        value = -float(chosen.float().mean())
        row["classes"], row["samples"] = classes, labels.shape[0] if labels.dim() else 1
        row.setdefault("first", value)
        row["value"] = value
        if weights is not None and float(weights) == 0.0 and int(node._saved_reduction) == 1:
            row["ignored"] = row.get("ignored", 0) + 1

    def _note_spread(self, graph: LossGraph, node: Node, shape: tuple[int, ...], going: Backward) -> None:
        """Where one column of outputs meets a row of targets and becomes a square: (N, 1) and (N,) give (N, N)."""
        if len(shape) != 1 and (len(shape) != 2 or shape[1] != 1):
            return
        count = shape[0]
        square = count > 1 and _grows_to_square(graph, node, count)
        if not square:
            return
        key = ("spread", len(shape))
        row = self._heads.setdefault(
            key,
            {
                "kind": "spread",
                "feeder": "",
                "under": square,
                "times": 0,
                "step": 0,
                "line": line_of(node),
                "layer": None,
                "shape": list(shape),
                "loss": self._place,
                "backward": self._backward,
                "dim": None,
                "fed_dim": None,
                "off": 0.0,
                "output": True,
            },
        )
        row["times"] += 1
        if row["times"] <= 2:
            row["step"] = self.witness.step

    def failed(self, error: BaseException) -> None:
        if isinstance(error, RuntimeError) and "all elements of input should be between 0 and 1" in str(error):
            frames = traceback.extract_tb(error.__traceback__)
            own = [one for one in frames if kind_of_file(one.filename) == "own" and one.lineno]
            place = place_at((own[-1].filename, own[-1].lineno, own[-1].name)) if own else None
            self._out_of_range = {"place": place, "step": self.witness.step}

    # Facts.

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What was seen by now."""
        reach = list(self._reach.facts())  # which looks at the layers once more
        if self._heads:
            yield (
                "loss_heads",
                {
                    "looks": self._looks,
                    "summed": self._summed,
                    "heads": [_json(row) for row in self._heads.values()],
                },
            )
        if self._out_of_range is not None:
            yield "out_of_range", _json(self._out_of_range)
        if self._calls:
            yield "loss_calls", [_json(row) for row in list(self._calls.values())[:_MOST]]
        rows = [
            {
                "class": row["class"],
                "called": row["called"],
                "forwards": row["forwards"],
                "linear": row.get("linear"),
                "last": row.get("last"),
                "dims": row.get("dims"),
                "frozen_last": row.get("frozen_last"),
            }
            for row in self._models
        ]
        if rows:
            yield "graph_models", [_json(row) for row in rows[:_MOST]]
        if len(self._growth) > 2:
            yield (
                "loss_growth",
                {"nodes": self._growth[:_MOST], "held": self._held, "backward": _json(self._backward)},
            )
        if self._written:
            rows = [{"how": how, "place": place_at(line), "step": step} for (how, line), step in self._written.items()]
            yield "written_over", [_json(row) for row in rows]
        if self._rearranged is not None:
            yield "rearranged", {**_json(self._rearranged), "backward": _json(self._backward)}
        yield from reach
        equal = [_json({key: value for key, value in row.items() if key != "weight"}) for row in self._equal.rows]
        if any(row["equal"] for row in equal):
            yield "equal_by_hand", equal
        frozen = [_json(row) for row in self._steppers if row["steps"]]
        if frozen:
            yield "frozen", frozen


class _EqualByHand:
    """Weights of no module whose units began equal: are they still, after some steps?"""

    def __init__(self, owner: LossGraphs) -> None:
        self._owner = owner
        self.rows: list[dict[str, Any]] = []

    def look(self, graph: LossGraph, going: Backward) -> None:
        """The first look finds them; later ones compare. Units are rows, or columns where inputs stand in front."""
        if going.number == 0:
            leaves = list(graph.leaves.values())[:_MOST]
            for leaf in leaves:
                plain = leaf.dim() == 2 and min(leaf.shape) >= 2 and leaf.numel() <= 2_000_000 and not leaf.is_meta
                if plain and self._owner.witness.name_of(leaf) is None and bool((leaf == leaf[0, 0]).all()):
                    self.rows.append(
                        {"weight": weakref.ref(leaf), "shape": list(leaf.shape), "step": None, "equal": False,
                         "steps": 0, "line": _line_of_leaf(graph, leaf), "value": float(leaf[0, 0]),
                         "all": sum(one.dim() >= 2 for one in leaves)}
                    )  # fmt: skip
            return
        for row in self.rows:
            weight = row["weight"]()
            if weight is None or id(weight) not in graph.leaves:  # made anew in each step, maybe
                others = [one for one in graph.leaves.values() if list(one.shape) == row["shape"]]
                alone = sum(one["shape"] == row["shape"] for one in self.rows) == len(others) == 1
                weight = others[0] if alone and self._owner.witness.name_of(others[0]) is None else None
            if weight is None or going.number < 2 or id(weight) not in graph.leaves:
                continue
            alike = bool((weight == weight[:1]).all()) or bool((weight == weight[:, :1]).all())
            moved = float(weight[0, 0]) != row["value"] or bool((weight != weight[0, 0]).any())
            row["equal"] = alike and (moved or row["value"] == 0.0)
            row["moved"] = moved
            row["steps"], row["step"] = going.number, row["step"] or self._owner.witness.step


class _Reach:
    """Which layers ran and were never reached from a loss, and which weights were reached that nobody holds."""

    def __init__(self, owner: LossGraphs) -> None:
        self._owner = owner
        self._since: weakref.WeakSet[nn.Module] = weakref.WeakSet()
        self._ran: weakref.WeakKeyDictionary[nn.Module, dict[str, Any]] = weakref.WeakKeyDictionary()
        self._loose: list[dict[str, Any]] = []
        self._layers: dict[int, tuple[list[Any], int, list[Any]]] = {}  # by root: cut, reached, unused
        # Of a root: its weights that nobody steps, by name.
        self._seen: weakref.WeakKeyDictionary[nn.Module, dict[str, weakref.ref[Tensor]]] = weakref.WeakKeyDictionary()
        self._flags: weakref.WeakKeyDictionary[nn.Module, set[str]] = weakref.WeakKeyDictionary()
        self._blind: weakref.WeakKeyDictionary[nn.Module, dict[str, Any]] = weakref.WeakKeyDictionary()
        self._flat: tuple[str, Place | None] | None = None  # a step function on the way to all of some layers
        self._blind_rows: list[dict[str, Any]] = []
        self._fresh = 0
        self._fresh_shapes: list[Any] = []
        self._fresh_line: Place | None = None
        self._fresh_step = 0
        self._looks = 0

    def called(self, module: nn.Module) -> None:
        """A module ran with gradients wanted."""
        if any(weight is not None and weight.requires_grad for weight in module._parameters.values()):
            self._since.add(module)

    def blind(self, call: Call) -> None:
        """A root ran without autograd: before a loss that does not reach it, it may be part of the way."""
        row = self._blind.get(call.module)
        if row is None:
            if len(self._blind_rows) >= _MOST or is_wrapped(call.module):
                return
            row = self._blind[call.module] = {
                "class": type(call.module).__name__, "times": 0, "now": False, "held": False, "moved": False,
                "values": _sample_of(call.module), "called": call.place, "step": 0, "training": True,
            }  # fmt: skip
            self._blind_rows.append(row)
        row["now"] = True
        row["training"] &= call.training

    def _note_blind(self, graph: LossGraph) -> None:
        if not self._blind:
            return
        held = {id(w) for one, row in self._owner._frozen.items() if row["steps"] for g in one.param_groups
                for w in g["params"]}  # fmt: skip
        for root, row in self._blind.items():
            own = [weight for weight in root.parameters() if weight.requires_grad]
            row["held"] |= bool(own) and all(id(weight) in held for weight in own)
            row["moved"] |= _sample_of(root) != row["values"] or any(weight.grad is not None for weight in own)
            if row["now"] and not any(id(weight) in graph.leaves for weight in own):
                row["times"] += 1
                row["step"] = self._owner.witness.step if row["times"] <= 3 else row["step"]
            row["now"] = False

    def look(self, graph: LossGraph, going: Backward) -> None:
        """Compare what ran with what is reached."""
        self._looks += 1
        self._note_blind(graph)
        leaves, flat = _with_slope(graph)
        if flat is not None and self._flat is None:
            self._flat = base(flat).removesuffix("Backward").lower(), line_of(flat)
        for module in list(self._since):
            row = self._ran.setdefault(module, {"cut": 0, "reached": 0, "step": 0, "values": _sample(module)})
            own = [weight for weight in module._parameters.values() if weight is not None and weight.requires_grad]
            reached = any(id(weight) in leaves for weight in own)
            row["reached" if reached else "cut"] += 1
            if row["cut"] <= 3:
                row["step"] = self._owner.witness.step
        self._since.clear()
        self._note_loose(graph)
        self._note_layers()

    def _note_loose(self, graph: LossGraph) -> None:
        witness = self._owner.witness
        known = {id(weight) for root in self._owner._roots for weight in root.parameters()}
        known |= {id(w) for optimizer in self._owner._optimizers for g in optimizer.param_groups for w in g["params"]}
        loose = [leaf for key, leaf in graph.leaves.items() if key not in known]
        loose = [leaf for leaf in loose if witness.name_of(leaf) is None]
        fresh = self._renewed(graph)
        for leaf in loose[:_MOST]:
            row = next((one for one in self._loose if one["weight"]() is leaf), None)
            if row is not None:
                row["times"] += 1
                row["step"] = witness.step if row["times"] <= 3 else row["step"]
                row["moved"] |= _values(leaf) != row["values"]
                continue
            holder = self._holder(leaf) if self._looks <= 3 else None
            if isinstance(leaf, nn.Parameter) and holder is None:
                fresh += 1
                self._fresh_shapes = self._fresh_shapes or list(leaf.shape)
                if self._fresh_line is None:
                    self._fresh_line = _line_of_leaf(graph, leaf)
            if len(self._loose) < 200 and (holder is not None or isinstance(leaf, nn.Parameter)):
                self._loose.append(
                    {"weight": weakref.ref(leaf), "times": 1, "step": witness.step, "moved": False,
                     "values": _values(leaf), "shape": list(leaf.shape), "holder": holder,
                     "parameter": isinstance(leaf, nn.Parameter), "line": _line_of_leaf(graph, leaf)}
                )  # fmt: skip
        gone = (fresh and not loose) or all(
            one["weight"]() is None or one["times"] == 1 for one in self._loose if one["holder"] is None
        )
        if fresh and gone:
            self._fresh += 1
            if self._fresh <= 3:
                self._fresh_step = witness.step

    def _renewed(self, graph: LossGraph) -> int:
        """Weights of roots that are reached, that nobody steps, and that were others of the same name before."""
        held = {id(w) for one in self._owner._optimizers for g in one.param_groups for w in g["params"]}
        count = 0
        for root in list(self._owner._roots)[:8]:
            seen = self._seen.setdefault(root, {})
            for name, weight in root.named_parameters():
                if id(weight) in held or id(weight) not in graph.leaves:
                    continue
                before = seen.get(name)
                seen[name] = weakref.ref(weight)
                if before is not None and before() is not weight:
                    count += 1
                    self._fresh = self._fresh or 1  # the look before saw one too
                    self._fresh_shapes = self._fresh_shapes or list(weight.shape)
                    if self._fresh_line is None:
                        self._fresh_line = _line_of_leaf(graph, weight)
        return count

    def _holder(self, leaf: Tensor) -> tuple[str, str, str, bool] | None:
        """Where in the roots a tensor is kept: class, attribute, kind of keeper, and whether in a layer."""
        for root in self._owner._roots:
            for module in root.modules():
                for name, value in vars(module).items():
                    if name in ("_parameters", "_buffers", "_modules", "training"):
                        continue
                    if value is leaf:
                        return type(module).__name__, name, type(value).__name__, False
                    if _holds(value, leaf):
                        return type(module).__name__, name, type(value).__name__, True
                    if isinstance(value, list | tuple | dict):
                        inside = value.values() if isinstance(value, dict) else value
                        for one in list(inside)[:1000]:
                            if one is leaf:
                                return type(module).__name__, name, type(value).__name__, False
                            if _keeps(one, leaf):
                                return type(module).__name__, name, type(value).__name__, True
        return None

    def _note_layers(self) -> None:
        """For each root: which layers were cut off, how many were reached, which never ran."""
        owner = self._owner
        held = {id(w) for one in owner._optimizers for g in one.param_groups for w in g["params"]}
        stepped = {
            id(w)
            for one, row in owner._frozen.items()
            if row["steps"] >= _STEPS
            for g in one.param_groups
            for w in g["params"]
        }
        for root, found in owner._roots.items():
            cut, reached, unused = [], 0, []
            names = {id(module): name for name, module in root.named_modules()}
            order = [name for kind, name, _line in found["trail"] if kind == "module"]
            trained = any(self._ran.get(module, {}).get("reached") for module in root.modules())
            frozen_last = _last_frozen(root, order)
            for module, name in [(module, names[id(module)]) for module in root.modules()]:
                own = [weight for weight in module._parameters.values() if weight is not None and weight.requires_grad]
                if not own:
                    continue
                row = self._ran.get(module)
                reached += bool(row and row["reached"])
                facts = {"root": found["class"], "name": name, "layer": type(module).__name__}
                flags = self._flags.setdefault(module, set())  # optimizers may be gone when facts are asked for
                flags |= {"held"} if any(id(w) in held for w in own) else set()
                flags |= {"stepped"} if any(id(w) in stepped for w in own) else set()
                facts |= {"held": "held" in flags, "stepped": "stepped" in flags}
                facts["weights"] = sum(weight.numel() for weight in own)
                if row is not None and row["cut"] and not row["reached"]:
                    facts |= {"times": row["cut"], "step": row["step"], "moved": _sample(module) != row["values"]}
                    facts["order"] = order.index(name) if name in order else None
                    lost = found.get("lost", {}).get(name)
                    facts["lost"] = [lost[0], place_at(lost[1])] if lost else list(self._flat or ()) or None
                    facts["line"] = next(
                        (at for kind, one, at in found["trail"] if kind == "module" and one == name), None
                    )
                    facts["cuts"], facts["next"] = _cuts_after(found["trail"], name, self._reached_names(root, names))
                    followed = name in order and not module._modules
                    facts["left"] = followed and not facts["cuts"] and not facts["lost"]
                    cut.append(_json(facts))
                elif row is None and trained and not any(weight.grad is not None for weight in own):
                    unused.append(facts)
            if not reached:  # a whole model: what it gave was used by lines outside of it, which no trail follows
                for row in cut:
                    row["left"] = False
            reaches = reached or (frozen_last and any(weight.grad is not None for weight in root.parameters()))
            found["frozen_last"] = frozen_last if reaches else None
            self._layers[id(root)] = cut, reached, unused

    def again(self) -> None:
        """Some steps later: do the layers that seemed cut off still stand still?"""
        if any(cut or unused for cut, _reached, unused in self._layers.values()):
            self._note_layers()

    def facts(self) -> Iterator[tuple[str, Any]]:
        """One fact, where something was looked at."""
        if not self._looks:
            return
        self._note_layers()
        loose = [{key: value for key, value in row.items() if key not in ("weight", "values")} for row in self._loose]
        yield (
            "reach",
            {
                "looks": self._looks,
                "reached": sum(reached for _cut, reached, _unused in self._layers.values()),
                "cut": [row for cut, _reached, _unused in self._layers.values() for row in cut][:_MOST],
                "unused": [row for _cut, _reached, unused in self._layers.values() for row in unused][:_MOST],
                "loose": [_json(row) for row in loose[:_MOST]],
                "loose_count": len(loose),
                "fresh": self._fresh,
                "fresh_shape": self._fresh_shapes,
                "fresh_line": _json(self._fresh_line),
                "fresh_step": self._fresh_step,
                "backward": _json(self._owner._backward),
                "blind": [
                    {key: _json(value) for key, value in row.items() if key not in ("values", "now")}
                    for row in self._blind_rows
                ],
            },
        )

    def _reached_names(self, root: nn.Module, names: dict[int, str]) -> set[str]:
        return {names[id(module)] for module in root.modules() if self._ran.get(module, {}).get("reached")}


def _json(value: Any) -> Any:
    if isinstance(value, Place):
        return value.as_json()
    if isinstance(value, dict):
        return {key: _json(one) for key, one in value.items()}
    if isinstance(value, set):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [_json(one) for one in value]
    return value


def _forwards(root: nn.Module) -> list[tuple[str, int, str]]:
    """File, first line and class of the `forward`s of the learner's own that belong to a root."""
    found: dict[tuple[str, int, str], None] = {}
    for kind in dict.fromkeys(type(module) for module in root.modules()):
        try:  # the `forward` of what torch.jit made answers in its own way
            code = getattr(kind.forward, "__code__", None)
        except AttributeError:
            continue
        if code is not None and kind_of_file(code.co_filename) == "own" and "-packages" not in code.co_filename:
            found[code.co_filename, code.co_firstlineno, kind.__name__] = None
    return list(found)[:_MOST]


def _note_scores(row: dict[str, Any], name: str, scores: Tensor, labels: Tensor, result: Tensor) -> None:
    """Of what a loss was given, whatever made it: are they probabilities, and over what? Can it reach the targets?

    Shapes: N samples, K classes.
    """
    row["looks"] = row.get("looks", 0) + 1
    node = through_shapes(scores.grad_fn)
    row["fed"] = base(node).removesuffix("Backward") if node is not None else ""
    row["line"] = row.get("line") or line_of(node) or line_of(scores.grad_fn)
    row["layer"] = row.get("layer") or (node.metadata.get(_LAYER) if hasattr(node, "metadata") else None)
    values = scores.detach().float()
    if name in ("cross_entropy", "nll_loss", "kl_div") and scores.dim() >= 2 and min(scores.shape[:2]) >= 2:
        sums: dict[str, Tensor] = {}
        if name == "cross_entropy" and float(values.min()) >= 0:
            sums["rows"] = values.sum(1) - 1
        sums["log_rows"] = values.logsumexp(1)
        if scores.dim() == 2 and len(scores) >= 4:
            sums["log_columns"] = values.logsumexp(0)
        for kind, off in sums.items():  # scores that nobody has normalised do not meet this in a single row
            row[kind] = row.get(kind, 0) + bool((off.abs() < _EXACT).all())
    if name in _ERRORS and labels.shape == scores.shape:
        low, high = _REACHED.get(row["fed"], (None, None))
        beyond = (labels < low if low is not None else torch.zeros_like(labels, dtype=torch.bool)) | (
            labels > high if high is not None else torch.zeros_like(labels, dtype=torch.bool)
        )
        row["beyond"] = row.get("beyond", 0) + int(beyond.sum())
        row["beyond_of"] = row.get("beyond_of", 0) + labels.numel()
    if name in _ERRORS and row["looks"] == 1 and result.dim() == 0 and row["reduction"] == "mean":
        size = float((labels.float().square() if name == "mse_loss" else labels.float().abs()).mean())
        row["first"] = float(result.detach()) / size if size > 0 else None


def _note_labels(row: dict[str, Any], name: str, scores: Tensor, labels: Tensor, kwargs: dict[str, Any]) -> None:
    """What can be said of the labels of a loss so far."""
    row["samples"] += labels.shape[0] if labels.dim() else 1
    if name in ("cross_entropy", "nll_loss") and not labels.is_floating_point():
        seen = row.setdefault("classes", set())
        if len(seen) <= 2000:
            seen |= set(torch.unique(labels).tolist()) - {kwargs.get("ignore_index", -100)}
        counts = torch.bincount(labels[labels >= 0].flatten(), minlength=1)
        weight = kwargs.get("weight")
        ignored = kwargs.get("ignore_index", -100)
        if ignored >= 0:
            row["ignore"] = ignored
            row["left_out"] = row.get("left_out", 0) + int((labels == ignored).sum())
            row["labels_seen"] = row.get("labels_seen", 0) + labels.numel()
            row["between"] = row.get("between", 0) + _between(labels, ignored)
        if weight is not None and len(counts) <= 1000:
            before = row.setdefault("counts", [0] * len(weight))
            for at, count in enumerate(counts.tolist()[: len(before)]):
                before[at] += count
            row["weight"] = [float(one) for one in weight.detach().cpu()][:1000]
        return
    if name in ("binary_cross_entropy", "binary_cross_entropy_with_logits", "mse_loss", "cross_entropy") and (
        labels.dtype.is_floating_point
    ):
        low, high = labels.aminmax()
        row["low"] = min(row.get("low", float("inf")), float(low))
        row["high"] = max(row.get("high", float("-inf")), float(high))
    if name == "mse_loss" and labels.numel() <= 10_000:
        values = row.setdefault("values", set())
        if len(values) <= 20:
            values |= set(torch.unique(labels)[:30].tolist())
        row["width"] = scores.shape[1] if scores.dim() == 2 else 1 if scores.dim() < 2 else None
    if name == "cross_entropy" and labels.dtype.is_floating_point and labels.dim() > 2:
        row["classes_last"] = row.get("classes_last", 0) + classes_lie_last(labels)
    if name == "cross_entropy" and labels.dtype.is_floating_point and labels.dim() == 2:
        sums = labels.sum(1)
        row["sums"] = max(row.get("sums", 0.0), float((sums - 1).abs().max()))


def _between(labels: Tensor, ignored: int) -> int:
    """How many ignored labels stand before one that counts, in their row: padding stands behind all that count."""
    if labels.dim() != 2:
        return int((labels == ignored).sum()) if labels.dim() == 1 else 0
    counts = labels != ignored
    later = counts.flip(1).cumsum(1).flip(1) > 0
    sooner = counts.cumsum(1) > 0
    return int((~counts & later & sooner).sum())


def _sums_samples(graph: LossGraph) -> int:
    """How many numbers a loss adds up by itself, one for each of N samples, as `(...).sum()` does; else 0."""
    node: Node | None = graph.nodes[0]
    while node is not None and base(node) == "NegBackward":
        node = node.next_functions[0][0]
    if node is None or base(node) != "SumBackward":
        return 0
    sizes = [int(size) for size in getattr(node, "_saved_self_sym_sizes", ())]
    return sizes[0] if len(sizes) == 1 else 0


def _grows_to_square(graph: LossGraph, node: Node, count: int) -> str:
    """Through which node an output of (N, 1) or (N,) becomes (N, N) by broadcasting alone; empty where it does not."""
    waiting: list[Node] = list(graph.above.get(node, ()))
    seen: set[Node] = set()
    for one in waiting:
        if one in seen or len(seen) > 100:
            continue
        seen.add(one)
        kind = base(one)
        if kind in ("MseLossBackward", "SmoothL1LossBackward", "HuberLossBackward"):
            scores = tensor_of(one, "self")
            if scores is not None and tuple(scores.shape) == (count, count):
                return kind.removesuffix("Backward")
            continue
        if kind in ("MeanBackward", "SumBackward"):
            sizes = getattr(one, "_saved_self_sym_sizes", ())
            if tuple(int(size) for size in sizes) == (count, count):
                return kind.removesuffix("Backward")
            continue
        if kind in ("UnsqueezeBackward",):
            continue  # the learner asked for it
        if kind in SHAPES or kind in _POINTWISE_BY_ONE:
            waiting += graph.above.get(one, ())
    return ""


_POINTWISE_BY_ONE = {
    "PowBackward", "AbsBackward", "NegBackward", "AddBackward", "SubBackward", "RsubBackward", "MulBackward",
    "DivBackward", "LogBackward", "ExpBackward", "SigmoidBackward", "ClampBackward", "SqrtBackward", "SquareBackward",
    "Log1PBackward", "LogSigmoidBackward", "SoftplusBackward", "CoshBackward", "TanhBackward", "WhereBackward",
    "MaximumBackward", "MinimumBackward", "ReluBackward", "LeakyReluBackward", "HardtanhBackward",
}  # fmt: skip


_TAKES_OUT = ("GatherBackward", "TakeAlongDimBackward")


def _columns_by_hand(graph: LossGraph, *, sliced: bool) -> dict[Node, tuple[int, ...]]:
    """Columns and rows that something without gradient was taken from: of no root, or `sliced` out of one's."""
    found: dict[Node, tuple[int, ...]] = {}
    for node in graph.nodes[:200]:
        if base(node) not in ("SubBackward", "RsubBackward"):
            continue
        sides = [one for one, _at in node.next_functions if one is not None]
        if len(sides) != 1 or getattr(sides[0], "variable", None) is not None:
            continue
        if base(sides[0]) not in _TAKES_OUT and (
            base(sides[0]) not in ("SliceBackward", "SplitBackward") if sliced else base(sides[0]) in SHAPES
        ):
            continue
        shape, whole = _shape_of(sides[0]), _shape_of(node)
        if shape in ((whole[0], 1), (whole[0],)) if len(whole) == 2 and whole[0] == whole[1] else False:
            found[sides[0]] = shape
    return found


def _shape_of(node: Node) -> tuple[int, ...]:
    """The shape of what a node gave in the forward pass; empty where this torch does not say."""
    told = getattr(node, "_input_metadata", None)  # of the gradient that it takes. Private, and there since torch 2.1
    return tuple(int(size) for size in told[0].shape) if told else ()


def _layer_of(output: Any) -> tuple[str, str] | None:
    """Class and name of the layer that gave what a root gave."""
    node = through_shapes(next((tensor.grad_fn for tensor in tensors_in(output)), None))
    return None if node is None or not hasattr(node, "metadata") else node.metadata.get(_LAYER)


def _linear_chain(output: Any) -> dict[str, Any] | None:
    """How many weights follow each other without anything between them that is not linear; None where something is."""
    shapes: list[list[int]] = []
    for tensor in tensors_in(output):
        if tensor.grad_fn is None:
            continue
        graph = LossGraph.of([tensor], most=3000)
        if not graph.whole:
            return None
        depth: dict[Node, int] = {}
        for node in graph.nodes:
            if getattr(node, "variable", None) is not None:
                continue
            kind = base(node)
            if kind in ("MulBackward", "DivBackward"):
                if sum(one is not None for one, _at in node.next_functions) > 1:
                    return None  # a product of two things that are learned
                continue
            if kind not in _LINEAR:
                return None
            if kind == "BmmBackward" and sum(one is not None for one, _at in node.next_functions) > 1:
                return None
        for node in reversed(graph.nodes):
            if getattr(node, "variable", None) is not None:
                continue
            kind = base(node)
            under = [depth.get(one, 0) for one, _at in node.next_functions if one is not None]
            weight = _weight_under(node) if kind in _WEIGHTED else None
            depth[node] = max(under, default=0) + (weight is not None)
            if weight is not None:
                shapes.append(list(weight.shape))
        longest = max(depth.values(), default=0)
        if longest >= 2:
            return {"weights": longest, "shapes": shapes[:20]}
    return None


def _weight_under(node: Node) -> Tensor | None:
    for one, _at in node.next_functions:
        inner = through_shapes(one)
        leaf = getattr(inner, "variable", None) if inner is not None else None
        if isinstance(leaf, Tensor) and leaf.dim() >= 2:
            return leaf
    return None


def _rows_differ(batch: Tensor, given: Tensor) -> bool:
    """Whether two tensors hold the same numbers, scaled maybe, and no row of the one has those of a row of the other.

    Rows that only changed their order, or that lie in the second dimension, are the same.
    """
    old, new = batch.reshape(len(batch), -1).float(), given.float()
    whole, other = old.flatten().sort().values, new.flatten().sort().values
    spread = whole[-1] - whole[0]
    if not float(spread) or not bool(torch.isfinite(spread)):
        return False
    scale = (other[-1] - other[0]) / spread
    tolerance = 1e-4 * float(other.abs().max().clamp_min(1e-6))
    if not bool(((whole - whole[0]) * scale + other[0] - other).abs().max() < tolerance):
        return False
    wanted = ((old - whole[0]) * scale + other[0]).sort(1).values
    for dim in range(min(2, new.dim())):
        rows = new.movedim(dim, 0).reshape(new.shape[dim], -1).sort(1).values
        if rows.shape == wanted.shape and bool(
            (torch.cdist(rows, wanted, p=1).amin(1) < tolerance * rows.shape[1]).any()
        ):
            return False
    return len(new) == len(old)


def _with_slope(graph: LossGraph) -> tuple[Mapping[int, Tensor] | set[int], Node | None]:
    """The leaves that are reached other than through steps, such as `sign`, whose slope is 0; and such a step."""
    steps = [node for node in graph.nodes if getattr(node, "variable", None) is None and base(node) in _STEPPED]
    if not steps:
        return graph.leaves, None
    found: set[int] = set()
    seen, waiting = set(steps), graph.nodes[:1]
    for node in waiting:
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            found.add(id(leaf))
            continue
        for one, _at in node.next_functions:
            if one is not None and one not in seen:
                seen.add(one)
                waiting.append(one)
    return found, steps[0]


def _line_of_leaf(graph: LossGraph, leaf: Tensor) -> Place | None:
    """The line of the first function that was given this tensor."""
    node = next((one for one in graph.nodes if getattr(one, "variable", None) is leaf), None)
    for _turn in range(6):
        if node is None:
            return None
        place = line_of(node)
        if place is not None:
            return place
        node = next(iter(graph.above.get(node, ())), None)
    return None


def _holds(value: Any, leaf: Tensor) -> bool:
    """Whether an object of the learner's, which is no module, keeps layers that this weight belongs to."""
    if isinstance(value, nn.Module | Tensor | type) or type(value).__module__.partition(".")[0] in _NOT_THEIRS:
        return False
    inside = getattr(value, "__dict__", None)
    return isinstance(inside, dict) and any(_keeps(one, leaf) for one in list(inside.values())[:100])


def _keeps(value: Any, leaf: Tensor, deep: int = 3) -> bool:
    """Whether a value is this weight, a layer that it belongs to, or a collection or an object that keeps one."""
    if value is leaf:
        return True
    if isinstance(value, nn.Module):
        return any(leaf is weight for weight in value.parameters())
    if isinstance(value, list | tuple | dict):
        inside = value.values() if isinstance(value, dict) else value
        return deep > 0 and any(_keeps(one, leaf, deep - 1) for one in list(inside)[:1000])
    return deep > 0 and _holds(value, leaf)


def _sample_of(root: nn.Module) -> tuple[Any, ...]:
    return tuple(_sample(module) for module in list(root.modules())[:40])


def _values(tensor: Tensor) -> tuple[Any, ...]:
    """Some of its numbers, to see whether it changes."""
    version = 0 if tensor.is_inference() else tensor._version
    return tuple(tensor.detach().flatten()[:: max(1, tensor.numel() // 8)][:8].tolist()), version


def _sample(module: nn.Module) -> tuple[Any, ...]:
    weight = next((one for one in module._parameters.values() if one is not None and one.requires_grad), None)
    return () if weight is None or not weight.numel() or weight.is_meta else _values(weight)[0]


def _last_frozen(root: nn.Module, order: list[str]) -> list[str] | None:
    """Name and class of the last layer that runs, where it is frozen and layers before it are not."""
    modules = dict(root.named_modules())
    layers = [name for name in order if name in modules and modules[name]._parameters]
    if len(layers) < 2:
        return None
    wanted = [any(w is not None and w.requires_grad for w in modules[name]._parameters.values()) for name in layers]
    if wanted[-1] or not any(wanted[:-1]):
        return None
    return [layers[-1], type(modules[layers[-1]]).__name__]


def _cuts_after(events: list[tuple[str, str, Any]], name: str, reached: set[str]) -> tuple[list[Any], Any]:
    """What left autograd from when a layer ran until the next layer that is reached, and the line of that one."""
    at = next((at for at, (kind, one, _line) in enumerate(events) if kind == "module" and one == name), None)
    if at is None:
        return [], None
    first = at
    while first and events[first - 1][0] == "cut":
        first -= 1  # a block of no_grad begins before the layer in it ends
    cuts: list[Any] = []
    for kind, one, line in events[first:]:
        if kind == "module" and one in reached:
            return cuts, line
        if kind == "cut":
            cuts.append([one, place_at(line)])
    return cuts, None
