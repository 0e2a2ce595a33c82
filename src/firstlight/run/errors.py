"""What can be wrong with a record, in words."""

from firstlight.errors import FirstlightError
from firstlight.locale import Text


class RecordNotFound(FirstlightError, FileNotFoundError):
    """The folder holds no record."""

    text = Text(
        what="There is no run in {folder}.",
        why="A run is a folder with a file run.sqlite in it, and this one has none.",
        do="Look at firstlight.runs(): it lists the runs and their folders.",
    )


class RecordDamaged(FirstlightError, ValueError):
    """The file exists but is not a readable record."""

    text = Text(
        what="The record {file} cannot be read: {reason}.",
        why="The file was cut off or overwritten, or it is not a record of firstlight.",
        do="Restore it from a copy, or move its folder away; the other runs are not touched by this.",
    )


class RecordTooNew(FirstlightError, ValueError):
    """The record was written by a later firstlight."""

    text = Text(
        what="The record {file} has format {found}; this firstlight reads formats up to {known}.",
        why="It was written by a newer firstlight.",
        do="Upgrade with: pip install --upgrade firstlight",
    )


class RecordReadOnly(FirstlightError, RuntimeError):
    """Somebody else's record, or a finished one, is only read."""

    text = Text(
        what="The run {name} was opened for reading, so nothing can be added to it.",
        why="Only the process that trains writes to its record.",
        do="Start a run of your own with Run.start(), or keep your numbers in Run().",
    )


class RunEnded(FirstlightError, RuntimeError):
    """The record is complete."""

    text = Text(
        what="The run {name} has ended, so nothing can be added to it.",
        why="Its record was completed and closed.",
        do="Start a new run: watch the model again, or call Run.start().",
    )


class NotAnEnd(FirstlightError, ValueError):
    """A run was to end in a way that there is not."""

    text = Text(
        what="A run cannot end as {status}.",
        why="Lists and views know these ends: {known}.",
        do="Choose one of them; what there is to say about the end goes into reason=.",
    )


class NotAMetric(FirstlightError, TypeError):
    """A metric whose value is no number."""

    text = Text(
        what="{value} is not a number that can be noted as the metric {name}.",
        why="A metric has a name and one number for each step, and a step is a whole number.",
        do="Turn it into a number first, such as loss.item() or values.mean().item().",
    )


class NotJson(FirstlightError, TypeError):
    """A value that JSON has no form for."""

    text = Text(
        what="A value of type {kind} cannot be written to the record.",
        why="The record keeps numbers, text, true, false, nothing, lists and dictionaries with text keys.",
        do="Turn it into one of these first, such as str(value) or value.tolist(); tensors go to run.save_state().",
    )


class NameOfState(FirstlightError, ValueError):
    """A checkpoint's name would not be a file name."""

    text = Text(
        what="A saved state cannot be called {name}.",
        why="The name becomes a file name on every system.",
        do="Use letters, digits, points, dashes and underscores, such as best or step-100; not CON, NUL and the other "
        "words that Windows keeps for devices.",
    )


class StateNotFound(FirstlightError, FileNotFoundError):
    """No checkpoint of that name."""

    text = Text(
        what="The run {run} has no saved state called {name}.",
        why="It has these: {known}.",
        do="Choose one of them, or save it first with run.save_state().",
    )


class NotStorable(FirstlightError, TypeError):
    """A part of a checkpoint is an object that neither JSON nor safetensors can hold."""

    text = Text(
        what="The state {place} holds a value of type {kind}, which a checkpoint cannot keep.",
        why="Checkpoints hold numbers, text, lists, dictionaries, arrays and tensors: to open one never runs code.",
        do="Leave that object out of what is watched, or let its state_dict() give plain values.",
    )


class NotACheckpointing(FirstlightError, ValueError):
    """`checkpoint=` says neither whether nor how often."""

    text = Text(
        what="checkpoint={value} is not known.",
        why="It is True, False, a number of seconds above zero, or Checkpoints(seconds=..., steps=..., keep=...).",
        do="Leave it out: a checkpoint is then made every few seconds, at less than one hundredth of the time.",
    )


class CheckpointDiffers(FirstlightError, ValueError):
    """A checkpoint was made by another training than the one that is to go on with it."""

    text = Text(
        what="The checkpoint of step {step} in {folder} does not fit this training: {differences}.",
        why="To go on exactly takes the same model, data, options and versions. The checkpoint was left as it is.",
        do="Change that back and start again, or leave out resume= to train anew. If it is another training, give it a "
        "name of its own: name=... "
        'The weights alone: model.load_state_dict(firstlight.Run.open("{folder}").weights()).',
    )


class CannotResume(FirstlightError, RuntimeError):
    """An interrupted training that several processes shared."""

    text = Text(
        what="resume= does not work under torchrun, where {size} processes train together.",
        why="A checkpoint holds the random numbers of one process.",
        do="Train with one process, or begin from the weights: model.load_state_dict(run.weights()).",
    )


class RunGoesOn(FirstlightError, RuntimeError):
    """A run that is to be gone on with is going on already."""

    text = Text(
        what="The run in {folder} cannot be gone on with: the process {pid} is still training.",
        why="Two trainings would write to the same record.",
        do="Stop that process first, or leave out resume= to begin a run of your own.",
    )


class BatchesInside(FirstlightError, RuntimeError):
    """`run.batches` was called inside a loop over `run.batches`."""

    text = Text(
        what="run.batches() was asked for a pass while the loop over another one goes on.",
        why="A run remembers one place in the data, so that it can go on there after an interruption.",
        do="Take batches that are not trained on from the data itself, such as test.batches(256), and two sources at "
        "once as run.batches(zip(first, second)).",
    )


class UnknownMetric(FirstlightError, KeyError):
    """No run in the list has this metric."""

    text = Text(
        what="None of these runs has a metric called {metric}.",
        why="They have these: {known}.",
        do="Choose one of them.",
    )


class CheckpointDamaged(UserWarning):
    """The newest checkpoint cannot be read, and the one before it is taken."""


class RecordNotSaved(UserWarning):
    """The record cannot reach the disk; training goes on and the record stays in memory."""
