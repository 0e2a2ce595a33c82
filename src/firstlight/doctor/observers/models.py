"""Which models are made, wrapped, trained and evaluated; and what becomes of the states that are kept of them."""

import contextlib
import weakref
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from firstlight.doctor.observer import Backward, Call, Observer
from firstlight.doctor.observers.fingerprint import some_of
from firstlight.doctor.places import Place, way_here

_MOST = 256


def _same(loaders: list[Any]) -> int | None:
    """Which loader it is where it is one that still lives: another may have the address of one that does not."""
    return id(loaders[0]) if loaders and loaders[0] is not None and all(one is loaders[0] for one in loaders) else None


class _Model:
    """One root: how it was used."""

    def __init__(self, module: nn.Module, number: int) -> None:
        self.module = weakref.ref(module)
        self.kind, self.number = type(module).__name__, number
        self.shape = tuple((name, tuple(w.shape)) for name, w in list(module.named_parameters())[:50])
        self.learned = 0
        self.shown = 0  # calls without gradients, or in evaluation mode, that were not learned from
        self.between = 0  # of those, while a batch was learned from: a teacher, a target network
        self.loaders: list[Any] = []  # weak references
        self.passes: set[int] = set()
        self.pending = 0
        self.first: Place | None = None
        self.shown_at: Place | None = None
        self.shown_way: list[Place] = []  # the lines that led there
        weight = next(iter(module.parameters()), None)
        self.was = some_of(weight) if weight is not None else None
        self.copied = True
        self.still = True  # whether it was what it had been when it was shown last
        self.given: set[Any] = set()  # a few numbers of what it was shown
        self.loaded = False  # whether saved weights were put into it
        self.since = 0  # steps that were made when it was called first

    def unchanged(self) -> bool:
        module = self.module()
        weight = next(iter(module.parameters()), None) if module is not None else None
        if weight is None or self.was is None:
            return module is None and self.shown > 0 and self.still
        now = some_of(weight)
        return now.shape == self.was.shape and bool((now == self.was).all())


class _State:
    """What `state_dict` gave, as long as somebody keeps one of its tensors: in it, or in a dictionary made of it."""

    def __init__(self, state: Any, module: nn.Module, steps: int, place: Place | None) -> None:
        self.module, self.steps, self.place = weakref.ref(module), steps, place
        self.saved = False
        self.name: str
        self.name, first = next(((name, one) for name, one in state.items() if isinstance(one, Tensor)), ("", None))
        self.first = weakref.ref(first) if first is not None else None

    def kept(self) -> Tensor | None:
        return self.first() if self.first is not None else None

    def aliases(self) -> bool:
        """Whether what is kept is still the weights themselves."""
        kept, module = self.kept(), self.module()
        if kept is None or module is None:
            return False
        own = next((w for name, w in (*module.named_parameters(), *module.named_buffers()) if name == self.name), None)
        return own is not None and kept.data_ptr() == own.data_ptr() != 0


def _begun_as(one: _Model, other: _Model) -> bool:
    """Whether a model is what another one was before it learned: one of them is a copy."""
    if one.was is None or other.was is None or one.shape != other.shape or one.was.device != other.was.device:
        return False
    return one.was.shape == other.was.shape and torch.equal(one.was, other.was) and bool((one.was != one.was[0]).any())


def _is_itself(module: nn.Module, given: dict[str, Any]) -> bool:
    """Whether all that is to be loaded into a model are its own weights."""
    own = {name: weight.data_ptr() for name, weight in module.named_parameters()}
    return bool(own) and all(
        isinstance(one := given.get(name), Tensor) and one.data_ptr() == address != 0 for name, address in own.items()
    )


