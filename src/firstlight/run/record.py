"""`Run`: the record of one training, from its first step to its end."""

import atexit
import contextlib
import os
import re
import shutil
import sqlite3
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from firstlight.run import environment, process
from firstlight.run.errors import NotAMetric, NotAnEnd, RecordReadOnly, RunEnded
from firstlight.run.foreign import NULL, NUMBER, believed, is_summary
from firstlight.run.points import Point, Points, Row
from firstlight.run.store import Kept, Reader, Store, add_afterwards, silent_for_too_long, warn_not_saved
from firstlight.run.values import from_json, to_json

if TYPE_CHECKING:
    from torch import Tensor

    from firstlight.graph.operations import Graph
    from firstlight.graph.recorded import MeasuredMemory
    from firstlight.run.course import Course, Pass

audience: list[Callable[["Run"], None]] = []
"""Each callable is given every run that `Run.start` makes, before its first step."""

_running: dict[int, "Run"] = {}  # runs with a folder that have not ended; finished when the process ends
_exit_watched = False
_ENDS = ("finished", "stopped", "failed")
_PAUSED_S = 0.02  # a loop that is paused looks so often whether it may go on


class TrainingStopped(KeyboardInterrupt):
    """Raised between two steps when `Run.request_stop` was called. A `with` block around the loop ends quietly."""


@dataclass(frozen=True)
class Plan:
    """What the run intends to do, as far as it is known; views turn it into progress.

    Attributes:
        total_steps: Optimiser updates from start to end.
        total_epochs: Passes over the training split.
        steps_per_epoch: Optimiser updates in one pass.
    """

    total_steps: int | None = None
    total_epochs: int | None = None
    steps_per_epoch: int | None = None

    @property
    def steps(self) -> int | None:
        """All steps from start to end, None where that is not known."""
        if self.total_steps is None and self.total_epochs and self.steps_per_epoch:
            return self.total_epochs * self.steps_per_epoch
        return self.total_steps


class Fact(NamedTuple):
    """Something that was so at a step, such as the kind of loss."""

    step: int
    kind: str
    data: Any
    time: float


class Finding(NamedTuple):
    """One answer of a rule: `code` is the rule's, `data` holds its evidence."""

    step: int | None
    code: str
    data: Any
    time: float


