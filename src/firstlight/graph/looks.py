"""A closer look at one step of a learner's loop: its graph, its activations, and the memory it holds.

The recorder begins a look before the step and ends it after the optimizer's (`firstlight.run.looks`). In between, a
tracer notes what is computed with gradients, and a dispatcher adds up the memory that lives. Both only listen. Where
listening could change something, nothing is listened to: what torch.compile has compiled, what CUDA captures, and
what runs without gradients (an evaluation between two steps runs as fast as ever).
"""

import gc
import sys
import weakref
from collections.abc import Callable, Collection, Sequence
from time import perf_counter
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer
from torch.utils import _python_dispatch as dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from firstlight.graph.calling import tensors_in
from firstlight.graph.operations import Graph
from firstlight.graph.source import own_frame
from firstlight.graph.tracer import Tracer, is_compiled, sweep
from firstlight.graph.workspace import workspace
from firstlight.run import Recorder
from firstlight.run.looks import TWO_WAYS, Pace, in_backward, makers, rounded, unheard
from firstlight.train.alive import Alive

_PACE = {"share": 0.003, "growth": 0.25, "free_s": 0.03}  # see `firstlight.run.looks.Pace`
_MOST_OPERATIONS = 20_000  # more is no step but something else: the look is given up
_MOST_MOMENTS = 200_000  # of its memory, also of what runs without gradients
_MOST_ON_DISK = 32 * 2**20  # bytes of graphs in one record
_SAMPLE = 16_384  # so many numbers of an activation say enough
_POINTS = 100  # of the curve of memory over a step
_NUMBER_OF = torch.ops.aten._local_scalar_dense.default
_NO_MEMORY = ("prim", "profiler")  # what asks or notes and makes no tensor
_PHASES = ("forward", "backward", "optimizer")


def attend() -> None:
    """Let every recorder from now on look at graph, activations and memory. A second call changes nothing."""
    if _make not in makers:
        makers.append(_make)


def _make(recorder: Recorder, always: Collection[int]) -> "StepLook":
    return StepLook(recorder, Pace(**_PACE, always=always))


