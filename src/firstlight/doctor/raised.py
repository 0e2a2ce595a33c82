"""Exceptions that a rule's question is about: its finding, in sentences of its own, for where the program ended."""

import re
from collections.abc import Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.failing import (
    Failure,
    evidence_of,
    failure_of,
    layer_of,
    line_of,
    lines_above,
    one_hot,
    squeezed,
    tensor_of,
)
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Voice
from firstlight.locale import Text
from firstlight.run import Run

_RANGE = (r"target .* is out of bounds", r"class values must be smaller than num_classes", r"t >= 0 && t < n_classes",
          r"class values must be non-negative")  # fmt: skip


def _finding(
    run: Run,
    failure: Failure,
    text: Text,
    *,
    place: Place | None = None,
    voice: Voice | None = "alarm",
    **values: object,
) -> Finding:
    at = line_of(failure)
    lines = lines_above(failure, Code.of(run))[:2]
    return Finding(
        evidence=evidence_of(failure),
        step=failure["step"],
        place=place or at,
        places=tuple(one for one in ((at,) if place is not None and at is not None else lines) if one != place),
        values=values,
        voice=voice,
        text=text,
    )


def _range_of(failure: Failure) -> tuple[int, int] | None:
    row = failure["operation"]
    found = (row["arguments"].get("range of target") or row["arguments"].get("range of input")) if row else None
    return (int(found[0]), int(found[1])) if found is not None else None


def _outputs(failure: Failure) -> int | None:
    scores = tensor_of(failure, "input")
    if scores is None or not scores["shape"] or "float" not in scores["dtype"]:
        return None
    return int(scores["shape"][1 if len(scores["shape"]) > 1 else 0])


def too_few_outputs(run: Run) -> Iterator[Finding]:
    """M08: labels begin at 0 and go beyond the number of outputs."""
    failure = failure_of(run, *_RANGE, types=("IndexError", "RuntimeError"))
    seen, outputs = (_range_of(failure), _outputs(failure)) if failure is not None else (None, None)
    if failure is not None and seen is not None and outputs is not None and seen[0] == 0 and seen[1] >= outputs:
        yield _finding(
            run,
            failure,
            Text(
                what="There are more classes than outputs: the label {label} came, the model gives {outputs} scores.",
                why="Labels count from 0, so a model with {outputs} outputs knows the labels 0 to {last}.",
                do="Give the last layer one output for each class, here at least {wanted}.",
            ),
            label=seen[1],
            outputs=outputs,
            last=outputs - 1,
            wanted=seen[1] + 1,
        )


def label_out_of_range(run: Run) -> Iterator[Finding]:
    """D02: labels that begin at 1, or below 0; the same on a GPU, where the line is not known."""
    failure = failure_of(run, *_RANGE, r"device-side assert", types=("IndexError", "RuntimeError"))
    if failure is None:
        return
    if "device-side assert" in failure["message"]:
        yield _finding(
            run,
            failure,
            Text(
                what="On the GPU, an index was outside of its range: mostly a label that no output stands for.",
                why="The GPU computes later than Python runs, so this line need not be the one that failed. After this "
                "error every call on the GPU fails, until the program or the kernel is started anew.",
                do="Restart, and run once on the CPU, or with CUDA_LAUNCH_BLOCKING=1, to see the line. Labels must go "
                "from 0 to the number of outputs less 1.",
            ),
        )
        return
    seen, outputs = _range_of(failure), _outputs(failure)
    if seen is not None and outputs is not None and seen[0] == 0 and seen[1] >= outputs:
        return  # too few outputs
    if seen is None:
        found = re.search(r"Target (-?\d+)", failure["message"])
        seen = (int(found[1]), int(found[1])) if found is not None else (0, 0)
    label = seen[0] if seen[0] < 0 else seen[1]
    yield _finding(
        run,
        failure,
        Text(
            what="The label {label} is outside of the classes 0 to {last}.",
            why="Labels must count from 0 to the number of outputs less 1. Here they go from {lowest} to {highest}.",
            do="Subtract what they begin with, as in labels - 1, or give each class a number from 0.",
        ),
        label=label,
        last=outputs - 1 if outputs is not None else "K - 1",
        lowest=seen[0],
        highest=seen[1],
    )


