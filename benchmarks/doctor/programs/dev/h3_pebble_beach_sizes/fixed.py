"""Pebbles on a beach: learn from unlabelled pictures first, then sort with few labels.

Stage 1 turns pictures and asks which way up they are. Stage 2 takes the body of that network and learns the kind of pebble.
"""
import argparse
import os
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--unlabelled", type=int, default=1200)
parser.add_argument("--labelled", type=int, default=900)
parser.add_argument("--test", type=int, default=400)
parser.add_argument("--stage1", type=int, default=3)
parser.add_argument("--stage2", type=int, default=8)
parser.add_argument("--batch", type=int, default=50)


def beach(n, kinds=4, side=20):
    """Grey pictures; light comes from above, so that there is an upper side."""
    kind = torch.randint(kinds, (n,))
    axis = torch.linspace(-1, 1, side)
    yy, xx = axis.view(1, side, 1), axis.view(1, 1, side)
    wide = torch.tensor([0.45, 0.8, 0.8, 0.5])[kind].view(n, 1, 1) + 0.06 * torch.randn(n, 1, 1)
    high = torch.tensor([0.45, 0.45, 0.8, 0.85])[kind].view(n, 1, 1) + 0.06 * torch.randn(n, 1, 1)
    shift = 0.15 * torch.randn(2, n, 1, 1)
    body = torch.sigmoid(10 * (1 - ((xx - shift[0]) / wide) ** 2 - ((yy - shift[1]) / high) ** 2))
    light = body * (1 - 0.6 * yy)
    return (light + 0.35 * torch.randn(n, side, side)).unsqueeze(1), kind


def make_body():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(3),
        nn.Flatten(),
    )


class TurnGuesser(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = make_body()
        self.turn = nn.Linear(288, 4)

    def forward(self, x):
        return self.turn(self.body(x))


class PebbleSorter(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = make_body()
        self.kind = nn.Linear(288, 4)

    def forward(self, x):
        return self.kind(self.body(x))


def fit(model, x, y, epochs, batch, name):
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    model.train()
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"{name} epoch {epoch} loss {total / len(x):.6f}")


def main():
    args = parser.parse_args()
    torch.manual_seed(40)
    unlabelled, _ = beach(args.unlabelled)
    x, y = beach(args.labelled)
    x_test, y_test = beach(args.test)

    turn = torch.arange(len(unlabelled)) % 4
    turned = torch.stack([torch.rot90(u, int(t), (1, 2)) for u, t in zip(unlabelled, turn)])
    guesser = TurnGuesser()
    fit(guesser, turned, turn, args.stage1, args.batch, "turn")

    path = os.path.join(tempfile.mkdtemp(), "turn.pt")
    torch.save(guesser.state_dict(), path)

    sorter = PebbleSorter()
    sorter.load_state_dict(torch.load(path, map_location="cpu"), strict=False)
    fit(sorter, x, y, args.stage2, args.batch, "sort")

    sorter.eval()
    with torch.no_grad():
        guesses = torch.cat([sorter(part).argmax(1) for part in x_test.split(100)])
    print(f"result: {(guesses == y_test).float().mean().item():.4f}")


if __name__ == "__main__":
    main()
