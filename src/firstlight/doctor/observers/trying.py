"""Small experiments with samples: on copies, once, where something is suspected and only this can tell.

Shapes: N rows, F features, C channels, H height, W width.
"""

import contextlib
import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from firstlight.doctor.observer import Call
from firstlight.doctor.observers.learning_rows import as_classes

if TYPE_CHECKING:
    from firstlight.doctor.observers.samples import Root, Samples, Use

_LARGEST = 5_000_000  # weights of a model that is copied
_TRIES = 4  # in one evaluation
_MOST_TRIES = 24


class Trials:
    """What was tried, and what came of it."""

    def __init__(self, samples: "Samples") -> None:
        self._samples = samples
        self._tries = self._all_tries = 0
        self._tried_at = (-1, 0)  # the evaluation that was tried last, and what the model had learned by then
        self._copies: dict[int, tuple[int, nn.Module]] = {}
        self._pictures: dict[str, Any] | None = None
        self._done = -1
        self._found: dict[str, Any] = {}

    def facts(self) -> dict[str, Any]:
        """Neighbours, columns and pictures."""
        found = dict(self._found)
        if self._pictures is not None:
            found["pictures"] = self._pictures
        return found

    # What a model says where evaluated inputs are given the mean and spread of those it learned from.

    def match(self, use: "Use", call: Call) -> None:
        """Ask a copy of the model, where the inputs look unlike those of the training."""
        root, values = use.root, use.values
        if self._all_tries >= _MOST_TRIES or values is None or "mean" not in values or root.learned < 3:
            return
        if use.size < 16 or (use.phase == self._tried_at[0] and self._tries >= _TRIES):
            return
        if use.phase != self._tried_at[0] and root.learned < 2 * self._tried_at[1]:
            return  # a model that knows little more than when it was asked before
        train = [one for one in root.stats if "mean" in one]
        if len(train) < 3 or not values["finite"] or not isinstance(call.args[0] if call.args else None, Tensor):
            return
        mean = sum(one["mean"] for one in train) / len(train)
        spread = sum(one["spread"] for one in train) / len(train)
        if not spread > 0 or not values["spread"] > 0:
            return
        ratio = values["spread"] / spread
        if abs(values["mean"] - mean) <= 0.5 * spread and 0.6 < ratio < 1.7:
            return
        if sum(one.numel() for one in call.module.parameters()) > _LARGEST or call.args[0].numel() > 2_000_000:
            return
        self._tries = self._tries + 1 if use.phase == self._tried_at[0] else 1
        self._tried_at, self._all_tries = (use.phase, root.learned), self._all_tries + 1
        given = call.args[0].detach()
        matched = _columns_matched(given, use, root)
        if matched is None:
            matched = (given.float() - values["mean"]) / values["spread"] * spread + mean
        answer = self._ask(call, matched.to(given.dtype))
        if answer is None or answer.device.type != "cpu":
            return
        raw = _first(call.output)
        if use.choice is not None and answer.ndim == 2 and answer.shape[1] > 1:
            use.matched = answer.argmax(1)
        elif use.choice is not None and answer.numel() == use.size:
            use.matched = (answer.reshape(-1) > use.cut).long()
        elif answer.numel() == use.size and raw is not None and raw.numel() == use.size:
            use.matched, use.guess = answer.reshape(-1).float(), raw.detach().reshape(-1).float().clone()

    def _ask(self, call: Call, given: Tensor) -> Tensor | None:
        twin = copy.deepcopy(call.module)
        for module in twin.modules():
            for hooks in (module._forward_hooks, module._forward_pre_hooks):
                hooks.clear()
        numbers = torch.get_rng_state()
        try:
            with torch.no_grad(), contextlib.redirect_stdout(None):
                return _first(twin(given, *call.args[1:], **call.kwargs))
        finally:
            torch.set_rng_state(numbers)

    # Whether neighbouring numbers of a picture are neighbours.

    def pictures(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """Look at what the first convolution over colours is given."""
        if not isinstance(module, nn.Conv2d) or module.in_channels not in (3, 4) or not args:
            return
        given = args[0]
        if not isinstance(given, Tensor) or given.ndim != 4 or min(given.shape[2:]) < 8 or given.device.type != "cpu":
            return
        known = self._pictures
        if known is not None and (known["looks"] >= 3 or known["shape"][1:] != list(given.shape[1:])):
            return
        rows = given.detach()[:32].float().reshape(min(len(given), 32), -1)
        channels = module.in_channels
        share = _alternates(rows, channels)
        other = max(_alternates(rows, period) for period in (2, 3, 5, 7) if period % channels and channels % period)
        looks = 1 if known is None else known["looks"] + 1
        alike = {str(lag): _alike(rows, lag) for lag in _lags(channels, given.shape[-1])}
        if known is not None:
            share, other = min(share, known["share"]), max(other, known["other"])
            alike = {lag: (value + known["alike"][lag] * (looks - 1)) / looks for lag, value in alike.items()}
        self._pictures = {
            "share": share, "other": other, "channels": channels, "shape": list(given.shape), "looks": looks,
            "step": self._samples.witness.step, "alike": alike, "numbers": looks * rows.numel(),
        }  # fmt: skip

    # What the rows that were kept say about their labels.

    def run(self) -> None:
        """Ask neighbours and columns."""
        done = sum(root.learned for root in self._samples.roots.values())
        if done == self._done:
            return
        self._done = done
        neighbours, columns = [], []
        for root in self._samples.roots.values():
            if root.learned < 10 or not root.rows or len({r.dtype for r in root.rows}) != 1:
                continue
            if len({r.shape[1] for r in root.rows}) != 1 and root.rows[0].is_floating_point():
                continue
            rows, labels = _padded(root.rows)[:1200], torch.cat(root.labels)[:1200]
            classes = as_classes(labels)
            if rows.is_floating_point() and not bool(torch.isfinite(rows).all()):
                continue
            tables = all(len(use.shape) == 2 for use in root.uses[:1])  # a pixel of a picture is no column
            windows = all(len(use.shape) == 3 for use in root.uses[:1])
            found = _columns(rows, labels, classes) if tables else _last(rows, labels, root) if windows else None
            if found:
                columns.append({"model": root.kind, "place": _place(root), "step": root.uses[0].step, **found})
            lost = classes is not None and (self._lost(root, classes) or _by_heart(root))
            if classes is not None and lost and len(rows) >= 200 and root.learned >= 40:
                neighbours.append(
                    {
                        "model": root.kind,
                        "place": _place(root),
                        "step": root.uses[-1].step,
                        **_neighbours(rows, classes),
                    }
                )
        self._found = {"neighbours": neighbours, "columns": columns}

    @staticmethod
    def _lost(root: "Root", classes: Tensor) -> bool:
        """Whether the model does hardly better than always saying the most frequent class."""
        late = root.scores[-max(3, len(root.scores) // 4) :]
        rows = sum(count for _at, _right, count in late)
        if rows < 50:
            return True
        share = float(torch.bincount(classes - classes.min()).max()) / len(classes)
        right = sum(value * count for _at, value, count in late) / rows
        return right < share + 0.25 * (1 - share)


def _by_heart(root: "Root") -> bool:
    """Whether the newest evaluation went no better than always saying one class: labels may be learned by heart."""
    uses = [use for use in root.evaluated if use.labels is not None and use.choice is not None and not use.learned]
    labels, given = [], []
    for use in uses:
        classes = as_classes(use.labels)
        if classes is None or use.choice is None or use.phase != uses[-1].phase or classes.shape != use.choice.shape:
            continue
        labels.append(classes)
        given.append(use.choice)
    if sum(map(len, labels)) < 100:
        return False
    right, answers = torch.cat(labels), torch.cat(given)
    often = float(torch.bincount(right - right.min()).max()) / len(right)
    return bool((right == answers).float().mean() < often + 3 * (often / len(right)) ** 0.5)


def _padded(rows: list[Tensor]) -> Tensor:
    """Rows of one width; sentences of batches of several widths get -1, which is no word, at their ends."""
    most = max(one.shape[1] for one in rows)
    return torch.cat([nn.functional.pad(one, (0, most - one.shape[1]), value=-1) for one in rows])


def _columns_matched(given: Tensor, use: "Use", root: "Root") -> Tensor | None:
    """Each column with the mean and spread that it has in the training; None where columns are not known."""
    known = [one.columns for one in root.uses[:24] if one.columns is not None]
    if use.columns is None or not known or given.shape[-1:] != known[0].shape[1:]:
        return None
    mean, spread = torch.stack([one for one in known if one.shape == known[0].shape]).mean(0)
    middle, width = use.columns
    matched = (given.float() - middle) / torch.where(width > 0, width, 1.0) * spread + mean
    return matched if bool(torch.isfinite(matched).all()) else None


def _place(root: "Root") -> dict[str, Any] | None:
    place = root.uses[0].place if root.uses else None
    return place.as_json() if place is not None else None


def _first(value: Any) -> Tensor | None:
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    return value if isinstance(value, Tensor) else None


def _alternates(rows: Tensor, period: int) -> float:
    """The share of a row's variance that lies between the means of every so many-th value."""
    whole = rows[:, : rows.shape[1] // period * period]
    means = whole.reshape(len(rows), -1, period).mean(1)
    spread = whole.var(1, correction=0)
    shares = means.var(1, correction=0) / spread.clamp(min=1e-12)
    return float(shares[spread > 0].mean()) if bool((spread > 0).any()) else 0.0


def _lags(channels: int, width: int) -> list[int]:
    """How far apart the next ones are, in a row and in the rows below; where colours alternate, and beside that."""
    row = channels * width
    around = {row + side * k * channels + off for side in (-1, 1) for k in (1, 2) for off in (-1, 0, 1)}
    return sorted({*range(1, 3 * channels + 2), width, row, *around})


def _alike(rows: Tensor, lag: int) -> float:
    """How much values that lie so far apart go together, from -1 to 1."""
    centred = rows - rows.mean(1, keepdim=True)
    spread = centred.square().mean(1).clamp(min=1e-12)
    return float(((centred[:, lag:] * centred[:, :-lag]).mean(1) / spread).mean())


def _neighbours(rows: Tensor, classes: Tensor) -> dict[str, Any]:
    """How often the nearest other row has the same label, and how often chance gives that."""
    if rows.is_floating_point():
        points = rows - rows.mean(0)
        points = points / points.std(0).clamp(min=1e-6)
    else:
        words = rows.long().clamp(min=0, max=4095)
        points = torch.zeros(len(rows), int(words.max()) + 1).scatter_add_(1, words, (rows >= 0).float())
        points = points / (1e-6 + points.sum(0)).sqrt()  # rare words say more
    far = torch.cdist(points.double(), points.double())
    far.fill_diagonal_(float("inf"))
    nearest = far.argmin(1)
    alike = float((classes[nearest] == classes).double().mean())
    shares = torch.bincount(classes - classes.min()).double() / len(classes)
    return {
        "alike": alike, "chance": float(shares.square().sum()), "rows": len(rows), "majority": float(shares.max()),
        "classes": int((shares > 0).sum()),
    }  # fmt: skip


def _last(rows: Tensor, labels: Tensor, root: "Root") -> dict[str, Any] | None:
    """A number in the last step of each window, (N, T, F) kept as (N, T * F), that is the target to the last bit."""
    _count, steps, width = root.uses[0].shape
    whole = steps < 3 or rows.shape[1] != steps * width or len(rows) < 200 or labels.shape[1] != 1
    if whole or not rows.is_floating_point() or not labels.is_floating_point() or len(torch.unique(labels)) < 20:
        return None
    # Windows over one series: what is left of a row without its first step is another row without its last one.
    before, after = (set(map(tuple, part.tolist())) for part in (rows[:300, width:], rows[:300, :-width]))
    if len(before & after) < 10:
        return None
    same = (rows[:, -width:] == labels.to(rows.dtype)).all(0)
    if not bool(same.any()):
        return None
    column = rows.shape[1] - width + int(same.nonzero()[0])
    return {"column": column, "alike": 1.0, "right": 1.0, "rows": len(rows), "kind": "step", "alone": True}


def _columns(rows: Tensor, labels: Tensor, classes: Tensor | None) -> dict[str, Any] | None:
    """A column that says the target by itself."""
    count, width = rows.shape
    if count < 200 or not 2 <= width <= 512 or labels.shape[1] != 1 or not rows.is_floating_point():
        return None
    if bool(((rows == 0) | (rows == 1)).all()) or bool((rows == rows.round()).all() and rows.min() >= 0 and width < 4):
        return None
    target = labels[:, 0].double()
    points = rows.double()
    if float(target.std()) == 0:
        return None
    centred, aim = points - points.mean(0), target - target.mean()
    spread = centred.square().mean(0).sqrt() * aim.square().mean().sqrt()
    alike = ((centred * aim[:, None]).mean(0) / spread.clamp(min=1e-12)).abs()
    if classes is None:
        best = int(alike.argmax())
        if float(alike[best]) > 0.999_99 and width >= 3:
            return {"column": best, "alike": float(alike[best]), "right": 1.0, "rows": count, "kind": "value"}
        return None
    kinds = len(torch.unique(classes))
    if kinds < 2:
        return None
    others = alike.clone()
    for column in (alike >= 0.98).nonzero().flatten().tolist():
        order = points[:, column].argsort(stable=True)
        changes = int((classes[order][1:] != classes[order][:-1]).sum())
        values = len(torch.unique(points[:, column]))
        if changes <= kinds - 1 + 0.002 * count and (values > kinds or values == kinds):
            others[column] = 0
            # Samples that are easy to tell apart differ in several columns; a copied target is one by itself.
            alone = float(others.max()) < 0.7 and (float(alike[column]) >= 0.995 or values == kinds)
            return {"column": column, "alike": float(alike[column]), "right": 1.0, "rows": count, "kind": "class",
                    "alone": alone,
                    "classes": kinds, "values": values}  # fmt: skip
    return None
