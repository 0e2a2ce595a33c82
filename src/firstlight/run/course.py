"""`Course`: where a loop is in its epochs and its data, so that it can go on there after an interruption.

Between two batches everything that the body of the loop does is done, also what comes behind `optimizer.step()`. So
checkpoints are made there, and only there. To go on, the pass over the data is begun once more with the generators
where they stood at its beginning, its first batches are taken and thrown away, and the generators are set to where they
stood at the checkpoint.

A source such as `zip(first, second)` has begun before we see it, and workers have taken batches by then. So the
generators are also put back at the head: the last place before the pass that we see.
"""

import contextlib
import hashlib
import re
from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from firstlight.locale import _, say
from firstlight.run import chance
from firstlight.run.checkpoint import Keeper, differences
from firstlight.run.errors import BatchesInside
from firstlight.run.foreign import MALFORMED
from firstlight.run.found import Found
from firstlight.run.record import Run
from firstlight.run.taps import taps

_COMPARED = 64  # samples whose content is
_DEEP = 32  # so many objects of a source are looked into for generators


class Course:
    """The epochs of one run and the passes over its data.

    Args:
        run: The run.
        keeper: Makes its checkpoints; None where none are made.
        found: The checkpoint to go on from.
        arrived: Called when everything stands as it did at that checkpoint: the steps of each optimizer, the epoch,
            and whether it is one that had begun.
    """

    def __init__(
        self,
        run: Run,
        keeper: Keeper | None = None,
        found: Found | None = None,
        arrived: Callable[[list[int], int, bool], None] = lambda _counts, _epoch, _inside: None,
    ) -> None:
        self.run, self.keeper = run, keeper
        self.inside = False  # whether a pass is open
        self.known = False  # whether there was one: then checkpoints are made between its batches, and nowhere else
        self._found, self._arrived = found, arrived
        self._ahead: dict[str, Any] | None = None
        self._later: dict[str, Any] = {}  # states of sources whose passes come behind the place of the checkpoint
        self._begun = False
        self._open = False  # whether a loop over epochs was left before its end, and by no `break`
        self._loops = self._loop = self._epoch = self._passes = 0
        self._sources: dict[int, Any] = {}  # of the passes of an epoch
        self._described: dict[int, dict[str, Any]] = {}
        self._made: dict[tuple[Any, ...], Any] = {}  # batches that were made here
        self._head: dict[str, Any] | None = None  # where the generators stood there
        self._stand: set[int] = set()  # sources and generators that stand where they did: several passes may share them
        if found is not None:
            self._damaged = found._replace(tensors={}).damaged  # they are as large as the model
            run.subscribe(self._say_what_was_left_out)
        if keeper is not None:
            ahead = None if found is None else found.part("position")
            if found is not None and ahead is None:
                # A loop that we cannot place: it has all of them, and may never come back to us.
                self._found = found._replace(tensors={})
            self._at_head("start", ahead)

    def epochs(self, count: int) -> Iterator[int]:
        """The numbers of the epochs, from 0, or from the one in which the run was interrupted."""
        loop, first = self._loops - self._open, 0  # a cell that is run again is the same loop
        self._loops = loop + 1
        self._begin()
        ahead = self._ahead
        if ahead is not None:
            if loop < ahead["loop"]:
                return
            first = ahead["epoch"]
            if ahead["began"] is None:  # the loop was at its end
                self.stand(ahead["now"])
                self.arrive(-1)
        self._open = True
        try:
            for epoch in range(first, count):
                self._loop, self._epoch, self._passes = loop, epoch, 0
                self._at_head("epoch", self._ahead)
                yield epoch
                if self._ahead is not None and self._found is not None:  # all its passes were left out, and none was it
                    told = differences({"passes": self._ahead["pass"] + 1}, {"passes": self._passes}, "epoch")
                    raise self._found.differs(list(told))
        except GeneratorExit:  # a `break`; an error leaves the generator where it is
            self._open = self.run.stop_requested
            raise
        self._open = False
        self._loop, self._epoch, self._passes = loop, max(first, count), 0
        if self.keeper is not None and self.known:
            now = {"chance": chance.standing(self.keeper.parts.generators), "source": None}
            self.keeper.make(lambda: self._place(-1) | {"began": None, "now": now}, complete=True)

    def batches(self, source: Any, size: int | None = None, **options: Any) -> "Pass":
        """One pass over a loader, or over the batches of a dataset."""
        if size is None:
            return Pass(self, source)
        key = (self._passes, id(source), size, repr(sorted(options.items())))
        if key not in self._made:  # once for all epochs: batches count their turns
            made = (
                source.batches(size, **options) if hasattr(source, "batches") else DataLoader(source, size, **options)
            )
            self._made[key] = made
        return Pass(self, self._made[key])

    # For a pass.

    def enter(self, source: Any) -> tuple[int, dict[str, Any] | None]:
        """Begin a pass: its number in the epoch, and the place at which the run was interrupted, if that is ahead."""
        if self.inside:
            raise BatchesInside
        self._begin()
        number, ahead = self._passes, self._ahead
        self._passes += 1
        if self._sources.get(number) is not source:
            self._described.pop(id(source), None)  # another may have had its id
            self._sources[number] = source
        state = self._later.pop(str(number), None) if ahead is None else ahead["sources"].get(str(number))
        if state is not None:
            with self._believing():
                _put(source, state, self._stand if ahead is None else ())
            if ahead is None:
                self._note_that_stand(source)
        if ahead is not None and number == ahead["pass"] and self._found is not None:
            found = list(differences(ahead["data"], description(source), "data"))
            if found:
                raise self._found.differs(found)
        self.known = self.inside = True
        return number, ahead

    def leave(self, number: int) -> None:
        """The pass is over."""
        self.inside = False
        if number == self._passes - 1:  # one that an error has kept open is left later than the next one
            self._at_head("pass", self._ahead)

    def standing(self, source: Any) -> dict[str, Any]:
        """Where all generators stand that a pass may draw from."""
        named = self.keeper.parts.generators if self.keeper is not None else []
        return {"chance": chance.standing(named), "source": _state(source)}

    def stand(self, states: dict[str, Any], source: Any = None) -> None:
        """Set them to where they stood."""
        with self._believing():
            if states["source"] is not None:
                _put(source, states["source"])
            chance.stand(states["chance"], self.keeper.parts.generators if self.keeper is not None else [])
        self._note_that_stand(source)

    def between(self, place: Callable[[], dict[str, Any]]) -> None:
        """Between two steps: make a checkpoint where it is time, and stop where somebody asked for it."""
        stop = self.run.stop_requested
        if self.keeper is not None and (stop or self.keeper.due()):
            self.keeper.make(place)
        if stop:
            self.run.collect()
            self.run.obey_stop()

    def arrive(self, number: int) -> None:
        """Everything stands as it did at the checkpoint: the run goes on.

        Args:
            number: Of the pass that was interrupted; -1 between two of them.
        """
        if self.keeper is not None and self._found is not None and self._ahead is not None:
            # Once more: what stands between the head of the epoch and this pass may have changed something again.
            self.keeper.parts.put_back(self._found)
            self._later = {name: one for name, one in self._ahead["sources"].items() if int(name) > number}
            self._arrived(self._found.data["counts"], self._ahead["epoch"], number >= 0)
            self._found.tensors.clear()  # as large as the model and its optimizer
        source = taps.current()
        if source is not None:
            source.count = source.samples = 0  # what was taken again has been counted before
            source.waited = 0.0
        self._ahead = self._found = None

    def place(self, number: int, source: Any, batch: int, began: dict[str, Any]) -> dict[str, Any]:
        """Where the loop is: in front of this batch of this pass."""
        if id(source) not in self._described:
            self._described[id(source)] = description(source)
        return self._place(number) | {
            "batch": batch, "began": began, "now": self.standing(source), "data": self._described[id(source)],
        }  # fmt: skip

    # Private.

    def _note_that_stand(self, source: Any) -> None:
        named = self.keeper.parts.generators if self.keeper is not None else []
        self._stand.update(id(one) for one in (source, *_generators(source), *named))

    @contextlib.contextmanager
    def _believing(self) -> Iterator[None]:
        try:
            yield
        except (*MALFORMED, RuntimeError) as error:  # somebody has changed what a generator does not take
            raise self._damaged(repr(error)[:200]) from error

    def _say_what_was_left_out(self, event: str) -> None:
        if event == "ended" and self._ahead is not None and self._found is not None and self.run.status == "finished":
            say(
                _(
                    "This training did not come to the place in its data where it was interrupted, at step {step}: "
                    "what lies before it was left out, and nothing was trained. It has other loops than it had then.",
                    step=f"{self._found.step:,}",
                )
            )

    def _place(self, number: int) -> dict[str, Any]:
        sources = {str(other): _state(source) for other, source in self._sources.items() if other != number}
        sources |= self._later
        here = {"loop": self._loop, "epoch": self._epoch, "pass": number, "batch": 0}
        return here | {"sources": sources, "head": self._head}

    def _at_head(self, kind: str, ahead: dict[str, Any] | None) -> None:
        """Before a pass: set the generators to where they stood here, if it is the pass ahead, and remember that.

        Args:
            kind: Where we are: at the start of the training or of an epoch, or behind the pass before.
            ahead: The place at which the run was interrupted.
        """
        if self.keeper is None:
            return
        named = self.keeper.parts.generators
        head = ahead["head"] if ahead is not None and ahead["pass"] == self._passes else None
        # Of another kind, we are not there yet; with other generators, it is another training, which is said soon.
        if head is not None and head["kind"] == kind and len(head["chance"]["own"]) == len(named):
            chance.stand(head["chance"], named)
        self._head = {"kind": kind, "chance": chance.standing(named)}

    def _begin(self) -> None:
        """Once, when the loop begins: by now there are its schedulers too."""
        if self._begun:
            return
        self._begun = True
        if self.keeper is None:
            return
        self.keeper.parts.look_for_others()
        if self._found is None:
            return
        self._ahead = self._found.part("position")
        if self._ahead is None:
            say(
                _(
                    "The interrupted loop did not run over run.epochs and run.batches: the weights go on, and the "
                    "epochs are counted anew."
                )
            )
            return
        self.keeper.parts.put_back(self._found)
        threads = self._found.data.get("threads")
        if isinstance(threads, int) and threads != torch.get_num_threads():
            torch.set_num_threads(threads)  # sums in another order would differ in their last bits


