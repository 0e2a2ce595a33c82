"""The value of an expression in a frame that has ended, without running any of the learner's code."""

import ast
from typing import Any

from torch import Tensor, nn

UNKNOWN = object()
_VIEWS = ("T", "mT", "H", "mH", "shape")


def resolve(node: ast.AST, space: dict[str, Any]) -> Any:
    """What an expression stands for: names, attributes, numbers, lists; `UNKNOWN` for what would have to run.

    Example:
        >>> resolve(ast.parse("[n, -1]", mode="eval").body, {"n": 3})
        [3, -1]
    """
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return space.get(node.id, UNKNOWN)
    if isinstance(node, ast.List | ast.Tuple):
        found = [resolve(one, space) for one in node.elts]
        return UNKNOWN if any(one is UNKNOWN for one in found) else found
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = resolve(node.operand, space)
        return -value if isinstance(value, int | float) else UNKNOWN
    if isinstance(node, ast.Attribute):
        return _attribute(resolve(node.value, space), node.attr)
    if isinstance(node, ast.Subscript):
        owner, at = resolve(node.value, space), resolve(node.slice, space)
        if isinstance(owner, tuple | list) and isinstance(at, int) and -len(owner) <= at < len(owner):
            return owner[at]
        return UNKNOWN
    if isinstance(node, ast.Call):
        return _called(node, space)
    return UNKNOWN


def _attribute(owner: Any, name: str) -> Any:
    if isinstance(owner, Tensor):
        return getattr(owner, name) if name in _VIEWS else UNKNOWN
    if isinstance(owner, nn.Module):
        for group in ("_parameters", "_buffers", "_modules"):
            if name in owner.__dict__.get(group, {}):
                return owner.__dict__[group][name]
    return getattr(owner, "__dict__", {}).get(name, UNKNOWN) if owner is not UNKNOWN else UNKNOWN


def _called(node: ast.Call, space: dict[str, Any]) -> Any:
    """The size of a tensor, or the same tensor with sides in another order."""
    values = [resolve(one, space) for one in node.args]
    if not all(isinstance(one, int) for one in values) or node.keywords:
        if isinstance(node.func, ast.Name) and node.func.id == "len" and isinstance(values[0], Tensor | list | tuple):
            return len(values[0])
        return UNKNOWN
    if isinstance(node.func, ast.Attribute):
        owner = resolve(node.func.value, space)
        if isinstance(owner, Tensor) and node.func.attr in ("size", "t", "transpose", "permute"):
            return getattr(owner, node.func.attr)(*values)
    return UNKNOWN
