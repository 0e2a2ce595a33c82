"""fastai: DataLoaders of torchvision datasets, and a Learner with its own schedule."""

import time

from benchmarks.peers import same  # before fastai, which imports torchvision

# isort: split
from fastai.vision.all import Callback, CancelValidException, DataLoaders, Learner
from torch import nn

from benchmarks.harness import report


class NoValidation(Callback):
    """Nobody here measures between epochs."""

    def before_validate(self):
        raise CancelValidException


train = same.CIFAR10(train=True, transform=same.transform)
test = same.CIFAR10(train=False, transform=same.transform)
dls = DataLoaders.from_dsets(train, test, bs=same.BATCH, shuffle=True, num_workers=same.WORKERS, device="cpu")
net = same.Net()
learn = Learner(dls, net, loss_func=nn.CrossEntropyLoss(), cbs=NoValidation())

begun = same.clock()
with learn.no_bar(), learn.no_logging():
    learn.fit_one_cycle(same.EPOCHS)
seconds = time.perf_counter() - begun

report(seconds, samples=same.seen(), accuracy=same.accuracy(net), versions=same.versions("fastai"))
