"""Questions with an explanation for every option.

A question is shown as plain HTML (`<details>`): it opens by mouse or keyboard, is announced by screen readers, needs no
kernel and no script, and so works on in a saved notebook, in VS Code, in Colab and in an exported page. A widget would
leave an error box there. Without a notebook the question is text, and `quiz.answer` takes the reply.
"""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from firstlight.lessons.notes import note
from firstlight.lessons.problems import NoSuchCheck
from firstlight.locale import _
from firstlight.picture import Picture


@dataclass(frozen=True)
class Option:
    """One thing to choose, and why it is right or wrong."""

    text: str
    why: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    """A question and its options, in the learner's language."""

    text: str
    options: tuple[Option, ...]


def _batch() -> Question:
    return Question(
        _("Why do we take batches, and not all pictures of the training split at once?"),
        (
            Option(
                _("Because a net can only take 128 pictures."),
                _("It takes any number. 128 is our choice; 64 or 256 would work as well."),
            ),
            Option(
                _("Because the net learns from each batch, and so many times before it has seen every picture."),
                _(
                    "Right. What one batch says is a little rough, but a hundred rough improvements "
                    "lead further than a single exact one."
                ),
                right=True,
            ),
            Option(
                _("Because the other samples are kept for testing."),
                _(
                    "The samples for testing are in a split of their own. Batch after batch, every "
                    "training sample has its turn."
                ),
            ),
        ),
    )


def _gradient() -> Question:
    return Question(
        _("The gradient of a weight is 0.5. What does that say?"),
        (
            Option(
                _("The weight should be set to 0.5."),
                _(
                    "The gradient is a slope and not a target. It gives the direction, and the "
                    "learning rate decides how far to go."
                ),
            ),
            Option(
                _("The weight causes half of the loss."),
                _(
                    "A gradient does not divide the loss among the weights. It says how the loss "
                    "reacts to a small change."
                ),
            ),
            Option(
                _("If the weight grows a little, the loss grows by about half that amount."),
                _("Right. Therefore the step makes this weight smaller."),
                right=True,
            ),
            Option(
                _("If the weight grows a little, the loss falls by about half that amount."),
                _("The sign is the other way round: a positive gradient means that both grow together."),
            ),
        ),
    )


def _zero_grad() -> Question:
    return Question(
        _("What happens without the line optimizer.zero_grad()?"),
        (
            Option(
                _("PyTorch reports an error."),
                _(
                    "It does not: adding up gradients is sometimes wanted, so PyTorch says nothing. "
                    "That makes this mistake hard to find."
                ),
            ),
            Option(
                _("The gradients of all earlier steps are added up, and each step goes in a direction that is off."),
                _("Right. backward adds to .grad; it does not replace what is there."),
                right=True,
            ),
            Option(
                _("Nothing, because backward computes the gradients anew."),
                _("It computes them anew but adds them to what is in .grad already."),
            ),
            Option(
                _("The weights are set to 0."),
                _("zero_grad clears gradients. It touches no weight."),
            ),
        ),
    )


def _test_split() -> Question:
    return Question(
        _("Why do we measure accuracy on the test split?"),
        (
            Option(
                _("Because the test split is smaller, so it goes faster."),
                _(
                    "It is faster, but that is not the reason. A large test split would be even "
                    "better: it measures more exactly."
                ),
            ),
            Option(
                _("Because the model has not learned from these samples, so they show how it does on new ones."),
                _("Right. On the samples that it learned from, a model can be good simply by remembering them."),
                right=True,
            ),
            Option(
                _("Because the model improves on the test split."),
                _(
                    "During evaluation no weight changes. If the model learned from the test split, "
                    "the figure would be worthless."
                ),
            ),
        ),
    )


def _state_dict() -> Question:
    return Question(
        _("What is in first_classifier.pt?"),
        (
            Option(
                _("The Python code of the net and its weights."),
                _("Not the code. That is why make_cnn() has to build the net before load_state_dict can fill it."),
            ),
            Option(
                _("The training samples, in compressed form."),
                _("No samples are in it. The weights were formed by the samples, but the file does not hold them."),
            ),
            Option(
                _("The weights and the learned means of batch normalization, each under its name."),
                _("Right. With the same code and this file anybody can use your model."),
                right=True,
            ),
        ),
    )


def _slices() -> Question:
    return Question(
        _("Why does it cost less to take 128 pictures at once than one by one?"),
        (
            Option(
                _("Because fewer pixels are read and scaled."),
                _("They are just as many, and the check above showed that the same numbers come out."),
            ),
            Option(
                _("Because each call from Python has a fixed cost, and it is paid once in place of 128 times."),
                _("Right. The arithmetic for one small picture takes less time than all the calls around it."),
                right=True,
            ),
            Option(
                _("Because the pictures are no longer shuffled."),
                _("They are: `shuffle=True` draws a new order in each epoch, and a slice follows it."),
            ),
        ),
    )