def label_type(run: Run) -> Iterator[Finding]:
    """D03: labels that are no whole numbers, or one-hot rows of whole numbers; BCE with whole numbers."""
    failure = failure_of(
        run,
        r"expected target dtype to be Long",
        r"expected scalar type Long but found",
        r"expected floating point type for target with class probabilities",
        r"multi-target not supported",
        r"not implemented for '(Int|Float|Double|Short|Char|Bool)'",
        r"result type Float can't be cast to the desired output type (Long|Int)",
        r"Found dtype (Long|Int|Bool) but expected Float",
        r"argument 'target' .* must be Tensor",
        types=("RuntimeError", "TypeError"),
    )
    if failure is None:
        return
    row = failure["operation"] or {"name": ""}
    target = tensor_of(failure, "target")
    shape = str(tuple(target["shape"])) if target is not None else "()"
    dtype = target["dtype"] if target is not None else "?"
    if row["name"].startswith("binary_cross_entropy"):
        text = Text(
            what="This loss wants labels as floating-point numbers, and gets {dtype}.",
            why="For each output it compares a probability with 0.0 or 1.0; both sides must be of one type.",
            do="Write labels.float() where the loss is computed.",
        )
    elif row["name"] in ("cross_entropy", "nll_loss") and (
        "multi-target" not in failure["message"] or one_hot(failure)
    ):
        text = Text(
            what="Cross-entropy wants the number of the class for each sample (int64), and gets {dtype} of shape "
            "{shape}.",
            why="A label is a whole number that says which class is right. Rows with one number for each class are "
            "only understood as floating-point probabilities.",
            do="Give labels.long() of shape (B,); from one-hot rows make them with labels.argmax(dim=1).",
        )
    else:
        return
    yield _finding(run, failure, text, dtype=dtype, shape=shape)


def number_type(run: Run) -> Iterator[Finding]:
    """R12: weights and inputs are numbers of different kinds."""
    failure = failure_of(
        run,
        r"must have the same dtype",
        r"expected (scalar type|object of scalar type|m1 and m2 to have the same dtype).*",
        r"input type .* and (weight|bias) type .* should be the same",
        r"input dtype .* does not match weight dtype",
        r"found dtype double but expected float",
        r"expected scalar type \w+ but found",
        r"to have one of the following scalar types: Long",
        types=("RuntimeError", "ValueError"),
    )
    if failure is None or next(label_type(run), None) is not None or failure["message"].count("cuda") == 1:
        return
    rows = [one for one in (failure["operation"] or {"inputs": []})["inputs"] if one["name"] != "bias"]
    weight = next((one for one in rows if one["what"] == "parameter"), None)
    given = next((one for one in rows if one is not weight), None)
    if "following scalar types: Long" in failure["message"]:
        text = Text(
            what="An embedding wants whole numbers, and gets {found}.",
            why="It looks up a row for each number; there is no row 1.5.",
            do="Give it x.long(), before anything turns the numbers into floats.",
        )
    elif given is not None and given["dtype"] == "uint8":
        text = Text(
            what="The layer has weights of {expected}, and gets whole numbers (uint8), as pictures hold them.",
            why="PyTorch multiplies numbers of one kind only.",
            do="Write x = x.float() / 255 where the data is prepared.",
        )
    else:
        text = Text(
            what="Two kinds of numbers meet: {expected} and {found}.",
            why="PyTorch multiplies numbers of one kind only. NumPy makes float64 (Double) by itself, layers "
            "are float32.",
            do="Write x = x.float() where the data becomes a tensor: inputs, and targets that are no class numbers.",
        )
    kinds = re.findall(r"\b(double|float|half|long|int|byte|bfloat16|unsigned char)\b", failure["message"].lower())
    expected = weight["dtype"] if weight is not None else (kinds[-1] if kinds else "float32")
    found = given["dtype"] if given is not None else (kinds[0] if kinds else "?")
    yield _finding(run, failure, text, expected=expected, found=found, layer=layer_of(failure))


def batch_of_one(run: Run) -> Iterator[Finding]:
    """D24: the output of a batch of one has lost its side, and no longer fits the target."""
    failure = failure_of(
        run, r"target size", r"expected input batch_size", r"zero-dimensional tensor", r"dimension out of range"
    )
    if failure is not None and squeezed(failure):
        text = Text(
            what="A batch of one sample has lost its batch dimension.",
            why="squeeze() takes away all sides of 1. In a batch of one, the samples' own side is one of them.",
            do="Say which side is to go: squeeze(-1) or squeeze(1). With drop_last=True no small batch comes.",
        )
        lines = [
            place
            for place, call, _unit in Code.of(run).calls("squeeze")
            if not call.args and not call.keywords
        ]  # fmt: skip
        yield _finding(run, failure, text, place=lines[0] if len(lines) == 1 else None)


def normalized_one(run: Run) -> Iterator[Finding]:
    """M19: batch normalization was given one value for each channel."""
    failure = failure_of(run, r"expected more than 1 value per channel when training", types=("ValueError",))
    if failure is not None:
        text = Text(
            what="{layer} was given one sample while it trains.",
            why="Batch normalization compares the samples of a batch with each other; one alone has no spread.",
            do="If it is the last batch of an epoch, give the loader drop_last=True. Before evaluating, call "
            "model.eval().",
        )
        yield _finding(run, failure, text, layer=layer_of(failure) or "BatchNorm")


