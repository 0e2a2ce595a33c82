"""Where weights change: a model and batches go in, a `Run` comes out.

    fit(model, train, test) -> Run          # the loop, written out in fit.py
    evaluate(model, test) -> Evaluation     # accuracy, each class, confusion matrix, the most confident mistakes
    nest(samples, model) -> Nested          # samples of different lengths as a batch that the model takes
    recipes.cifar10(train) -> Recipe        # a model and the options of fit that go well together
    choose_device() -> torch.device         # an accelerator that has proved itself, or the CPU and why

Models, losses and optimizers are plain PyTorch objects. They are taken as they are and handed back on their device, in
their mode. This room knows of no widget: it writes to a `Run`, and whoever shows it listens there.
"""

from firstlight.train import recipes
from firstlight.train.device import choose_device
from firstlight.train.evaluate import Evaluation, evaluate
from firstlight.train.fit import LossNotFinite, fit
from firstlight.train.nest import Nested, nest

__all__ = ["Evaluation", "LossNotFinite", "Nested", "choose_device", "evaluate", "fit", "nest", "recipes"]
