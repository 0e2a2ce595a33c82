"""The learner's own loop over `train.batches`: beside peers/plain.py only the loader differs."""

import time

import torch
from torch import nn

from benchmarks.harness import report
from benchmarks.ours import same

train, test = same.cifar10()
net = same.lenet()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)

begun = time.perf_counter()
for _epoch in range(same.EPOCHS):
    for inputs, labels in train.batches(same.BATCH, shuffle=True):
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
seconds = time.perf_counter() - begun

report(seconds, samples=same.EPOCHS * len(train), accuracy=same.accuracy(net, test))
