"""GRU on short pitch contours: which of five accents is spoken?"""
import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def contours(n, gen):
    accents = torch.randint(0, 5, (n,), generator=gen)
    t = torch.linspace(0, 1, 20)
    shapes = torch.stack([t, 1 - t, (2 * t - 1).abs(), 1 - (2 * t - 1).abs(), 0.5 + 0.5 * torch.sin(12 * t)])
    pitch = shapes[accents] * (0.8 + 0.6 * torch.rand(n, 1, generator=gen))
    pitch = pitch - 0.5 + 0.25 * torch.randn(n, 20, generator=gen)
    energy = 0.5 * torch.randn(n, 20, generator=gen)
    return TensorDataset(torch.stack([pitch, energy], dim=-1), accents)


class AccentGRU(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.rnn = nn.GRU(2, hidden, batch_first=True)
        self.drop = nn.Dropout(0.2)
        self.out = nn.Linear(hidden, 5)

    def forward(self, x):
        _, h = self.rnn(x)
        return self.out(self.drop(h[-1]))


def accuracy(model, loader):
    model.eval()
    score, seen = 0, 0
    for xb, yb in loader:
        with torch.no_grad():
            score, seen = score + (model(xb).argmax(-1) == yb).sum().item(), seen + len(yb)
    return score / seen


def train(model, loader, opt):
    model.train()
    for xb, yb in loader:
        opt.zero_grad()
        nn.functional.cross_entropy(model(xb), yb).backward()
        opt.step()


def main(args):
    torch.manual_seed(args.seed)
    gen = torch.Generator().manual_seed(args.seed)
    loaders = {
        "train": DataLoader(contours(1200, gen), batch_size=40, shuffle=True),
        "val": DataLoader(contours(300, gen), batch_size=50),
        "test": DataLoader(contours(400, gen), batch_size=50),
    }
    model = AccentGRU()
    opt = torch.optim.Adam(model.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        train(model, loaders["train"], opt)
        print(f"epoch {epoch} val {accuracy(model, loaders['val']):.3f}")
    print(f"result: {accuracy(model, loaders['test']):.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--seed", type=int, default=17)
    main(parser.parse_args())
