"""Strength of concrete from its recipe, with early stopping.

    python strength.py --epochs 30 --patience 6
"""

import argparse
import copy
import math

import torch
from torch import nn


def recipes(count, generator):
    x = torch.randn(count, 24, generator=generator)
    mix = torch.randn(24, 6, generator=generator) / math.sqrt(24)
    hidden = x @ mix
    y = 2 * torch.sin(hidden[:, 0] * 2) + hidden[:, 1] * hidden[:, 2] * 2 + hidden[:, 3].abs() * 2 + hidden[:, 4]
    return x, y + 0.25 * torch.randn(count, generator=generator)


def three_parts(count, generator):
    order = torch.randperm(count, generator=generator)
    first, second = int(count * 0.70), int(count * 0.85)
    return {"train": order[:first], "val": order[first:second], "test": order[second:]}


def build(width):
    return nn.Sequential(
        nn.Linear(24, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1)
    )


@torch.no_grad()
def mean_squared(net, x, y):
    net.eval()
    return nn.functional.mse_loss(net(x).squeeze(1), y).item()


def one_epoch(net, x, y, rows, optimizer, batch):
    net.train()
    total = 0.0
    for part in rows[torch.randperm(len(rows))].split(batch):
        loss = nn.functional.mse_loss(net(x[part]).squeeze(1), y[part])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(part)
    return total / len(rows)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=22)
    parser.add_argument("--patience", type=int, default=6)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--lr", type=float, default=1e-3)
    args = parser.parse_args()

    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(8)
    x, y = recipes(3000, generator)
    parts = three_parts(len(x), generator)
    x = (x - x[parts["train"]].mean(0)) / x[parts["train"]].std(0)
    y = (y - y[parts["train"]].mean()) / y[parts["train"]].std()

    net = build(args.width)
    optimizer = torch.optim.AdamW(net.parameters(), lr=args.lr, weight_decay=1e-3)
    best, best_net, waited = math.inf, None, 0
    for epoch in range(args.epochs):
        train_loss = one_epoch(net, x, y, parts["train"], optimizer, args.batch)
        val_loss = mean_squared(net, x[parts["val"]], y[parts["val"]])
        print(f"epoch {epoch:02d} train {train_loss:.6f} val {val_loss:.6f}")
        if val_loss < best:
            best, best_net, waited = val_loss, copy.deepcopy(net), 0
        else:
            waited += 1
            if waited == args.patience:
                break

    x_test, y_test = x[parts["test"]], y[parts["test"]]
    r_squared = 1 - mean_squared(best_net, x_test, y_test) / y_test.var(unbiased=False).item()
    print(f"result: {r_squared:.4f}")


if __name__ == "__main__":
    main()