class StepLook:
    """Looks at single steps; see `firstlight.run.looks.Look`.

    Facts: `graph`, `activations`, `memory`, and on change `modes` (paths of modules in evaluation mode) and `shapes`
    (of what the models were given). The operations of a graph are noted where they differ from those noted last.
    """

    def __init__(self, recorder: Recorder, pace: Pace) -> None:
        self.pace = pace
        self._recorder, self._run = recorder, recorder.run
        self._summary: dict[str, Any] = {}
        self._tracer: StepTracer | None = None
        self._live: _Live | None = None
        self._graph: Graph | None = None  # the one noted last
        self._rows: list[dict[str, Any]] = []
        self._rows_at = 0
        self._on_disk = 0
        self._told: dict[str, Any] = {}
        self._began_s = 0.0

    def begin(self, step: int) -> bool:
        """See `Look.begin`."""
        sweep()
        if self._on_disk > _MOST_ON_DISK:
            return False
        models = self._recorder.models
        if _compiled.any_alive():
            self._recorder.see_less("compile")  # one that the step calls would be compiled anew with a tracer around it
            return False
        began = perf_counter()
        self._tracer = StepTracer(step)
        self._live = None
        if any(is_compiled(module) for model in models for module in model.modules()):
            self._recorder.see_less("compile")
        elif _memory_can_be_seen(models):
            self._live = self._tracer.live = _Live(self._tracer)
            with unheard():
                self._live.note(models, self._recorder.optimizers)
        self._tracer.start()
        self._began_s = perf_counter() - began
        return True

    def phase(self, name: str) -> None:
        """See `Look.phase`."""
        if self._live is not None:
            self._live.phase = "optimizer" if name == "closure" else name

    def end(self) -> None:
        """See `Look.end`."""
        tracer, live = self._tracer, self._live
        if tracer is None:
            return
        began = perf_counter()
        self.drop()
        step = tracer.step or 0
        if tracer.seen:
            self._note_graph(step, tracer)
            if tracer.activations:
                self._run.add_fact(step, "activations", tracer.activations_read())
            if live is not None and live.broken is None and self._graph is not None:
                self._run.add_fact(step, "memory", live.found(self._graph))
            self._tell(step, "modes", {"evaluation": sorted(tracer.evaluating)})
            self._tell(step, "shapes", {"inputs": tracer.shapes})
        cost = self._began_s + tracer.own_s + (live.own_s if live is not None else 0.0) + perf_counter() - began
        self.pace.took(step, cost)
        if tracer.seen:
            self._run.add_fact(step, "graph", {**self._summary, "seconds": rounded(cost)})
        broken = tracer.broken or (live.broken if live is not None else None)
        if broken is not None and not isinstance(broken, _Left):
            raise broken

    def drop(self) -> None:
        """See `Look.drop`."""
        tracer, self._tracer, self._live = self._tracer, None, None
        if tracer is not None:
            tracer.stop()

    def _note_graph(self, step: int, tracer: "StepTracer") -> None:
        graph = tracer.graph()
        rows = graph.rows()
        changes: int | None = None
        if self._graph is not None:
            changes = 0 if rows == self._rows else sum(one.sign != " " for one in self._graph.diff(graph).changes)
        if rows != self._rows:
            self._run.add_operations(step, rows)
            self._on_disk += 700 * len(rows)  # about
            self._graph, self._rows, self._rows_at = graph, rows, step
        saved = graph.saved_bytes
        self._summary = {"rows_at": self._rows_at, "operations": len(graph), "changes": changes, "saved": saved}

    def _tell(self, step: int, kind: str, data: Any) -> None:
        if self._told.get(kind) != data:
            self._told[kind] = data
            self._run.add_fact(step, kind, data)


class _Left(Exception):
    """A look was given up, and nothing is wrong."""


