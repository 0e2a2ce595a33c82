import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

TAGS = ("indoor", "people", "water", "night", "animal", "vehicle")


def make_photos(n, rng, centres, mixing):
    """Photo descriptors: every present tag adds its own pattern."""
    present = (rng.random((n, len(TAGS))) < np.array([.5, .4, .3, .25, .35, .3])).astype(np.float32)
    latent = present @ centres + 0.9 * rng.standard_normal((n, centres.shape[1]))
    descriptors = np.tanh(latent) @ mixing + 0.2 * rng.standard_normal((n, mixing.shape[1]))
    return torch.tensor(descriptors, dtype=torch.float32), torch.from_numpy(present)


def build(width):
    return nn.Sequential(
        nn.Linear(48, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.1),
        nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.1),
        nn.Linear(width, len(TAGS)),
    )


def train_epoch(net, x, y, optimizer, batch):
    net.train()
    total = 0.0
    for rows in torch.randperm(len(x)).split(batch):
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(net(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    return total / len(x)


def tag_accuracy(net, x, y, batch=250):
    net.eval()
    hits = 0
    with torch.no_grad():
        for xb, yb in zip(x.split(batch), y.split(batch)):
            hits += ((net(xb) > 0) == (yb > 0.5)).sum().item()
    return hits / y.numel()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch", type=int, default=80)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=17)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    centres = rng.standard_normal((len(TAGS), 24))
    mixing = rng.standard_normal((24, 48)) / np.sqrt(24)
    x_train, y_train = make_photos(2400, rng, centres, mixing)
    x_val, y_val = make_photos(500, rng, centres, mixing)
    x_test, y_test = make_photos(1000, rng, centres, mixing)
    mean, std = x_train.mean(0), x_train.std(0)
    x_train, x_val, x_test = ((x - mean) / std for x in (x_train, x_val, x_test))

    net = build(args.width)
    optimizer = torch.optim.AdamW(net.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        loss = train_epoch(net, x_train, y_train, optimizer, args.batch)
        print(f"epoch {epoch}: loss {loss:.4f}, val {tag_accuracy(net, x_val, y_val):.4f}")
    print(f"result: {tag_accuracy(net, x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
