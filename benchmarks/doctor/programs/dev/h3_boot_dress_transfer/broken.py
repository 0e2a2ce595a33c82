import os
import tempfile

import torch
from torch import nn

import firstlight as fl


def make_net(classes):
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256),
        nn.BatchNorm1d(256),
        nn.ReLU(),
        nn.Dropout(0.4),
        nn.Linear(256, 128),
        nn.ReLU(),
        nn.Dropout(0.4),
        nn.Linear(128, classes),
    )


def some_classes(dataset, first, last, count):
    chosen = dataset.subset((dataset.labels >= first) & (dataset.labels <= last))
    return chosen.subset(range(count))


def train_one_epoch(net, batches, first, optimizer, loss_fn):
    total, seen = 0.0, 0
    for images, labels in batches:
        optimizer.zero_grad()
        loss = loss_fn(net(images), labels - first)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        seen += len(labels)
    return total / seen


def evaluate(net, batches, first):
    before = net.training
    net.eval()
    hits, seen = 0, 0
    with torch.no_grad():
        for images, labels in batches:
            hits += (net(images).argmax(dim=1) == labels - first).sum().item()
            seen += len(labels)
    net.train(before)
    return hits / seen


def save(net, path):
    torch.save(net.state_dict(), path)


def load(path, classes):
    net = make_net(classes)
    net.load_state_dict(torch.load(path, map_location="cpu"))
    net.eval()
    return net


def main():
    torch.manual_seed(23)
    train, test = fl.load("fashion_mnist_small")
    loss_fn = nn.CrossEntropyLoss()

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "tops.pt")
        tops = some_classes(train, 0, 4, 2500).batches(100, shuffle=True)
        net = make_net(5)
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
        for epoch in range(4):
            print(f"tops {epoch} loss {train_one_epoch(net, tops, 0, optimizer, loss_fn):.6f}")
        save(net, path)
        net = load(path, 5)

    print(f"tops accuracy {evaluate(net, some_classes(test, 0, 4, 800).batches(200), 0):.4f}")
    net[-1] = nn.Linear(128, 5)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-4)
    others = some_classes(train, 5, 9, 2500).batches(100, shuffle=True)
    others_test = some_classes(test, 5, 9, 900).batches(300)
    for epoch in range(8):
        loss = train_one_epoch(net, others, 5, optimizer, loss_fn)
        print(f"others {epoch} loss {loss:.6f} accuracy {evaluate(net, others_test, 5):.4f}")
    print(f"result: {evaluate(net, others_test, 5):.4f}")


if __name__ == "__main__":
    main()
