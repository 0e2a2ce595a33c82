"""What listens for one kind of thing, and what it is told: calls of models, backward passes, steps, batches.

An observer sees one episode: a script from its first line to its last, or one cell of a notebook. It keeps little,
reads only, draws no random number, and says what it saw as facts (`kind`, JSON), which rules read from the record. All
its methods are called with autograd off, unheard by the modes of others, and timed. An error in one ends that observer
and is reported; the training goes on.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

from firstlight.doctor.places import Place

if TYPE_CHECKING:
    from firstlight.doctor.trail import Trail
    from firstlight.doctor.witness import Witness


@dataclass(eq=False)
class Call:
    """One call of a root: the outermost module with parameters that the learner's code calls.

    Attributes:
        module: The root.
        args: What it was given.
        kwargs: By name.
        grad: Whether autograd was on.
        training: Whether the root was in training mode.
        number: The how-many-th call of a root in this episode, from 0.
        close: Whether modules inside are told of too.
        output: What it gave; None before it is done.
        place: The learner's line, where `close`.
        trail: Line by line what it did, for the first calls of a root with gradients; else None.
    """

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    grad: bool
    training: bool
    number: int
    close: bool
    output: Any = None
    place: Place | None = None
    trail: "Trail | None" = None

    @property
    def learns(self) -> bool:
        """Whether the output can be back-propagated."""
        return self.grad


@dataclass(eq=False)
class Backward:
    """One backward pass that the learner's code asked for, by `backward` or `torch.autograd.grad`.

    Attributes:
        losses: What goes backward.
        number: The how-many-th of this episode, from 0.
        close: Whether the graph is to be read: at the first passes, then ever more rarely.
        retain: `retain_graph`, None where it was not given.
        create: `create_graph`.
        by: `backward` or `grad`.
        place: The learner's line, where `close`.
    """

    losses: tuple[Tensor, ...]
    number: int
    close: bool
    retain: bool | None = None
    create: bool = False
    by: str = "backward"
    place: Place | None = None


@dataclass(eq=False)
class Feed:
    """One pass over a loader (a DataLoader, or the `batches` of a dataset of ours).

    Attributes:
        loader: What is iterated over.
        number: The how-many-th pass of this episode, from 0.
        place: The learner's line, for the first passes.
        count: Batches so far.
        ended: Whether it was exhausted.
        learned: Backward passes since it began and before another one gave a batch; tells training from evaluation.
        waited_s: Seconds that the program has waited for its batches.
    """

    loader: Any
    number: int
    place: Place | None = None
    count: int = 0
    ended: bool = False
    learned: int = 0
    waited_s: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)


class Observer:
    """The base: hears nothing and says nothing. A subclass overrides what it wants to hear; the rest costs nothing.

    Attributes:
        kinds: The facts that it may give.
        gaps: Whether it may miss whole steps in the middle of an epoch, where listening would cost more than its share;
            or the events that it may miss then. It hears every step at first, then the first ones of each pass over a
            loader and of each optimizer, and all of an evaluation; `missed` is called before the next step that it
            hears. What must count each step cannot have gaps; what samples, or sees at once what is the same at each
            step, can, and should.
        hears: Functions that it wants to hear the calls of: a name of its own -> (module or class path, attribute).
            `called` is told after each call. Example: `{"clip": ("torch.nn.utils", "clip_grad_norm_")}`.
    """

    kinds: ClassVar[tuple[str, ...]] = ()
    gaps: ClassVar[bool | frozenset[str]] = False
    hears: ClassVar[dict[str, tuple[str, str]]] = {}

    def __init__(self, witness: "Witness") -> None:
        self.witness = witness

    def missed(self) -> None:
        """Steps have passed unheard: what is known of the one before the next says nothing."""

    def forward_begins(self, call: Call) -> None:
        """A root is about to run."""

    def forward(self, call: Call) -> None:
        """A root has run; `call.output` is there."""

    def module(self, call: Call, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        """A module inside of a root has run. Told only where `call.close`."""

    def backward_begins(self, going: Backward) -> None:
        """A loss is about to go backward: its graph is still whole."""

    def backward(self, going: Backward) -> None:
        """It has gone backward: gradients are there."""

    def registered(self, parameter: nn.Parameter) -> None:
        """A module was given a parameter of its own: while it is made, or later, as a new head is."""

    def optimizer_made(self, optimizer: Optimizer, place: Place | None) -> None:
        """An optimizer was made."""

    def cleared(self, owner: Any) -> None:
        """`zero_grad` of an optimizer or a module is about to run."""

    def step_begins(self, optimizer: Optimizer) -> None:
        """An optimizer is about to change weights."""

    def step(self, optimizer: Optimizer) -> None:
        """It has changed them."""

    def feed_begins(self, feed: Feed) -> None:
        """A pass over a loader begins."""

    def batch(self, feed: Feed, batch: Any) -> None:
        """A loader gave a batch."""

    def feed_ends(self, feed: Feed) -> None:
        """A loader has no more batches."""

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """A function of `hears` was called and gave `result`. `self.witness.place()` is the learner's line."""

    def calling(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A function of `hears` is about to be called."""

    def warned(self, category: str, message: str, place: Place | None) -> None:
        """A warning was given, by PyTorch, another library or the learner's code."""

    def failed(self, error: BaseException) -> None:
        """The script or the cell ended with an exception."""

    def recovered(self) -> None:
        """Another cell begins: the exception of the one before is past."""

    def probe(self) -> None:
        """The episode is over or stands still: a small experiment, where something is suspected and only this can tell.

        On deep copies only, in less than a second, with autograd on. What it finds is kept for `facts`; a second call
        makes no second experiment. Random numbers may be drawn: they go on afterwards as if nothing had happened.
        """

    def facts(self) -> Iterator[tuple[str, Any]]:
        """What it knows now, as facts: may be asked several times in an episode, and changes nothing."""
        return iter(())
