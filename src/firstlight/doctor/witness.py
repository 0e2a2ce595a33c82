"""`Witness`: listens to the training of this process, whoever wrote it and whatever it looks like.

The taps are put in once and stay: at the kernel's start in the lab, before the script under `firstlight doctor`. They
tell the observers, and what observers know becomes facts in a record. Only cheap things are heard at every step; the
inside of models and the graph of a loss are looked at closely at the first steps, then ever more rarely.
"""

import contextlib
import functools
import gc
import os
import random
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib import import_module
from itertools import islice
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import DataLoader

from firstlight.compat import forget_wrappers
from firstlight.doctor.code import units_now
from firstlight.doctor.observer import Backward, Call, Feed, Observer
from firstlight.doctor.overhearing import make_way, take_all_off
from firstlight.doctor.places import Place, here
from firstlight.doctor.trail import Trail
from firstlight.graph.source import kind_of_file
from firstlight.run import Run, audience
from firstlight.run.errors import NotJson
from firstlight.run.looks import in_backward, may_take_two_ways, unheard
from firstlight.run.taps import Wrapped

_PLAIN = (Tensor, nn.Parameter)
_NO_DISPATCH = Tensor.__torch_dispatch__
_FIRST = 3  # so many first calls and backward passes are looked at closely, then those at 10, 20, 40, 80, ...
_TRAILS = 2  # first calls of each root whose lines are followed
_MOST_TRAILED = 16  # roots
_COMPLETE = 24  # so many first steps are heard by all
_WINDOW = 3  # and so many, when something new is heard: a pass over a loader, an evaluation, an optimizer's first step
_WAKES = 12  # times that this is done in full; then it is one step, where listening has had its share
_FREE_S = 0.05  # so much may be spent whatever the training takes
_SHARE = 0.01  # and of the training's time this share
_LISTEN_S, _LISTEN = 0.01, 0.005  # the same for steps that all hear although some may miss them: looks come first


