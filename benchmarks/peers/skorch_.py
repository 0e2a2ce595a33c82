"""skorch: a scikit-learn estimator around the network."""

import time

import torch
from skorch import NeuralNetClassifier
from torch import nn

from benchmarks.harness import report
from benchmarks.peers import same

train = same.CIFAR10(train=True, transform=same.transform)
net = NeuralNetClassifier(
    same.Net,
    criterion=nn.CrossEntropyLoss,
    optimizer=torch.optim.SGD,
    lr=0.01,
    optimizer__momentum=0.9,
    max_epochs=same.EPOCHS,
    batch_size=same.BATCH,
    iterator_train__shuffle=True,
    iterator_train__num_workers=same.WORKERS,
    train_split=None,  # nobody here measures between epochs
    verbose=0,
)

begun = same.clock()
net.fit(train, y=None)
seconds = time.perf_counter() - begun

report(seconds, samples=same.seen(), accuracy=same.accuracy(net.module_), versions=same.versions("skorch"))
