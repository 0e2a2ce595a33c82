"""PyTorch's CIFAR-10 tutorial as written: batch 4, two epochs, one PIL image at a time, two workers.

torchvision's own transforms, as the tutorial uses them. The clock runs for what the tutorial calls training, the two
epochs; the test that follows it is reported beside it.
"""

import time

import torch
from torch import nn, optim
from torch.utils.data import DataLoader

from benchmarks.harness import report
from benchmarks.peers import same


def main() -> None:
    trainset = same.CIFAR10(train=True, transform=same.transform)
    trainloader = DataLoader(trainset, batch_size=4, shuffle=True, num_workers=2)
    testset = same.CIFAR10(train=False, transform=same.transform)
    testloader = DataLoader(testset, batch_size=4, shuffle=False, num_workers=2)
    net = same.Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(net.parameters(), lr=0.001, momentum=0.9)

    begun = same.clock()
    for epoch in range(2):
        running_loss = 0.0
        for i, data in enumerate(trainloader, 0):
            inputs, labels = data
            optimizer.zero_grad()
            outputs = net(inputs)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
            if i % 2000 == 1999:
                print(f"[{epoch + 1}, {i + 1:5d}] loss: {running_loss / 2000:.3f}", flush=True)
                running_loss = 0.0
    seconds = time.perf_counter() - begun

    correct = total = 0
    tested = time.perf_counter()
    with torch.no_grad():
        for images, labels in testloader:
            predicted = torch.max(net(images), 1)[1]
            total += labels.size(0)
            correct += (predicted == labels).sum().item()
    test_s = time.perf_counter() - tested
    report(seconds, samples=2 * len(trainset), accuracy=correct / total, test_s=test_s, versions=same.versions())


if __name__ == "__main__":  # the workers import this file on systems that cannot fork
    main()
