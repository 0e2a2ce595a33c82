"""When gradients are clipped and scaled, between which backward passes and steps."""

import weakref
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from firstlight.doctor.observer import Backward, Observer
from firstlight.doctor.places import Place
from firstlight.run.looks import in_backward


class _Fired:
    """Hangs on the node of a scaled loss: does a backward pass come through?"""

    __slots__ = ("__weakref__", "told")

    def __init__(self, told: list[int]) -> None:
        self.told = told

    def __call__(self, _gradients: Any) -> None:
        self.told[0] += 1


class Clipping(Observer):
    """Facts `clipping` and `scaling`."""

    kinds: ClassVar = ("clipping", "scaling")
    gaps: ClassVar = True
    hears: ClassVar = {
        "clip.norm": ("torch.nn.utils", "clip_grad_norm_"),
        "clip.norm2": ("torch.nn.utils.clip_grad", "clip_grad_norm_"),
        "clip.value": ("torch.nn.utils", "clip_grad_value_"),
        "clip.value2": ("torch.nn.utils.clip_grad", "clip_grad_value_"),
        "scaler.scale": ("torch.amp.GradScaler", "scale"),
        "scaler.unscale": ("torch.amp.GradScaler", "unscale_"),
        "scaler.step": ("torch.amp.GradScaler", "step"),
    }

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._backwards = 0  # since the last step of any optimizer
        self._pending = 0  # calls of a clip since then, before any backward pass
        self.clips = self.early = self.early_step = self.tiny = self.tiny_step = 0
        self.most: float | None = None
        self.of_loss = self.nothing = self.nothing_step = 0
        self.cut, self.cut_at = 0, 0.0
        self.place: Place | None = None
        self.backward_place: Place | None = None
        # Scaling.
        self._scaled = 0  # backward passes from a scaled loss since the last step
        self._unscaled = self._inside = False
        self._fired: list[int] = [0]
        self._tokens: list[weakref.ref[_Fired]] = []
        self.scales = self.scaler_steps = self.unused = self.unused_step = 0
        self.direct = self.direct_step = self.still_scaled = self.still_step = 0
        self.scale_place: Place | None = None
        self.step_place: Place | None = None
        self.clip_place: Place | None = None
        self.autocast = 0

    def missed(self) -> None:
        self._backwards = self._pending = self._scaled = 0
        self._unscaled = self._inside = False
        self._tokens.clear()

    def calling(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if name == "scaler.step":
            self._inside = True
        if name.startswith("clip") and not in_backward():
            self._clip(name, args, kwargs)

    def _clip(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.clips += 1
        if self.clips <= 2:
            self.place = self.place or self.witness.place()
        given = args[0] if args else kwargs.get("parameters")
        limit = args[1] if len(args) > 1 else kwargs.get("max_norm", kwargs.get("clip_value"))
        if isinstance(given, Tensor) and not given.is_leaf:
            self.of_loss += 1
        if getattr(given, "gi_frame", given) is None or (isinstance(given, list | tuple) and not given):
            self.nothing += 1  # a generator that was gone through before, or no weights at all
            if self.nothing == 3:
                self.nothing_step = self.witness.step
        if isinstance(limit, int | float):
            self.most = float(limit)
            if 0 <= limit < 1e-5:
                self.tiny += 1
                if self.tiny == 3:
                    self.tiny_step = self.witness.step
        if not self._backwards:
            self._pending += 1
        elif self._scaled and not self._unscaled:
            self.still_scaled += 1
            if self.still_scaled <= 3:
                self.still_step, self.clip_place = self.witness.step, self.witness.place()

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if name == "scaler.step":
            self._inside = False
            self.scaler_steps += 1
        elif name == "scaler.unscale":
            self._unscaled = True
        elif name == "scaler.scale" and isinstance(result, Tensor) and result is not (args[1] if len(args) > 1 else 0):
            node = result.grad_fn
            if node is None:
                return
            self.scales += 1
            token = _Fired(self._fired)
            node.register_prehook(token)
            if self.scales <= 2:
                self.scale_place = self.witness.place()
            self._tokens.append(weakref.ref(token))

    def backward_begins(self, going: Backward) -> None:
        self._fired[0] = 0
        if going.close and len(going.losses) == 1 and (node := going.losses[0].grad_fn) is not None:
            self._look_at_cut(going.losses[0], node)

    def _look_at_cut(self, loss: Tensor, node: Any) -> None:
        """A loss that is cut at an upper bound and stands at it: its gradient is zero."""
        if not node.name().startswith("Clamp") or loss.numel() != 1 or loss.device.type != "cpu":
            return
        most = getattr(node, "_saved_max", None)
        if isinstance(most, int | float) and loss.item() == most:
            self.cut += 1
            self.cut_at = float(most)

    def backward(self, going: Backward) -> None:
        self._backwards += 1
        if going.place is not None and self.backward_place is None:
            self.backward_place = going.place
        if going.close and going.losses and torch.is_autocast_enabled(going.losses[0].device.type):
            self.autocast += 1
        if self._pending:
            self.early += self._pending
            self._pending = 0
            self.early_step = self.early_step or (self.witness.step if self.early >= 3 else 0)
        if self._fired[0]:
            self._scaled += 1
        elif self._tokens and any(one() is None for one in self._tokens):
            self.unused += 1  # a scaled loss was thrown away, and another one went backward
            if self.unused == 3:
                self.unused_step = self.witness.step
        self._tokens = [one for one in self._tokens if one() is not None][-8:]

    def step(self, optimizer: Optimizer) -> None:
        if self._scaled and not self._inside and not self._unscaled:
            self.direct += 1
            if self.direct <= 3:
                self.direct_step, self.step_place = self.witness.step, self.witness.place()
        self._backwards = self._scaled = 0
        self._unscaled = False
        self._pending = 0

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What was clipped and scaled."""
        if self.clips or self.cut:
            yield (
                "clipping",
                {
                    "clips": self.clips,
                    "early": self.early,
                    "early_step": self.early_step,
                    "tiny": self.tiny,
                    "tiny_step": self.tiny_step,
                    "most": self.most,
                    "of_loss": self.of_loss,
                    "nothing": self.nothing,
                    "nothing_step": self.nothing_step,
                    "cut": self.cut,
                    "cut_at": self.cut_at,
                    "place": self.place and self.place.as_json(),
                    "backward": self.backward_place and self.backward_place.as_json(),
                    "still_scaled": self.still_scaled,
                    "still_step": self.still_step,
                    "scaled_place": self.clip_place and self.clip_place.as_json(),
                },
            )
        if self.scales or self.scaler_steps or self.autocast:
            yield (
                "scaling",
                {
                    "scales": self.scales,
                    "steps": self.scaler_steps,
                    "unused": self.unused,
                    "unused_step": self.unused_step,
                    "direct": self.direct,
                    "direct_step": self.direct_step,
                    "autocast": self.autocast,
                    "scale": self.scale_place and self.scale_place.as_json(),
                    "step": self.step_place and self.step_place.as_json(),
                    "backward": self.backward_place and self.backward_place.as_json(),
                },
            )