class Run:
    """The record of one training: metrics, facts, findings, operations, saved states.

    `Run()` keeps the record in memory. `Run.start()` keeps it in a folder too, and `Run.open()` reads such a folder.
    Writing to a run is cheap, safe from several threads, and never waits for the disk.

    As a `with` block, a run ends with the block: `TrainingStopped` is swallowed, other exceptions pass through.

    Attributes:
        name: What the person called it.
        folder: Where the record lies; None for a record in memory.
        started: Seconds since 1970.
        ended: Seconds since 1970, None before its end. A run that rested to its end has ended where it came to rest.
        status: `running`; `resting` while its loop is left, since the notebook cell ended; `stopped` when somebody
            stopped it; `finished`, `failed`, or `died` when its process ended without a word. A loop that rests or was
            stopped in a notebook goes on, and the run with it, as soon as it makes another step.
        reason: One sentence on the end, such as the exception.
        model: The trained model where `fit` made the run; not part of the record on disk.

    Example:
        >>> run = Run()
        >>> for step in range(3):
        ...     run.log({"train/loss": 2.0 - step}, step=step)
        >>> run.last("train/loss")
        0.0
        >>> [point.step for point in run.metric("train/loss")]
        [0, 1, 2]
    """

    def __init__(self, name: str = "run") -> None:
        self.name = name
        self.folder: Path | None = None
        self.started = time.time()
        self.ended: float | None = None
        self.reason: str | None = None
        self.model: Any = None
        self._status = "running"
        self._points = Points()
        self._lock = threading.RLock()
        self._plan = Plan()
        self._info: dict[str, Any] = {}
        self._environment: dict[str, Any] = {}
        self._rows: dict[str, list[tuple[Any, ...]]] = {"operations": [], "facts": [], "findings": []}
        self._states: dict[str, tuple[dict[str, Tensor], str]] = {}
        self._store: Store | None = None
        self.course: Course | None = None
        self._callbacks: list[Callable[[str], None]] = []
        self._sources: list[Callable[[], None]] = []
        self._rested: float | None = None  # when the loop was left, None while it goes on
        self._stopped = False  # and whether somebody had asked for that
        self._paused_s = 0.0
        self._stop = threading.Event()
        self._stop_obeyed = False
        self._pause_wanted = False  # no Event: a signal may end the pause in the very thread that waits
        self._waiting_since: float | None = None  # when the loop began to wait, None while it goes on
        self._closed = False

    @classmethod
    def start(
        cls, name: str = "run", folder: str | Path | None = None, plan: Plan | Mapping[str, int | None] | None = None
    ) -> "Run":
        """Begin a run whose record is a new folder.

        Args:
            name: What to call it; becomes part of the folder's name.
            folder: The folder of runs to make it in, by default `runs_folder()`.
            plan: What it intends to do, if known.

        Returns:
            A running run. Where the folder cannot be written, a warning says so and the record stays in memory.
        """
        from firstlight.run.listing import runs_folder

        name = str(name)
        run = cls(name)
        run._environment = environment.describe()
        if plan is not None:
            run._plan = plan if isinstance(plan, Plan) else Plan(**plan)
        parent = runs_folder() if folder is None else Path(folder)
        try:
            made = new_folder(parent, name, run.started)
            try:
                run._store = Store(made, run._points, run._meta())
            except BaseException:  # a full disk, for one: each start would leave another folder with half a record
                shutil.rmtree(made, ignore_errors=True)
                raise
            run.folder = made
        except (OSError, sqlite3.Error) as error:
            warn_not_saved(parent, str(error))
        run._begin()
        return run

    @classmethod
    def take_up(cls, folder: str | Path, kept: Kept) -> "Run":
        """Go on with a run that was left, in its own folder: what it noted after a moment is taken out of the record.

        Args:
            folder: The run's folder.
            kept: The moment: that of a checkpoint.

        Returns:
            A running run that has all that was noted before.

        Raises:
            RunGoesOn: Another process is training it.
            RecordNotFound: When the folder holds no record.
            RecordDamaged: When it cannot be read or written.
        """
        folder = Path(folder)
        end_here(folder)
        before = SavedRun(folder)
        run = cls(before.name)
        run.folder, run.started = folder, before.started
        run._plan, run._info, run._environment = before.plan, before.info, environment.describe()
        run._paused_s = max(0.0, time.time() - run.started - kept.duration)
        run._store = Store(folder, run._points, run._meta() | {"paused_s": run._paused_s}, kept)
        run._begin()
        run.add_fact(kept.step, "resumed", {"points": kept.points})
        return run

    def _begin(self) -> None:
        _keep_until_exit(self)
        for listener in list(audience):
            listener(self)
        self._notify("started")

    @classmethod
    def open(cls, folder: str | Path) -> "Run":
        """Read a record from its folder, in any process, also while it is written.

        Raises:
            RecordNotFound: When the folder holds no record.
            RecordTooNew: When a later firstlight wrote it.
            RecordDamaged: When the file is not a whole record.
        """
        return SavedRun(Path(folder))

    # Metrics.

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Note numbers that belong to a step.

        Raises:
            RunEnded: After `finish`.
            NotAMetric: For a value that is no number.
        """
        self._check_open()
        now = time.time()
        if not isinstance(metrics, Mapping):
            raise NotAMetric(name="?", value=_shown(metrics))
        try:
            step = int(step)
        except (TypeError, ValueError) as error:
            raise NotAMetric(name="step", value=_shown(step)) from error
        self._points.extend([(str(name), step, _metric(name, value), now) for name, value in metrics.items()])

    def extend(self, rows: Iterable[Row]) -> None:
        """Note many numbers at once, each with its own step and time: `(name, step, value, time)`."""
        self._check_open()
        self._points.extend(rows)

    def metric(self, name: str) -> list[Point]:
        """All values of a metric, in the order in which they were noted; empty when there are none."""
        self._collect()
        return self._points.of(name)

    def metrics(self) -> list[str]:
        """Names of the metrics, in the order in which they first appeared."""
        self._collect()
        return self._points.names()

    def last(self, name: str) -> float | None:
        """The newest value of a metric, None when there is none."""
        self._collect()
        return self._points.last(name)

    def points_since(self, cursor: int) -> tuple[list[Row], int]:
        """What was noted after `cursor`, as `(name, step, value, time)`, and the next cursor. Begin with 0."""
        self._collect()
        return self._points.since(cursor)

    @property
    def steps(self) -> int:
        """Number of steps up to the newest one that has a metric."""
        self._collect()
        return self._points.newest_step() + 1

    # What the run is.

    @property
    def status(self) -> str:
        """`running`, `resting`, `finished`, `stopped`, `failed` or `died`."""
        if self._status != "running" or self._rested is None:
            return self._status
        return "stopped" if self._stopped else "resting"

    @property
    def plan(self) -> Plan:
        """What the run intends to do."""
        return self._plan

    def set_plan(
        self, total_steps: int | None = None, total_epochs: int | None = None, steps_per_epoch: int | None = None
    ) -> None:
        """Say what the run intends to do. What is not given stays as it is; `total_steps` follows from the others."""
        self._check_open()
        with self._lock:
            old = self._plan
            epochs = old.total_epochs if total_epochs is None else total_epochs
            per_epoch = old.steps_per_epoch if steps_per_epoch is None else steps_per_epoch
            guessed = old.total_steps in (None, (old.total_epochs or 0) * (old.steps_per_epoch or 0))
            if total_steps is None and guessed and epochs and per_epoch:
                total_steps = epochs * per_epoch
            self._plan = Plan(old.total_steps if total_steps is None else total_steps, epochs, per_epoch)
            self._save("plan", asdict(self._plan))

    @property
    def info(self) -> dict[str, Any]:
        """What is known about the run as a whole, such as `device` or `overhead`."""
        with self._lock:
            return dict(self._info)

    def set_info(self, **values: Any) -> None:
        """Add to `info`; each value is JSON.

        Raises:
            NotJson: For a value that JSON cannot hold.
        """
        self._check_open()
        values = {key: from_json(to_json(value)) for key, value in values.items()}
        with self._lock:
            self._info.update(values)
            self._save("info", self._info)

    @property
    def environment(self) -> dict[str, Any]:
        """Versions, machine, threads, seed, and the code that ran: the script or the cells of the notebook."""
        return self._environment

    @property
    def duration(self) -> float:
        """Seconds from start to end or until now, without those in which the loop was left."""
        end = self.ended if self.ended is not None else self._rested
        return max(0.0, (end if end is not None else time.time()) - self.started - self._paused_s)

    @property
    def problem(self) -> str | None:
        """Why the record is not on disk just now, None when all is well."""
        return self._store.problem if self._store is not None else None

    # What happens.

    def subscribe(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Be told what happens, in the thread where it happens.

        Events are `started`, `resting` (the loop was left for now), `resumed`, `paused` (the loop waits between two
        steps), `went on` and `ended`.

        Returns:
            A function that ends the subscription.
        """
        self._callbacks.append(callback)

        def unsubscribe() -> None:
            with contextlib.suppress(ValueError):
                self._callbacks.remove(callback)

        return unsubscribe

    @property
    def resting(self) -> bool:
        """Whether the loop was left for now: its cell ended, and another may go on."""
        return self._rested is not None and self._status == "running"

    def rest(self, error: BaseException | None = None) -> None:
        """Say that the loop was left for now. Nothing happens when the run rests or has ended.

        Args:
            error: What ended the cell of the loop, if it did not end by itself. Where somebody had asked the loop to
                stop, the status is `stopped` from here on, until the loop goes on.
        """
        with self._lock:
            if self._rested is not None or self._status != "running":
                return
            self._stopped = isinstance(error, KeyboardInterrupt) and self._stop.is_set()
            self._rested = time.time()
            self._stop.clear()  # the wish was for the loop that has been left now
            self._stop_obeyed = False
            self._pause_wanted = False
            self._save("rested", {"time": self._rested, "stopped": self._stopped})
        self._collect()
        self._note_code()
        if self._store is not None:
            self._store.flush(timeout=2.0)
        self._notify("resting")

    def resume(self) -> None:
        """Say that the loop goes on. Nothing happens unless the run rests."""
        with self._lock:
            if self._rested is None or self._status != "running":
                return
            self._paused_s += max(0.0, time.time() - self._rested)
            self._rested, self._stopped = None, False
            self._stop.clear()  # a Stop that came after the loop had been left
            self._stop_obeyed = False
            self._save("rested", None)
            self._save("paused_s", self._paused_s)
        self._notify("resumed")

    def request_stop(self) -> None:
        """Ask the loop to stop after the step that it is at; from any thread. A loop that is paused stops too."""
        self._stop_obeyed = False
        self._stop.set()
        self._pause_wanted = False

    def obey_stop(self) -> NoReturn:
        """End the loop here, as somebody asked for.

        Raises:
            TrainingStopped: Always.
        """
        self._stop_obeyed = True
        raise TrainingStopped

    @property
    def stop_obeyed(self) -> bool:
        """Whether the loop has ended for the newest request to stop; what runs now comes after it."""
        return self._stop_obeyed

    @property
    def stop_requested(self) -> bool:
        """Whether somebody asked the loop to stop."""
        return self._stop.is_set()

    def request_pause(self) -> None:
        """Ask the loop to wait after the step that it is at, until `go_on` or a stop; from any thread.

        Nothing happens where the loop was left or is about to stop: there is no next step to wait at.
        """
        with self._lock:
            if self._status == "running" and self._rested is None and not self._stop.is_set():
                self._pause_wanted = True

    def go_on(self) -> None:
        """End a pause; from any thread."""
        self._pause_wanted = False

    @property
    def pause_requested(self) -> bool:
        """Whether the loop is to wait, or waits already."""
        return self._pause_wanted

    @property
    def paused(self) -> bool:
        """Whether the loop waits now, between two steps."""
        return self._waiting_since is not None

    def wait_if_paused(self) -> float:
        """Between two steps: wait while somebody wants a pause. For the recorder, and for loops without one.

        Returns:
            The seconds that were waited, which belong to no step; 0.0 where nobody wants a pause.

        Example:
            >>> run = Run()
            >>> run.request_pause()
            >>> timer = threading.Timer(0.05, run.go_on)
            >>> timer.start()
            >>> run.wait_if_paused() > 0, run.pause_requested
            (True, False)
        """
        if not self._pause_wanted:
            return 0.0
        began = time.monotonic()
        self._waiting_since = time.time()
        try:
            self._collect()
            self._save("paused", self._waiting_since)
            self._notify("paused")
            while self.pause_requested:
                time.sleep(_PAUSED_S)
        finally:
            waited = time.monotonic() - began
            with self._lock:
                self._waiting_since = None
                self._pause_wanted = False
                self._paused_s += waited
            self._save("paused", None)
            self._save("paused_s", self._paused_s)
            self._notify("went on")
        return waited

    def finish(self, status: str = "finished", reason: str | None = None) -> None:
        """End the run and complete its record. A second call changes nothing.

        Args:
            status: `finished`, `stopped` or `failed`. A run whose loop was stopped and never went on says `stopped`.
            reason: One sentence on the end, if there is something to say.

        Raises:
            NotAnEnd: For another status.
        """
        if status not in _ENDS:
            raise NotAnEnd(status=_shown(status), known=", ".join(_ENDS))
        with self._lock:
            if self._status != "running":
                return
            self._collect()
            self._note_code()
            if self._stopped and status == "finished":
                status = "stopped"
            self.ended = time.time() if self._rested is None else self._rested
            self._status, self.reason = status, reason
            self._pause_wanted = False
        for key, value in (("status", status), ("reason", reason), ("ended", self.ended)):
            self._save(key, value)
        try:
            self._notify("ended")  # the recorder hands over what it still has
        finally:
            self._save("summary", self._points.summary())
            self._closed = True
            _running.pop(id(self), None)
            if self._store is not None:
                self._store.close()

    def __enter__(self) -> "Run":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            self.finish()
        elif isinstance(error, KeyboardInterrupt):
            self.finish("stopped")
        elif isinstance(error, GeneratorExit):  # who reads the generator that this block stands in has read enough
            self.finish()
        else:
            self.finish("failed", "".join(traceback.format_exception_only(kind, error)).strip())
        return isinstance(error, TrainingStopped)

    # What the rooms above write and read.

    def add_operations(self, step: int, rows: Iterable[Mapping[str, Any]]) -> None:
        """Note the operations of one step, each a dictionary of JSON values."""
        for row in rows:
            self._add("operations", (int(step), to_json(row)))

    def operations(self, step: int) -> list[dict[str, Any]]:
        """The operations noted for a step."""
        return [self._parsed(data) for _step, data in self._select("operations", "step", (int(step),))]

    def add_fact(self, step: int, kind: str, data: Any = None) -> None:
        """Note that something was so at a step."""
        self._add("facts", (int(step), kind, to_json(data), time.time()))

    def facts(self, kind: str | None = None) -> list[Fact]:
        """The facts, oldest first; all, or those of one kind."""
        self._collect()
        rows = self._select("facts", "kind", (kind,)) if kind is not None else self._select("facts")
        return [Fact(step, name, self._parsed(data), when) for step, name, data, when in rows]

    def facts_since(self, cursor: int, *, wait: bool = False) -> tuple[list[Fact], int]:
        """What facts came after `cursor`, and the next cursor. Begin with 0.

        Args:
            cursor: What the last call gave.
            wait: For the disk, so that none is left out. Else what was noted in the last half second may come later:
                who asks again and again keeps nobody waiting.
        """
        if self._store is not None:
            rows, cursor = self._store.facts_since(cursor, wait=wait)
        else:
            rows = self._rows["facts"][cursor:]
            cursor += len(rows)
        return [Fact(step, name, from_json(data), when) for step, name, data, when in rows], cursor

    def graph(self, step: int | None = None) -> "Graph":
        """The graph that PyTorch built in a step, forward and backward.

        Looked at are the first steps, then ever fewer; `watch(..., looks=[...])` names steps of your own.

        Args:
            step: The newest look at this step or before it; None for the newest of all.

        Returns:
            The graph, whose `step` says where it was recorded. `a.diff(b)` says what changed.

        Raises:
            NoLook: No graph was recorded until then.
        """
        found: Graph = import_module("firstlight.graph.recorded").graph_of(self, step)
        return found

    def memory(self, step: int | None = None) -> "MeasuredMemory":
        """What a step of the training held in memory: by kind, by phase, by module, and when it was most.

        Args:
            step: The newest look at this step or before it; None for the newest of all.

        Returns:
            The numbers, in bytes; in a notebook a picture, elsewhere a table.

        Raises:
            NoLook: The memory was not looked at until then.
        """
        found: MeasuredMemory = import_module("firstlight.graph.recorded").memory_of(self, step)
        return found

    def add_result(self, metrics: Mapping[str, float]) -> None:
        """Note what was measured on the trained model, at the newest step; also when the run has ended.

        Raises:
            NotAMetric: For a value that is no number.
        """
        step = max(0, self.steps - 1)
        if not self._closed:
            self.log(metrics, step)
            return
        numbers, now = {str(name): _metric(name, value) for name, value in metrics.items()}, time.time()
        self._points.extend([(name, step, value, now) for name, value in numbers.items()])
        if self.folder is not None:
            add_afterwards(self.folder, numbers)

    def add_finding(self, code: str, step: int | None = None, **data: Any) -> None:
        """Note what a rule found; `data` is JSON."""
        self._add("findings", (None if step is None else int(step), code, to_json(data), time.time()))

    def findings(self) -> list[Finding]:
        """The findings, oldest first."""
        rows = self._select("findings")
        return [Finding(step, code, self._parsed(data), when) for step, code, data, when in rows]

    # States.

    def save_state(self, name: str, tensors: Mapping[str, "Tensor"], data: Any = None) -> Path | None:
        """Save tensors and JSON as one checkpoint; a file of that name is replaced in one move.

        Args:
            name: Becomes the file name, such as `best`.
            tensors: For example `model.state_dict()`.
            data: Whatever JSON can hold.

        Returns:
            `checkpoints/NAME.safetensors` in the run's folder; None where the record is in memory.
        """
        from firstlight.run import state

        self._check_open()
        if self.folder is None:
            state.check_name(name)
            self._states[name] = ({key: value.detach().clone() for key, value in tensors.items()}, to_json(data))
            return None
        return state.save(self.folder / "checkpoints", name, tensors, data)

    def load_state(self, name: str) -> tuple[dict[str, "Tensor"], Any]:
        """Read a checkpoint: its tensors, on the CPU, and its JSON.

        Raises:
            StateNotFound: When there is none of that name.
        """
        from firstlight.run import state

        if self.folder is None:
            if name not in self._states:
                raise state.missing(self.name, name, self.states())
            tensors, text = self._states[name]
            return {key: value.clone() for key, value in tensors.items()}, from_json(text)
        return state.load(self.folder / "checkpoints", name, self.name)

    def states(self) -> list[str]:
        """Names of the saved states."""
        if self.folder is None:
            return sorted(self._states)
        return sorted(path.stem for path in (self.folder / "checkpoints").glob("*.safetensors"))

    def export_tensorboard(self, folder: str | Path) -> Path:
        """Write the metrics as a TensorBoard event file into `folder`, and return the file."""
        from firstlight.run import tensorboard

        return tensorboard.export(self, Path(folder))

    def weights(self) -> dict[str, "Tensor"]:
        """The weights of the model at the newest checkpoint, for `model.load_state_dict`; of several, the first's.

        Of a training without a model they are the tensors that its optimizers change, in order, named `0`, `1` ...

        Raises:
            StateNotFound: When there is no checkpoint.
        """
        from firstlight.run import state
        from firstlight.run.found import newest

        if self.folder is None:
            raise state.missing(self.name, "step-...", self.states())
        checkpoint = newest(self.folder)
        models, loose = checkpoint.part("models"), checkpoint.part("loose")
        found: dict[str, Tensor] = models[0]["state"] if models else {str(at): one for at, one in enumerate(loose)}
        return found

    # The loop's place in its data.

    def epochs(self, count: int) -> "Iterator[int]":
        """The numbers of the epochs, `range(count)`. After an interruption they begin with the one that was left.

        A run that `watch` or `fit` made with `resume=` goes on at the very step where its last checkpoint was made, if
        the batches come from `run.batches`: weights, optimizers, schedulers, random numbers and the order of the data
        are what they were there, and a second interruption is no different from the first.

        Args:
            count: How many there are from start to end.

        Example:
            >>> run = Run()
            >>> [(epoch, batch) for epoch in run.epochs(2) for batch in run.batches("ab")]
            [(0, 'a'), (0, 'b'), (1, 'a'), (1, 'b')]
        """
        if self.plan.total_epochs is None and not self._closed:
            self.set_plan(total_epochs=count)
        return self._on_course().epochs(count)

    def batches(self, source: Any, size: int | None = None, **options: Any) -> "Pass":
        """One pass over batches; after an interruption, the rest of the pass that was left.

        Args:
            source: A firstlight `Dataset` or a torch dataset with `size`; or a `DataLoader`, or what else gives the
                same batches again as long as the random generators stand where they stood.
            size: Samples in a batch.
            options: As in `Dataset.batches`, such as `shuffle=True`; for a torch dataset as in `DataLoader`.

        Returns:
            What to loop over. Its `index` is the number of the batch in the pass, also right after an interruption,
            where `enumerate` would begin at 0 again.

        Raises:
            BatchesInside: Inside of another such pass.
            CheckpointDiffers: The data are not those that the run was interrupted on.
        """
        return self._on_course().batches(source, size, **options)

    def _on_course(self) -> "Course":
        if self.course is None:
            from firstlight.run.course import Course

            self.course = Course(self)
        return self.course

    # For the recorder and for checkpoints.

    @property
    def noted(self) -> int:
        """How many numbers there are in the record."""
        return len(self._points)

    def collect(self) -> None:
        """Bring numbers that are on their way, such as from an accelerator, into the record."""
        self._collect()

    def flush(self) -> bool:
        """Wait until the record is on disk; False where the disk does not take it, or where there is none."""
        return self._store is not None and self._store.flush()

    def add_source(self, collect: Callable[[], None]) -> None:
        """Register a function that brings numbers which are still on their way; called before the record is read."""
        self._sources.append(collect)

    def remove_source(self, collect: Callable[[], None]) -> None:
        """Undo `add_source`."""
        with contextlib.suppress(ValueError):
            self._sources.remove(collect)

    @property
    def writer_cpu_s(self) -> float:
        """Seconds of processor time that the background thread has used."""
        return self._store.cpu_s if self._store is not None else 0.0

    def __repr__(self) -> str:
        where = f", folder={str(self.folder)!r}" if self.folder is not None else ""
        return f"Run({self.name!r}, {self.status}, {len(self.metrics())} metrics{where})"

    # Private.

    def _check_open(self) -> None:
        if self._closed:
            raise RunEnded(name=self.name)

    def _collect(self) -> None:
        for collect in list(self._sources):
            collect()

    def _add(self, table: str, row: tuple[Any, ...]) -> None:
        self._check_open()
        if self._store is not None:
            self._store.put(table, row)
        else:
            self._rows[table].append(row)

    def _select(self, table: str, where: str = "", params: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        if self._store is not None:
            return self._store.rows(table, where, params)
        rows = self._rows[table]
        if not where:
            return list(rows)
        from firstlight.run.store import COLUMNS

        at = COLUMNS[table].index(where)
        return [row for row in rows if row[at] == params[0]]

    def _parsed(self, text: str) -> Any:
        return from_json(text)

    def _save(self, key: str, value: Any) -> None:
        if self._store is not None:
            self._store.set(key, value)

    def _note_code(self) -> None:
        if cells := environment.cells():
            self._environment["cells"] = cells
            self._save("environment", self._environment)

    def _meta(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "status": self._status,
            "started": self.started,
            "process": process.identity(),
            "plan": asdict(self._plan),
            "info": self._info,
            "environment": self._environment,
        }

    def _notify(self, event: str) -> None:
        for callback in list(self._callbacks):
            try:
                callback(event)
            except Exception:  # noqa: BLE001 - a view that breaks must not break the training that it shows
                warnings.warn(traceback.format_exc(), RuntimeWarning, stacklevel=2)


class SavedRun(Run):
    """A run read from its folder. It never writes."""

    def __init__(self, folder: Path) -> None:
        self._reader = Reader(folder)
        meta = self._reader.meta()
        super().__init__(str(meta.get("name", folder.name)))
        self.folder = folder
        self._refresh(meta)

    @property
    def status(self) -> str:
        """As written; of a process that is gone without a word: `died`, or what it was at its rest."""
        self._follow()
        return super().status

    @property
    def plan(self) -> Plan:
        """What the run intends to do, as written by now."""
        self._follow()
        return self._plan

    @property
    def info(self) -> dict[str, Any]:
        """What is known about the run as a whole, as written by now."""
        self._follow()
        return dict(self._info)

    @property
    def environment(self) -> dict[str, Any]:
        """Versions, machine, threads, seed and code, as written by now."""
        self._follow()
        return self._environment

    @property
    def duration(self) -> float:
        """Seconds from start to end or until now, without those in which the loop was left."""
        self._follow()
        return super().duration

    @property
    def resting(self) -> bool:
        """Whether the loop was left for now, as written by now."""
        self._follow()
        return super().resting

    def metric(self, name: str) -> list[Point]:
        """All values of a metric that are on disk by now."""
        rows = self._reader.query(
            "SELECT step, value, points.time FROM points JOIN metrics ON metrics.id = metric WHERE name = ? "
            "ORDER BY points.id",
            (name,),
            (int, (*NUMBER, NULL), NUMBER),
        )
        return [Point(step, _number(value), when) for step, value, when in rows]

    def metrics(self) -> list[str]:
        """Names of the metrics that are on disk by now."""
        return [name for (name,) in self._reader.query("SELECT name FROM metrics ORDER BY id", kinds=(str,))]

    def last(self, name: str) -> float | None:
        """The newest value of a metric that is on disk by now."""
        rows = self._reader.query(
            "SELECT value FROM points WHERE metric = (SELECT id FROM metrics WHERE name = ?) ORDER BY id DESC LIMIT 1",
            (name,),
            ((*NUMBER, NULL),),
        )
        return _number(rows[0][0]) if rows else None

    def points_since(self, cursor: int) -> tuple[list[Row], int]:
        """What came to disk after `cursor`."""
        return self._newer(cursor)

    def facts_since(self, cursor: int, *, wait: bool = False) -> tuple[list[Fact], int]:  # noqa: ARG002 - nobody to wait for
        """What facts came to disk after `cursor`."""
        rows, cursor = self._reader.facts_since(cursor)
        return [Fact(step, name, self._parsed(data), when) for step, name, data, when in rows], cursor

    @property
    def paused(self) -> bool:
        """Whether the loop waits between two steps, as written by now."""
        self._follow()
        return super().paused and self._status == "running"

    @property
    def steps(self) -> int:
        """Number of steps up to the newest one on disk that has a metric."""
        return int(self._reader.query("SELECT coalesce(max(step), -1) FROM points", kinds=(int,))[0][0]) + 1

    def summary(self) -> dict[str, Any]:
        """Count, last step and value, lowest and highest value of each metric."""
        meta = self._reader.meta()
        if is_summary(meta.get("summary")):
            return dict(meta["summary"])
        rows = self._reader.query(
            "SELECT name, count, step, value, low, high FROM "
            "(SELECT metric AS m, count(*) AS count, max(id) AS newest, min(value) AS low, max(value) AS high "
            "FROM points GROUP BY metric) JOIN points ON points.id = newest JOIN metrics ON metrics.id = m ORDER BY m",
            kinds=(str, int, int, *3 * ((*NUMBER, NULL),)),
        )
        return {
            name: {"count": count, "step": step, "last": _number(value), "low": low, "high": high}
            for name, count, step, value, low, high in rows
        }

    def graph(self, step: int | None = None) -> "Graph":
        """As of any run; a record that holds something else in its place is damaged."""
        with believed(self._reader.path):
            return super().graph(step)

    def memory(self, step: int | None = None) -> "MeasuredMemory":
        """As of any run; a record that holds something else in its place is damaged."""
        with believed(self._reader.path):
            return super().memory(step)

    def finish(self, status: str = "finished", reason: str | None = None) -> None:
        """Does nothing: the run belongs to the process that trains."""

    def _check_open(self) -> None:
        raise RecordReadOnly(name=self.name)

    def _newer(self, cursor: int, most: int = -1) -> tuple[list[Row], int]:
        """The points after `cursor`, at most so many, and the next cursor."""
        rows = self._reader.query(
            "SELECT id, metric, step, value, time FROM points WHERE id > ? ORDER BY id LIMIT ?",
            (cursor, most),
            (int, int, int, (*NUMBER, NULL), NUMBER),
        )
        if not rows:
            return [], cursor
        # Apart: joined, a long name would come anew for each point. Afterwards: a new metric would have none.
        names = dict(self._reader.query("SELECT id, name FROM metrics", kinds=(int, str)))
        found = [(names[at], step, _number(v), when) for _id, at, step, v, when in rows if at in names]
        return found, rows[-1][0]

    def _select(self, table: str, where: str = "", params: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        return self._reader.rows(table, where, params)

    def _parsed(self, text: str) -> Any:
        return self._reader.parsed(text)

    def _follow(self) -> None:
        if self._status == "running":
            self._refresh(self._reader.meta())

    def _refresh(self, meta: dict[str, Any]) -> None:
        self.started = float(meta.get("started", 0.0))
        self.ended = meta.get("ended")
        self.reason = meta.get("reason")
        self._plan = Plan(**meta.get("plan", {}))
        self._info = dict(meta.get("info", {}))
        self._environment = dict(meta.get("environment", {}))
        rested = meta.get("rested") or {}
        self._rested, self._stopped = rested.get("time"), bool(rested.get("stopped"))
        self._paused_s = float(meta.get("paused_s", 0.0))
        self._waiting_since = meta.get("paused")
        status = str(meta.get("status", "running"))
        if status == "running":
            there = process.alive(meta.get("process", {}))
            heartbeat = float(meta.get("heartbeat", self.started))
            if there is False or (there is None and silent_for_too_long(heartbeat)):
                status, self.ended = "died", heartbeat
                if self._rested is not None:  # nothing was going on when the process went
                    status, self.ended = "stopped" if self._stopped else "finished", self._rested
        self._status = status


def new_folder(parent: Path, name: str, started: float) -> Path:
    """Make a folder for a run; its name sorts by time, and two processes never get the same one."""
    whole = time.strftime("%Y%m%dT%H%M%S", time.gmtime(started))
    stem = f"{whole}.{int(started % 1 * 1000):03d}Z"
    word = re.sub(r"[^\w.-]+", "-", name).strip("-._")[:60] or "run"
    parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, 10_000):
        folder = parent / (f"{stem}-{word}" if attempt == 1 else f"{stem}-{word}-{attempt}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise FileExistsError(str(folder))


def end_here(folder: Path) -> bool:
    """End the run of this folder where it is this process that trains it; whether it was."""
    mine = [run for run in list(_running.values()) if run.folder and run.folder.absolute() == folder.absolute()]
    for run in mine:
        run.finish("stopped")
    return bool(mine)


def _metric(name: object, value: Any) -> float:
    if hasattr(value, "detach"):
        value = value.detach()  # torch warns where a loss is made a number with its graph
    if isinstance(value, (str, bytes)):  # float("nan") would take some of them
        raise NotAMetric(name=name, value=_shown(value))
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise NotAMetric(name=name, value=_shown(value)) from error


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else type(value).__name__


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _keep_until_exit(run: Run) -> None:
    global _exit_watched
    if not _exit_watched:
        _exit_watched = True
        atexit.register(_finish_all)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_running.clear)  # they are the parent's to finish
    _running[id(run)] = run


def _finish_all() -> None:
    """At the end of the process: what still runs is finished, or failed where an exception ended the script."""
    error = getattr(sys, "last_value", None)
    in_notebook = "IPython" in sys.modules  # there, an exception ends a cell and not the process
    for run in list(_running.values()):
        if error is not None and not in_notebook and not hasattr(sys, "ps1"):
            status = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
            run.finish(status, "".join(traceback.format_exception_only(type(error), error)).strip())
        else:
            run.finish()
