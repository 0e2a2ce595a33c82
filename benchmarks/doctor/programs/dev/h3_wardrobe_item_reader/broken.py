"""Learns to name pieces of clothing, keeps the weights in a file and reads new pictures with them."""

import os
import tempfile

import torch
from torch import nn

import firstlight as fl

SETTINGS = {"seed": 19, "epochs": 9, "batch": 64, "lr": 1e-3, "width": 192}


def build(settings):
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, settings["width"]),
        nn.ReLU(),
        nn.Dropout(0.15),
        nn.Linear(settings["width"], settings["width"]),
        nn.ReLU(),
        nn.Dropout(0.15),
        nn.Linear(settings["width"], 10),
    )


def run_epoch(net, optimizer, data, settings):
    torch.manual_seed(settings["seed"])
    net.train()
    loss_sum, pieces = 0.0, 0
    for pictures, names in data:
        loss = nn.functional.cross_entropy(net(pictures), names)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(names)
        pieces += len(names)
    return loss_sum / pieces


def learn(train, path, settings):
    torch.manual_seed(settings["seed"])
    net = build(settings)
    optimizer = torch.optim.Adam(net.parameters(), lr=settings["lr"])
    data = train.batches(settings["batch"], shuffle=True)
    for epoch in range(settings["epochs"]):
        print(f"epoch {epoch + 1} loss {run_epoch(net, optimizer, data, settings):.6f}")
    torch.save(net.state_dict(), path)


def read(test, path, settings):
    net = build(settings)
    net.load_state_dict(torch.load(path))
    right = 0
    with torch.no_grad():
        for pictures, names in test.batches(200):
            right += (net(pictures).argmax(dim=1) == names).sum().item()
    return right / len(test)


if __name__ == "__main__":
    train, test = fl.load("fashion_mnist_small")
    train, test = train.subset(range(3000)), test.subset(range(1000))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "wardrobe.pt")
        learn(train, path, SETTINGS)
        print(f"result: {read(test, path, SETTINGS):.4f}")
