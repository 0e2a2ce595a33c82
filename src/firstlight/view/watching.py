"""`watch`: a plain PyTorch loop, seen while it runs."""

from collections.abc import Collection
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from firstlight.errors import FirstlightError
from firstlight.locale import Text
from firstlight.run import Run, audience
from firstlight.view.live import show_live
from firstlight.view.stopping import cells

if TYPE_CHECKING:
    from firstlight.run.checkpoint import Checkpoints


class NotWatchable(FirstlightError, TypeError):
    """Something was given to `watch` that has no state to watch or to keep."""

    text = Text(
        what="watch() cannot watch something of type {kind}.",
        why="It takes models (torch.nn.Module) and optimizers (torch.optim.Optimizer), and for its checkpoints "
        "schedulers, random generators and what else has state_dict() and load_state_dict().",
        do="Write watch(model, optimizer); lengths go by name, as in watch(model, optimizer, epochs=3).",
    )


class NotALength(FirstlightError, ValueError):
    """`epochs` or `steps` is no whole number above zero."""

    text = Text(
        what="watch() was given {name}={value}.",
        why="The progress bar needs a whole number above zero.",
        do="Give the number that your loop will make, or leave it out.",
    )


class NotSteps(FirstlightError, TypeError):
    """`looks` says neither whether to look nor where."""

    text = Text(
        what="watch() was given looks={value}.",
        why="It is True, False, or a list of the steps to look at besides, counted from 0.",
        do="Leave it out, or write looks=[3, 9].",
    )


def watch(
    model: nn.Module | None = None,
    optimizer: Optimizer | None = None,
    *more: Any,
    epochs: int | None = None,
    steps: int | None = None,
    name: str | None = None,
    looks: bool | Collection[int] = True,
    checkpoint: "bool | float | Checkpoints" = True,
    resume: bool | str | Path = False,
) -> Run:
    """Show the training that follows: curves, progress, speed, and a Stop button.

    The loop itself stays plain PyTorch, in this cell or in later ones, and computes exactly the same with and without
    this call. In a script, or to mark where the training ends, it is a `with` block too.

    Args:
        model: The model that learns; None watches whatever is trained.
        optimizer: The optimizer whose steps are counted.
        more: Further models and optimizers, where there are several; and what checkpoints are to keep besides, such as
            an averaged model or a random generator of your own. Schedulers and gradient scalers are found without.
        epochs: How many passes over the data the loop will make, if known: the bar then shows the whole run.
        steps: The same in optimizer steps.
        name: What to call the run.
        looks: Whether to look closely at the first steps and then at ever fewer: graph, gradients, activations, memory.
            Numbers of steps, as in `looks=[3, 9]`, are looked at besides, whatever that costs.
        checkpoint: Whether to keep copies of everything that training needs to go on, at less than one hundredth of
            its time: True, False, the least number of seconds between two, or `firstlight.run.Checkpoints`.
        resume: Go on with the newest run of this name that was interrupted, if there is one; or with the run in this
            folder. Weights and optimizers are put back at once. A loop over `run.epochs` and `run.batches` goes on at
            the very step; in any other loop, the epochs begin anew.

    Returns:
        The record, which fills while the loop runs. As a context manager it ends with its block. Of several processes
        that train together (torchrun) the first keeps the record, and the others get one that stays empty.

    Raises:
        NotWatchable: When something is neither a model nor an optimizer.
        NotALength: When `epochs` or `steps` is no whole number above zero.
        NotSteps: When `looks` is neither True, False nor numbers of steps.
        NotACheckpointing: When `checkpoint` says neither whether nor how often.
        CheckpointDiffers: When the run to go on with was made with another model, other options or another torch.

    Example:
        >>> import torch
        >>> model = nn.Linear(2, 1)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> with watch(model, optimizer, steps=3) as run:
        ...     for x in torch.eye(2).repeat(2, 1)[:3]:
        ...         optimizer.zero_grad()
        ...         loss = nn.functional.mse_loss(model(x), torch.ones(1))
        ...         loss.backward()
        ...         optimizer.step()
        >>> len(run.metric("train/loss"))
        3
    """
    from firstlight.data.dataset import Batches  # `listen` alone needs neither the data room nor the recorder
    from firstlight.graph import looks as closer
    from firstlight.run import CannotResume, Recorder
    from firstlight.run.chance import is_generator
    from firstlight.run.checkpoint import Checkpoints, Keeper, Parts, interrupted
    from firstlight.run.course import Course
    from firstlight.train.world import World

    given = [one for one in (model, optimizer, *more) if one is not None]
    models = [one for one in given if isinstance(one, nn.Module)]
    optimizers = [one for one in given if isinstance(one, Optimizer)]
    others = [one for one in given if not isinstance(one, nn.Module | Optimizer)]
    for one in others:
        stateful = callable(getattr(one, "state_dict", None)) and callable(getattr(one, "load_state_dict", None))
        if not (stateful or is_generator(one)) or isinstance(one, type):
            raise NotWatchable(kind=type(one).__name__)
    pace = Checkpoints.of(checkpoint)
    epochs, steps = _length("epochs", epochs), _length("steps", steps)
    wanted: Any = looks
    if not isinstance(wanted, bool | Collection) or isinstance(wanted, str):
        raise NotSteps(value=repr(wanted))
    name = name or (type(models[0]).__name__ if models else "run")
    world = World.here()
    if resume is not False and not world.alone:
        raise CannotResume(size=world.size)
    if not world.first:
        return Run(name)
    parts = Parts(models, optimizers, others, counts=lambda: [])
    found = interrupted(name, resume)
    if found is not None:
        parts.check(found, exactly=False)  # before anything is changed
    run = Run.start(name=name) if found is None else Run.take_up(found.folder, found.kept)
    recorder = Recorder(run, models, optimizers, loaders=(DataLoader, Batches), looks=looks)
    parts.optimizers, parts.counts = recorder.optimizers, lambda: recorder.counts  # it may find more of them
    keeper = Keeper(run, parts, pace)
    if found is not None:
        parts.put_back(found, exactly=False)
        recorder.go_on_from(found.data["counts"])
        found.say_where()
    recorder.keeper = keeper
    run.course = Course(run, keeper, found, arrived=recorder.join)
    run.set_plan(total_steps=steps, total_epochs=epochs)
    cells.attach()
    closer.attend()
    recorder.start()  # ends an older run of the same model
    show_live(run, waits=True)
    return run


def listen() -> None:
    """Show every run that starts from now on, such as those of `fit`. Calling it again changes nothing."""
    from firstlight.graph import looks as closer

    closer.attend()
    if _show not in audience:
        audience.append(_show)


def _show(run: Run) -> None:
    show_live(run, waits=False)


def _length(name: str, value: Any) -> int | None:
    """A whole number above zero, Python's or NumPy's, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise NotALength(name=name, value=repr(value))
    return int(value)
