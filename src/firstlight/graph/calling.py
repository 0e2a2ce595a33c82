"""Functions of torch: their names and the names of their arguments. What was given becomes JSON values."""

import inspect
import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import get_testing_overrides

# The arguments of functions written in C++, and of methods, in the order of their positions. `*` takes all that follow.
_ARGUMENTS = {
    "view": "input *shape", "reshape": "input *shape", "expand": "input *shape", "repeat": "input *repeats",
    "permute": "input *dims", "tile": "input *dims", "flip": "input *dims", "view_as": "input other",
    "transpose": "input dim0 dim1", "swapaxes": "input dim0 dim1", "movedim": "input source destination",
    "squeeze": "input dim", "unsqueeze": "input dim", "flatten": "input start_dim end_dim",
    "unflatten": "input dim sizes", "chunk": "input chunks dim", "split": "input split_size dim",
    "tensor_split": "input indices dim", "unbind": "input dim", "select": "input dim index",
    "narrow": "input dim start length", "getitem": "input index", "setitem": "input index value",
    "index_select": "input dim index", "gather": "input dim index", "unfold": "input dimension size step",
    "sum": "input dim keepdim", "mean": "input dim keepdim", "prod": "input dim keepdim", "amax": "input dim keepdim",
    "amin": "input dim keepdim", "std": "input dim unbiased keepdim", "var": "input dim unbiased keepdim",
    "max": "input dim keepdim", "min": "input dim keepdim", "argmax": "input dim keepdim",
    "argmin": "input dim keepdim", "median": "input dim keepdim", "logsumexp": "input dim keepdim",
    "all": "input dim keepdim", "any": "input dim keepdim", "norm": "input p dim keepdim",
    "softmax": "input dim", "log_softmax": "input dim", "cumsum": "input dim", "topk": "input k dim",
    "sort": "input dim descending", "matmul": "input other", "mm": "input mat2", "bmm": "input mat2",
    "mv": "input vec", "dot": "input other", "addmm": "input mat1 mat2", "baddbmm": "input batch1 batch2",
    "add": "input other", "sub": "input other", "mul": "input other", "div": "input other", "pow": "input exponent",
    "where": "condition input other", "masked_fill": "input mask value", "cat": "tensors dim", "stack": "tensors dim",
    "concat": "tensors dim", "hstack": "tensors", "vstack": "tensors", "einsum": "equation *operands",
    "embedding": "input weight", "pixel_shuffle": "input upscale_factor",
    "pixel_unshuffle": "input downscale_factor", "repeat_interleave": "input repeats dim", "roll": "input shifts dims",
    "zeros": "*size", "ones": "*size", "randn": "*size", "rand": "*size", "empty": "*size", "full": "size fill_value",
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool3d"),
                    "input kernel_size stride padding dilation ceil_mode return_indices"),
    **dict.fromkeys(("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d",
                     "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"), "input output_size"),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), "input weight bias stride padding dilation groups"),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
                    "input weight bias stride padding output_padding groups dilation"),
    "diagonal": "input offset dim1 dim2", "outer": "input vec2", "cdist": "x1 x2", "to": "input other",
}  # fmt: skip
# Recurrent layers have two calls each: a padded batch, or a packed one with the sizes of its batches.
_RECURRENT = {
    "lstm": ("input hx params has_biases num_layers dropout train bidirectional batch_first",
             "input batch_sizes hx params has_biases num_layers dropout train bidirectional"),
}  # fmt: skip
_RECURRENT |= dict.fromkeys(("gru", "rnn_tanh", "rnn_relu"), _RECURRENT["lstm"])

_SPECIAL = {
    "__getitem__": "getitem", "__setitem__": "setitem", "__matmul__": "matmul", "__rmatmul__": "matmul",
    "__rsub__": "rsub", "__rdiv__": "reciprocal_mul", "__rtruediv__": "reciprocal_mul", "__rpow__": "rpow",
    "__pow__": "pow", "__invert__": "bitwise_not",
}  # fmt: skip
_LONGEST_LIST = 64