class Models(Observer):
    """Facts `models`, `kept_states` and `wrapped_models`."""

    kinds: ClassVar = ("models", "kept_states", "wrapped_models")
    hears: ClassVar = {
        "models.state": ("torch.nn.Module", "state_dict"),
        "models.load": ("torch.nn.Module", "load_state_dict"),
        "models.save": ("torch", "save"),
        "models.parallel": ("torch.nn.DataParallel", "__init__"),
        "models.distributed": ("torch.nn.parallel.DistributedDataParallel", "__init__"),
    }

    def __init__(self, witness: Any) -> None:
        super().__init__(witness)
        self._models: dict[int, _Model] = {}
        self._gone: list[_Model] = []
        self._count = 0
        self._now: list[_Model] = []
        self._loaded: weakref.WeakSet[nn.Module] = weakref.WeakSet()
        self._states: list[_State] = []
        self._asked: weakref.WeakKeyDictionary[nn.Module, tuple[int, Place | None]] = weakref.WeakKeyDictionary()
        self._restored: list[dict[str, Any]] = []
        self._wrappers: list[tuple[weakref.ref[nn.Module], weakref.ref[nn.Module], str]] = []
        self._wrapped = 0
        self._wrapper_called = False
        self._wrapped_at: Place | None = None

    # What is trained, and what is evaluated.

    def _of(self, module: nn.Module) -> _Model | None:
        one = self._models.get(id(module))
        if one is None or one.module() is not module:
            if len(self._gone) + len(self._models) > _MOST:
                return None
            if one is not None:
                self._gone.append(one)
            one = self._models[id(module)] = _Model(module, self._count)
            self._count += 1
            one.since, one.loaded = self._steps(), module in self._loaded
            first = next(iter(module.parameters()), None)
            one.copied = first is None or id(first) not in self.witness.session.get("births", {})
        return one

    def forward(self, call: Call) -> None:
        one = self._of(call.module)
        if one is None:
            return
        if one.first is None:
            one.first = call.place or self.witness.place()
        if call.grad and call.training:
            one.pending += 1
            self._now.append(one) if one.pending == 1 else None
        else:
            one.shown += 1
            given = call.args[0] if call.args and len(one.given) < 64 else None
            if isinstance(given, Tensor) and given.device.type == "cpu" and not given.is_sparse:
                one.given.add((*given.shape, *given.detach().reshape(-1)[:8].tolist()))
                one.still = bool(one.learned) or one.unchanged()
            if one.shown <= 2:
                one.shown_at = call.place or self.witness.place()
                one.shown_way = one.shown_way or way_here(3)
            if call.grad:
                one.pending += 1
                self._now.append(one) if one.pending == 1 else None
            elif self._now:
                one.between += 1
        if self._wrappers:
            self._look_at_wrappers(call)

    def backward(self, going: Backward) -> None:
        now, self._now = self._now, []
        feed = self.witness.feed
        for one in now:
            one.pending = 0
            one.learned += 1
            if feed is not None and feed.number not in one.passes and len(one.passes) < 32:
                one.passes.add(feed.number)
                with contextlib.suppress(TypeError):  # what takes no weak references is not known again
                    one.loaders.append(weakref.ref(feed.loader))

    # Wrappers of several devices.

    def _look_at_wrappers(self, call: Call) -> None:
        for wrapper, inner, _name in self._wrappers:
            if call.module is wrapper():
                self._wrapper_called = True
            elif call.module is inner() and call.grad and call.training:
                self._wrapped += 1
                if self._wrapped == 1:
                    self._wrapped_at = call.place or self.witness.place()

    # States.

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if name == "models.state":
            # A part of a model is asked by the whole: with `destination`, or a prefix.
            module = args[0] if args else None
            whole = len(args) == 1 and not kwargs.get("destination") and not kwargs.get("prefix")
            if whole and isinstance(result, dict) and isinstance(module, nn.Module) and self._steps():
                self._states = [one for one in self._states if one.kept() is not None][-16:]
                place = self.witness.place()
                self._states.append(_State(result, module, self._steps(), place))
                self._asked[module] = self._steps(), place
        elif name == "models.load":
            self._load(args, kwargs)
        elif name == "models.save":
            for one in self._states:
                if one.steps == self._steps():
                    one.saved = True
        elif name in ("models.parallel", "models.distributed"):
            wrapper, inner = args[0], args[1] if len(args) > 1 else kwargs.get("module")
            if isinstance(inner, nn.Module):
                self._wrappers.append((weakref.ref(wrapper), weakref.ref(inner), type(wrapper).__name__))

    def calling(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if name == "models.load":
            self._look_at_load(args, kwargs)

    def _steps(self) -> int:
        return int(self.witness.steps)

    def _load(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if args and isinstance(args[0], nn.Module):
            self._loaded.add(args[0])
            one = self._models.get(id(args[0]))
            if one is not None and one.module() is args[0]:
                one.loaded = True

    def _look_at_load(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Whether what is loaded is what is there already: the weights themselves, kept some steps ago."""
        module = args[0] if args else None
        given = args[1] if len(args) > 1 else kwargs.get("state_dict")
        if not isinstance(module, nn.Module) or not isinstance(given, dict):
            return
        for one in self._states:
            if one.steps < self._steps() and one.kept() is given.get(one.name, one) and one.aliases():
                self._restore(one.steps, one.place)
                return
        asked = self._asked.get(module)
        known = self._models.get(id(module))
        learned = known is not None and known.module() is module and known.learned > 0
        if learned and asked is not None and asked[0] < self._steps() and _is_itself(module, given):
            self._restore(*asked)  # other tensors in the same memory, as `detach` gives them

    def _restore(self, steps: int, kept: Place | None) -> None:
        place = self.witness.place()
        self._restored.append({
            "steps": self._steps() - steps,
            "step": self.witness.step,
            "kept": kept and kept.as_json(),
            "loaded": place and place.as_json(),
        })  # fmt: skip
        del self._restored[8:]

    def facts(self) -> Iterator[tuple[str, Any]]:
        """Models, states and wrappers."""
        known = (*self._gone, *self._models.values())
        rows = [
            {
                "kind": one.kind,
                "number": one.number,
                "shape": hash(one.shape),
                "learned": one.learned,
                "passes": len(one.passes),
                "loader": _same([loader() for loader in one.loaders]),
                "shown": one.shown,
                "between": one.between,
                "alive": one.module() is not None,
                "unchanged": one.unchanged(),
                "copied": one.copied,
                "late": one.since >= self._steps() > 0,
                "apart": bool(one.given) and not any(one.given & other.given for other in known if other is not one),
                "as_begun": [
                    other.number for other in known if other is not one and other.learned and _begun_as(one, other)
                ],
                "loaded": one.loaded,
                "first": one.first and one.first.as_json(),
                "shown_at": one.shown_at and one.shown_at.as_json(),
                "shown_way": [place.as_json() for place in one.shown_way],
            }
            for one in sorted(known, key=lambda one: one.number)
        ]
        if rows:
            yield "models", rows[:_MOST]
        now = self._steps()
        alive = [one for one in self._states if one.steps < now and not one.saved and one.aliases()]
        if self._restored or alive:
            yield (
                "kept_states",
                {
                    "restored": self._restored,
                    "alive": [
                        {"steps": now - one.steps, "kept": one.place and one.place.as_json()} for one in alive[:4]
                    ],
                },
            )
        if self._wrapped:
            yield (
                "wrapped_models",
                {
                    "wrapper": self._wrappers[0][2],
                    "inner": self._wrapped,
                    "wrapper_called": self._wrapper_called,
                    "place": self._wrapped_at and self._wrapped_at.as_json(),
                },
            )