def class_weights(run: Run) -> Iterator[Finding]:
    """M33: weights of classes whose number is not that of the outputs."""
    failure = failure_of(run, r"weight tensor should be defined either for all", r"size of tensor a .* must match")
    if failure is None:
        return
    weight, scores = tensor_of(failure, "weight") or tensor_of(failure, "pos_weight"), tensor_of(failure, "input")
    named = "weight tensor should be defined" in failure["message"]
    binary = (failure["operation"] or {"name": ""})["name"].startswith("binary_cross_entropy")
    if weight is None or scores is None or not (named or binary):
        return
    text = Text(
        what="The loss has {weights} weights for classes, and the model gives {outputs} scores.",
        why="Each class needs a weight of its own, in the order of the class numbers.",
        do="Give as many weights as there are outputs, also for classes that are rare or missing in the data.",
    )
    yield _finding(
        run, failure, text, weights=weight["shape"][0] if weight["shape"] else 1, outputs=_outputs(failure) or "?"
    )


def workers(run: Run) -> Iterator[Finding]:
    """R03: worker processes that cannot be given the dataset, or that start the program again."""
    failure = failure_of(
        run,
        r"can't pickle",
        r"can't get (local object|attribute)",
        r"cannot pickle|got pickle error",
        r"attempt has been made to start a new process before",
        r"DataLoader worker \(pid",
        r"can't get attribute '\w+' on <module '__main__'",
    )
    through = set(failure["through"]) if failure is not None else set()
    if failure is None or not any(
        part.startswith(("dataloader", "popen", "reduction", "process", "spawn", "queues")) for part in through
    ):
        return
    if "new process" in failure["message"]:
        text = Text(
            what="Worker processes run the program from its top, and come to the loader again.",
            why="On Windows and macOS a worker starts Python anew and imports the script.",
            do='Put what runs into a function, and call it under if __name__ == "__main__":, or use num_workers=0.',
        )
    else:
        text = Text(
            what="The loader's worker processes cannot be given the dataset.",
            why="It is sent to them with pickle, which knows functions and classes by name: no lambda, nothing that is "
            "defined inside of a function or a notebook cell, no open file.",
            do="Define classes and functions at the top of a .py file and import them, or use num_workers=0.",
        )
    yield _finding(run, failure, text)


def loss_without_graph(run: Run) -> Iterator[Finding]:
    """L07: backward of a loss that no weight has a part in."""
    failure = failure_of(run, r"does not require grad and does not have a grad_fn", types=("RuntimeError",))
    if failure is None:
        return
    weights = failure.get("loss") or {"weights": 0, "frozen": 0}
    if weights["weights"] and weights["weights"] == weights["frozen"]:
        return  # all is frozen
    if failure["grad"] is False:
        text = Text(
            what="backward() has nothing to go back through: the model ran without autograd.",
            why="Under torch.no_grad() or inference_mode() nothing is written down for the backward pass.",
            do="Compute the outputs of training outside of such a block.",
        )
    else:
        text = Text(
            what="backward() has nothing to go back through: the loss is cut off from the model.",
            why="detach(), item(), argmax(), numpy() and torch.tensor() give values without history.",
            do="Compute the loss from the model's outputs themselves.",
        )
    yield _finding(run, failure, text)


def all_frozen(run: Run) -> Iterator[Finding]:
    """M15: backward of a model none of whose weights wants a gradient."""
    failure = failure_of(run, r"does not require grad and does not have a grad_fn", types=("RuntimeError",))
    weights = (failure or {}).get("loss") or {"weights": 0, "frozen": 0}
    if failure is not None and weights["weights"] and weights["weights"] == weights["frozen"]:
        text = Text(
            what="All {weights} weights of the model are frozen, so there is nothing to train.",
            why="With requires_grad=False a weight gets no gradient, and a loss of such weights has no way back.",
            do="Leave the weights that are to learn with requires_grad=True, for example those of a new last layer.",
        )
        yield _finding(run, failure, text, weights=weights["weights"])


def state_carried(run: Run) -> Iterator[Finding]:
    """M24: the second backward pass comes to the graph of the batch before, through a state."""
    failure = failure_of(run, r"backward through the graph a second time", types=("RuntimeError",))
    twice = (failure or {}).get("twice")
    if failure is not None and twice is not None and twice["carried"]:
        text = Text(
            what="A state of the batch before goes into this one with its whole history.",
            why="backward() frees the graph it has gone through. The state still hangs on that graph, so the next "
            "backward() comes to it again.",
            do="Write hidden = hidden.detach() before each batch; an LSTM has two of them. No retain_graph=True.",
        )
        lines = [Place(**one) for one in twice["lines"]]
        yield _finding(run, failure, text, place=None if not lines else line_of(failure))


def computed_before(run: Run) -> Iterator[Finding]:
    """L30: a value that was computed once, before the loop, goes into the loss of each step."""
    failure = failure_of(run, r"backward through the graph a second time", types=("RuntimeError",))
    twice = (failure or {}).get("twice")
    if failure is not None and twice is not None and twice["known"] and not twice["carried"] and twice["steps"]:
        text = Text(
            what="The loss is made of a value that was computed before the last step: {names}.",
            why="backward() frees the graph it has gone through, and a value of an older graph knows nothing of the "
            "weights after the step.",
            do="Compute it anew in each step, with the new weights; or detach() it where it is to stay as it is.",
        )
        yield _finding(run, failure, text, names=", ".join(twice["names"]) or "loss")