def _batch_size() -> Question:
    return Question(
        _("With batches four times as large, twice as many samples per second pass through training. What follows?"),
        (
            Option(
                _("Training is done in half the time."),
                _("An epoch is. But it has only a quarter of the steps, so its end may leave you with a higher loss."),
            ),
            Option(
                _("Nothing yet: what counts is the time until the loss is as low as you want it."),
                _("Right. Samples per second are a means. Look at both columns of the table."),
                right=True,
            ),
            Option(
                _("The batch should be as large as memory allows."),
                _("Then an epoch has very few steps. The table shows what that does to the loss."),
            ),
        ),
    )


def _threads() -> Question:
    return Question(
        _("Two threads share one operation, and a neighbour takes one of the two cores. Why is the step so slow?"),
        (
            Option(
                _("The neighbour uses up the memory."),
                _("This neighbour needs hardly any. It takes time on a core and nothing else."),
            ),
            Option(
                _("Each operation ends when its last thread ends, and that one has to wait for its core."),
                _("Right. A step has many operations, and the waiting adds up."),
                right=True,
            ),
            Option(
                _("PyTorch notices the neighbour and politely steps back."),
                _("It does not notice. It divides the work in equal parts, as if all cores were free."),
            ),
        ),
    )


def _autocast() -> Question:
    return Question(
        _("Why does autocast leave the weights in float32?"),
        (
            Option(
                _("Because bfloat16 cannot hold small numbers."),
                _("It can: it keeps all 8 bits for the size. What it lacks are digits."),
            ),
            Option(
                _("Because a step is small beside its weight and would be lost in rounding."),
                _("Right, as 256 + 1 showed. In float32 small steps add up."),
                right=True,
            ),
            Option(
                _("Because weights are not used in multiplications."),
                _("They are, all the time. For that, autocast makes a copy of them in bfloat16."),
            ),
        ),
    )


def _recipe() -> Question:
    return Question(
        _("Two ways to halve the waiting: steps in half the time, or a recipe that needs half the steps. Which?"),
        (
            Option(
                _("The faster step, because it is certain."),
                _("It is certain, but it has a limit: the processor. A recipe can save more than any processor."),
            ),
            Option(
                _("The recipe, because the steps do not matter then."),
                _("They still do: the time is steps times seconds per step."),
            ),
            Option(
                _("Both, for they multiply: a quarter of the time."),
                _("Right. And begin with the recipe: it often promises most."),
                right=True,
            ),
        ),
    )


def _kept() -> Question:
    return Question(
        _("Why does PyTorch keep the result of `tanh` until `backward`?"),
        (
            Option(
                _("In order to show it to you later."),
                _("It would not do that unasked: memory is precious. `fl.trace` keeps shapes, no numbers."),
            ),
            Option(
                _("Because the slope of `tanh` is computed from its result."),
                _("Right: 1 - hidden², as in our line for `d_inner`. After `backward` it is let go."),
                right=True,
            ),
            Option(
                _("Because the next step needs it."),
                _("The next step computes its own, with new weights. This one is let go after `backward`."),
            ),
        ),
    )


def _when() -> Question:
    return Question(
        _("When does PyTorch make the graph?"),
        (
            Option(
                _("When the model is made, in `__init__`."),
                _("There only the layers are made. In which order they will be used, nobody knows yet."),
            ),
            Option(
                _("While `forward` runs, operation by operation, anew each time."),
                _("Right. That is why an `if` may decide, and why each tree can have a graph of its own."),
                right=True,
            ),
            Option(
                _("When `backward` is called."),
                _("`backward` reads the graph. It has been written by then."),
            ),
        ),
    )


def _levels() -> Question:
    return Question(
        _("`DepthNet` computes the same numbers. Why is it faster?"),
        (
            Option(
                _("It leaves out nodes that occur twice."),
                _("It computes each node, even equal ones. Leaving those out would be one more idea."),
            ),
            Option(
                _("It calls few large operations where `TreeNet` calls many small ones."),
                _("Right. Each call has a fixed cost, whether it is for one node or for a hundred."),
                right=True,
            ),
            Option(
                _("It needs no way back."),
                _("It does, and it has the same gradients: you have compared them."),
            ),
        ),
    )


def _mask() -> Question:
    return Question(
        _("`TextNet` is given a padded batch, but no mask. What happens?"),
        (
            Option(
                _("An error: the shapes do not fit."),
                _("They fit. That is the danger: nothing warns you."),
            ),
            Option(
                _("Nothing: padding consists of zeros, and zeros change nothing."),
                _("Here 0 is a character like any other, the digit 0. And the mean counts each position."),
            ),
            Option(
                _("It counts the padding in the mean, and its scores depend on the other samples in the batch."),
                _("Right. One longer sample in the batch, and all scores differ. `fl.nest` looks for just that."),
                right=True,
            ),
        ),
    )


