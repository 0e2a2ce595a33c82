"""`fit`: train a classifier, with everything around the loop that is easy to get wrong.

The loop itself is `_loop`, below: read it first. It is the loop of the first lesson, with a line for each thing that
`fit` adds. What it trains with is made in `recipe.py`, what it is fed with in `feed.py`, and how a step computes is
chosen in `plan.py`.
"""

import copy
import math
import numbers
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader

from firstlight.data.dataset import Batches, Dataset
from firstlight.errors import FirstlightError
from firstlight.locale import Text, _, say
from firstlight.run import CannotResume, Recorder, Run, TrainingStopped
from firstlight.run.checkpoint import Checkpoints, Keeper, Parts, differences, interrupted
from firstlight.run.course import Course, Pass, description
from firstlight.run.found import Found
from firstlight.run.store import warn_not_saved
from firstlight.train.check import Loss, check, require_model
from firstlight.train.clock import Clock, spell
from firstlight.train.device import choose_device, home_of, require, short
from firstlight.train.feed import Augment, Feed, NoSamples
from firstlight.train.malloc import kept_memory
from firstlight.train.measure import Score, measure
from firstlight.train.memory import PeakMemory, peak_memory, require_room, room_errors
from firstlight.train.plan import StepPlan, arranged, choose_step, compiled, in_float32
from firstlight.train.randomness import borrowed_randomness
from firstlight.train.recipe import (
    MakeOptimizer,
    MakeSchedule,
    NotInRange,
    UnknownChoice,
    handed_back,
    make_loss,
    make_optimizer,
    make_schedule,
    shown,
    weigh,
)
from firstlight.train.threads import Threads
from firstlight.train.world import BROKEN, FINE, STOPPED, World

PEAK_LR = 3e-3  # AdamW at the top of the one-cycle schedule
STEADY_LR = 1e-3  # AdamW without that schedule
_LOOK_EVERY = 20  # steps between two looks at the loss on an accelerator, which has to be waited for
_SAVING = 20  # writing the best weights may take one part in so many of the time


class LossNotFinite(FirstlightError, ArithmeticError):
    """The loss became nan or infinite.

    Attributes:
        run: The record up to there; its model has the best weights that were measured before.
    """

    text = Text(
        what="The loss became {value} at step {step}, so training stopped; the model has its weights of {kept}.",
        why="A step was so large that numbers overflowed, or a sample holds nan or infinity.",
        do="Try a tenth of the learning rate ({lr}) or clip=1.0, and look for nan in the inputs.",
    )
    run: Run


class BatchOfOne(FirstlightError, ValueError):
    """BatchNorm was given a batch that holds a single sample."""

    text = Text(
        what="A batch held one sample only, and BatchNorm cannot train on that.",
        why="It normalises each sample with the mean and deviation of its batch, and one sample has no deviation.",
        do="Give the DataLoader drop_last=True or another batch_size; with batches of one, use nn.GroupNorm.",
    )


class NothingToWatch(FirstlightError, ValueError):
    """Early stopping without data to judge by."""

    text = Text(
        what="patience={patience} needs data to judge each epoch by, and there is none.",
        why="Training stops early when the model no longer improves on data that it does not learn from. A DataLoader "
        "cannot be split into such parts.",
        do="Give test= as well, or train on a firstlight Dataset with validation=0.1.",
    )


class CannotSplit(FirstlightError, TypeError):
    """A part of the training data was asked for, of data that cannot be divided."""

    text = Text(
        what="validation= cannot keep aside a part of this {kind}.",
        why="Only a firstlight Dataset can be split so that each class keeps its share.",
        do="Split the data yourself and give the part as test=, or use firstlight.load(...) on it.",
    )


@dataclass
class _Training:
    """Everything that the loop uses."""

    model: nn.Module
    train: Feed
    judge: Feed | None  # judges each epoch: the test split, or a part of the training split
    loss: Loss
    own_loss: Loss | None  # the learner's, which then measures too
    optimizer: Optimizer
    schedule: LRScheduler | None
    plan: StepPlan
    threads: Threads
    class_weights: Tensor | None
    clip: float | None
    epochs: int
    patience: int | None
    run: Run
    keeper: Keeper
    found: Found | None  # the checkpoint to go on from
    world: World
    device: torch.device
    clock: Clock
    announced: bool = False
    step: int = 0
    best: Score | None = None
    best_epoch: int = 0  # counted from 1; 0 is the start
    best_weights: dict[str, Any] = field(default_factory=dict)
    saved: bool = True  # whether the record's folder has them
    saved_at: float = -math.inf
    saving_s: float = 0.0


