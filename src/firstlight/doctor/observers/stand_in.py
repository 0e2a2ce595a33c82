"""What stands in for the model where weights are plain tensors: found in the graph of a loss, then heard.

A net of functions has no call that could be heard. But the graph of its loss says which tensor met the first weight,
and that is the batch; and whatever meets that weight again without gradients is evaluated.

Shapes: N samples, C classes.
"""

import weakref
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from firstlight.doctor.losses import LossGraph, Node, base, below, tensor_of, through_shapes
from firstlight.doctor.observer import Backward, Call

if TYPE_CHECKING:
    from firstlight.doctor.observers.samples import Samples, Use

# Of a node that multiplies with a weight: the name of what it keeps of the input, and the places of input and weight.
_WEIGHTED = {
    "AddmmBackward": ("mat1", 1, 2), "MmBackward": ("self", 0, 1), "MvBackward": ("self", 0, 1),
    "ConvolutionBackward": ("input", 0, 1),
}  # fmt: skip
_LOOKED = {"EmbeddingBackward": "indices", "EmbeddingBagBackward": "indices"}  # the weight is their only input
# What an evaluation calls: where the input and the weight are among what it is given.
_HEARD = {
    "linear": ("torch.nn.functional", "linear", 0, 1), "conv1d": ("torch.nn.functional", "conv1d", 0, 1),
    "conv2d": ("torch.nn.functional", "conv2d", 0, 1), "embedding": ("torch.nn.functional", "embedding", 0, 1),
    "matmul": ("torch", "matmul", 0, 1), "mm": ("torch", "mm", 0, 1), "addmm": ("torch", "addmm", 1, 2),
    "at": ("torch.Tensor", "__matmul__", 0, 1), "method": ("torch.Tensor", "matmul", 0, 1),
    "method_mm": ("torch.Tensor", "mm", 0, 1),
}  # fmt: skip
_MOST_NODES = 400
_ALL, _ONE_OF = 128, 16  # so many steps are read, then one of so many


class Weights(nn.Module):
    """Stands for the model. It has no parameters and is never called."""


class StandIn:
    """Tells samples of the calls of a net that is no module."""

    def __init__(self, samples: "Samples") -> None:
        self._samples = samples
        self.model = Weights()
        self._count = 0
        self._first: dict[int, weakref.ref[Tensor]] = {}
        self._last: dict[int, tuple[weakref.ref[Tensor], Any]] = {}  # and what is added to its product
        self._open: tuple[Use, Call] | None = None
        self._listens = False

    # Training.

    def taught(self, score: Tensor) -> "Use | None":
        """A score that is about to be a loss, and what it was made of; None where no batch is found below it."""
        self._count += 1
        if score.grad_fn is None or (self._count > _ALL and self._count % _ONE_OF):
            return None
        found, firsts, lasts = sources(LossGraph.of([score], most=_MOST_NODES))
        if len(found) != 1:
            return None
        self._first, self._last = firsts, lasts
        samples, first = self._samples, found[0]
        call = Call(self.model, (first,), {}, True, True, self._count, False)
        use = samples.use_of(call, first)
        use.output, use.gave = tuple(score.shape), weakref.ref(score)
        use.width = score.shape[1] if score.ndim == 2 else 1 if score.ndim == 1 else 0
        samples._read(use, [first], False, None)
        score.grad_fn.register_prehook(use.mark)
        samples._pending.append(use)
        if not self._listens:
            self._listen()
        return use

    def taught_by_hand(self, going: Backward) -> "Use | None":
        """The same for a loss that is no function of torch's: labels are what picks one score for each sample."""
        loss = going.losses[0]
        use = self.taught(loss)
        if use is None:
            return None
        use.output, use.width = (), 0
        return use

    # Evaluations.

    def _listen(self) -> None:
        self._listens = True
        names = {f"met_{name}": (path, attribute) for name, (path, attribute, _x, _w) in _HEARD.items()}
        self._samples.witness.hear_now(self._samples, names)

    def met(self, name: str, args: tuple[Any, ...], result: Any) -> None:
        """A product was made: is it of an evaluation, and by a first or a last weight?"""
        _path, _attribute, at, held = _HEARD[name.removeprefix("met_")]
        if not isinstance(result, Tensor) or result.requires_grad or len(args) <= held:
            return
        given, weight = args[at], args[held]
        if not isinstance(given, Tensor) or not isinstance(weight, Tensor) or not given.ndim:
            return
        key = self._known(weight, self._first)
        if key is not None:
            call = Call(self.model, (), {}, False, False, self._count, False)
            use = self._samples.use_of(call, given)
            self._samples._read(use, [given], True, None)
            self._open = use, call
        key = self._known(weight, {one: ref for one, (ref, _more) in self._last.items()})
        if key is not None and self._open is not None:
            (use, call), self._open = self._open, None
            if len(result) == use.size:
                self._ended(use, call, result, self._last[key][1])

    @staticmethod
    def _known(weight: Tensor, among: "dict[int, weakref.ref[Tensor]]") -> int | None:
        for one in (weight, weight._base):
            if one is not None and id(one) in among and among[id(one)]() is one:
                return id(one)
        return None

    def _ended(self, use: "Use", call: Call, result: Tensor, added: Any) -> None:
        samples = self._samples
        more = added() if added is not None else None
        output = result.detach() if more is None else result.detach() + more.detach()
        use.output = tuple(output.shape)
        use.width = output.shape[1] if output.ndim == 2 else 1 if output.ndim == 1 else 0
        samples._last = use
        samples._evaluated(use)
        samples._evaluation(use, call, output, heard=result)
        if use.places:  # what asks the net is of more use than a line in it
            inside = {"__call__", "forward", use.places[0]["function"]}
            use.places = tuple(place for place in use.places if place["function"] not in inside) or use.places