def _batch_memory() -> Question:
    return Question(
        _("Training runs out of memory. The model must stay as it is. What helps most?"),
        (
            Option(
                _("A smaller batch: its activations are most of the memory."),
                _("Right, here they are. `forecast.largest_batch` says how many samples fit."),
                right=True,
            ),
            Option(
                _("A smaller learning rate."),
                _("That is a number, and a number takes the same room whatever its value."),
            ),
            Option(
                _("Fewer epochs."),
                _("Each step lets go of its activations before the next. A thousand steps need no more than one."),
            ),
        ),
    )


_QUESTIONS: dict[str, Callable[[], Question]] = {
    "batch": _batch,
    "gradient": _gradient,
    "zero_grad": _zero_grad,
    "test_split": _test_split,
    "state_dict": _state_dict,
    "slices": _slices,
    "batch_size": _batch_size,
    "threads": _threads,
    "autocast": _autocast,
    "recipe": _recipe,
    "kept": _kept,
    "when": _when,
    "levels": _levels,
    "mask": _mask,
    "batch_memory": _batch_memory,
}


class Quiz:
    """What `quiz` is.

    Attributes:
        answers: Question to the letters given by `answer`, in order: plain JSON.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[str]] = {}

    def __call__(self, name: str) -> None:
        """Ask a question; nothing waits for the answer.

        Raises:
            NoSuchCheck: The lessons have no such question.

        Example:
            >>> Quiz()("test_split")
            Why do we measure accuracy on the test split?
              a) Because the test split is smaller, so it goes faster.
              b) Because the model has not learned from these samples, so they show how it does on new ones.
              c) Because the model improves on the test split.
            Answer with: quiz.answer("test_split", "a")
        """
        picture(name, _find(name)).display()

    def answer(self, name: str, letter: str) -> None:
        """Answer without a mouse: says whether it is right, and why.

        Args:
            name: Which question.
            letter: The letter in front of the option.

        Raises:
            NoSuchCheck: The lessons have no such question.

        Example:
            >>> Quiz().answer("gradient", "d")
            ✗ d) The sign is the other way round: a positive gradient means that both grow together.
        """
        options = _find(name).options
        given = str(letter).strip().lower().rstrip(")")
        letters = _LETTERS[: len(options)]
        if len(given) != 1 or given not in letters:
            note("todo", _("Answer with one of these letters: {letters}.", letters=", ".join(letters))).display()
            return
        self.answers.setdefault(name, []).append(given)
        option = options[letters.index(given)]
        note("yes" if option.right else "no", f"{given}) {option.why}").display()

    def score(self) -> dict[str, bool]:
        """Which of the questions answered so far were right at the first attempt."""
        return {name: _find(name).options[_LETTERS.index(given[0])].right for name, given in self.answers.items()}


quiz = Quiz()


def picture(name: str, question: Question) -> Picture:
    """A question as HTML that needs no script, and as text."""
    lettered = list(zip(_LETTERS, question.options, strict=False))
    items = "".join(_details(name, letter, option) for letter, option in lettered)
    invitation = escape(_("Choose an answer; it tells you whether it is right, and why."))
    html = (
        f'<section role="group" aria-label="{escape(question.text)}" style="max-width:46em;padding:.4em 0">'
        f'<p style="font-weight:bold;margin:.2em 0">{escape(question.text)}</p>'
        f'<p style="opacity:.75;margin:.2em 0">{invitation}</p>{items}</section>'
    )
    lines = [question.text, *(f"  {letter}) {option.text}" for letter, option in lettered)]
    lines.append(_("Answer with: {call}", call=f'quiz.answer("{name}", "a")'))
    return Picture(html=html, text="\n".join(lines))


_LETTERS = "abcdef"


def _find(name: str) -> Question:
    if name.startswith("gym/"):  # the cause of an exercise
        from firstlight.lessons import gym

        return gym.find(name.removeprefix("gym/")).question()
    if name not in _QUESTIONS:
        raise NoSuchCheck(name=name, known=", ".join(_QUESTIONS))
    return _QUESTIONS[name]()


def _details(name: str, letter: str, option: Option) -> str:
    sign, colour = ("✓", "#0a8a5f") if option.right else ("✗", "#d2691e")
    return (
        # One name for all: opening one option closes the other, as with radio buttons.
        f'<details name="firstlight-quiz-{escape(name)}" style="margin:.35em 0;padding:.3em .6em;'
        f'border:1px solid rgba(127,127,127,.45);border-radius:6px">'
        f'<summary style="cursor:pointer;display:list-item">{letter}) {escape(option.text)}</summary>'
        f'<div style="margin:.4em 0 .2em 1.1em;padding-left:.7em;border-left:4px solid {colour}">'
        f'<span aria-hidden="true" style="color:{colour};font-weight:bold">{sign}</span> {escape(option.why)}'
        f"</div></details>"
    )