def fit(
    model: nn.Module,
    train: Any,
    test: Any = None,
    *,
    epochs: int = 5,
    batch_size: int = 128,
    lr: float | None = None,
    optimizer: Optimizer | MakeOptimizer | None = None,
    loss: Loss | None = None,
    schedule: str | MakeSchedule | None = "one-cycle",
    weight_decay: float | None = None,
    augment: Augment | None = None,
    seed: int | None = None,
    device: str | torch.device | None = "auto",
    precision: str = "auto",
    memory_format: str = "auto",
    compile: str | bool = "auto",  # noqa: A002 - the word that torch uses
    threads: str | int = "auto",
    clip: float | None = None,
    label_smoothing: float = 0.0,
    class_weights: str | Tensor | None = None,
    patience: int | None = None,
    validation: float | None = None,
    name: str | None = None,
    checkpoint: bool | float | Checkpoints = True,
    resume: bool | str | Path = False,
) -> Run:
    """Train a model and keep its best weights.

    Before the first step, a few samples go through the model: what does not fit together is said then. A line tells
    the device, the number of parameters and the expected time, measured on the first steps. The model comes back on
    its device and in its mode. A stop (the button, Ctrl-C, the kernel's interrupt) ends training between two steps:
    the model keeps what it has learned up to there, and the run says `stopped`.

    Args:
        model: Any module that gives a row of scores (before softmax) for each sample.
        train: A firstlight `Dataset`, a `DataLoader` of (inputs, labels), or a torch dataset.
        test: The same, for measuring after each epoch. The epoch that does best on it gives the weights that are kept;
            its accuracy is then a little flattering, which `validation` avoids.
        epochs: Passes over the training split.
        batch_size: Samples in a step; a `DataLoader` has its own.
        lr: The learning rate, at its highest point where a schedule changes it. For AdamW 0.003 with the one-cycle
            schedule and 0.001 otherwise; an optimizer of yours has its own.
        optimizer: An optimizer, or what makes one from parameters, such as `torch.optim.SGD`; AdamW by default.
        loss: A function of outputs and labels that gives one number; cross-entropy by default.
        schedule: `"one-cycle"`, `"cosine"`, None, or a function that makes a `torch.optim.lr_scheduler` from an
            optimizer. It moves once per step.
        weight_decay: Pull of the weights towards zero; what the optimizer has by default (0.01 for AdamW).
        augment: Changes the inputs of each training batch, such as a random flip.
        seed: Makes training repeatable bit for bit on the same machine with the same number of threads, from the same
            initial weights. The global random generators are left as they were.
        device: `"auto"` takes the model's own accelerator if it is on one, else `choose_device`. None stays where the
            model is.
        precision: `"float32"`, `"bfloat16"` (autocast; weights stay float32), or `"auto"`: a copy of the model steps in
            both, and bfloat16 is taken where it is clearly quicker and its losses agree.
        memory_format: `"contiguous"`, `"channels_last"` for pictures, or `"auto"`: what is quicker.
        compile: Whether `torch.compile` translates the model; `"auto"`: where a long training pays for it.
        threads: How many threads compute on the CPU; `"auto"` adapts to what other programs leave free.
        clip: Largest norm of the gradient, all weights together.
        label_smoothing: Share of the target that is spread over all classes.
        class_weights: How much each class counts: `"balanced"`, or one number each. Shape: (K,).
        patience: Stop after so many epochs without improvement.
        validation: Share of the training split to keep aside and judge epochs by. By default 0.1 where no test is
            given, and none otherwise. With both, test is measured once, at the end.
        name: What the run is called; by default the model's class.
        checkpoint: Whether to keep copies of everything that training needs to go on, at less than one hundredth of
            its time: True, False, the least number of seconds between two, or `firstlight.run.Checkpoints`.
        resume: Go on with the newest training of this name that was interrupted, if there is one; or with the run in
            this folder. On the CPU, and with a seed, the weights become bit for bit what they would have become without
            the interruption. Everything else has to be as it was then.

    Returns:
        The record: `run.model` is the model, `run.metric("test/accuracy")` its way there, `run.info["test"]` (or
        `"val"`) what the kept weights reach. For test that is measured in float32, whatever the steps computed in,
        unless the training was stopped.

    Raises:
        FirstlightError: Model, data and options do not fit together; nothing has been trained then.
        LossNotFinite: The loss became nan or infinite. The model has its best weights.
        BatchOfOne: The model has BatchNorm, and a batch held one sample.
        CheckpointDiffers: The training to go on with had another model, other data, options or versions.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from torch.utils.data import DataLoader, TensorDataset
        >>> points = torch.randn(256, 2, generator=torch.Generator().manual_seed(0))
        >>> data = TensorDataset(points, (points[:, 0] > 0).long())
        >>> run = fit(nn.Linear(2, 2), data, data, lr=0.1, batch_size=32, seed=0, device="cpu")
        Training on CPU ...
        >>> run.status, run.last("test/accuracy") > 0.9
        ('finished', True)
    """
    require_model(model)
    _check_options(
        {"epochs": epochs, "batch_size": batch_size, "patience": patience},
        {"validation": validation, "label_smoothing": label_smoothing},
        {"lr": lr, "weight_decay": weight_decay, "clip": clip},
        schedule, loss, seed,
    )  # fmt: skip
    _check_plan(precision, memory_format, compile, threads)
    pace = Checkpoints.of(checkpoint)
    epochs, batch_size, seed = int(epochs), int(batch_size), None if seed is None else int(seed)
    world = World.here()
    name = name or type(model).__name__
    found = interrupted(name, resume)
    if found is not None and not world.alone:
        raise CannotResume(size=world.size)
    asked = {"precision": precision, "memory_format": memory_format, "compile": compile, "threads": threads}
    if found is not None:  # what was chosen then is chosen now
        if found.data["fits"]["kind"] != "fit":
            raise found.differs(list(differences({"kind": found.data["fits"]["kind"]}, {"kind": "fit"})))
        precision, memory_format, compile, threads = (  # noqa: A001 - as above
            found.part("extra")["plan"][choice] for choice in asked
        )
    home, modes = home_of(model), [(module, module.training) for module in model.modules()]
    place = world.device(_place(home, device))
    world.join(place)
    # Somebody may have turned gradients off around the call, or for the whole notebook.
    with (
        torch.inference_mode(False), torch.enable_grad(), torch.autocast(place.type, enabled=False),
        _repeatable(seed, world, place), handed_back(optimizer),
        Threads(threads, adapt=seed is None, device=place) as crew, kept_memory(), ExitStack() as meter,
    ):  # fmt: skip
        try:
            _move(model, optimizer, place)
            rest, watched, split = _keep_aside(train, test, validation, seed, world)
            feed = Feed(rest, batch_size, place, shuffle=True, augment=augment, world=world)
            judge, last = (
                None if source is None else Feed(source, 4 * batch_size, place, world=world, split=name_of_split)
                for source, name_of_split in ((watched, split), (None if watched is test else test, "test"))
            )
            if patience is not None and judge is None:
                raise NothingToWatch(patience=patience)
            facts = check(model, feed, loss)
            for other in (judge, last):
                if other is not None:
                    check(model, other, loss, training=False)
            weights = weigh(class_weights, feed, facts.outputs)
            criterion = make_loss(loss, label_smoothing, weights)
            if lr is None and optimizer is None:
                lr = PEAK_LR if schedule == "one-cycle" else STEADY_LR
            update = make_optimizer(optimizer, model, lr, weight_decay)
            lr = float(update.param_groups[0]["lr"])
            steps = feed.steps()
            course = make_schedule(schedule, update, None if steps is None else epochs * steps)
            peak = meter.enter_context(peak_memory(place))
            widest = torch.bfloat16 if precision == "bfloat16" else torch.float32
            require_room(model, feed.first(), criterion, update, feed.size, place, precision=widest)
            crew.pause()
            plan = choose_step(
                model, feed, criterion, update, precision=precision, memory_format=memory_format, compile=compile,
                steps_left=None if steps is None else epochs * steps, world=world,
            )  # fmt: skip
            for one in (feed, judge, last):
                if one is not None:
                    one.arrange(plan.memory_format)

            options: dict[str, Any] = asked | {
                "epochs": epochs, "batch_size": batch_size, "seed": seed, "clip": clip, "validation": validation,
                "label_smoothing": label_smoothing, "patience": patience, "loss": _named(loss),
                "schedule": _named(schedule), "class_weights": None if weights is None else weights.tolist(),
                "augment": _told(augment),
                "data": {one.split: description(one.batches) for one in (judge, last) if one is not None},
            }  # fmt: skip
            schedules = [] if course is None else [course]
            parts = Parts([model], [update], schedules, counts=lambda: [training.step], kind="fit", options=options)
            if found is None:
                run = Run.start(name=name) if world.first else Run()
            else:
                parts.check(found)  # before anything is changed
                run = Run.take_up(found.folder, found.kept)
            run.model = model
            run.set_plan(total_epochs=epochs, steps_per_epoch=steps)
            line = _("{device}, {parameters} parameters", device=short(place), parameters=f"{facts.parameters:,}")
            run.set_info(
                device=str(place), device_line=line, parameters=facts.parameters, processes=world.size, seed=seed,
                optimizer=type(update).__name__, lr=lr, batch_size=batch_size,
                precision=str(plan.precision).split(".")[1],
                memory_format=str(plan.memory_format).split(".")[1].removesuffix("_format"),
                compile=plan.compile, threads=crew.number,
            )  # fmt: skip
            passes = 0.0 if judge is None else (judge.samples or 0) / batch_size
            every = 1 if place.type == "cpu" else _LOOK_EVERY
            training = _Training(
                model=model, train=feed, judge=judge, loss=criterion, own_loss=loss, optimizer=update,
                schedule=course, plan=plan, threads=crew, class_weights=weights, clip=clip, epochs=epochs,
                patience=patience, run=run, world=world, device=place, clock=Clock(epochs, steps, passes, every),
                keeper=Keeper(run, parts, pace), found=found,
            )  # fmt: skip
            parts.extra = lambda: _extra(training)
            with arranged(model, update, place, plan):
                _train_and_record(training, last, meter, peak)
        finally:
            _move(model, optimizer, home)
            for module, mode in modes:
                module.training = mode
    return run


