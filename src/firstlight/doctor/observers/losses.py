"""What the loss functions of torch are given in their first calls: which side learns, and whether targets change."""

import weakref
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from firstlight.doctor.observer import Call, Observer
from firstlight.doctor.observers.fingerprint import has_plain_numbers
from firstlight.doctor.places import Place

_HEARD = 40  # calls of each function that are heard; more tell nothing new
_AGAIN = 0.97  # rows with noise, or changed a little, are nearer to what they were before than to others
_ROWS, _NUMBERS = 32, 256  # that are compared
_BOTH_LEARN = ("kl_div", "cross_entropy", "binary_cross_entropy_with_logits", "binary_cross_entropy", "nll_loss",
               "poisson_nll_loss", "gaussian_nll_loss", "multi_margin_loss", "soft_margin_loss",
               "multilabel_margin_loss", "multilabel_soft_margin_loss")  # fmt: skip


class Losses(Observer):
    """Fact `losses`: calls with swapped arguments, and calls that were given the targets of an earlier batch."""

    kinds: ClassVar = ("losses",)
    hears: ClassVar = {
        f"loss.{name}": ("torch.nn.functional", name)
        for name in (*_BOTH_LEARN, "mse_loss", "l1_loss", "smooth_l1_loss")
    }

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._calls: dict[str, int] = {}
        self._enough = False  # whether so many calls of one function were heard
        self._swapped: dict[str, Any] = {}
        self._target: weakref.ref[Tensor] | None = None
        self._at: tuple[Any, ...] | None = None
        self._slice: tuple[int, int, int] | None = None  # of the data, that the model was given: its base, from where
        self._version = 0
        self._step = -1
        self._length = 0
        self._rows: Tensor | None = None  # some of what the first model of this step was given, and of the step before
        self._before: Tensor | None = None
        self._by_rows = False
        self._near = self._far = 0.0  # distances of rows to those of the step before: in the same place, in others
        self._same = self._same_step = self._asked = 0
        self._same_place: Place | None = None

    def forward(self, call: Call) -> None:
        self._slice = None
        if self._enough or call.number > 4 * _HEARD:
            return
        given = call.args[0] if call.grad and call.args else None
        if not isinstance(given, Tensor):
            return
        if self._step != self.witness.backwards:
            self._step, self._length = self.witness.backwards, len(given) if given.dim() else 0
            self._before, self._rows = self._rows, _some_rows(given)
        base = given._base
        if base is not None and given.dim() and given.shape[1:] == base.shape[1:] and len(given) < len(base):
            self._slice = (id(base), int(given.storage_offset()), len(given))

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        count = self._calls[name] = self._calls.get(name, 0) + 1
        if count > _HEARD:
            self._enough, self._before, self._rows = True, None, None
            self.witness.enough(self, name)
        given = args[0] if args else kwargs.get("input")
        target = args[1] if len(args) > 1 else kwargs.get("target")
        if not isinstance(given, Tensor) or not isinstance(target, Tensor) or not isinstance(result, Tensor):
            return
        if not result.requires_grad:
            return
        if target.requires_grad and not given.requires_grad and name.split(".")[1] in _BOTH_LEARN:
            row = self._swapped.setdefault(name, {"name": name.split(".")[1], "count": 0})
            row["count"] += 1
            if row["count"] == 1:
                place = self.witness.place()
                row["place"] = place and place.as_json()
            if row["count"] == 3:
                row["step"] = self.witness.step
        self._compare(target)

    def _compare(self, target: Tensor) -> None:
        """Whether the targets are those of the step before, although a loader has given a new batch with labels."""
        feed = self.witness.feed
        at: tuple[Any, ...]
        if feed is not None and not feed.ended:
            at = (feed.number, feed.count)
            own = target._base if target._base is not None else target
        elif feed is None and self._slice is not None and target.dim() and len(target) == self._slice[2]:
            at, own = self._slice, target  # no loader: the slices that the model is given go on
        elif feed is None and self._rows is not None and target.dim() and len(target) == self._length >= 8:
            at, own = ("rows", self._step), target  # no loader: are the rows others than before?
            self._by_rows = True
            if at != self._at and self._before is not None and self._before.shape == self._rows.shape:
                self._near += float((self._rows - self._before).norm(dim=1).mean())
                self._far += float((self._rows - self._before.roll(1, 0)).norm(dim=1).mean())
        else:
            return
        if at != self._at and self._at is not None:
            self._asked += 1
            known = self._target is not None and self._target() is own and self._version == own._version
            if known and _varied(target):
                self._same += 1
                if self._same <= 10:
                    self._same_step = self.witness.step
                    self._same_place = self._same_place or self.witness.place()
        self._at, self._target, self._version = at, weakref.ref(own), own._version

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What was heard so far."""
        if self._calls:
            yield (
                "losses",
                {
                    "swapped": list(self._swapped.values()),
                    "same": self._same,
                    "asked": self._asked,
                    "sliced": self.witness.feed is None,
                    "again": self._by_rows and (not self._far or self._near < _AGAIN * self._far),
                    "same_step": self._same_step,
                    "same_place": self._same_place and self._same_place.as_json(),
                },
            )


def _varied(target: Tensor) -> bool:
    """Whether it holds values as labels of samples do.

    A constant target, as a GAN's, is the same for all batches; so are blocks (0 for these, 1 for those), numbers that
    count (which view belongs to which), and what repeats itself.
    """
    if target.device.type != "cpu" or target.numel() < 2:
        return False
    flat = target.detach().reshape(-1)
    distinct = len(torch.unique(flat[:4096]))
    if distinct == 1 or bool((flat[1:] >= flat[:-1]).all()) or bool((flat[1:] <= flat[:-1]).all()):
        return False
    if not target.is_floating_point() and distinct == len(flat) == int(flat.max()) + 1:
        return False
    return not (distinct < len(flat) and torch.equal(flat[distinct:], flat[:-distinct]))


def _some_rows(given: Tensor) -> Tensor | None:
    """A copy of some numbers of some rows."""
    if given.device.type != "cpu" or given.dim() < 2 or not given.numel() or not has_plain_numbers(given):
        return None
    return given.detach()[:_ROWS].reshape(min(_ROWS, len(given)), -1)[:, :_NUMBERS].to(torch.float32, copy=True)