@cache
def name_of(func: Callable[..., Any]) -> str:
    """What a function is called in a graph.

    Example:
        >>> name_of(torch.Tensor.__getitem__), name_of(functional.max_pool2d), name_of(torch.Tensor.T.__get__)
        ('getitem', 'max_pool2d', 'T')
    """
    name = getattr(func, "__name__", type(func).__name__)
    if name == "__get__":
        return str(getattr(getattr(func, "__self__", None), "__name__", name))
    if name == "fn":  # PyTorch's own wrapper around pairs of functions that differ in return_indices
        return next((key for key, value in vars(functional).items() if value is func), name)
    return _SPECIAL.get(name, name.strip("_") + ("_" if name.endswith("_") and not name.endswith("__") else ""))


@cache
def _names(func: Callable[..., Any]) -> tuple[tuple[str, ...], str]:
    """The names of the positions, and that of the one that takes all further arguments."""
    found = _ARGUMENTS.get(name_of(func).removesuffix("_"))
    if func is functional.unfold:  # another function than the method of this name
        found = None
    if found is not None:
        parts = found.split()
        rest = parts[-1][1:] if parts[-1].startswith("*") else ""
        return tuple(part for part in parts if not part.startswith("*")), rest
    try:
        parameters = list(inspect.signature(func).parameters.values())
    except (TypeError, ValueError):
        override = get_testing_overrides().get(func)  # one function with the right signature for each
        parameters = list(inspect.signature(override).parameters.values()) if override is not None else []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return tuple("input" if name == "self" else name for name in names), ""


def bind(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call by name; those whose name is not known get their position.

    Example:
        >>> bind(torch.Tensor.view, (1, 2, 3), {})
        {'input': 1, 'shape': [2, 3]}
    """
    names, rest = _names(func)
    name = name_of(func)
    if name in _RECURRENT:
        padded = len(args) > 1 and isinstance(args[1], (list, tuple, Tensor)) and not isinstance(args[3], (list, tuple))
        names = tuple(_RECURRENT[name][0 if padded else 1].split())
    bound = {
        names[i] if i < len(names) else str(i): value for i, value in enumerate(args) if not (rest and i >= len(names))
    }
    if rest and len(args) > len(names):
        further = args[len(names) :]
        alone = len(further) == 1 and isinstance(further[0], (list, tuple))
        bound[rest] = list(further[0]) if alone else list(further)
    bound.update(
        (("input" if key == "self" else "dim" if key == "axis" else key), value) for key, value in kwargs.items()
    )
    return bound


def tensors_in(value: Any) -> Iterator[Tensor]:
    """All tensors in a value, also within lists, tuples and dictionaries, in order. Each container is opened once.

    Example:
        >>> node = {"x": torch.ones(1)}
        >>> node["children"] = [{"x": torch.zeros(1), "parent": node}]
        >>> [float(x) for x in tensors_in(node)]
        [1.0, 0.0]
    """
    if isinstance(value, Tensor):
        yield value
        return
    waiting, opened = [value], set()
    while waiting:
        part = waiting.pop()
        if isinstance(part, Tensor):
            yield part
        elif isinstance(part, (list, tuple, dict)) and id(part) not in opened:
            opened.add(id(part))
            waiting += reversed(part.values() if isinstance(part, dict) else part)


def as_json(value: Any, place: Callable[[Tensor], int]) -> Any:
    """An argument as JSON; a tensor becomes a reference to its place among the inputs.

    Example:
        >>> as_json((1, slice(0, 5), ..., torch.float32), lambda tensor: 0)
        [1, '0:5', '...', 'float32']
    """
    if isinstance(value, Tensor):
        return {"tensor": place(value)}
    if value is None or isinstance(value, (bool, str)):
        return value if not isinstance(value, str) else value[:200]
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is Ellipsis:
        return "..."
    if isinstance(value, slice):
        ends = ["" if end is None else str(end) for end in (value.start, value.stop)]
        return ":".join(ends + ([str(value.step)] if value.step is not None else []))
    if isinstance(value, (list, tuple)):
        if len(value) > _LONGEST_LIST and not any(isinstance(part, Tensor) for part in value):
            return f"{type(value).__name__} ({len(value)})"
        return [as_json(part, place) for part in value]
    if isinstance(value, dict):
        return {str(key): as_json(part, place) for key, part in value.items()}
    if isinstance(value, (torch.dtype, torch.memory_format, torch.layout)):
        return str(value).removeprefix("torch.")
    return str(value) if isinstance(value, (torch.device, torch.SymInt)) else type(value).__name__