class StepTracer(Tracer):
    """A tracer for a step of somebody's training: it hears only what learns, and a mistake of ours ends the look.

    Attributes:
        own_s: Seconds that listening has cost.
        broken: What went wrong with us, if something did.
        evaluating: Paths of the modules that ran in evaluation mode.
        shapes: Of the tensors that models were given, in the order of the calls.
    """

    def __init__(self, step: int) -> None:
        super().__init__(step=step)
        self.own_s = 0.0
        self.broken: Exception | None = None
        self.live: _Live | None = None
        self.evaluating: set[str] = set()
        self.shapes: list[list[int]] = []
        self.activations: list[tuple[str, str, Any]] = []

    @property
    def seen(self) -> bool:
        """Whether there is a graph to tell of."""
        return self.broken is None and bool(self._operations)

    def _enter_thread(self) -> None:
        super()._enter_thread()
        if self.live is not None:
            _put_dispatcher_at_bottom(self.live)
            self.live.placed = True

    def _leave_thread(self) -> bool:
        live = self.live
        if in_backward():
            return False
        if live is not None and live.placed:
            if not _take_dispatcher_away(live):
                return False
            live.placed = False
        if super()._leave_thread():
            return True
        if live is not None and self._running:
            _put_dispatcher_at_bottom(live)
            live.placed = True
        return False

    def _run(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._deaf or not torch.is_grad_enabled() or _is_traced():
            return func(*args, **kwargs)
        return super()._run(func, args, kwargs)

    @property
    def _deaf(self) -> bool:
        return self.broken is not None or not self._running

    def _give_up(self, error: Exception | None) -> None:
        self.broken = error or _Left()
        self._operations, self._calls, self._nodes, self.activations = [], [], {}, []
        if self.live is not None:
            self.live.broken = self.broken

    def _safely(self, do: Callable[..., Any], *args: Any) -> Any:
        """Our own work: timed, and worth less than the training."""
        if self.broken is not None:
            return None
        began = perf_counter()
        try:
            with unheard():
                return do(*args)
        except Exception as error:  # noqa: BLE001 - whatever it is, the step goes on without us
            self._give_up(error)
            return None
        finally:
            self.own_s += perf_counter() - began

    def _look_before(self, given: list[Tensor]) -> list[int]:
        return self._safely(super()._look_before, given) or []

    def _look_after(self, *args: Any) -> None:
        if len(self._operations) > _MOST_OPERATIONS:
            self._give_up(None)
        self._safely(super()._look_after, *args)

    def _note_failure(self, *args: Any) -> None:
        self._safely(super()._note_failure, *args)

    def _call(self, original: Callable[..., Any], module: nn.Module, args: Any, kwargs: Any) -> Any:
        if self._deaf:
            if not self._stack:
                self.stop()  # what has been given up need not stay until the step ends, which may be never
            return original(module, *args, **kwargs)
        from_data = not self._stack and own_frame(sys._getframe(1))[1] == "data"  # pictures made ready, say
        # What torch.jit traces would write down our questions too.
        if from_data or not torch.is_grad_enabled() or _is_traced():
            return self._unheard(original, module, args, kwargs)
        return super()._call(original, module, args, kwargs)

    def _listens_inside(self, module: nn.Module) -> bool:
        return super()._listens_inside(module) and (module.training or not isinstance(module, TWO_WAYS))

    def _enter(self, module: nn.Module, given: list[Tensor]) -> None:
        self._safely(self._enter_with_mode, module, given)

    def _enter_with_mode(self, module: nn.Module, given: list[Tensor]) -> None:
        outermost = not self._stack
        super()._enter(module, given)
        if not module.training:
            self.evaluating.add(self._calls[-1].module)
        if outermost:
            for tensor in given:  # a side that differs from sample to sample has a name for its length
                self.shapes.append([side if isinstance(side, int) else str(side) for side in tensor.shape])
            if self.live is not None:
                self.live.count("batch", given)

    def _leave(self, module: nn.Module, given: list[Tensor], result: Any, before: int, *, inside: bool) -> None:
        self._safely(lambda: super(StepTracer, self)._leave(module, given, result, before, inside=inside))
        if not module._modules:
            self._safely(self._measure, module, result)

    def _note_module_failure(self, given: list[Tensor], error: Exception) -> None:
        self._safely(super()._note_module_failure, given, error)

    def _measure(self, module: nn.Module, result: Any) -> None:
        """Mean, standard deviation and share of zeros of what a module gives; of some samples where it is large."""
        tensor = next(iter(tensors_in(result)), None)
        if (
            type(tensor) is not Tensor
            or tensor.is_meta
            or not tensor.is_floating_point()
            or tensor.layout != torch.strided
        ):
            return
        if torch._C._functorch.is_functorch_wrapped_tensor(tensor):  # of torch.func, gone with the end of its block
            return
        if not tensor.numel() or (tensor.is_cuda and torch.cuda.is_current_stream_capturing()):
            return
        with torch.no_grad():
            values = tensor.detach()
            if values.numel() > _SAMPLE and values.ndim:
                values = values[: max(1, _SAMPLE * len(values) // values.numel())]
            values = values.float()
            spread, mean = torch.std_mean(values, unbiased=False)
            zeros = (values == 0).float().mean()
            found = torch.stack([mean, spread, zeros])
        call = self._calls[self._stack[-1][0]] if self._stack else None
        path = call.module if call is not None else ""
        self.activations.append((path, type(module).__name__, found))

    def activations_read(self) -> dict[str, Any]:
        """Their fact: lists in the order in which the modules ran."""
        found: dict[torch.device, list[Tensor]] = {}
        for _path, _kind, values in self.activations:
            found.setdefault(values.device, []).append(values)
        with unheard():
            numbers = {device: iter(torch.stack(values).tolist()) for device, values in found.items()}
        rows = [(path, kind, next(numbers[values.device])) for path, kind, values in self.activations]
        return {
            "names": [path for path, _kind, _values in rows],
            "kinds": [kind for _path, kind, _values in rows],
            "mean": [rounded(values[0]) for _path, _kind, values in rows],
            "std": [rounded(values[1]) for _path, _kind, values in rows],
            "zero": [rounded(values[2]) for _path, _kind, values in rows],
        }

    def path_of_backward(self) -> str:
        """Whose backward pass runs now, as far as it is known."""
        node: Any = torch._C._current_autograd_node()
        mark = self._known(node) if node is not None else None
        if mark is None or mark[1] is None:
            return ""
        return self._path_of(self._operations[mark[1]]["call"])

    def path_of_forward(self) -> str:
        """Which module runs now."""
        return self._path_of(self._stack[-1][0] if self._stack else None)

    def _path_of(self, call: int | None) -> str:
        return "" if call is None else self._calls[call].module


class _Live(Alive):
    """The memory of the tensors that live during a step: after each operation, with what it takes for a moment."""

    def __init__(self, tracer: StepTracer) -> None:
        super().__init__()
        self.phase = "forward"
        self.broken: Exception | None = None
        self.placed = False  # whether it stands in the stack of its thread
        self.own_s = 0.0
        self._tracer = tracer
        self._curve: list[tuple[str, int]] = []
        self._peaks: dict[str, int] = {}
        self._peak = 0
        self._at = {"phase": "forward", "module": "", "operation": ""}
        self._before: dict[str, int] = {}

    def note(self, models: Sequence[nn.Module], optimizers: Sequence[Optimizer]) -> None:
        """What is there before the step: parameters and buffers, gradients, what optimizers keep."""
        groups = [group["params"] for optimizer in optimizers for group in optimizer.param_groups]
        weights = [
            *(weight for model in models for weight in model.parameters()),
            *(w for held in groups for w in held),
        ]
        self.count("parameters", [*weights, *(buffer for model in models for buffer in model.buffers())])
        self.count("gradients", [weight.grad for weight in weights])
        self.count("state", tree_leaves([dict(optimizer.state) for optimizer in optimizers]))

    def count(self, kind: str, tensors: Sequence[Any]) -> None:
        before = self.live
        for tensor in tensors:
            self.know(tensor, count=True)
        self._before[kind] = self._before.get(kind, 0) + self.live - before

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is _NUMBER_OF and not isinstance(args[0], Tensor):
            return args[0]  # autograd's constants arrive as plain numbers here, which the function itself does not take
        out = func(*args, **(kwargs or {}))
        if self.broken is not None or not self.placed or func.namespace in _NO_MEMORY:
            return out
        began = perf_counter()
        try:
            self._hear(func, args, out)
        except Exception as error:  # noqa: BLE001 - whatever it is, the step goes on without us
            self.broken = error
        self.own_s += perf_counter() - began
        return out

    def _hear(self, func: Any, args: Any, out: Any) -> None:
        if isinstance(out, Tensor):
            self.know(out, count=True)
        else:
            for value in tree_leaves(out):
                self.know(value, count=True)
        now = self.live + workspace(func, args, out)
        self._curve.append((self.phase, now))
        if len(self._curve) > _MOST_MOMENTS:
            self.broken, self._curve = _Left(), []
            return
        if now > self._peaks.get(self.phase, 0):
            self._peaks[self.phase] = now
        if now > self._peak:
            self._peak = now
            tracer = self._tracer
            module = tracer.path_of_backward() if self.phase == "backward" else tracer.path_of_forward()
            self._at = {"phase": self.phase, "module": module, "operation": func.overloadpacket.__name__}

    def found(self, graph: Graph) -> dict[str, Any]:
        """The fact: bytes by kind, the peak by phase, what is held for backward by module, the curve of one step."""
        saved: dict[str, int] = {}
        for operation in graph:
            if held := operation.saved_bytes:
                path = "" if operation.call is None else graph.calls[operation.call].module
                saved[path] = saved.get(path, 0) + held
        return {
            "before": sum(self._before.values()), **self._before, "peak": self._peak, "at": self._at,
            "phases": {phase: self._peaks.get(phase, 0) for phase in _PHASES}, "saved": saved, "curve": self._thinned(),
        }  # fmt: skip

    def _thinned(self) -> list[list[Any]]:
        """At most so many points of the curve: of each stretch the highest, and none across two phases."""
        wide = max(1, -(-len(self._curve) // (_POINTS - len(_PHASES) - 2)))
        found: list[list[Any]] = []
        taken = wide
        for phase, held in self._curve:
            if taken >= wide or found[-1][0] != phase:
                found.append([phase, held])
                taken = 1
            else:
                found[-1][1] = max(found[-1][1], held)
                taken += 1
        return found[-_POINTS:]


class _CompiledFunctions:
    """The functions of this process that torch.compile runs: nobody hears of their calls, as they are no modules.

    They are looked for where something was compiled since the last time. Private names of PyTorch's. Canary:
    tests/graph/test_looks.py.
    """

    def __init__(self) -> None:
        self._known: dict[int, Any] = {}  # what compiled something; held, so that no number comes twice
        self._found: list[weakref.ref[Any]] = []

    def any_alive(self) -> bool:
        """Whether there are such functions now."""
        backends = getattr(sys.modules.get("torch._dynamo.eval_frame"), "cached_backends", {})
        if backends.keys() != self._known.keys():
            self._known = dict(backends)
            # None: what is kept from being compiled.
            self._found = self._search() if any(one is not None for one in backends.values()) else []
            if self._found:
                gc.collect()  # some may be garbage
        return any(reference() is not None for reference in self._found)

    def _search(self) -> list["weakref.ref[Any]"]:
        objects = gc.get_objects()
        modules = [vars(one) for one in objects if issubclass(type(one), nn.Module)]
        # Calls of a compiled module come through the module.
        through = {id(held.get(name)) for held in modules for name in ("forward", "_compiled_call_impl")}
        return [
            weakref.ref(one)
            for one in objects
            if type(one) is FunctionType and id(one) not in through and hasattr(one, "get_compiler_config")
        ]


_compiled = _CompiledFunctions()


def _is_traced() -> bool:
    """Whether torch.jit writes down what this thread computes, to make a program of it."""
    return bool(torch._C._is_tracing())


def _memory_can_be_seen(models: Sequence[nn.Module]) -> bool:
    """Plain tensors and modules only, and no dispatcher of somebody else's."""
    if _stack_length():
        return False
    plain = all(type(one) in (Tensor, nn.Parameter) for model in models for one in model.parameters())
    return plain and not any(isinstance(one, torch.jit.ScriptModule) for model in models for one in model.modules())


def _stack_length() -> int:
    return int(torch._C._len_torch_dispatch_stack())


def _put_dispatcher_at_bottom(mode: TorchDispatchMode) -> None:
    above = _lift_dispatchers()
    for other in (mode, *reversed(above)):
        dispatch._push_mode(other)


def _take_dispatcher_away(mode: TorchDispatchMode) -> bool:
    """Whether it was there: while it hears of an operation it is lifted."""
    lifted = _lift_dispatchers()
    for other in reversed(lifted):
        if other is not mode:
            dispatch._push_mode(other)
    return any(other is mode for other in lifted)


def _lift_dispatchers() -> list[TorchDispatchMode]:
    """Take all dispatchers off the stack, the uppermost first. Private names of PyTorch's, as in `graph.tracer`."""
    return [dispatch._pop_mode() for _ in range(_stack_length())]
