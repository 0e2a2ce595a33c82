"""`memory`: what a training step will hold, before it runs."""

import contextlib
import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from inspect import Parameter, signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import LBFGS, Optimizer
from torch.utils._pytree import tree_leaves

from firstlight.errors import FirstlightError
from firstlight.graph.drawing import STYLE
from firstlight.graph.rehearsal import Held, Rehearsal
from firstlight.graph.tracing import own_copy
from firstlight.locale import Text, _
from firstlight.locale.units import size
from firstlight.picture import Picture, in_columns
from firstlight.train.check import require_model
from firstlight.train.memory import free_memory
from firstlight.train.randomness import borrowed_randomness

_MOST_ROWS = 40  # of modules; beyond, modules are folded into the one that holds them
_MOST_TRIES = 12  # at the largest batch
_COLOURS = {"parameters": "#0072b2", "gradients": "#d98a00", "optimizer": "#b2588f", "activations": "#009e73"}


class CannotForecast(FirstlightError, RuntimeError):
    """The model cannot be run on tensors without numbers."""

    text = Text(
        what="The memory of this model cannot be forecast: {error}",
        why="The forecast runs the model on tensors that have shapes and no numbers, so that it costs nothing. A model "
        "that decides by numbers, with an if, .item() or nonzero(), cannot go on there.",
        do="Call fl.shapes(model, inputs) to see whether the model works at all. If it does, leave the decision out "
        "for the forecast.",
    )


class NeedsClosure(FirstlightError, TypeError):
    """LBFGS runs the model as often as its numbers ask for."""

    text = Text(
        what="The memory of {optimizer} cannot be forecast.",
        why="Its step runs the model again and again, as often as the numbers ask for.",
        do="Forecast with torch.optim.SGD, and add {history} times the memory of the parameters.",
    )


@dataclass(frozen=True)
class ModuleMemory:
    """One module's share, in bytes; what stands in modules inside of it is theirs.

    Attributes:
        path: As in `model.named_modules()`; "" is the model itself.
        kind: Its class.
        parameters: Its parameters and buffers. Shared ones count where they come first.
        gradients: Their gradients.
        optimizer: What the optimizer keeps for them.
        activations: What its forward pass leaves for the backward pass.
    """

    path: str
    kind: str
    parameters: int = 0
    gradients: int = 0
    optimizer: int = 0
    activations: int = 0

    @property
    def bytes(self) -> int:
        """All of it."""
        return self.parameters + self.gradients + self.optimizer + self.activations


