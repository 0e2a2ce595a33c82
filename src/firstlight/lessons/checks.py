"""Checks that answer at once: what is right, what is not, and hints that grow with each attempt.

A wrong answer is never an error: the cell says what is wrong and the notebook goes on.
"""

import math
from collections.abc import Callable
from typing import Any

from firstlight.lessons.notes import note
from firstlight.lessons.problems import NoSuchCheck
from firstlight.locale import _


class Exercise:
    """A question with one right answer.

    Attributes:
        right: The answer, an int or a str.
        mistakes: Answers that many give, each with the sentence that helps just there.
        hints: What to say after the first, the second and each later wrong answer; the last one nearly gives it away.
        yes: What to say to the right answer.
    """

    def __init__(self, right: int | str, *, mistakes: dict[int | str, str], hints: tuple[str, ...], yes: str) -> None:
        self.right = right
        self.mistakes = mistakes
        self.hints = hints
        self.yes = yes


def _elements(images: Any) -> Exercise:
    shape = [int(n) for n in images.shape]
    product = " × ".join(map(str, shape))
    return Exercise(
        right=math.prod(shape),
        mistakes={
            math.prod(shape[1:]): _("That is one picture. The batch holds {count} of them.", count=shape[0]),
            shape[0]: _("That is the number of pictures. Each of them holds many numbers."),
            sum(shape): _("You have added the sizes. A block of numbers is counted by multiplying them."),
        },
        hints=(
            _("`images.shape` gives the size of the block in each direction."),
            _("Multiply all four sizes: samples, channels, height and width."),
            _("Compute {product}.", product=product),
        ),
        yes=_("Right: {product} = {count}.", product=product, count=math.prod(shape)),
    )


def _weights(classes: int) -> Exercise:
    return Exercise(
        right=100 * classes + classes,
        mistakes={
            100 * classes: _(
                "Those are the weights. Each of the {classes} outputs has a bias as well.", classes=classes
            ),
            100 + classes: _("Every input is connected with every output: multiply, do not add."),
            84 * classes + classes: _("That is the layer in the table, with 84 inputs. This one has 100."),
        },
        hints=(
            _("One weight stands between each input and each output, and each output has one bias."),
            _("There are 100 inputs and {classes} outputs.", classes=classes),
            _("Compute 100 × {classes} + {classes}.", classes=classes),
        ),
        yes=_("Right: 100 × {classes} weights and {classes} biases.", classes=classes),
    )


def _direction(slope: float) -> Exercise:
    words = ("down", "up")
    right = words[slope < 0]
    return Exercise(
        right=right,
        mistakes={},
        hints=(
            _("A positive slope means: a larger weight, a larger loss. A negative slope means the opposite."),
            _("Here the slope is {slope:+.6f}.", slope=slope),
            _("The loss falls against the slope. There are only two answers, and the other one is right."),
        ),
        yes=_("Right: the weight moves against its gradient, and here that is {direction}.", direction=right),
    )


def _steps(train: Any) -> Exercise:
    samples = len(train)
    full, rest = divmod(samples, 128)
    mistakes: dict[int | str, str] = {
        samples: _("That would be one step for each sample. A step takes a whole batch of 128.")
    }
    if rest:
        mistakes[full] = _("Nearly. {rest} samples are left over, and they form the last, smaller batch.", rest=rest)
    return Exercise(
        right=math.ceil(samples / 128),
        mistakes={**mistakes, 128: _("128 is the size of one batch. How many such batches are there?")},
        hints=(
            _("How many batches of 128 does it take until every sample had its turn?"),
            _("Divide {samples} by 128. If something is left over, it needs one more batch.", samples=samples),
            _("{samples} / 128 = {quotient:.2f}. Round it up.", samples=samples, quotient=samples / 128),
        ),
        yes=_("Right: {steps} steps in one epoch.", steps=math.ceil(samples / 128)),
    )


def _calls(train: Any) -> Exercise:
    samples = len(train)
    return Exercise(
        right=samples,
        mistakes={
            math.ceil(samples / 128): _("So many batches are made. Each of them is put together from many pictures."),
            128: _("That is one batch. An epoch has many."),
            1: _("One call prepares one picture only."),
        },
        hints=(
            _("One call prepares one picture. How many pictures has an epoch?"),
            _("In an epoch every sample has its turn once: `len(train)`."),
            _("There are {samples:,} samples.", samples=samples),
        ),
        yes=_(
            "Right: {samples:,} calls, and in each of them Python does the same small things again.", samples=samples
        ),
    )


def _stride() -> Exercise:
    return Exercise(
        right=784,
        mistakes={
            1: _("That holds with channels last. Here the whole channel 0 comes first."),
            28: _("That is one row down. The next channel begins after all rows."),
            32: _("That is the number of channels. Count the pixels of one channel."),
            25_088: _("That leads to the same pixel of the next sample."),
        },
        hints=(
            _("As usual, a whole channel comes first, then the next one."),
            _("How many pixels has one channel of 28 rows with 28 pixels each?"),
            _("Compute 28 × 28."),
        ),
        yes=_("Right: 28 × 28 = 784. With channels last it would be 1."),
    )


