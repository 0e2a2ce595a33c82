"""How a step computes: in which precision, in which memory format, compiled or not. Measured, then remembered.

What is quicker depends on the model, on the size of the batch and on the machine, and cannot be read from any of them.
So a few steps run on a copy of the model, in each way that may be open, and the quickest way that computes the same
is taken. What was measured is kept in a file, so that the same training chooses the same way the next time.

Shapes: B samples in a batch.
"""

import contextlib
import copy
import hashlib
import json
import math
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
import psutil
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils._pytree import tree_map_only

from firstlight.compat import cpu_bfloat16
from firstlight.errors import FirstlightError
from firstlight.files import write_whole
from firstlight.locale import Text, _
from firstlight.train.check import Loss
from firstlight.train.feed import Batch, Feed, _part
from firstlight.train.randomness import borrowed_randomness
from firstlight.train.world import World

FEWEST_STEPS = 40  # a training with fewer steps is over before measuring would pay
SHORTEST_S = 1.0  # and so is one that takes less than this
LOSS_BOUND = 0.02  # how far a loss in bfloat16 may be from that in float32, as a share of it
GRADIENT_BOUND = 0.25  # how far the first gradient may be, as a share of its length
BFLOAT16_GAIN, FORMAT_GAIN, COMPILE_GAIN = 1.2, 1.05, 1.1  # how many times quicker a way has to be to be taken
_COMPARED = 3  # steps whose losses are compared; the first of them is not timed, as it chooses algorithms
_LONGEST_S = 0.25  # of timing for one way, where more than the compared steps are timed
_MOST_TIMED = 12
_HOPELESS = 1.5  # a way that takes so many times as long as the best is given up at once
_COMPILE_FROM_S = 1200.0  # of training left: compiling takes half a minute to some minutes
_MOST_ENTRIES = 500


class CannotCompile(FirstlightError, RuntimeError):
    """compile=True where torch.compile does not work."""

    text = Text(
        what="compile=True does not work here: {error}",
        why="torch.compile translates the model into a program, which takes a C++ compiler (on a GPU: Triton) and a "
        "model that it understands.",
        do="Leave compile= out: fit then compiles only where that works and pays. Or write compile=False.",
    )


@dataclass(frozen=True)
class StepPlan:
    """How each step computes.

    Attributes:
        precision: `torch.float32`, or `torch.bfloat16`: then products and convolutions compute in it (autocast), while
            weights, losses and updates stay float32.
        memory_format: `torch.channels_last` where pictures lie in memory pixel by pixel, all channels of a pixel side
            by side.
        compile: Whether `torch.compile` translates the model.

    Example:
        >>> StepPlan().sentence
        ''
        >>> StepPlan(torch.bfloat16, torch.channels_last).sentence
        'bfloat16, channels last'
    """

    precision: torch.dtype = torch.float32
    memory_format: torch.memory_format = torch.contiguous_format
    compile: bool = False

    @property
    def sentence(self) -> str:
        """What differs from plain computing, in words; empty where nothing does."""
        words = []
        if self.precision == torch.bfloat16:
            words.append("bfloat16")
        if self.memory_format == torch.channels_last:
            words.append("channels last")  # like bfloat16, called so in every language
        if self.compile:
            words.append(_("compiled"))
        return ", ".join(words)

    @property
    def name(self) -> str:
        """How the file calls it."""
        layout = "channels_last" if self.memory_format == torch.channels_last else "contiguous"
        return f"{str(self.precision).split('.')[1]} {layout}" + (" compiled" if self.compile else "")

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """The block in which the forward pass runs; what leaves it should go through `in_float32`."""
        if self.precision == torch.float32:
            return nullcontext()
        return _Autocast(device.type, self.precision)

    def arranged(self, inputs: Any) -> Any:
        """Pictures in the memory format of the plan; everything else as it is."""
        if self.memory_format == torch.channels_last and isinstance(inputs, Tensor) and inputs.ndim == 4:
            return inputs.contiguous(memory_format=torch.channels_last)
        return inputs


