"""Loss and accuracy of a model on one split, changing nothing: `fit` asks after each epoch.

Shapes: B samples in a batch, K classes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from firstlight.run import TrainingStopped
from firstlight.train.check import Loss
from firstlight.train.feed import Feed
from firstlight.train.plan import StepPlan, in_float32
from firstlight.train.randomness import borrowed_randomness


@dataclass(frozen=True)
class Score:
    """How good a model is on one split.

    Attributes:
        loss: Mean over the samples.
        accuracy: Share of samples whose largest score is the right class; None where there are no classes.
    """

    loss: float
    accuracy: float | None = None

    def better_than(self, other: "Score") -> bool:
        """Whether it has the higher accuracy, and of two that are equal in that, the lower loss."""
        if self.accuracy is None or other.accuracy is None or self.accuracy == other.accuracy:
            return self.loss < other.loss
        return self.accuracy > other.accuracy

    def metrics(self, split: str) -> dict[str, float]:
        """As a `Run` logs it: `test/loss`, `test/accuracy`."""
        values = {"loss": self.loss, "accuracy": self.accuracy}
        return {f"{split}/{name}": value for name, value in values.items() if value is not None}


@contextmanager
def looking(model: nn.Module) -> Iterator[None]:
    """A block in which the model predicts: eval mode, no gradients, randomness borrowed; then all is as it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad(), borrowed_randomness():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def measure(
    model: nn.Module,
    feed: Feed,
    loss: Loss | None = None,
    *,
    plan: StepPlan | None = None,
    asked_to_stop: Callable[[], bool] = lambda: False,
) -> Score:
    """Loss and accuracy over one split, shared among the processes under torchrun.

    Args:
        model: On the device of the feed.
        feed: The split, checked before (`feed.outputs` says whether there are classes).
        loss: Mean loss of a batch; cross-entropy where None.
        plan: How to compute; plainly where None.
        asked_to_stop: Asked before each batch, as measuring a large split takes longer than a person waits.

    Raises:
        TrainingStopped: Somebody asked to stop.
    """
    loss = loss or nn.functional.cross_entropy
    plan = plan or StepPlan()
    # Summed up where the model is, and read once: reading a number waits for an accelerator. MPS has no float64.
    wide = torch.float32 if feed.device.type == "mps" else torch.float64
    lost = torch.zeros((), dtype=wide, device=feed.device)
    right = torch.zeros((), dtype=torch.int64, device=feed.device)
    samples = 0
    with looking(model):
        for inputs, labels, _share in feed.shards(whole=True):
            if feed.world.alone and asked_to_stop():
                raise TrainingStopped
            with plan.autocast(feed.device):
                outputs = model(inputs)
            outputs = in_float32(outputs)
            lost += loss(outputs, labels).detach().reshape(()) * len(labels)
            if feed.outputs:
                right += (outputs.argmax(dim=1) == labels).sum()
            samples += len(labels)
    sums = torch.stack([lost, right.to(wide), torch.tensor(samples, dtype=wide, device=feed.device)])
    total, answers, seen = feed.world.total(sums, feed.device).tolist()
    return Score(total / seen, answers / seen if feed.outputs else None)
