import numpy as np
import torch
from torch import nn


def draw(n, rng):
    """Pictures of plus, minus and slash."""
    canvas = np.zeros((n, 1, 12, 12), dtype=np.float32)
    kinds = rng.integers(0, 3, n)
    for i in range(n):
        picture = canvas[i].copy()
        r, c = rng.integers(3, 9, 2)
        picture += rng.normal(0, 0.15, picture.shape).astype(np.float32)
        if kinds[i] == 2:
            for d in range(-3, 4):
                picture[0, r + d, c - d] += 1
        else:
            picture[0, r, c - 3:c + 4] += 1
            if kinds[i] == 0:
                picture[0, r - 3:r + 4, c] += 1
    return torch.from_numpy(canvas), torch.from_numpy(kinds)


def train_one_epoch(model, optimizer, x, y):
    total = 0.0
    for rows in torch.randperm(len(x)).split(32):
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    return total / len(x)


def evaluate(model, x, y):
    model.eval()
    with torch.inference_mode():
        hits = (model(x).argmax(1) == y).sum().item()
    model.train()
    return hits / len(y)


def main():
    rng = np.random.default_rng(3)
    torch.manual_seed(3)
    x_train, y_train = draw(1100, rng)
    x_test, y_test = draw(300, rng)
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(800, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(4):
        loss = train_one_epoch(model, optimizer, x_train, y_train)
        print(f"epoch {epoch} loss {loss:.6f} test {evaluate(model, x_test, y_test):.3f}")
    print(f"result: {evaluate(model, x_test, y_test):.4f}")


main()
