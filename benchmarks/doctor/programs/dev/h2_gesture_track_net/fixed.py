import math

import torch
import torch.nn as nn
import torch.optim as optim


def make_tracks(n, seed):
    """Paths of a finger on a screen: circle, eight, zigzag, spiral."""
    rng = torch.Generator().manual_seed(seed)
    move = torch.randint(0, 4, (n,), generator=rng)
    t = torch.linspace(0, 2 * math.pi, 40).expand(n, 40)
    t = t + 2 * math.pi * torch.rand(n, 1, generator=rng)
    circle = torch.stack([t.cos(), t.sin()], 1)
    eight = torch.stack([t.sin(), (2 * t).sin()], 1)
    zigzag = torch.stack([torch.linspace(-1, 1, 40).expand(n, 40), torch.sign((4 * t).sin()) * 0.7], 1)
    spiral = circle * torch.linspace(0.1, 1.2, 40)
    every = torch.stack([circle, eight, zigzag, spiral])
    path = every[move, torch.arange(n)]
    return path + 0.35 * torch.randn(n, 2, 40, generator=rng), move


def build():
    return nn.Sequential(
        nn.Conv1d(2, 24, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(24, 32, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool1d(5),
        nn.Flatten(), nn.Linear(160, 4),
    )


def batches(x, y, size):
    order = torch.randperm(x.shape[0])
    for i in range(0, x.shape[0], size):
        yield x[order[i:i + size]], y[order[i:i + size]]


def train(model, x, y, epochs, lr):
    optimizer = optim.Adam(model.parameters(), lr=lr)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        model.train()
        loss_sum, count = 0.0, 0
        for tracks, moves in batches(x, y, 40):
            optimizer.zero_grad()
            loss = criterion(model(tracks), moves)
            loss_sum += loss.item()
            count += 1
            loss.backward()
            optimizer.step()
        print("epoch {}: loss {:.6f}".format(epoch + 1, loss_sum / count))


def test(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(0)
    net = build()
    train(net, *make_tracks(1800, 1), epochs=7, lr=2e-3)
    print("result: {:.4f}".format(test(net, *make_tracks(500, 2))))