def _loop(t: _Training, network: Callable[[Any], Any], course: Course) -> str | None:
    """The training itself. Returns why it ended early, if it did.

    `network` is the model, in a wrapper that averages gradients over the processes (under torchrun) or compiled.
    `course` makes checkpoints between two batches, and gives the rest of epochs and batches after an interruption.
    """
    loss = torch.zeros(())
    for epoch in course.epochs(t.epochs):
        t.model.train()  # dropout drops, BatchNorm learns its statistics
        t.train.start_epoch(epoch)
        t.clock.start_epoch()
        for inputs, labels, share in Pass(course, t.train.shards(t.class_weights), t.train.batches):
            _go_on(t, loss)  # raises where the loss is no number any more
            t.optimizer.zero_grad()
            with t.plan.autocast(t.device):
                outputs = network(inputs)
            loss = t.loss(in_float32(outputs), labels)
            loss.backward(share)  # type: ignore[no-untyped-call]  # torch leaves this method without types
            if t.clip is not None:
                clip_grad_norm_(t.model.parameters(), t.clip)  # before step(): the update uses the clipped gradient
            t.optimizer.step()
            if t.schedule is not None:
                t.schedule.step()
            t.step += 1
            t.threads.tick()
            _announce(t, t.clock.tick())
        if t.step == 0:
            raise NoSamples(split="train")
        _go_on(t, loss, look=True)
        if not _all_finite(t.model):
            raise _not_finite(t, math.nan)  # the last step of the epoch broke them, after its loss
        t.world.share_buffers(t.model)
        _judge(t, epoch)
        t.threads.pause()  # that was no step
        if t.patience is not None and epoch + 1 - t.best_epoch >= t.patience:
            return _(
                "Stopped early: no improvement for {patience} epochs; the best was epoch {best}.",
                patience=t.patience,
                best=t.best_epoch,
            )
    return None


