"""`fl.fit` with its defaults on the tutorial's network, from nothing known about this machine."""

import time

import firstlight as fl
from benchmarks.harness import report
from benchmarks.ours import same

train, test = same.cifar10()
model = same.lenet()

begun = time.perf_counter()
# validation=0: nobody in this comparison measures between epochs.
run = fl.fit(model, train, epochs=same.EPOCHS, batch_size=same.BATCH, validation=0)
seconds = time.perf_counter() - begun

report(
    seconds,
    samples=same.EPOCHS * len(train),
    accuracy=same.accuracy(model, test),
    line=run.info.get("device_line"),
    precision=run.info.get("precision"),
)
