"""Keras on torch: a Sequential of the same layers, and arrays prepared once, as Keras's own examples do."""

import os
import time

os.environ["KERAS_BACKEND"] = "torch"
from benchmarks.peers import same  # before Keras, which imports torchvision

# isort: split
import keras
import numpy as np
from keras import layers

from benchmarks.harness import report

train = same.CIFAR10(train=True)
x_train = (train.data.astype("float32") / 255 - 0.5) / 0.5
y_train = np.array(train.targets)
model = keras.Sequential(
    [
        keras.Input((32, 32, 3)),
        layers.Conv2D(6, 5, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(16, 5, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(120, activation="relu"),
        layers.Dense(84, activation="relu"),
        layers.Dense(10),
    ]
)
model.compile(
    optimizer=keras.optimizers.SGD(0.01, momentum=0.9),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)

begun = same.clock()
model.fit(x_train, y_train, batch_size=same.BATCH, epochs=same.EPOCHS, verbose=0)
seconds = time.perf_counter() - begun

test = same.CIFAR10(train=False)
x_test = (test.data.astype("float32") / 255 - 0.5) / 0.5
_, accuracy = model.evaluate(x_test, np.array(test.targets), batch_size=1000, verbose=0)
report(seconds, samples=same.seen(), accuracy=accuracy, versions=same.versions("keras"))
