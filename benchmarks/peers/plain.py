"""Plain PyTorch: the tutorial's loop, in batches of 128."""

import time

import torch
from torch import nn

from benchmarks.harness import report
from benchmarks.peers import same

trainloader = same.loader()
net = same.Net()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)

begun = same.clock()
for _epoch in range(same.EPOCHS):
    for inputs, labels in trainloader:
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
seconds = time.perf_counter() - begun

report(seconds, samples=same.seen(), accuracy=same.accuracy(net), versions=same.versions())