def sources(graph: LossGraph) -> tuple[list[Tensor], dict[int, Any], dict[int, Any]]:
    """The tensors that met the first weights; which weights those are, and which is the last with what is added."""
    found: dict[int, Tensor] = {}
    first: dict[int, Any] = {}
    last: dict[int, Any] = {}
    for node in graph.nodes:
        if getattr(node, "variable", None) is not None:
            continue
        kind = base(node)
        name, given, held = _WEIGHTED.get(kind, (_LOOKED.get(kind, ""), -1, 0))
        weight = _leaf(below(node, held)) if name else None
        if weight is None:
            continue
        if not last:
            last[id(weight)] = weakref.ref(weight), _added(graph, node)
        if given >= 0 and below(node, given) is not None:
            continue
        tensor = tensor_of(node, name)
        if tensor is not None and tensor.ndim:
            first[id(weight)] = weakref.ref(weight)
            found[tensor.data_ptr()] = tensor
    return list(found.values()), first, last


def labels_by_hand(loss: Tensor, size: int, output: Tensor | None) -> tuple[Tensor, str] | None:
    """The labels of a loss that is no function of torch's, and which loss it is like; None where it does not say.

    They pick one score of each sample or weigh all of them, or they are what the output lacks to its difference.
    """
    for node in LossGraph.of([loss], most=60).nodes[:60]:
        if getattr(node, "variable", None) is not None:
            continue
        labels = _picked(node, size)
        if labels is not None:
            return labels, "cross_entropy"
        if base(node) in ("PowBackward", "AbsBackward") and output is not None and output.numel() == size:
            off, minus = tensor_of(node, "self"), through_shapes(below(node))
            if off is None or off.numel() != size or minus is None or base(minus) != "SubBackward":
                return None
            sides = [one for one, _at in minus.next_functions]
            if len(sides) != 2 or (sides[0] is None) == (sides[1] is None):
                return None
            sign = -1 if sides[1] is None else 1
            return output.detach().reshape(-1) + sign * off.reshape(-1), "mse_loss"
    return None


def _leaf(node: Node) -> Tensor | None:
    inner = through_shapes(node)
    found = getattr(inner, "variable", None) if inner is not None else None
    return found if isinstance(found, Tensor) else None


def _added(graph: LossGraph, node: Node) -> Any:
    """What is added to the product of a last weight, where that is a weight itself."""
    for above in graph.above.get(node, ()):
        if base(above) == "AddBackward":
            for one, _at in above.next_functions:
                leaf = _leaf(one)
                if leaf is not None and leaf.ndim <= 1:
                    return weakref.ref(leaf)
    return None


def _picked(node: Node, size: int) -> Tensor | None:
    """The labels by which a node takes one score of each sample, or weighs all of them."""
    kind = base(node)
    if kind == "GatherBackward":
        index = tensor_of(node, "index")
        return index.reshape(-1) if index is not None and index.numel() == size else None
    if kind == "IndexBackward":
        indices: list[Any] = list(getattr(node, "_saved_indices", None) or ())
        index = indices[-1] if len(indices) == 2 else None
        return index.detach() if isinstance(index, Tensor) and index.shape == (size,) else None
    if kind == "MulBackward":
        for name in ("self", "other"):
            plain = tensor_of(node, name)
            if plain is None or plain.ndim != 2 or len(plain) != size or plain.shape[1] < 2 or plain.requires_grad:
                continue
            if bool(((plain == 0) | (plain == 1)).all()) and bool((plain.sum(1) == 1).all()):
                return plain.argmax(1)
    return None


def adds_a_weight(name: str, args: Any) -> bool:
    """Whether a function does nothing but add a weight, as the bias of a layer is."""
    if name not in ("add", "__add__", "__radd__", "__iadd__", "add_") or len(args) < 2:
        return False
    return any(isinstance(one, Tensor) and one.is_leaf and one.requires_grad for one in args[:2])