class Witness:
    """Hears what a program does with PyTorch and hands it to observers.

    Attributes:
        observers: Of this episode.
        session: What observers remember across episodes, by a name of their own.
        lost: Observers that failed, and how.
        own_s: Seconds that listening has cost in this episode.
        backwards: Backward passes of this episode.
        steps: Steps of optimizers of this episode.
        blind: What is not seen, as codes: `compile`.
    """

    def __init__(self, kinds: "tuple[type[Observer], ...] | None" = None) -> None:
        if kinds is None:
            from firstlight.doctor.observers import all_observers

            kinds = all_observers()
        self._kinds = kinds
        self._functions = {target: _Function() for kind in kinds for target in kind.hears.values()}
        self.session: dict[str, Any] = {}
        self.observers: list[Observer] = []
        self.lost: dict[str, str] = {}
        self.blind: set[str] = set()
        self.own_s = 0.0
        self.backwards = self.steps = self.calls = 0
        self._most = 0  # steps of one optimizer
        self._local = _Local()
        self._wrapped: list[Wrapped] = []
        self._compilable: list[Wrapped] = []  # those that stand in what a program may compile
        self._later: list[Wrapped] = []  # those of `hear_now`
        self._handles: list[Any] = []
        self._ours = False  # whether our own loaders are heard
        self._by_all: dict[str, tuple[Any, ...]] = {}
        self._by_few: dict[str, tuple[Any, ...]] = {}
        self._told = self._by_all  # or `_by_few`, where those who may miss a step miss it
        self._awake = 0  # steps that are still heard by all
        self._roused = False
        self._wakes = 0
        self._steps_of: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._owns: dict[int, bool] = {}
        self._seen: weakref.WeakKeyDictionary[nn.Module, list[int]] = weakref.WeakKeyDictionary()
        self._made_at: weakref.WeakKeyDictionary[Optimizer, Place | None] = weakref.WeakKeyDictionary()
        self._trails: weakref.WeakKeyDictionary[nn.Module, int] = weakref.WeakKeyDictionary()
        self._names: dict[int, tuple[weakref.ref[Tensor], str]] = {}
        self._roots: dict[int, weakref.ref[nn.Module]] = {}
        self._feed: Feed | None = None
        self._feeds = 0
        self._runs: list[weakref.ref[Run]] = []
        self._began = perf_counter()
        self._process = os.getpid()
        self._files: dict[str, None] = {}  # the learner's, in the order in which they were met

    # Its life.

    def attend(self) -> "Witness":
        """Begin to listen. A second call changes nothing."""
        if self._handles:
            return self
        self.begin()
        for owner, name, make in (
            (nn.Module, "__call__", self._call),
            (torch.autograd, "backward", self._backward),
            (torch.autograd, "grad", self._gradient),
            (Optimizer, "zero_grad", self._zero_grad),
            (nn.Module, "zero_grad", self._zero_grad),
            (Optimizer, "__init__", self._made),
            (DataLoader, "__iter__", self._iterate),
            (warnings, "showwarning", self._warn),
            (torch, "compile", self._compile),
        ):
            self._wrapped.append(Wrapped(owner, name, make))
            if owner is nn.Module:
                self._compilable.append(self._wrapped[-1])
        for (path, attribute), function in self._functions.items():
            owner = _owner(path)
            if owner is not None and hasattr(owner, attribute):
                function.wrapped = Wrapped(owner, attribute, functools.partial(self._hear, function))
                function.of_tensors = owner is Tensor
                self._wrapped.append(function.wrapped)
                self._compilable.append(function.wrapped)
        self._handles = [
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
            register_module_parameter_registration_hook(self._registered),
        ]
        self._tap_ours()
        audience.append(self._follow)
        return self

    def _tap_ours(self) -> None:
        """Our own loaders, once the program has loaded them: a program without them need not wait until they are."""
        kind = getattr(sys.modules.get("firstlight.data.dataset"), "Batches", None)
        if kind is not None and not self._ours:
            self._ours = True
            self._wrapped.append(Wrapped(kind, "__iter__", self._iterate))

    def leave(self) -> None:
        """Stop listening, and leave no trace in torch."""
        take_all_off()
        for wrapped in reversed([*self._wrapped, *self._later]):
            wrapped.restore()
        forget_wrappers()
        for handle in self._handles:
            handle.remove()
        self._wrapped, self._later, self._compilable, self._handles, self._ours = [], [], [], [], False
        with contextlib.suppress(ValueError):
            audience.remove(self._follow)

    def begin(self) -> None:
        """A new episode: observers that have seen nothing."""
        self.own_s, self.backwards, self.steps, self.calls, self._feeds, self._most = 0.0, 0, 0, 0, 0, 0
        self.lost, self._began, self._feed, self._wakes = {}, perf_counter(), None, 0
        self._steps_of, self._seen = weakref.WeakKeyDictionary(), weakref.WeakKeyDictionary()
        self._trails = weakref.WeakKeyDictionary()
        self.observers = []
        take_all_off()  # the episode before may have ended in the middle of an evaluation or of a step
        while self._later:
            self._later.pop().restore()
        for kind in self._kinds:
            self._safely(kind.__name__, functools.partial(self._make, kind))
        self._prepare()

    def renew(self) -> None:
        """A new episode in a process that goes on: optimizers that live are known to it from the start."""
        made = [(optimizer, place) for optimizer, place in self._made_at.items() if optimizer is not None]
        self.begin()
        for optimizer, place in made:
            self._tell("optimizer_made", optimizer, place)

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What is known now, and how much of it."""
        for observer in list(self.observers):
            found: list[tuple[str, Any]] = []
            self._safely(type(observer).__name__, functools.partial(_gather, observer, found), observer)
            yield from found
        yield (
            "witness",
            {
                "overhead": round(self.overhead, 5),
                "backwards": self.backwards,
                "steps": self.steps,
                "calls": self.calls,
                "blind": sorted(self.blind),
                "lost": dict(self.lost),
                "seconds": round(perf_counter() - self._began, 3),
            },
        )

    def tell(self, run: Run) -> Run:
        """Write what is known into a record, and the program that it is known of."""
        for kind, data in self.facts():
            try:
                run.add_fact(self.step, kind, data)
            except NotJson as error:
                self.lost[kind] = repr(error)
        run.add_fact(self.step, "code", [asdict(unit) for unit in units_now(self._files)])
        return run

    def probe(self) -> None:
        """The episode is over or stands still: let observers make their small experiments, on copies.

        Random numbers go on as if nothing had happened.
        """
        with _randomness_kept(), one_thread():
            for observer in list(self.observers):
                if type(observer).probe is not Observer.probe:
                    self._safely(type(observer).__name__, observer.probe, observer, learning=True)

    @contextlib.contextmanager
    def apart(self) -> Iterator[None]:
        """A block in which copies are trained: nobody hears of it, and random numbers go on afterwards as before."""
        before, self._local.deaf = self._local.deaf, True
        hooks = [(one, dict(one)) for one in _global_hooks()]
        try:
            for one, _kept in hooks:
                one.clear()
            with torch.inference_mode(False), torch.enable_grad(), _randomness_kept():
                yield
        finally:
            for one, kept in hooks:
                one.update(kept)
            self._local.deaf = before

    # What observers ask.

    @property
    def step(self) -> int:
        """The step that is on its way, from 0: backward passes or an optimizer's steps, whichever are more."""
        return self.backwards if self.backwards > self._most else self._most

    @property
    def overhead(self) -> float:
        """Own time as a share of the time of the episode."""
        return self.own_s / max(perf_counter() - self._began, 1e-9)

    @property
    def feed(self) -> Feed | None:
        """The pass that gave the newest batch."""
        return self._feed

    def may_spend(self) -> bool:
        """Whether there is time for something costly: all that is heard stays within its share of the training."""
        return self.own_s < _FREE_S + _SHARE * (perf_counter() - self._began)

    def _may_listen(self) -> bool:
        """Whether all may hear another step: what is left of the time then is for close looks."""
        return self.own_s < _LISTEN_S + _LISTEN * (perf_counter() - self._began)

    def place(self) -> Place | None:
        """The learner's line that runs now. Costs microseconds: ask at first occurrences."""
        found = here(2)
        if found is not None:
            self._files.setdefault(found.file)
        return found

    def roots(self) -> list[nn.Module]:
        """The roots that were called and still live, in the order of their first calls."""
        return [module for reference in self._roots.values() if (module := reference()) is not None]

    def name_of(self, tensor: Any) -> str | None:
        """The name of a parameter or buffer within its root; None where no root that was called holds it."""
        found = self._names.get(id(tensor))
        return found[1] if found is not None and found[0]() is tensor else None

    def steps_of(self, optimizer: Optimizer) -> int:
        """Steps that an optimizer has made in this episode."""
        return self._steps_of.get(optimizer, 0)

    def hear_now(self, observer: Observer, names: dict[str, tuple[str, str]]) -> None:
        """From here on, tell an observer of these functions, too: only programs that have them heard pay for it."""
        if "compile" in self.blind:
            return  # a compiler would compile our wrappers too
        for name, (path, attribute) in names.items():
            owner = _owner(path)
            if owner is None or not hasattr(owner, attribute):
                continue
            function = _Function()
            function.by_all = {"calling": [], "called": [(observer, observer.called, name)]}
            function.by_few = function.by_all
            function.wrapped = Wrapped(owner, attribute, functools.partial(self._hear, function))
            function.of_tensors = owner is Tensor
            self._later.append(function.wrapped)
            self._compilable.append(function.wrapped)

    def enough(self, observer: Observer, name: str) -> None:
        """An observer has heard enough of a function of its `hears`: in this episode, its calls cost nothing more."""
        function = self._functions[type(observer).hears[name]]
        for by in (function.by_all, function.by_few):
            for event, told in by.items():
                by[event] = [one for one in told if one[0] is not observer or one[2] != name]

    def listen_fully(self) -> None:
        """Something new has begun: from here on all are told again, for some steps."""
        if self._told is self._by_few:
            self._wakes += 1
            self._told = self._by_all
            self._tell("missed")
        self._awake = _WINDOW if self._wakes <= _WAKES or self._may_listen() else 1

    def stay(self) -> None:
        """Something is unusual: let all hear the next step, too."""
        self._awake = max(self._awake, 1)

    def rouse(self) -> None:
        """A pass over a loader ends unusually: let all hear what comes before the next one."""
        self._roused = True

    def heard_out(self, observer: Observer) -> None:
        """An observer has heard all that it wants: nothing more is told to it in this episode, and it costs nothing."""
        for by in (self._by_all, self._by_few):
            for event, told in by.items():
                by[event] = tuple(one for one in told if one[0] is not observer)
        for name in type(observer).hears:
            self.enough(observer, name)

    def failed(self, error: BaseException) -> None:
        """Tell that the script or cell ended with an exception."""
        self._tell("failed", error)

    def recovered(self) -> None:
        """Tell that this is past: another cell begins."""
        self._tell("recovered")

    # Private: telling.

    def _make(self, kind: type[Observer]) -> None:
        self.observers.append(kind(self))

    def _prepare(self) -> None:
        events = [name for name in vars(Observer) if not name.startswith("_") and callable(getattr(Observer, name))]
        self._by_all = {
            name: tuple(
                (observer, getattr(observer, name))
                for observer in self.observers
                if getattr(type(observer), name) is not getattr(Observer, name)
            )
            for name in events
        }
        self._by_few = {
            name: tuple(one for one in told if not _may_miss(one[0], name)) for name, told in self._by_all.items()
        }
        for target, function in self._functions.items():
            for event in ("calling", "called"):
                function.by_all[event] = [
                    (observer, method, name)
                    for observer, method in self._by_all[event]
                    for name, wanted in type(observer).hears.items()
                    if wanted == target
                ]
                function.by_few[event] = [one for one in function.by_all[event] if not _may_miss(one[0], event)]
        self._told = self._by_all
        self._awake = _WINDOW

    def _spare(self) -> None:
        """A step is over: whether those who may miss some hear the next one."""
        step = self.step
        if step < _COMPLETE or self._is_close(step) or self._may_listen():
            self.listen_fully()
        elif self._awake:
            self._awake -= 1
        else:
            self._told = self._by_few

    @property
    def _deaf(self) -> bool:
        return self._local.deaf or os.getpid() != self._process

    def _tell(self, event: str, *args: Any) -> None:
        """Tell all who want to hear it. Never raises."""
        told = self._told[event]
        if not told or self._local.deaf or _in_transform():
            return
        began = perf_counter()
        self._local.deaf = True
        grad = torch.is_grad_enabled()
        torch._C._set_grad_enabled(False)  # what a context manager does takes longer than most of what is told
        heard = torch._C._len_torch_dispatch_stack()
        try:
            with unheard() if heard else torch._C.DisableTorchFunction():
                for observer, method in told:
                    try:
                        method(*args)
                    except Exception as error:  # noqa: BLE001 - whatever it is, the training is worth more
                        self._lose(observer, error)
        finally:
            torch._C._set_grad_enabled(grad)
            self._local.deaf = False
            self.own_s += perf_counter() - began

    def _safely(
        self, name: str, do: Callable[[], Any], observer: Observer | None = None, *, learning: bool = False
    ) -> None:
        before, self._local.deaf = self._local.deaf, True
        try:
            with torch.set_grad_enabled(learning), unheard():
                do()
        except Exception as error:  # noqa: BLE001 - as above
            if observer is not None:
                self._lose(observer, error)
            else:
                self.lost[name] = repr(error)
        finally:
            self._local.deaf = before

    def _lose(self, observer: Observer, error: Exception) -> None:
        self.lost[type(observer).__name__] = repr(error)
        if os.environ.get("FIRSTLIGHT_DOCTOR") == "strict":  # for those who write observers
            sys.excepthook(type(error), error, error.__traceback__)
        self.observers = [other for other in self.observers if other is not observer]
        spared = self._told is self._by_few
        self._prepare()
        if spared:  # the others are told that they missed something before they hear all again
            self._told = self._by_few

    def _is_close(self, number: int) -> bool:
        if number < _FIRST:
            return True
        tens, left = divmod(number, 10)
        return not left and not tens & (tens - 1) and self.may_spend()

    # Private: the taps. What runs here runs at each call: no work but what somebody wants.

    def _call(self, original: Callable[..., Any]) -> Callable[..., Any]:
        local = self._local
        owns = self._owns

        def __call__(module: nn.Module, *args: Any, **kwargs: Any) -> Any:  # noqa: N807 - it takes the place of this
            call = local.call
            if call is not None:
                if call is _INSIDE or not call.close or local.deaf:
                    return original(module, *args, **kwargs)
                output = original(module, *args, **kwargs)
                if not (torch.compiler.is_compiling() or _opaque(args) or _opaque(output)):
                    self._tell("module", call, module, args, output)
                return output
            if local.deaf or torch.compiler.is_compiling() or in_backward() or _in_transform():
                return original(module, *args, **kwargs)
            if _opaque(args) or _opaque(kwargs):
                return original(module, *args, **kwargs)
            if owns.get(id(module)) is False:
                return original(module, *args, **kwargs)
            try:
                call = self._begin(module, args, kwargs)
            except Exception as error:  # noqa: BLE001 - an unusual module: it is called as if we were not there
                self.lost["call"] = repr(error)
                call = None
            if call is None:
                return original(module, *args, **kwargs)
            self._tell("forward_begins", call)
            make_way(module)
            local.call = call if call.close else _INSIDE
            try:
                with call.trail or _NO_TRAIL:
                    call.output = output = original(module, *args, **kwargs)
            finally:
                local.call = None
            if not _opaque(output):
                self._tell("forward", call)
            return output

        return __call__

    def _begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        """What is known of a call before it; None where the module is no root."""
        began = perf_counter()
        if id(module) not in self._owns and not self._meet(module):
            return None
        number = self.calls
        self.calls = number + 1
        grad = torch.is_grad_enabled()
        close = self._is_close(number) or self._first_of(module, grad)
        if not grad:
            self.listen_fully()  # an evaluation, which is heard as a whole
        call = Call(module, args, kwargs, grad, module.training, number, close)
        if close:
            call.place = self.place()
            if grad and self._may_trail(module):
                call.trail = Trail()
        self.own_s += perf_counter() - began
        return call

    def _meet(self, module: nn.Module) -> bool:
        """Whether a module that was not called before owns parameters, so that it is a root and no transform."""
        known = next(module.parameters(), None) is not None
        key = id(module)
        self._owns[key] = known
        weakref.finalize(module, self._owns.pop, key, None)
        if known:
            self._roots[key] = weakref.ref(module, lambda _gone: self._roots.pop(key, None))
            self._name(module)
        return known

    def _name(self, module: nn.Module) -> None:
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            key = id(tensor)
            self._names[key] = (weakref.ref(tensor, functools.partial(self._forget, key)), name)

    def _forget(self, key: int, _gone: Any) -> None:
        self._names.pop(key, None)

    def _first_of(self, module: nn.Module, grad: bool) -> bool:
        """The first calls of each root, with and without gradients, are close ones."""
        counts = self._seen.get(module)
        if counts is None:
            counts = self._seen[module] = [0, 0]
        counts[grad] += 1
        return counts[grad] <= _FIRST

    def _may_trail(self, module: nn.Module) -> bool:
        """Whether the lines of this call may be followed: the first two of each root, where nothing is compiled."""
        made = self._trails.get(module, 0)
        if made >= _TRAILS or len(self._trails) > _MOST_TRAILED or "compile" in self.blind:
            return False
        self._trails[module] = made + 1
        if may_take_two_ways(module):
            return False
        return not isinstance(module, torch.jit.ScriptModule) and torch._C._get_tracing_state() is None

    def _backward(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            if self._local.deaf or in_backward() or _in_transform():
                return original(tensors, *args, **kwargs)
            retain = kwargs.get("retain_graph", args[1] if len(args) > 1 else None)
            create = kwargs.get("create_graph", args[2] if len(args) > 2 else False)
            if _opaque(tensors):
                return original(tensors, *args, **kwargs)
            going = self._going(tensors, retain, bool(create), "backward")
            result = original(tensors, *args, **kwargs)
            self._gone(going)
            return result

        return backward

    def _gradient(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def grad(outputs: Any, *args: Any, **kwargs: Any) -> Any:
            if self._local.deaf or in_backward() or _in_transform():
                return original(outputs, *args, **kwargs)
            if _opaque(outputs):
                return original(outputs, *args, **kwargs)
            going = self._going(outputs, kwargs.get("retain_graph"), bool(kwargs.get("create_graph")), "grad")
            result = original(outputs, *args, **kwargs)
            self._gone(going)
            return result

        return grad

    def _going(self, tensors: Any, retain: bool | None, create: bool, by: str) -> Backward:
        listed = tensors if isinstance(tensors, list | tuple) else (tensors,)
        losses = tuple(one for one in listed if isinstance(one, Tensor))
        number = self.backwards
        going = Backward(losses, number, self._is_close(number), retain, create, by)
        if going.close:
            going.place = self.place()
        self._tell("backward_begins", going)
        return going

    def _gone(self, going: Backward) -> None:
        self.backwards += 1
        if self._feed is not None:
            self._feed.learned += 1
        self._tell("backward", going)

    def _zero_grad(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def zero_grad(owner: Any, *args: Any, **kwargs: Any) -> Any:
            self._tell("cleared", owner)
            return original(owner, *args, **kwargs)

        return zero_grad

    def _made(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __init__(optimizer: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - as above
            original(optimizer, *args, **kwargs)
            if not self._deaf:
                self._tap_ours()
                place = self._made_at[optimizer] = self.place()
                self._tell("optimizer_made", optimizer, place)

        return __init__

    def _registered(self, _module: nn.Module, _name: str, parameter: Any) -> None:
        if not self._ours:
            self._tap_ours()
        if parameter is not None and self._told["registered"]:
            self._tell("registered", parameter)

    def _before_step(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        if optimizer not in self._steps_of and not self._deaf:
            self.listen_fully()
        self._tell("step_begins", optimizer)

    def _after_step(self, optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        if self._local.deaf:
            return
        self.steps += 1
        count = self._steps_of[optimizer] = self._steps_of.get(optimizer, 0) + 1
        if count > self._most:
            self._most = count
        self._tell("step", optimizer)
        self._spare()

    def _iterate(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def iterate(loader: Any) -> Any:
            batches = original(loader)
            if self._deaf:
                return batches
            return _Heard(batches, self, Feed(loader, -1))

        return iterate

    def _warn(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def showwarning(message: Any, category: Any, filename: str, lineno: int, *args: Any, **kwargs: Any) -> Any:
            place = self.place()
            self._tell("warned", getattr(category, "__name__", str(category)), str(message), place)
            if place is not None and kind_of_file(filename) == "torch" and Path(filename).parent == _HERE:
                filename, lineno = place.file, place.line  # a warning that meant who called, which was our wrapper
            return original(message, category, filename, lineno, *args, **kwargs)

        return showwarning

    def _compile(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def compile(*args: Any, **kwargs: Any) -> Any:  # noqa: A001 - it takes the place of torch.compile
            self.blind.add("compile")
            for wrapped in self._compilable:  # a compiler would compile our wrappers too, or break off at them
                wrapped.restore()
            forget_wrappers()
            return original(*args, **kwargs)

        return compile

    def _hear(self, function: "_Function", original: Callable[..., Any]) -> Callable[..., Any]:
        def heard(*args: Any, **kwargs: Any) -> Any:
            if function.of_tensors and args and type(args[0]) not in _PLAIN and function.wrapped is not None:
                with function.wrapped.aside():  # it gets the function by its name, and knows but torch's own
                    return original(*args, **kwargs)
            by = function.by_few if self._told is self._by_few else function.by_all
            if not (by["calling"] or by["called"]) or self._deaf or torch.compiler.is_compiling() or _in_transform():
                return original(*args, **kwargs)
            if _opaque(args) or _opaque(kwargs):
                return original(*args, **kwargs)
            if by["calling"]:
                self._hand(by["calling"], args, kwargs)
            result = original(*args, **kwargs)
            if by["called"] and not _opaque(result):
                self._hand(by["called"], args, kwargs, result)
            return result

        return heard

    def _hand(self, told: Any, *args: Any) -> None:
        began = perf_counter()
        self._local.deaf = True
        grad = torch.is_grad_enabled()
        torch._C._set_grad_enabled(False)
        heard = torch._C._len_torch_dispatch_stack()
        try:
            with unheard() if heard else torch._C.DisableTorchFunction():
                for observer, method, name in told:
                    try:
                        method(name, *args)
                    except Exception as error:  # noqa: BLE001 - as above
                        self._lose(observer, error)
        finally:
            torch._C._set_grad_enabled(grad)
            self._local.deaf = False
            self.own_s += perf_counter() - began

    # Private: runs that are recorded beside.

    def _follow(self, run: Run) -> None:
        """A record that somebody keeps of this training gets our facts too, when it rests and when it ends."""

        def note(event: str) -> None:
            if event in ("resting", "ended"):
                self._safely("record", functools.partial(self.tell, run))

        run.subscribe(note)
        self._runs = [reference for reference in self._runs if reference() is not None] + [weakref.ref(run)]

    def follows(self, run: Run) -> bool:
        """Whether a run began while we listened, and has not ended."""
        return run.ended is None and any(reference() is run for reference in self._runs)


class _Local(threading.local):
    """What each thread has of its own: the root that runs, and whether nothing is heard."""

    deaf = False
    call: Call | None = None


class _Function:
    """A function of torch's that observers hear: who is told of its calls, by the event, and as what."""

    def __init__(self) -> None:
        self.wrapped: Wrapped | None = None
        self.of_tensors = False  # whether it is a method of tensors
        self.by_all: dict[str, list[tuple[Observer, Callable[..., None], str]]] = {}
        self.by_few: dict[str, list[tuple[Observer, Callable[..., None], str]]] = {}


def _may_miss(observer: Observer, event: str) -> bool:
    gaps = type(observer).gaps
    return gaps if isinstance(gaps, bool) else event in gaps


class _Heard:
    """One pass over a loader, heard: it hands on the batches unchanged."""

    def __init__(self, batches: Any, witness: Witness, feed: Feed) -> None:
        self._batches, self._witness, self._feed = batches, witness, feed

    def __iter__(self) -> "_Heard":
        return self

    def __next__(self) -> Any:
        witness, feed = self._witness, self._feed
        if feed.number < 0:
            feed.number, witness._feeds = witness._feeds, witness._feeds + 1
            if feed.number < 8:
                feed.place = witness.place()
            witness.listen_fully()
            witness._tell("feed_begins", feed)
        began = perf_counter()
        try:
            batch = next(self._batches)
        except StopIteration:
            if not feed.ended:
                feed.ended = True
                witness._tell("feed_ends", feed)
                if witness._roused:
                    witness._roused = False
                    witness.listen_fully()
            raise
        feed.waited_s += perf_counter() - began
        feed.count += 1
        witness._feed = feed
        if not _opaque(batch):
            witness._tell("batch", feed, batch)
        return batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)

    def __len__(self) -> int:
        return len(self._batches)


def _gather(observer: Observer, found: list[tuple[str, Any]]) -> None:
    found.extend(observer.facts())


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """A block of small steps: on a busy machine a second thread would only keep the first one waiting."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextlib.contextmanager
def _randomness_kept() -> Iterator[None]:
    """A block after which the random numbers of torch, NumPy and Python go on as if it had not been."""
    numpy = sys.modules.get("numpy")
    kept = torch.get_rng_state(), random.getstate(), numpy.random.get_state() if numpy is not None else None
    cuda = sys.modules["torch.cuda"]
    devices = list(range(torch.cuda.device_count())) if cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        try:
            yield
        finally:
            torch.set_rng_state(kept[0])
            random.setstate(kept[1])
            if numpy is not None:
                numpy.random.set_state(kept[2])


# Private names, and so guarded: whether torch.func transforms what runs, and whether torch.compile or jit trace it.
_transforms: Callable[[], Any] = getattr(torch._C._functorch, "peek_interpreter_stack", lambda: None)
_traced: Any = getattr(sys.modules.get("torch._guards"), "_TLS", None)
_jit: Callable[[], Any] = torch._C._get_tracing_state


def _opaque(given: Any, deep: int = 3) -> bool:
    """Whether there are tensors among arguments, results or a batch that cannot be looked into: nobody is told of them.

    Nested tensors have no rows, and those of a class with its own `__torch_dispatch__` know but some functions. Where
    torch's own Python functions are off, an unknown one may end the whole process (2.13: `movedim`, `max`).
    """
    if isinstance(given, Tensor):
        return given.is_nested or type(given).__torch_dispatch__ is not _NO_DISPATCH
    if not deep or not isinstance(given, list | tuple | dict):
        return False
    return any(_opaque(one, deep - 1) for one in islice(given.values() if isinstance(given, dict) else given, 8))


def _in_transform() -> bool:
    """Whether tensors have no values to look at just now."""
    return _transforms() is not None or getattr(_traced, "tracing_context", None) is not None or _jit() is not None


_HERE = Path(__file__).parent
_NO_TRAIL = contextlib.nullcontext()
_INSIDE = Call(nn.Identity(), (), {}, False, False, -1, False)  # a root runs, and nobody looks closely


def _global_hooks() -> list[dict[Any, Any]]:
    """Those that torch calls for every module and optimizer, whoever registered them."""
    found = []
    for path in ("torch.nn.modules.module", "torch.optim.optimizer"):
        names = vars(import_module(path)).items()
        found += [value for name, value in names if name.startswith("_global_") and "hook" in name]
    return [one for one in found if isinstance(one, dict)]


def _owner(path: str) -> Any:
    """The module or class with this path; None where this torch has none."""
    parts = path.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for part in parts[end:]:
            found = getattr(found, part, None)
        return found if found is None or isinstance(found, type | ModuleType) else type(found)
    return None


witness: Witness | None = None
"""The one that listens in this process, None where none does."""


def attend() -> Witness:
    """Let this process be listened to, and give the one that does."""
    global witness
    if witness is None:
        if not gc.get_freeze_count():
            gc.freeze()  # what we keep makes collections more frequent: they need not walk through all that is loaded
        witness = Witness()
    return witness.attend()


def leave() -> None:
    """Let this process be listened to no more."""
    global witness
    if witness is not None:
        witness.leave()
    witness = None