@dataclass(frozen=True, repr=False)
class Forecast:
    """What a step will hold, in bytes. In a notebook a picture, elsewhere a table.

    Attributes:
        parameters: Of the model.
        buffers: Such as BatchNorm's statistics.
        gradients: After the backward pass.
        optimizer: What the optimizer keeps between steps.
        activations: What the forward pass leaves behind for the backward pass, each piece of memory once.
        batch: The batch itself.
        peak: The most that is held at one time, all of the above counted.
        added: The same, above the model and the batch: what PyTorch's profiler sees a step take.
        phase: When that is: "forward", "backward" or "optimizer".
        where: Path of the module that runs then, or whose backward pass runs; "" for the model itself or the loss.
        operation: PyTorch's name of the operation.
        modules: Those that hold something, in the order of the model.
        samples: In the batch; None where its tensors do not agree about that.
        largest_batch: Samples that fit into the budget; None where `samples` is.
        budget: Bytes that were to suffice; None where it is not known what is free.
        device: Where the model is.
        train: Whether a step of training was forecast, or a forward pass without gradients.
    """

    parameters: int
    buffers: int
    gradients: int
    optimizer: int
    activations: int
    batch: int
    peak: int
    added: int
    phase: str
    where: str
    operation: str
    modules: tuple[ModuleMemory, ...] = field(default=())
    samples: int | None = None
    largest_batch: int | None = None
    budget: int | None = None
    device: str = "cpu"
    train: bool = True

    def rows(self) -> list[ModuleMemory]:
        """The modules, folded into those that hold them until there are few enough to read."""
        rows = list(self.modules)
        depth = max((row.path.count(".") + 1 for row in rows if row.path), default=0)
        while len(rows) > _MOST_ROWS and depth > 1:
            depth -= 1
            rows = _folded(self.modules, depth)
        if len(rows) > _MOST_ROWS:
            large = sorted(rows, key=lambda row: -row.bytes)[: _MOST_ROWS - 1]
            rest = [row for row in rows if row not in large]
            rows = [row for row in rows if row in large] + [_sum("…", "", rest)]
        return rows

    def __repr__(self) -> str:
        lines = [self._title(), ""]
        lines.append(in_columns([(name, size(count)) for name, count in self._parts()], left=1))
        lines += ["", self._moment()]
        if self._fitting():
            lines.append(self._fitting())
        titles = [_("module"), _("parameters"), _("gradients"), _("optimizer"), _("activations")]
        table = [titles]
        for row in self.rows():
            shares = (row.parameters, row.gradients, row.optimizer, row.activations)
            table.append([_named(row), *(size(count) if count else "" for count in shares)])
        if len(table) > 1:
            lines += ["", in_columns(table, left=1)]
        return "\n".join(lines)

    def picture(self) -> Picture:
        """The table as HTML, with a bar for each module, and as text."""
        rows = self.rows()
        most = max((row.bytes for row in rows), default=0) or 1
        names = dict(zip(_COLOURS, self._names(), strict=True))
        head = "".join(f'<th scope="col">{escape(title)}</th>' for title in (_("module"), *names.values(), ""))
        body = []
        for row in rows:
            shares = {kind: getattr(row, kind) for kind in _COLOURS}
            cells = "".join(f"<td class=fl-nowrap>{size(count) if count else ''}</td>" for count in shares.values())
            bars = "".join(
                f'<rect x="{x:.1f}" y="2" width="{wide:.1f}" height="12" style="fill:{_COLOURS[kind]};stroke:none"/>'
                for kind, x, wide in _bars(shares, most)
            )
            drawn = f'<svg width="240" height="16" viewBox="0 0 240 16" aria-hidden="true">{bars}</svg>'
            body.append(f'<tr><th scope="row">{escape(_named(row))}</th>{cells}<td>{drawn}</td></tr>')
        key = "".join(
            f'<span style="border-color:{colour}">{escape(names[kind])}</span>' for kind, colour in _COLOURS.items()
        )
        parts = "".join(f'<tr><th scope="row">{escape(n)}</th><td>{size(c)}</td></tr>' for n, c in self._parts())
        said = "".join(f"<p>{escape(line)}</p>" for line in (self._moment(), self._fitting()) if line)
        html = (
            f'<div class="fl-graph" role="group" aria-label="{escape(self._title())}">{STYLE}'
            f'<p class="fl-head">{escape(self._title())}</p><table><tbody>{parts}</tbody></table>{said}'
            f'<p class="fl-key">{key}</p><div class="fl-scroll"><table><thead><tr>{head}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table></div></div>"
        )
        return Picture(html=html, text=repr(self))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self.picture().bundle()

    def show(self) -> None:
        """Show it where the person is."""
        self.picture().display()

    def _names(self) -> list[str]:
        return [_("parameters"), _("gradients"), _("optimizer"), _("activations")]

    def _title(self) -> str:
        count = "?" if self.samples is None else f"{self.samples:,}"
        if self.train:
            return _("Memory of a training step on {count} samples, on {device}", count=count, device=self.device)
        return _("Memory of a forward pass on {count} samples, on {device}", count=count, device=self.device)

    def _parts(self) -> list[tuple[str, int]]:
        parts = [(_("parameters"), self.parameters), (_("buffers"), self.buffers), (_("batch"), self.batch)]
        parts += [(_("gradients"), self.gradients), (_("optimizer"), self.optimizer)]
        parts.append((_("activations, kept for the backward pass"), self.activations))
        return [part for part in parts if part[1]] + [(_("peak, all together"), self.peak)]

    def _moment(self) -> str:
        layer = self.where or _("the model itself or the loss")
        if self.phase == "optimizer":
            return _("Most is held during the step of the optimizer ({operation}).", operation=self.operation)
        if self.phase == "backward":
            return _(
                "Most is held in the backward pass of {layer} ({operation}).", layer=layer, operation=self.operation
            )
        return _("Most is held in the forward pass of {layer} ({operation}).", layer=layer, operation=self.operation)

    def _fitting(self) -> str:
        if self.largest_batch is None or self.budget is None:
            return ""
        budget = size(self.budget)
        if self.largest_batch == 0:
            return _("Not even one sample fits into {budget}.", budget=budget)
        return _("The largest batch that fits into {budget}: {count}", budget=budget, count=f"{self.largest_batch:,}")