class _Autocast(torch.autocast):
    """Autocast that forgets what it cast, also inside another autocast: the next step has other weights.

    torch forgets only at the end of the outermost block.
    """

    def __exit__(self, *error: Any) -> Any:
        result = super().__exit__(*error)
        torch.clear_autocast_cache()
        return result


# Every way there is, in an order that all processes share.
_WAYS = tuple(
    StepPlan(precision, layout, compiled)
    for compiled in (False, True)
    for precision in (torch.float32, torch.bfloat16)
    for layout in (torch.contiguous_format, torch.channels_last)
)


def in_float32(outputs: Any) -> Any:
    """What a model returns, with bfloat16 made wide again: a loss needs more than the 8 bits of bfloat16.

    Example:
        >>> in_float32([torch.ones(2, dtype=torch.bfloat16)])[0].dtype
        torch.float32
    """
    if isinstance(outputs, Tensor) or type(outputs) in (dict, list, tuple):
        return tree_map_only(Tensor, _wide, outputs)
    return outputs


def _wide(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype == torch.bfloat16 else tensor


def choose_step(
    model: nn.Module,
    feed: Feed,
    loss: Loss,
    optimizer: Optimizer,
    *,
    precision: str = "auto",
    memory_format: str = "auto",
    compile: str | bool = "auto",  # noqa: A002 - the word that torch uses
    steps_left: int | None,
    world: World | None = None,
) -> StepPlan:
    """The way in which each step shall compute: what was asked for, and where that is "auto" the quickest.

    Weights, buffers, gradients, random numbers and the order of the data stay as they are: a copy of the model steps.
    A training of fewer than `FEWEST_STEPS` steps, or one that takes less than `SHORTEST_S` seconds, computes plainly.

    Args:
        model: On the device of the feed, checked before.
        feed: What the model will train on; one batch of it is read, without using up a pass.
        loss: Mean loss of a batch.
        optimizer: Its kind is part of what the answer is remembered under.
        precision: "auto", "float32" or "bfloat16".
        memory_format: "auto", "contiguous" or "channels_last".
        compile: "auto", True or False.
        steps_left: How many steps there will be; None where that is unknown.
        world: The processes that train together; the first one's choice counts for all.
    """
    world = world or World()
    if precision == "auto" and feed.outputs is None:
        precision = "float32"  # a loss that goes to zero, as in regression, would meet the rounding of bfloat16
    plain = StepPlan(
        torch.bfloat16 if precision == "bfloat16" else torch.float32,
        torch.channels_last if memory_format == "channels_last" else torch.contiguous_format,
        compile is True,
    )
    if "auto" not in (precision, memory_format, compile) or steps_left is None or steps_left < FEWEST_STEPS:
        return plain
    batch = feed.full()
    ways = _open(model, batch[0], feed.device, precision, memory_format)
    if len(ways) == 1 and compile != "auto" and world.alone:
        return plain
    trials = _Trials(model, feed, batch, loss, optimizer, world, steps_left)
    may_compile = compile == "auto" and world.alone
    known = _decide(ways, trials.known, steps_left, may_compile=may_compile) if world.first else None
    if world.alone:
        chosen = known if isinstance(known, StepPlan) else trials.run(ways, steps_left, may_compile=may_compile)
    else:  # what the first has in its file counts; where it has nothing, all measure at the same time, as they train
        word = world.agree(_WAYS.index(known) + 1 if isinstance(known, StepPlan) else 0, feed.device)
        if not word:
            found = trials.run(ways, steps_left, may_compile=False)
            word = world.agree(_WAYS.index(found) + 1 if world.first else 0, feed.device)
        chosen = _WAYS[word - 1]
    return StepPlan(chosen.precision, chosen.memory_format, chosen.compile or compile is True)


def _open(model: nn.Module, inputs: Any, device: torch.device, precision: str, memory_format: str) -> list[StepPlan]:
    """The ways among which measuring decides, the plainest first."""
    layouts = {"contiguous": [torch.contiguous_format], "channels_last": [torch.channels_last]}.get(memory_format)
    precisions = {"float32": [torch.float32], "bfloat16": [torch.bfloat16]}.get(precision)
    if layouts is None:
        pictures = isinstance(inputs, Tensor) and inputs.ndim == 4
        convolves = any(isinstance(module, nn.Conv2d) for module in model.modules())
        layouts = [torch.contiguous_format, *([torch.channels_last] if pictures and convolves else [])]
    if precisions is None:
        wide = all(weight.dtype == torch.float32 for weight in model.parameters() if weight.is_floating_point())
        precisions = [torch.float32, *([torch.bfloat16] if wide and has_bfloat16(device) else [])]
    plain = [StepPlan(precisions[0], layout) for layout in layouts]
    # In bfloat16 convolutions on the CPU want channels last; the other format is not worth the time of a trial.
    return plain + [StepPlan(other, layouts[-1]) for other in precisions[1:]]


def has_bfloat16(device: torch.device) -> bool:
    """Whether measuring bfloat16 is worth the time on this device: where it is only imitated, it is slow.

    Example:
        >>> has_bfloat16(torch.device("cpu")) in (True, False)
        True
    """
    if device.type == "cpu":
        return cpu_bfloat16() is not False
    if device.type == "cuda":
        try:
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
        except TypeError:  # a version without that word
            return bool(torch.cuda.is_bf16_supported())
    return True


@dataclass
class Trial:
    """What some steps of a copy showed.

    Attributes:
        seconds: Of a forward and a backward pass, the quickest one: neighbours only ever slow a step down.
        losses: Of the first steps.
        gradient: Of the first step, one tensor per weight.
        first_s: Seconds of the first step, in which `torch.compile` compiles.
    """

    seconds: float
    losses: list[float]
    gradient: list[Tensor]
    first_s: float = 0.0

    def agrees(self, with_: "Trial", bound: float = LOSS_BOUND) -> bool:
        """Whether losses and gradient are those of another way, up to rounding.

        Each loss may differ by `bound`, as a share of the other's; the gradient of all weights together by
        `GRADIENT_BOUND` of its length.
        """
        for mine, other in zip(self.losses, with_.losses, strict=True):
            if not math.isfinite(mine) or abs(mine - other) > bound * max(abs(other), 0.05):
                return False
        apart = sum(float((a - b).square().sum()) for a, b in zip(self.gradient, with_.gradient, strict=True))
        length = sum(float(gradient.square().sum()) for gradient in with_.gradient)
        return apart <= GRADIENT_BOUND**2 * length


def attempt(
    model: nn.Module,
    batch: Batch,
    loss: Loss,
    device: torch.device,
    way: StepPlan,
    *,
    at_most_s: float = math.inf,
    steps: int = _MOST_TIMED,
) -> Trial | None:
    """Some steps of a copy of the model in one way; None where that fails, for whatever reason.

    Args:
        model: Stays as it is, its gradients too.
        batch: Full, as training takes them.
        loss: Mean loss of a batch.
        device: Where both are.
        way: How to compute.
        at_most_s: A step that takes longer ends the trial: it cannot be the quickest.
        steps: How many, at most.
    """
    try:
        copied, own_loss = copy.deepcopy((model, loss))  # a loss may count along, or share weights with the model
        with borrowed_randomness(), arranged(copied, None, device, way):
            return _steps(copied, batch, own_loss, device, way, at_most_s, steps)
    except Exception:  # noqa: BLE001 - a way that fails in a copy is not taken, and its error is nobody's concern
        return None


def _steps(
    model: nn.Module, batch: Batch, loss: Loss, device: torch.device, way: StepPlan, at_most_s: float, steps: int
) -> Trial:
    inputs, labels = way.arranged(batch[0]), batch[1]
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    network: Callable[[Any], Any] = torch.compile(model) if way.compile else model
    model.train()
    for module in model.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.eval()  # each memory format would draw another pattern, and no two losses would be alike
    losses: list[Tensor] = []
    times: list[float] = []
    kept: list[Tensor] = []
    began = _now(device)
    while True:
        start = _now(device)
        with way.autocast(device):
            outputs = network(inputs)
        value = loss(in_float32(outputs), labels)
        # Not backward(): it would leave gradients, and a recorder of somebody else would hear it.
        gradients = torch.autograd.grad(value, weights, allow_unused=True)
        times.append(_now(device) - start)
        if len(losses) < _COMPARED:
            losses.append(value.detach().float())
            _move_along(weights, gradients)
        if not kept:
            kept = [torch.zeros(()) if gradient is None else gradient.detach().float() for gradient in gradients]
        del outputs, value, gradients
        if len(times) == 2 and times[1] > at_most_s and not way.compile:
            raise TimeoutError
        if len(times) >= max(steps, _COMPARED):
            break
        if len(times) >= _COMPARED and _now(device) - began - times[0] > _LONGEST_S:
            break
    # The other mode may take other ways through the model, and is needed after each epoch.
    model.eval()
    with torch.no_grad(), way.autocast(device):
        model(_part(inputs, slice(0, 8)))
    return Trial(min(times[1:]), torch.stack(losses).tolist(), kept, times[0])


@torch.no_grad()
def _move_along(weights: list[nn.Parameter], gradients: Iterable[Tensor | None]) -> None:
    """Downhill by a hundredth of the length of all weights, so that the next loss is another one."""
    pairs = [(weight, gradient) for weight, gradient in zip(weights, gradients, strict=True) if gradient is not None]
    slope = torch.stack([gradient.float().square().sum() for _weight, gradient in pairs]).sum().sqrt()
    size = torch.stack([weight.float().square().sum() for weight, _gradient in pairs]).sum().sqrt()
    for weight, gradient in pairs:
        weight.sub_((0.01 * size / slope.clamp(min=1e-20)).to(weight.dtype) * gradient)


def _now(device: torch.device) -> float:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return time.perf_counter()


class _Trials:
    """What is known about the steps of one model on one machine, and the trials that find it out."""

    def __init__(
        self,
        model: nn.Module,
        feed: Feed,
        batch: Batch,
        loss: Loss,
        optimizer: Optimizer,
        world: World,
        steps_left: int,
    ) -> None:
        self._model, self._feed, self._loss = model, feed, loss
        self._steps = min(_MOST_TIMED, steps_left // 50)  # measuring is to be cheap beside the training
        mine = slice(world.rank, None, world.size)
        self._batch = batch if world.alone else (_part(batch[0], mine), batch[1][mine])
        self._cache = Cache(_key(model, self._batch, loss, optimizer, feed.device, world))
        self.known = self._cache.read() if world.first else {}

    def run(self, ways: list[StepPlan], steps: int, *, may_compile: bool) -> StepPlan:
        """Measure what is not known yet, and decide."""
        found: dict[str, Trial | None] = {}
        for _turn in range(len(_WAYS)):
            answer = _decide(ways, self.known, steps, may_compile=may_compile)
            if isinstance(answer, StepPlan):
                break
            self._measure(answer, ways[0], found)
        self._cache.write(self.known)
        return answer if isinstance(answer, StepPlan) else ways[0]

    def _measure(self, names: list[str], plain: StepPlan, found: dict[str, Trial | None]) -> None:
        """Put into `known` what these ways show: seconds, or None for a way that cannot be taken."""
        device = self._feed.device
        for way in [plain, *(way for way in _WAYS if way.name in names and way != plain)]:
            if way.name in found:
                continue
            reference = found.get(plain.name)
            if way != plain and reference is None:  # nothing to hold it against
                self.known[way.name] = None
                continue
            quickest = min((trial.seconds for trial in found.values() if trial is not None), default=math.inf)
            trial = None
            if self._has_room(device):
                most = _HOPELESS * quickest
                trial = attempt(self._model, self._batch, self._loss, device, way, at_most_s=most, steps=self._steps)
            if trial is not None and reference is not None:
                trial = trial if trial.agrees(reference) else None
                if trial is not None:
                    trial.gradient = []  # as large as the model
            found[way.name] = trial
            if way.name in self.known and way == plain:
                continue  # what was decided by before stays
            self.known[way.name] = None if trial is None else trial.seconds
            if way.compile and trial is not None:
                self.known[way.name + " first"] = trial.first_s

    def _has_room(self, device: torch.device) -> bool:
        """Whether a copy and its gradients can stand beside the model without crowding it."""
        size = sum(weight.numel() * weight.element_size() for weight in self._model.parameters())
        return device.type != "cpu" or 4 * size < psutil.virtual_memory().available


def _decide(
    ways: list[StepPlan], known: dict[str, float | None], steps: int, *, may_compile: bool
) -> StepPlan | list[str]:
    """The way to take, or the names of those that have to be measured first.

    It follows from what is known alone, never from the moment: the same training is always decided alike.
    """
    plain = ways[0]
    if plain.name not in known:
        return [plain.name]
    seconds = known[plain.name]
    if seconds is None or seconds * steps < SHORTEST_S:
        return plain
    missing = [way.name for way in ways if way.name not in known]
    if missing:
        return missing
    best, shortest = plain, seconds
    for way in ways[1:]:
        took = known[way.name]
        gain = BFLOAT16_GAIN if way.precision != best.precision else FORMAT_GAIN
        if took is not None and took * gain < shortest:
            best, shortest = way, took
    if not may_compile or shortest * steps < _COMPILE_FROM_S or not can_compile():
        return best
    compiled = StepPlan(best.precision, best.memory_format, compile=True)
    if compiled.name not in known:
        return [compiled.name]
    took, first = known[compiled.name], known.get(compiled.name + " first") or 0.0
    # Compiling is paid twice: once here, and once for the model itself.
    pays = took is not None and took * COMPILE_GAIN < shortest and (shortest - took) * steps > 2 * first
    return compiled if pays else best


def can_compile() -> bool:
    """Whether there is what `torch.compile` needs: a C++ compiler, or Triton for a GPU.

    Example:
        >>> can_compile() in (True, False)
        True
    """
    if sys.platform == "win32":
        return shutil.which("cl") is not None
    wanted = os.environ.get("CXX")
    return any(shutil.which(name) for name in ((wanted,) if wanted else ("g++", "clang++", "c++")))


def compiled(forward: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The forward pass through `torch.compile`, for batches as large as the first; the others take the plain way.

    A last batch that is smaller would be compiled anew, for a single step in each epoch.

    Raises:
        CannotCompile: At the first batch, where compiling fails.
    """
    quick: Any = torch.compile(forward)
    size: int | None = None
    done = False

    def network(inputs: Any) -> Any:
        nonlocal done, size
        if isinstance(inputs, Tensor):
            size = len(inputs) if size is None else size
            if len(inputs) != size:
                return forward(inputs)
        if done:
            return quick(inputs)
        try:
            outputs = quick(inputs)
        except FirstlightError:
            raise
        except Exception as error:
            if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
                raise
            raise CannotCompile(error=str(error).strip().splitlines()[0]) from error
        done = True
        return outputs

    return network


@contextmanager
def arranged(model: nn.Module, optimizer: Optimizer | None, device: torch.device, plan: StepPlan) -> Iterator[None]:
    """A block in which the weights of convolutions lie in memory as the pictures do, where that matters.

    On the CPU the libraries arrange weights for themselves, and it makes no difference. On an accelerator it does; then
    the state of an optimizer goes along, as fused ones take weight and momentum for two rows of numbers in one order.
    """
    if device.type == "cpu" or plan.memory_format != torch.channels_last:
        yield
        return
    weights = [weight for weight in model.parameters() if weight.ndim == 4 and weight.is_contiguous()]
    _arrange(weights, optimizer, torch.channels_last)
    try:
        yield
    finally:
        _arrange(weights, optimizer, torch.contiguous_format)


@torch.no_grad()
def _arrange(weights: list[nn.Parameter], optimizer: Optimizer | None, layout: torch.memory_format) -> None:
    for weight in weights:
        weight.data = weight.data.contiguous(memory_format=layout)
        if weight.grad is not None:
            weight.grad = weight.grad.contiguous(memory_format=layout)
        state = optimizer.state.get(weight, {}) if optimizer is not None else {}
        for name, value in state.items():
            if isinstance(value, Tensor) and value.shape == weight.shape:
                state[name] = value.contiguous(memory_format=layout)


class Cache:
    """What was measured, in a file that all trainings of this machine share.

    A file that cannot be read counts as empty, and one that cannot be written keeps its content for this process.

    Args:
        key: What the numbers belong to.
    """

    _here: dict[str, dict[str, float | None]] = {}  # noqa: RUF012 - shared by all on purpose

    def __init__(self, key: str) -> None:
        self._key = key
        self._place = f"{cache_file()}|{key}"

    def read(self) -> dict[str, float | None]:
        """Seconds by the name of a way; None for a way that cannot be taken."""
        if self._place not in self._here:
            found = _entries(cache_file()).get(self._key, {})
            sound = isinstance(found, dict) and all(
                value is None or (isinstance(value, (int, float)) and math.isfinite(value) and value >= 0)
                for value in found.values()
            )
            self._here[self._place] = dict(found) if sound else {}
        return dict(self._here[self._place])

    def write(self, numbers: dict[str, float | None]) -> None:
        """Keep them, for this process and for those to come."""
        if self.read() == numbers:
            return
        self._here[self._place] = dict(numbers)
        file = cache_file()
        entries = _entries(file)
        entries.pop(self._key, None)
        entries[self._key] = numbers  # the newest last
        for oldest in list(entries)[:-_MOST_ENTRIES]:
            del entries[oldest]
        with contextlib.suppress(OSError):  # read-only, full, or held open on Windows: measured again the next time
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, json.dumps(entries, indent=1).encode())


def cache_file() -> Path:
    """Where measurements are kept: in the folder `FIRSTLIGHT_CACHE`, else in the system's place for caches."""
    chosen = os.environ.get("FIRSTLIGHT_CACHE")
    folder = Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("firstlight", appauthor=False)
    return folder / "steps.json"


def _entries(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not there, damaged, or no text at all
        return {}
    return found if isinstance(found, dict) else {}


def _key(model: nn.Module, batch: Batch, loss: Loss, optimizer: Optimizer, device: torch.device, world: World) -> str:
    """A short name for everything that the time of a step depends on."""
    name = getattr(loss, "__qualname__", type(loss).__qualname__)
    parts = [
        re.sub(r" at 0x[0-9a-fA-F]+", "", repr(model)),  # a function inside has another address each time
        [(key, tuple(one.shape), str(one.dtype), one.requires_grad) for key, one in model.named_parameters()],
        _code(model),
        _shapes(batch),
        name,
        [(type(optimizer).__qualname__, bool(group.get("fused"))) for group in optimizer.param_groups],
        str(device) + _device_name(device),
        platform.node(), platform.machine(), platform.processor(), torch.backends.cpu.get_cpu_capability(),
        os.cpu_count(), torch.get_num_threads(), world.size, torch.__version__,
        torch.backends.cudnn.deterministic, torch.are_deterministic_algorithms_enabled(),
        torch.get_float32_matmul_precision(),
    ]  # fmt: skip
    return f"{type(model).__name__} {hashlib.sha256(repr(parts).encode()).hexdigest()[:24]}"


def _code(model: nn.Module) -> list[Any]:
    """What the learner's own layers do: a cell that is run again may give a class of the same name another forward."""
    kinds = {type(module) for module in model.modules() if not type(module).__module__.startswith("torch.")}
    codes = [(kind.__qualname__, getattr(kind.forward, "__code__", None)) for kind in kinds]
    return sorted((name, code.co_code.hex(), repr(code.co_names)) for name, code in codes if code is not None)


def _shapes(value: Any) -> Any:
    if isinstance(value, Tensor):
        return tuple(value.shape), str(value.dtype)
    if isinstance(value, dict):
        return {str(key): _shapes(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        tensors = any(isinstance(item, (Tensor, dict, list, tuple)) for item in value)
        return [_shapes(item) for item in value] if tensors else len(value)
    return type(value).__name__


def _device_name(device: torch.device) -> str:
    if device.type in ("cuda", "xpu"):
        return str(getattr(torch, device.type).get_device_name(device))
    return ""