class Pass:
    """One pass over batches that goes on where the run was interrupted.

    Attributes:
        index: The number of the batch that the body of the loop has, from 0; right after an interruption too, where
            `enumerate` would begin at 0 again.
    """

    def __init__(self, course: Course, batches: Iterable[Any], source: Any = None) -> None:
        self.index = -1
        self._course, self._batches = course, batches
        self._source = batches if source is None else source

    def __len__(self) -> int:
        return len(self._batches)  # type: ignore[arg-type]  # as TypeError where the batches have no length

    def __iter__(self) -> Iterator[Any]:
        course, source = self._course, self._source
        number, ahead = course.enter(source)
        try:
            if ahead is not None and number < ahead["pass"]:
                return
            done = 0
            if ahead is None:
                began = {} if course.keeper is None else course.standing(source)
                batches = iter(self._batches)
            else:
                began, done = ahead["began"], ahead["batch"]
                course.stand(began, source)
                batches = iter(self._batches)
                for _again in range(done):
                    next(batches)
                course.stand(ahead["now"], source)
                course.arrive(number)
            while True:
                self.index = done
                course.between(lambda at=done: course.place(number, source, at, began))  # type: ignore[misc]
                try:
                    batch = next(batches)
                except StopIteration:
                    return
                yield batch
                done += 1
        finally:
            course.leave(number)