def _judge(t: _Training, epoch: int) -> None:
    """Measure the model after an epoch, and keep its weights if they are the best."""
    score = None
    if t.judge is not None:
        score = measure(t.model, t.judge, t.own_loss, plan=t.plan, asked_to_stop=lambda: t.run.stop_requested)
        t.run.log(score.metrics(t.judge.split), step=t.step - 1)
    if t.best is None or score is None or score.better_than(t.best):
        t.best, t.best_epoch = score, epoch + 1
        _keep(t)
        _save(t)


def _extra(t: _Training) -> dict[str, Any]:
    """What a checkpoint of this loop needs besides: the best weights, and how each step computes."""
    score = None if t.best is None else (t.best.loss, t.best.accuracy)
    plan = {"precision": str(t.plan.precision).split(".")[1], "compile": t.plan.compile, "threads": t.threads.number}
    layout = "channels_last" if t.plan.memory_format == torch.channels_last else "contiguous"
    return {
        "best": score, "best_epoch": t.best_epoch, "best_weights": t.best_weights,
        "plan": plan | {"memory_format": layout},
    }  # fmt: skip


def _go_on_from(t: _Training, found: Found) -> None:
    extra = found.part("extra")
    t.step, t.best_epoch, t.saved = found.step, extra["best_epoch"], False
    t.best = None if extra["best"] is None else Score(*extra["best"])
    t.best_weights = {
        name: value.to(t.device) if isinstance(value, Tensor) else value
        for name, value in extra["best_weights"].items()
    }
    found.say_where()