def _bfloat16() -> Exercise:
    return Exercise(
        right=256,
        mistakes={
            257: _("In float32, yes. Here 257 cannot be written: after 256 comes 258."),
            258: _("258 can be written, but 257 lies in the middle between 256 and 258 and is rounded the other way."),
            255: _("Rounding would not lead so far down."),
        },
        hints=(
            _("Above 256 the numbers that can be written are 2 apart."),
            _("257 lies in the middle between two of them. Of the two, the one that ends in a zero bit is taken."),
            _("It is the number that you began with."),
        ),
        yes=_("Right: 256. The 1 is lost. Look at the next cell."),
    )


def _amdahl() -> Exercise:
    return Exercise(
        right=82,
        mistakes={
            10: _("Only the fetching became faster, not the whole step."),
            80: _("The fetching has not vanished: a tenth of it is left."),
            98: _("That takes 2 ms off. Only 2 ms are left of the fetching."),
            90: _("Ten times as fast means a tenth of the time, not 10 ms less."),
        },
        hints=(
            _("80 ms of the step stay as they are."),
            _("20 ms become a tenth of that."),
            _("Compute 80 + 2."),
        ),
        yes=_("Right: 82 ms. Ten times as fast in one place made the whole only 18 % shorter."),
    )


def _tanh() -> Exercise:
    return Exercise(
        right=1,
        mistakes={
            0: _("That is the value of `hidden`. Its slope is 1 - hidden²."),
            -1: _("`tanh` never falls: its slope is never below 0."),
            2: _("So steep it is nowhere. Put 0 into 1 - hidden²."),
        },
        hints=(
            _("The line for `d_inner` multiplies by the slope of `tanh`."),
            _("That slope is 1 - hidden²."),
            _("Compute 1 - 0²."),
        ),
        yes=_(
            "Right: 1 - 0² = 1. There `tanh` passes the gradient on whole; where `hidden` is near 1 or -1, almost none."
        ),
    )


def _combines(tree: Any) -> Exercise:
    text = str(tree)
    signs, digits = sum(text.count(sign) for sign in "+-*"), sum(letter.isdigit() for letter in text)
    return Exercise(
        right=signs,
        mistakes={
            tree.depth: _("That is how many signs stand above one another. Count all of them."),
            digits: _("That is the number of digits. They are looked up in the table; `combine` joins two parts."),
            signs + digits: _("Those are all nodes. The digits among them need no `combine`."),
        },
        hints=(
            _("`combine` joins a left and a right part. Where does the expression join two parts?"),
            _("At each sign: +, - or *."),
            _("Count the signs in {text}.", text=text),
        ),
        yes=_("Right: {signs} signs, so {signs} calls. Another tree has another number.", signs=signs),
    )


def _padding() -> Exercise:
    return Exercise(
        right=15,
        mistakes={
            30: _("Those are all positions of the batch. Some of them are real."),
            10: _("That is the length of the longest. How much does each of the others lack?"),
            5: _("Those are the real positions of the two short samples. What is added to them?"),
            8: _("The first sample lacks that much. The second one lacks some too."),
            7: _("The second sample lacks that much. The first one lacks some too."),
        },
        hints=(
            _("The batch has three rows, each as long as the longest sample."),
            _("The first row is filled up from 2 to 10, the second from 3 to 10."),
            _("Compute 8 + 7."),
        ),
        yes=_("Right: 15 of 30. Half of the work would be for nothing."),
    )


def _adamw() -> Exercise:
    return Exercise(
        right=400,
        mistakes={
            100: _("Those are the parameters alone."),
            200: _("Those are parameters and gradients. The state of AdamW is missing."),
            300: _("Nearly: AdamW keeps two numbers for each parameter, not one."),
        },
        hints=(
            _("Each parameter has one gradient, of the same size."),
            _("AdamW adds two more numbers of that size."),
            _("Compute 100 + 100 + 2 × 100."),
        ),
        yes=_("Right: 400 MB, four times the parameters, and no activation is counted yet."),
    )


_EXERCISES: dict[str, Callable[..., Exercise]] = {
    "elements": _elements,
    "weights": _weights,
    "direction": _direction,
    "steps": _steps,
    "calls": _calls,
    "stride": _stride,
    "bfloat16": _bfloat16,
    "amdahl": _amdahl,
    "tanh": _tanh,
    "combines": _combines,
    "padding": _padding,
    "adamw": _adamw,
}