def description(source: Any) -> dict[str, Any]:
    """What is known of the data of a pass, as JSON: another description is other data, or another order."""
    found: dict[str, Any] = {"type": type(source).__name__}
    dataset = getattr(source, "dataset", None)
    for name in ("size", "batch_size", "shuffle", "drop_last", "num_workers"):
        if isinstance(value := getattr(source, name, None), int):
            found[name] = value
    if (change := getattr(source, "augment", None)) is not None:
        # The name of a function, or what a change of ours says of itself; another object tells its address.
        found["augment"] = getattr(change, "__name__", re.sub(r" at 0x\w+", "", repr(change)))
    if isinstance(source, DataLoader):
        found["sampler"] = type(source.sampler).__name__
    found["generators"] = _kinds(source)
    with contextlib.suppress(TypeError, NotImplementedError):
        found["batches"] = len(source)
    if dataset is not None:
        found["dataset"] = type(dataset).__name__
        try:
            found["samples"] = len(dataset)
        except (TypeError, NotImplementedError):
            return found
        with contextlib.suppress(Exception):  # a dataset whose names mean something else
            found["content"] = _digest(dataset)
    return found


def _digest(dataset: Any) -> str:
    """Of all labels and of a few samples, where they are tensors that can be had without opening files."""
    seen = hashlib.sha256()
    tensors = [getattr(dataset, name, None) for name in ("labels", "targets")]
    tensors += list(getattr(dataset, "tensors", ()))
    count = len(dataset)
    rows = torch.arange(min(count, _COMPARED)) * count // max(1, min(count, _COMPARED))
    if hasattr(dataset, "take") and hasattr(dataset, "labels"):
        tensors.append(dataset.take(rows)[0])
    for one in tensors:
        if isinstance(one, Tensor) and one.device.type == "cpu" and one.layout == torch.strided and len(one):
            few = one if one.ndim == 1 else one[rows % len(one)]
            seen.update(f"{one.dtype} {list(one.shape)}".encode())
            seen.update(few.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return seen.hexdigest()[:16]


def _generators(source: Any) -> list[Any]:
    """Of a source, and of what it takes its samples from: samplers and datasets, wrapped ones too."""
    batches = _part(source, "batch_sampler")
    owners = [source, _part(source, "sampler"), _part(batches, "sampler")]
    found = []
    owners += [batches, _part(source, "dataset")]
    for owner in owners:  # grows: a `Subset` has a dataset, and a sampler may have another one
        inner = [_part(owner, name) for name in ("sampler", "dataset")] if len(owners) < _DEEP else []
        owners += [one for one in inner if one is not None and not any(one is known for known in owners)]
        found += [_part(owner, "generator"), *getattr(owner, "__dict__", {}).values()]
    return list({id(one): one for one in found if chance.is_generator(one)}.values())


def _part(owner: Any, name: str) -> Any:
    try:
        return getattr(owner, name, None)
    except Exception:  # noqa: BLE001 - a dataset whose names mean something else, and that worked without us
        return None


def _kinds(source: Any) -> list[str]:
    kinds = [type(one) for one in _generators(source)]
    return [f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in kinds]


def _state(source: Any) -> dict[str, Any]:
    """Of a source of batches between two passes: its turn, and its own generators."""
    turn = source.state_dict() if hasattr(source, "turn") else None
    states = [chance.state_of(one) for one in _generators(source)]
    return {"turn": turn, "generators": states, "kinds": _kinds(source)}


def _put(source: Any, state: dict[str, Any], besides: Container[int] = ()) -> None:
    if state["kinds"] != _kinds(source):  # it is another one
        return
    if state["turn"] is not None and hasattr(source, "turn") and id(source) not in besides:
        source.load_state_dict(state["turn"])
    for one, saved in zip(_generators(source), state["generators"], strict=True):
        if id(one) not in besides:
            chance.set_state(one, saved)