def _named(choice: Any) -> Any:
    """A function or an object by its name, as a checkpoint remembers it."""
    if choice is None or isinstance(choice, str):
        return choice
    return getattr(choice, "__name__", type(choice).__name__)


def _told(augment: Augment | None) -> str | None:
    """What changes the training batches, by its name: of a function its module's too, of an object what it says."""
    if augment is None or isinstance(augment, str):
        return augment
    name = getattr(augment, "__qualname__", None)
    return re.sub(r" at 0x\w+", "", repr(augment)) if name is None else f"{augment.__module__}.{name}"


def _keep(t: _Training) -> None:
    """Copy the weights as they are now: state_dict() itself holds the tensors that the next step changes.

    The copy of the last time is written over, as memory that is already there is quicker than new memory.
    """
    now, kept = t.model.state_dict(), t.best_weights
    alike = now.keys() == kept.keys() and all(
        isinstance(value, Tensor)
        and (value.shape, value.dtype, value.device) == (kept[key].shape, kept[key].dtype, kept[key].device)
        for key, value in now.items()
    )
    if not alike:
        t.best_weights = copy.deepcopy(now)
    else:
        for key, value in now.items():
            kept[key].copy_(value)
    t.saved = False


@torch.no_grad()
def _all_finite(model: nn.Module) -> bool:
    checks = [weight.isfinite().all() for weight in model.parameters() if weight.requires_grad]
    return bool(torch.stack(checks).all())  # one number to wait for, not one for each weight


def _go_on(t: _Training, loss: Tensor, *, look: bool = False) -> None:
    """Stop here if the last loss was no number, or if another process has stopped.

    Under torchrun all ask before each forward pass, so that all stop together: in the passes each waits for all.
    """
    if t.world.alone and t.device.type != "cpu" and not look and t.step % _LOOK_EVERY:
        return  # to read a number is to wait for the accelerator
    word = t.world.agree(FINE if math.isfinite(loss.item()) else BROKEN, t.device)
    if word == STOPPED:
        raise TrainingStopped
    if word == BROKEN:
        raise _not_finite(t, float(loss.detach()))


def _not_finite(t: _Training, value: float) -> LossNotFinite:
    kept = _("epoch {epoch}", epoch=t.best_epoch) if t.best_epoch else _("the start")
    rate = float(t.optimizer.param_groups[0]["lr"])
    return LossNotFinite(value=value, step=t.step - 1, kept=kept, lr=f"{rate:.2g}")


