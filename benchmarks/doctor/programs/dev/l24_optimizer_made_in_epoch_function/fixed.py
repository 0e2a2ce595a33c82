import time

import firstlight as fl
import torch
from torch import nn, optim

torch.manual_seed(5)


def load(n_train=2500, n_test=800):
    train, test = fl.load("fashion_mnist_small")
    return train.subset(range(n_train)), test.subset(range(n_test))


def classifier():
    return nn.Sequential(
        nn.Flatten(1),
        nn.Linear(28 * 28, 50),
        nn.SELU(),
        nn.Linear(50, 10),
        nn.LogSoftmax(dim=1),
    )


def one_epoch(model, data, optimizer):
    model.train()
    nll = nn.NLLLoss()
    total, count = 0.0, 0
    for images, labels in data:
        optimizer.zero_grad()
        loss = nll(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        count += len(labels)
    return total / count


def evaluate(model, data):
    model.eval()
    correct = 0
    count = 0
    with torch.no_grad():
        for images, labels in data:
            correct += (model(images).argmax(1) == labels).sum().item()
            count += len(labels)
    return correct / count


train_data, test_data = load()
model = classifier()
optimizer = optim.Adam(model.parameters(), lr=1e-3)
train_batches = train_data.batches(64, shuffle=True)
begin = time.time()
for epoch in range(4):
    loss = one_epoch(model, train_batches, optimizer)
    print(f"epoch {epoch} loss {loss:.6f} ({time.time() - begin:.1f} s)")
print(f"result: {evaluate(model, test_data.batches(200)):.4f}")
