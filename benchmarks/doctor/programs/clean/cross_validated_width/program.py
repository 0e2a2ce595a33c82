from typing import Iterator, Tuple

import torch
from torch import Tensor, nn


class Regressor:
    def __init__(self, width: int, epochs: int = 6):
        self.net = nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 1))
        self.opt = torch.optim.Adam(self.net.parameters(), lr=0.02)
        self.epochs = epochs

    def fit(self, x: Tensor, y: Tensor, verbose: bool = False) -> "Regressor":
        for epoch in range(self.epochs):
            total = 0.0
            for rows in torch.randperm(len(x)).split(32):
                self.opt.zero_grad()
                loss = nn.functional.mse_loss(self.net(x[rows]), y[rows])
                loss.backward()
                self.opt.step()
                total += loss.item() * len(rows)
            if verbose:
                print(f"epoch {epoch} loss {total / len(x):.6f}")
        return self

    @torch.no_grad()
    def score(self, x: Tensor, y: Tensor) -> float:
        return (1 - (self.net(x) - y).pow(2).mean() / y.var()).item()


def folds(n: int, k: int) -> Iterator[Tuple[Tensor, Tensor]]:
    parts = torch.randperm(n).chunk(k)
    for i in range(k):
        yield torch.cat(parts[:i] + parts[i + 1:]), parts[i]


torch.manual_seed(87)
x = torch.rand(1000, 4) * 2 - 1
y = (torch.sin(3 * x[:, 0]) + x[:, 1] * x[:, 2] - 0.5 * x[:, 3] + 0.1 * torch.randn(1000)).unsqueeze(1)
x_train, y_train, x_test, y_test = x[:800], y[:800], x[800:], y[800:]
means = {}
for width in (2, 8, 32):
    scores = [Regressor(width).fit(x_train[a], y_train[a]).score(x_train[b], y_train[b]) for a, b in folds(800, 3)]
    means[width] = sum(scores) / len(scores)
    print(f"width {width}: {means[width]:.4f}")
final = Regressor(max(means, key=means.get), epochs=15).fit(x_train, y_train, verbose=True)
print(f"result: {final.score(x_test, y_test):.4f}")