def _train_and_record(t: _Training, last: Feed | None, meter: ExitStack, peak: PeakMemory) -> None:
    """The loop with the recorder around it; the run then ends in the way that the loop did."""
    network: Callable[[Any], Any] = t.world.wrap(t.model, t.device)
    if t.plan.compile:
        network = compiled(network)
    t.best_weights = copy.deepcopy(t.model.state_dict())
    listening: AbstractContextManager[object] = nullcontext()
    course = Course(t.run)
    if t.world.first:
        listening = recorder = Recorder(t.run, t.model, t.optimizer, loaders=(DataLoader, Batches))
        course = t.run.course = Course(t.run, t.keeper, t.found, arrived=recorder.join)
        if t.found is not None:
            _go_on_from(t, t.found)
            recorder.go_on_from([t.step])
    status, reason = "finished", None
    try:
        try:
            with room_errors(t.model, t.train.size, t.device), listening:
                reason = _loop(t, network, course)
        except ValueError as error:
            if "more than 1 value per channel" in str(error):  # PyTorch has no class for it
                raise BatchOfOne from error
            raise
        except KeyboardInterrupt as error:
            if isinstance(error, TrainingStopped) and t.world.first:
                t.world.agree(STOPPED, t.device)  # the others ask before their next forward pass
            status = "stopped"
        else:
            t.model.load_state_dict(t.best_weights)
            # Plainly, as `evaluate` and the learner's own code will: bfloat16 decides near ties in another way.
            if last is not None:
                t.run.log(measure(t.model, last, t.own_loss).metrics("test"), step=t.step - 1)
            elif t.judge is not None and t.judge.split == "test" and t.plan.precision != torch.float32:
                t.best = measure(t.model, t.judge, t.own_loss)
        finally:
            t.keeper.close()
            _save(t, at_once=True)
        _announce(t, None, always=True)
        meter.close()  # now `peak` is complete
        if peak.bytes is not None:
            t.run.set_info(peak_memory=peak.bytes)
        _summarise(t, last)
    except BaseException as error:
        if isinstance(error, LossNotFinite):
            error.run = t.run
            t.model.load_state_dict(t.best_weights)
        t.run.finish("failed", f"{type(error).__name__}: {error}")
        raise
    t.run.finish(status, reason)
    t.keeper.close()  # once more: of a run that went to its end, only the last checkpoint is kept


def _save(t: _Training, *, at_once: bool = False) -> None:
    """The best weights go into the record's folder too, from where `run.load_state("best")` gives them.

    Where that is slow beside an epoch, not after each of them, but in any case at the end.
    """
    began = time.perf_counter()
    if t.run.folder is None or t.saved or (not at_once and began - t.saved_at < _SAVING * t.saving_s):
        return
    tensors = {name: value for name, value in t.best_weights.items() if isinstance(value, Tensor)}
    try:
        t.run.save_state("best", tensors, {"epoch": t.best_epoch, "step": t.step - 1})
    except OSError as error:  # a full disk must not end a training that has hours behind it
        warn_not_saved(t.run.folder, str(error))
    t.saved, t.saved_at = True, time.perf_counter()
    t.saving_s = t.saved_at - began


def _summarise(t: _Training, last: Feed | None) -> None:
    """Note what the weights that are kept reach."""
    if t.judge is not None and t.best is not None:
        t.run.set_info(best_epoch=t.best_epoch, **{t.judge.split: t.best.metrics(t.judge.split)})
    if last is not None and (accuracy := t.run.last("test/accuracy")) is not None:
        t.run.set_info(test={"test/loss": t.run.last("test/loss"), "test/accuracy": accuracy})


def _announce(t: _Training, expected_s: float | None, *, always: bool = False) -> None:
    """Say what trains where and how long it will take: once, when that is known."""
    if t.announced or not t.world.first or (expected_s is None and not always):
        return
    t.announced = True
    device = t.run.info["device_line"]
    if t.world.size > 1:
        device = f"{t.world.size} × {device}"
    if expected_s is None:
        line = _("Training on {device}, epochs: {epochs}", device=device, epochs=t.epochs)
    else:
        line = _(
            "Training on {device}, epochs: {epochs}, about {time}",
            device=device,
            epochs=t.epochs,
            time=spell(expected_s),
        )
        t.run.set_info(expected_s=expected_s)
    line = ", ".join(part for part in (line, t.plan.sentence, t.threads.line) if part)
    t.run.set_info(device_line=line)
    _say(line)


def _say(line: str) -> None:
    say(line)
    sys.stdout.flush()


def _keep_aside(
    train: Any, test: Any, validation: float | None, seed: int | None, world: World
) -> tuple[Any, Any, str]:
    """What to learn from, what to judge each epoch by, and what that is called."""
    share = (0.1 if test is None else 0.0) if validation is None else validation
    if share and not isinstance(train, Dataset):
        if validation is not None:
            raise CannotSplit(kind=type(train).__name__)
        if world.first:
            _say(
                _(
                    "No test data was given and a {kind} cannot be split: the weights of the last epoch are kept.",
                    kind=type(train).__name__,
                )
            )
        return train, None, "test"
    if not share:
        return train, test, "test"
    rest, part = train.split_off(share, seed=seed or 0)
    if world.first:
        _say(
            _(
                "{part} of {total} training samples are kept aside to judge each epoch by (val).",
                part=f"{len(part):,}",
                total=f"{len(train):,}",
            )
        )
    return rest, part, "val"