def memory(
    model: nn.Module,
    batch: Any,
    optimizer: Optimizer | Callable[[Any], Optimizer] | None = None,
    *,
    loss: Callable[[Any, Any], Tensor] | None = None,
    train: bool = True,
    budget: int | None = None,
    device: torch.device | str | None = None,
) -> Forecast:
    """Say what a training step will hold in memory, and when most, without running it.

    The model runs on tensors that have shapes and no numbers, so this takes neither the memory nor the time of a step,
    and neither the model nor its optimizer nor any random generator changes. What is meant is a step that is not the
    first, as the optimizer makes its state in that: `loss(model(inputs), labels).backward()`, `optimizer.step()`,
    `optimizer.zero_grad()`.

    Args:
        model: Any module. It may be on `torch.device("meta")`, without weights. One with lazy layers is copied, and
            the copy run once, as nothing else says how large they become.
        batch: As a `DataLoader` gives it: a pair of inputs and labels, or inputs alone. Inputs may be a dictionary; if
            its keys are the names that `forward` has, they are passed by name.
        optimizer: One for the model's parameters, or what makes one: `torch.optim.AdamW`, or a function of parameters.
        loss: Of outputs and labels. By default cross-entropy for labels that are whole numbers, mean squared error for
            others, and without labels the sum of what the model returns, or its `loss` if it returns one.
        train: Whether a step of training is meant, or a forward pass under `no_grad` in evaluation mode.
        budget: Bytes into which the largest batch is to fit, all counted; by default what is free on the device,
            the model's own not counted if it is there already.
        device: Where the model is to be; by default where it is.

    Returns:
        The forecast.

    Raises:
        NotAModel: Something else than a module was given.
        CannotForecast: The model decides by numbers, or fails.
        NeedsClosure: The optimizer is LBFGS.

    Example:
        >>> model = nn.Linear(1000, 10, bias=False)
        >>> found = memory(model, (torch.zeros(64, 1000), torch.zeros(64).long()), torch.optim.AdamW, budget=10**6)
        >>> found.parameters, found.gradients, found.optimizer
        (40000, 40000, 80004)
        >>> found.phase, found.largest_batch
        ('optimizer', 189)
    """
    require_model(model)
    model = getattr(model, "_orig_mod", model)  # of torch.compile
    _require_step(optimizer)
    meta = any(weight.device.type == "meta" for weight in model.parameters())
    place = _place(model, batch, device)
    count = _samples(batch)
    inputs, labels, has_labels = _parted(batch)
    lazy = any(is_lazy(tensor) for tensor in [*model.parameters(), *model.buffers()])

    def step(fake: nn.Module, given: Any) -> Tensor | None:
        given_inputs, given_labels = given
        outputs = _called(fake, given_inputs)
        if not train:
            return None
        return _loss(loss, outputs, given_labels, has_labels)

    try:
        with borrowed_randomness(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if lazy:  # its first call gives it its weights: the one case in which something is run
                model = copy.deepcopy(model)
                with torch.no_grad():
                    _called(model, own_copy(inputs))
            rehearsal = Rehearsal(model, optimizer, place)
            held = rehearsal.run(step, rehearsal.fakes((inputs, labels)), train=train)

            def at(samples: int) -> Held:
                given = rehearsal.fakes((inputs, labels), samples, count)
                return rehearsal.run(step, given, train=train, before=held)

            there = 0 if meta else sum(held.parameters.values()) + sum(held.buffers.values())
            if budget is None:
                free = free_memory(place) if place.type != "cuda" or torch.cuda.is_available() else None
                budget = None if free is None else free + there
            largest = None
            if count is not None and budget is not None:
                largest = _largest(at, count, held, budget)
    except FirstlightError:
        raise
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CannotForecast(error=said) from error
    return _forecast(model, held, count, largest, budget, place, train)


def _forecast(
    model: nn.Module, held: Held, count: int | None, largest: int | None, budget: int | None, place: Any, train: bool
) -> Forecast:
    kinds = {path: type(module).__name__ for path, module in model.named_modules()}
    shares = (held.parameters, held.buffers, held.gradients, held.state, held.saved)
    modules = []
    for path, kind in kinds.items():
        weights, buffers, gradients, state, saved = (share.get(path, 0) for share in shares)
        row = ModuleMemory(path, kind, weights + buffers, gradients, state, saved if train else 0)
        if row.bytes:
            modules.append(row)
    return Forecast(
        parameters=sum(held.parameters.values()),
        buffers=sum(held.buffers.values()),
        gradients=sum(held.gradients.values()),
        optimizer=sum(held.state.values()),
        activations=sum(held.saved.values()) if train else 0,
        batch=held.batch,
        peak=_all(held),
        added=held.peak.bytes,
        phase=held.peak.phase,
        where=held.peak.module,
        operation=held.peak.operation,
        modules=tuple(modules),
        samples=count,
        largest_batch=largest,
        budget=budget,
        device=str(place),
        train=train,
    )


def _all(held: Held) -> int:
    return held.peak.bytes + held.batch + sum(held.parameters.values()) + sum(held.buffers.values())


def _largest(at: Callable[[int], Held], count: int, held: Held, budget: int) -> int | None:
    """Samples that fit. What a step holds grows nearly in a line, so a few rehearsals find the last that does.

    None where the model takes no larger batch than its own, whatever the memory.
    """
    if budget <= sum(held.parameters.values()) + sum(held.buffers.values()):
        return 0
    low, high = (count, None) if _all(held) <= budget else (0, count)
    known = {count: _all(held)}
    failed = set()  # BatchNorm does not learn from one sample

    for _try in range(_MOST_TRIES):
        if high is not None and high - low <= 1:
            break
        nearest = sorted(known, key=lambda samples: abs(known[samples] - budget))[:2]
        if len(nearest) < 2:
            guess = 2 * count if high is None else max(1, count // 2)
        else:
            one, two = nearest
            slope = (known[two] - known[one]) / (two - one)
            guess = int(one + (budget - known[one]) / slope) if slope > 0 else (low + (high or 4 * low)) // 2
        # The line points at the last that fits or at the first that does not: both are to be known.
        guess = max(low + 1, guess if high is None else min(guess, high - 1))
        if guess > 2**40:
            return 2**40
        try:
            known[guess] = _all(at(guess))
        except Exception:  # noqa: BLE001 (whatever a model says to a batch of another size)
            if guess > count:
                return None
            failed.add(guess)
        low, high = (guess, high) if guess in failed or known[guess] <= budget else (low, guess)
    return 0 if low in failed else low


def _require_step(optimizer: Any) -> None:
    kind = optimizer if isinstance(optimizer, type) else type(optimizer)
    if issubclass(kind, LBFGS):
        history = 2 * (optimizer.param_groups[0]["history_size"] if isinstance(optimizer, LBFGS) else 100)
        raise NeedsClosure(optimizer=kind.__name__, history=history)


def _place(model: nn.Module, batch: Any, device: torch.device | str | None) -> torch.device:
    if device is not None:
        return torch.device(device)
    found = [value.device for value in [*model.parameters(), *tree_leaves(batch)] if isinstance(value, Tensor)]
    return next((place for place in found if place.type != "meta"), torch.device("cpu"))


def _parted(batch: Any) -> tuple[Any, Any, bool]:
    if isinstance(batch, (tuple, list)) and len(batch) == 2 and not hasattr(batch, "_fields"):
        return batch[0], batch[1], True
    return batch, None, False


def _samples(batch: Any) -> int | None:
    sides = {value.shape[0] for value in tree_leaves(batch) if isinstance(value, Tensor) and value.ndim}
    return sides.pop() if len(sides) == 1 else None


def _called(model: nn.Module, inputs: Any) -> Any:
    if isinstance(inputs, dict):
        with contextlib.suppress(TypeError, ValueError):
            names = signature(model.forward).parameters.values()
            known = {
                name.name for name in names if name.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
            }
            if set(inputs) <= known:
                return model(**inputs)
        return model(inputs)
    if isinstance(inputs, (tuple, list)):
        kinds = [name.kind for name in signature(model.forward).parameters.values()]
        if len(kinds) > 1 or Parameter.VAR_POSITIONAL in kinds:
            return model(*inputs)
    return model(inputs)


def _loss(loss: Callable[[Any, Any], Tensor] | None, outputs: Any, labels: Any, has_labels: bool) -> Tensor | None:
    if loss is not None:
        return loss(outputs, labels)
    own = outputs.get("loss") if isinstance(outputs, dict) else getattr(outputs, "loss", None)
    if isinstance(own, Tensor):
        return own
    if has_labels and isinstance(outputs, Tensor) and isinstance(labels, Tensor):
        if labels.is_floating_point():
            return nn.functional.mse_loss(outputs, labels.to(outputs.dtype).view_as(outputs))
        return nn.functional.cross_entropy(outputs, labels)
    found = [value for value in tree_leaves(outputs) if isinstance(value, Tensor) and value.requires_grad]
    if len(found) == 1 and found[0].ndim == 0:
        return found[0]
    return torch.stack([value.sum() for value in found]).sum() if found else None


def _folded(modules: tuple[ModuleMemory, ...], depth: int) -> list[ModuleMemory]:
    found: dict[str, list[ModuleMemory]] = {}
    for row in modules:
        found.setdefault(".".join(row.path.split(".")[:depth]), []).append(row)
    kinds = {row.path: row.kind for row in modules}
    return [_sum(path, kinds.get(path, ""), rows) for path, rows in found.items()]


def _sum(path: str, kind: str, rows: list[ModuleMemory]) -> ModuleMemory:
    kinds = ("parameters", "gradients", "optimizer", "activations")
    return ModuleMemory(path, kind, *(sum(getattr(row, share) for row in rows) for share in kinds))


def _named(row: ModuleMemory) -> str:
    if not row.path:
        return _("{kind} itself, and the loss", kind=row.kind)
    return f"{row.path} ({row.kind})" if row.kind else row.path


def _bars(shares: dict[str, int], most: int) -> list[tuple[str, float, float]]:
    bars, x = [], 0.0
    for kind, count in shares.items():
        wide = 240 * count / most
        if wide:
            bars.append((kind, x, wide))
            x += wide
    return bars
