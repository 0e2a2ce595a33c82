"""Soil samples: rows are normalised while a batch is put together."""
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader


def soil(n, rng):
    kind = rng.integers(0, 3, n)
    x = np.array([[5.0, 40, 12, 3], [6.0, 55, 9, 4], [7.2, 47, 15, 3.4]])[kind] + rng.normal(0, 1, (n, 4)) * [0.5, 8, 3, 0.5]
    return [(row.astype(np.float32), int(k)) for row, k in zip(x, kind)]


class Normaliser:
    def __init__(self, rows):
        table = np.stack([r for r, _ in rows])
        self.mean, self.std = table.mean(0), table.std(0)

    def __call__(self, batch):
        xs, ys = [], []
        for row, kind in batch:
            row -= self.mean
            row /= self.std
            xs.append(row)
            ys.append(kind)
        return torch.from_numpy(np.stack(xs)), torch.tensor(ys)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 3))

    def forward(self, x):
        return self.net(x)


def run_epoch(model, loader, opt=None):
    model.train(opt is not None)
    total = right = n = 0
    with torch.set_grad_enabled(opt is not None):
        for x, y in loader:
            out = model(x)
            loss = nn.functional.cross_entropy(out, y)
            if opt is not None:
                opt.zero_grad()
                loss.backward()
                opt.step()
            total += loss.item() * len(y)
            right += (out.argmax(1) == y).sum().item()
            n += len(y)
    return total / n, right / n


rng = np.random.default_rng(30)
torch.manual_seed(30)
train_rows, test_rows = soil(1500, rng), soil(400, rng)
norm = Normaliser(train_rows)
train = DataLoader(train_rows, batch_size=50, shuffle=True, collate_fn=norm)
test = DataLoader(test_rows, batch_size=100, collate_fn=norm)
model = Classifier()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(5):
    loss, acc = run_epoch(model, train, opt)
    print(f"epoch {epoch} loss {loss:.6f} acc {acc:.3f}")
print(f"result: {run_epoch(model, test)[1]:.4f}")