@contextmanager
def _repeatable(seed: int | None, world: World, place: torch.device) -> Iterator[None]:
    """With a seed, the same random numbers each time. Processes that train together draw the same ones in any case."""
    if seed is None and world.alone:
        yield
        return
    cudnn = torch.backends.cudnn
    kept = cudnn.deterministic, cudnn.benchmark
    with borrowed_randomness(seed if seed is not None else world.share_seed(place)):
        if seed is not None:
            cudnn.deterministic, cudnn.benchmark = True, False
        try:
            yield
        finally:
            cudnn.deterministic, cudnn.benchmark = kept


def _place(home: torch.device, wanted: str | torch.device | None) -> torch.device:
    if wanted is None or (wanted == "auto" and home.type != "cpu"):
        return home
    return choose_device(announce=False) if wanted == "auto" else require(wanted)


def _move(model: nn.Module, optimizer: Any, place: torch.device) -> None:
    """Move the model, and the state of an optimizer that has some, such as momentum."""
    if home_of(model) == place:
        return
    model.to(place)
    if isinstance(optimizer, Optimizer) and optimizer.state:
        optimizer.load_state_dict(optimizer.state_dict())  # casts the state to the device of its parameter


def _check_options(
    counts: dict[str, Any],
    shares: dict[str, Any],
    sizes: dict[str, Any],
    schedule: Any,
    loss: Any,
    seed: Any,
) -> None:
    for option, value in counts.items():
        left_out = value is None and option == "patience"
        if not left_out and (isinstance(value, bool) or not isinstance(value, numbers.Integral) or int(value) < 1):
            raise NotInRange(option=option, value=shown(value), range=_("a whole number from 1"))
    for option, value in shares.items():
        if value is not None and (not isinstance(value, numbers.Real) or not 0 <= float(value) < 1):
            raise NotInRange(option=option, value=shown(value), range=_("a share from 0.0 to below 1.0"))
    for option, value in sizes.items():
        if value is None:
            continue
        single = isinstance(value, numbers.Real) or (isinstance(value, Tensor) and value.numel() == 1)
        if not single or not math.isfinite(float(value)) or float(value) < 0:
            raise NotInRange(option=option, value=shown(value), range=_("a finite number from 0"))
        if option == "clip" and float(value) == 0:
            raise NotInRange(option=option, value=shown(value), range=_("a number above 0"))
    if seed is not None and (not isinstance(seed, numbers.Integral) or not -(2**63) <= int(seed) < 2**64):
        raise NotInRange(option="seed", value=shown(seed), range=_("a whole number"))
    if loss is not None and (isinstance(loss, type) or not callable(loss)):
        choices = "None, nn.CrossEntropyLoss(), lambda outputs, labels: ..."
        raise UnknownChoice(option="loss", value=shown(loss), choices=choices)
    if isinstance(schedule, str) and schedule not in ("one-cycle", "cosine"):
        raise UnknownChoice(option="schedule", value=schedule, choices='"one-cycle", "cosine", None')


def _check_plan(precision: Any, memory_format: Any, compiling: Any, threads: Any) -> None:
    known = {
        "precision": (precision, ("auto", "float32", "bfloat16")),
        "memory_format": (memory_format, ("auto", "contiguous", "channels_last")),
    }
    for option, (value, choices) in known.items():
        if not isinstance(value, str) or value not in choices:
            named = value if isinstance(value, str) else shown(value)
            raise UnknownChoice(option=option, value=named, choices=", ".join(f'"{one}"' for one in choices))
    if not isinstance(compiling, bool) and not (isinstance(compiling, str) and compiling == "auto"):
        raise UnknownChoice(option="compile", value=shown(compiling), choices='"auto", True, False')
    if isinstance(threads, str) and threads == "auto":
        return
    if isinstance(threads, bool) or not isinstance(threads, numbers.Integral) or int(threads) < 1:
        raise NotInRange(option="threads", value=shown(threads), range=_('a whole number from 1, or "auto"'))
