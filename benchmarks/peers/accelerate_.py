"""Accelerate: the plain loop, with model, optimizer and loader prepared."""

import time

import torch
from accelerate import Accelerator
from torch import nn

from benchmarks.harness import report
from benchmarks.peers import same

accelerator = Accelerator(cpu=True)
net = same.Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
criterion = nn.CrossEntropyLoss()
net, optimizer, trainloader = accelerator.prepare(net, optimizer, same.loader())

begun = same.clock()
for _epoch in range(same.EPOCHS):
    for inputs, labels in trainloader:
        optimizer.zero_grad()
        loss = criterion(net(inputs), labels)
        accelerator.backward(loss)
        optimizer.step()
seconds = time.perf_counter() - begun

net = accelerator.unwrap_model(net)
report(seconds, samples=same.seen(), accuracy=same.accuracy(net), versions=same.versions("accelerate"))
