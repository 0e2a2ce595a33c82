import argparse
from collections import Counter

import numpy as np
import torch

GRADES = ["premium", "first", "second", "cider"]


def orchard(n, rng):
    grade = rng.choice(4, size=n, p=[0.05, 0.25, 0.58, 0.12])
    middle = np.array([[1.5, 0.9, 0.2], [0.5, -0.2, 0.9], [-0.5, 0.1, 0.0], [-0.9, -1.1, -0.6]])
    core = middle[grade] + rng.normal(0, 0.62, (n, 3))
    table = np.column_stack([
        170 + 25 * core[:, 0],
        12 + 1.5 * core[:, 1],
        60 + 11 * core[:, 2],
        core[:, 0] * core[:, 1] + rng.normal(0, 0.5, n),
        rng.normal(7, 1, n),
    ])
    return table, grade


def balance(labels):
    tally = [n for _, n in sorted(Counter(labels.tolist()).items())]
    return torch.tensor([len(labels) / (len(tally) * n) for n in tally])


def fit(net, x, y, args):
    criterion = torch.nn.CrossEntropyLoss(weight=balance(y))
    optimizer = torch.optim.RMSprop(net.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        net.train()
        losses = []
        for rows in torch.randperm(len(x)).split(args.batch_size):
            optimizer.zero_grad()
            loss = criterion(net(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        if epoch % 4 == 3:
            print(f"epoch {epoch + 1:3d}/{args.epochs}  weighted loss {np.mean(losses):.4f}")


def recalls(net, x, y):
    net.eval()
    with torch.no_grad():
        guess = net(x).argmax(dim=1)
    return [((guess == k) & (y == k)).sum().item() / (y == k).sum().item() for k in range(len(GRADES))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=48)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=13)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    table, grade = orchard(2880, rng)
    new_table, new_grade = orchard(2000, rng)
    mean, std = table.mean(0), table.std(0)
    x, x_new = (torch.tensor((t - mean) / std, dtype=torch.float32) for t in (table, new_table))
    y, y_new = torch.tensor(grade), torch.tensor(new_grade)

    net = torch.nn.Sequential(torch.nn.Linear(5, 32), torch.nn.Tanh(), torch.nn.Linear(32, 32), torch.nn.Tanh(), torch.nn.Linear(32, 4))
    fit(net, x, y, args)
    per_grade = recalls(net, x_new, y_new)
    for name, value in zip(GRADES, per_grade):
        print(f"{name:>8s}: {value:.3f}")
    print(f"balanced accuracy {np.mean(per_grade):.4f}")


if __name__ == "__main__":
    main()
