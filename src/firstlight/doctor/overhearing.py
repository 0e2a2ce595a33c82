"""Modes of ours that hear each function of torch for a while: how they are put on, and how they come off again.

A mode can come off only in its own thread, and only while it is on top. So whoever wants one off asks; where something
stands above it, the mode stays, silent, and comes off when it is asked for again. None outlives its episode, as
`take_all_off` is called when the next one begins and when the witness leaves. And all make way for a model that would
compute in another way while they stand there.
"""

from contextlib import ExitStack
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from firstlight.run.looks import may_take_two_ways

_on: "list[Overhearing]" = []


class Overhearing(TorchFunctionMode):
    """Runs each function unchanged, and then gives it to `hear`, which a subclass has.

    Attributes:
        over: Whether nothing more is to be heard. Setting it is how `hear` itself ends.
        spoiled: Whether something was missed, so that what was heard is not the whole.
    """

    def __init__(self) -> None:
        super().__init__()
        self.over = self.spoiled = False
        self._stack: ExitStack | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See the class."""
        result = func(*args, **(kwargs or {}))
        if not self.over:
            self.hear(func, args, kwargs or {}, result)
        if self.over and kwargs and getattr(func, "__name__", "") == "backward":
            # While a backward pass runs this mode is set aside, and cannot come off. What the pass was given lives a
            # little longer, and in a loop without an optimizer nothing else would ask us.
            kwargs["firstlight"] = _ComesOff(self)
        return result

    def hear(self, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        """A function has run. Must not raise."""
        raise NotImplementedError

    def put_on(self) -> bool:
        """Hear from here on. False, and nothing is done, where a mode is on already, ours or somebody else's."""
        if not _is_free():
            return False
        self._stack = ExitStack()
        self._stack.enter_context(self)
        _on.append(self)
        return True

    def take_off(self) -> bool:
        """Hear no more. False where it could not come off yet: ask again."""
        self.over = True
        if self._stack is not None and _top() is self:
            stack, self._stack = self._stack, None
            _on.remove(self)
            stack.close()
        return self._stack is None


class _ComesOff:
    """Takes a mode off when nobody holds this any more."""

    def __init__(self, mode: Overhearing) -> None:
        self._mode = mode

    def __del__(self) -> None:
        self._mode.take_off()


def make_way(model: nn.Module) -> None:
    """Come off before a call of this model, if it computes in another way as long as somebody hears its functions."""
    if _on and may_take_two_ways(model):
        for mode in _on:
            mode.spoiled = True
        take_all_off()


def take_all_off() -> None:
    """Let no mode of ours stay on in this thread, whoever put it on."""
    for mode in reversed(_on[:]):
        mode.take_off()


def _top() -> Any:
    count = torch._C._len_torch_function_stack()
    return torch._C._get_function_stack_at(count - 1) if count else None


def _is_free() -> bool:
    """Whether no mode is on, but for a default device."""
    if not hasattr(torch._C, "_get_function_stack_at"):
        return False
    count = torch._C._len_torch_function_stack()
    if not count:
        return True
    context = getattr(getattr(torch, "_GLOBAL_DEVICE_CONTEXT", None), "device_context", None)
    return count == 1 and torch._C._get_function_stack_at(0) is context