class Checks:
    """What `check` is. It remembers the wrong answers to each exercise, and nothing else."""

    def __init__(self) -> None:
        self.wrong: dict[str, list[object]] = {}

    def __call__(self, name: str, answer: object, *context: object) -> None:
        """Look at an answer and say whether it is right; otherwise give the next hint.

        Args:
            name: Which exercise.
            answer: The learner's answer; `None` or `...` means that there is none yet.
            context: What the right answer depends on, as the lesson passes it.

        Raises:
            NoSuchCheck: The lessons have no such exercise.

        Example:
            >>> check = Checks()
            >>> check("weights", 1000, 10)
            ✗ Not yet. Those are the weights. Each of the 10 outputs has a bias as well.
              Hint: One weight stands between each input and each output, and each output has one bias.
            >>> check("weights", 1010, 10)
            ✓ Right: 100 × 10 weights and 10 biases.
        """
        if name not in _EXERCISES:
            raise NoSuchCheck(name=name, known=", ".join(_EXERCISES))
        if answer is None or answer is ...:
            note("todo", _("No answer yet. Replace None by your answer and run the cell again.")).display()
            return
        exercise = _EXERCISES[name](*context)
        given = _plain(answer)
        if given is not None and type(given) is type(exercise.right) and given == exercise.right:
            self.wrong.pop(name, None)
            note("yes", exercise.yes).display()
            return
        tried = self.wrong.setdefault(name, [])
        mark = repr(answer) if given is None else given  # the same wrong answer twice earns no new hint
        if mark not in tried:
            tried.append(mark)
        level = min(len(tried), len(exercise.hints))
        note("no", _diagnosis(given, exercise), *(_hint(hint) for hint in exercise.hints[:level])).display()

    def that(self, condition: object) -> None:
        """Say whether something holds. A tensor or array holds when all of its elements do.

        Example:
            >>> Checks().that(1 + 1 == 2)
            ✓ Yes, that holds.
        """
        value = condition.all() if hasattr(condition, "all") else condition
        if bool(value):
            note("yes", _("Yes, that holds.")).display()
        else:
            note("no", _("No, that does not hold here."), _run_in_order()).display()

    def equal(self, first: Any, second: Any, *, within: float = 1e-6) -> None:
        """Say whether two numbers, arrays or tensors agree, and by how much they differ.

        Example:
            >>> Checks().equal(0.5, 0.50000025)
            ✓ Equal: the largest difference is 2.5e-07, and 1e-06 would be allowed.
        """
        try:
            a, b = (_doubles(value) for value in (first, second))
        except (TypeError, ValueError, RuntimeError):  # often None: a gradient before the first backward()
            kinds = {"first": type(first).__name__, "second": type(second).__name__}
            text = _("Only numbers can be compared; here are {first} and {second}.", **kinds)
            note("no", text, _run_in_order()).display()
            return
        if a.shape != b.shape:
            note(
                "no",
                _(
                    "Not equal: one has the shape {first}, the other {second}.",
                    first=tuple(a.shape),
                    second=tuple(b.shape),
                ),
                _run_in_order(),
            ).display()
            return
        difference = (a - b).abs().max().item() if a.numel() else 0.0
        shown = f"{difference:.1e}" if difference else "0"
        if difference <= within:  # false for nan too
            text = _(
                "Equal: the largest difference is {difference}, and {within} would be allowed.",
                difference=shown,
                within=within,
            )
            note("yes", text).display()
        else:
            text = _(
                "Not equal: the largest difference is {difference}; allowed is {within}.",
                difference=shown,
                within=within,
            )
            note("no", text, _run_in_order()).display()


check = Checks()


def _run_in_order() -> str:
    return _("If you have changed nothing, run the cells of this part again, from its heading down.")


def _doubles(value: Any) -> Any:
    import torch

    tensor = value.detach() if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=torch.float64)
    return tensor.to("cpu", torch.float64)


def _hint(text: str) -> str:
    return _("Hint: {text}", text=text)


def _plain(answer: object) -> int | str | None:
    """An answer as an int or a word, whatever kind of number it came as; None where it is neither."""
    if isinstance(answer, str):
        word = answer.strip().lower()
        return int(word) if word.removeprefix("-").isdecimal() and len(word) < 100 else word
    if hasattr(answer, "item"):  # a NumPy number, or a tensor with one element
        try:
            answer = answer.item()
        except (ValueError, RuntimeError):
            return None
    if isinstance(answer, bool):
        return None
    if isinstance(answer, float) and not (math.isfinite(answer) and answer.is_integer()):
        return None
    return int(answer) if isinstance(answer, int | float) else None


def _diagnosis(given: int | str | None, exercise: Exercise) -> str:
    if given is not None and given in exercise.mistakes:
        return _("Not yet. {mistake}", mistake=exercise.mistakes[given])
    if type(given) is type(exercise.right):
        return _("Not yet.")
    if isinstance(exercise.right, int):
        return _("Not yet. The answer is a whole number.")
    return _("Not yet. The answer is a word in quotation marks.")
