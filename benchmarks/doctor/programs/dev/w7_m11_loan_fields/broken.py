import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

FIELDS, DIM = 12, 32


def applications(n, rng):
    """Loan applications with twelve numbers each; the decision depends on some of their products."""
    x = rng.standard_normal((n, FIELDS)).astype(np.float32)
    x[:, 3] = np.exp(0.5 * x[:, 3]) * 20
    x[:, 7] = x[:, 7] * 1000 + 4000
    income = (x[:, 7] - 4000) / 1000
    score = 1.2 * income + x[:, 0] * x[:, 1] - 0.8 * np.log(x[:, 3] / 20) + np.abs(x[:, 5]) - 0.6
    return torch.from_numpy(x), torch.from_numpy((score + 0.3 * rng.standard_normal(n) > 0).astype(np.int64))


class FieldBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(DIM, 4, batch_first=True)
        self.feed = nn.Sequential(nn.Linear(DIM, 2 * DIM), nn.GELU(), nn.Linear(2 * DIM, DIM))

    def forward(self, h):
        mixed, _ = self.attention(h, h, h, need_weights=False)
        h = nn.LayerNorm(DIM)(h + mixed)
        return nn.LayerNorm(DIM)(h + self.feed(h))


class FieldTransformer(nn.Module):
    """One token per column: value times a learned direction plus a learned name."""

    def __init__(self):
        super().__init__()
        self.direction = nn.Parameter(torch.randn(FIELDS, DIM) / DIM ** 0.5)
        self.name = nn.Parameter(torch.randn(FIELDS, DIM) / DIM ** 0.5)
        self.blocks = nn.ModuleList([FieldBlock(), FieldBlock()])
        self.decide = nn.Linear(DIM, 2)

    def forward(self, x):
        h = x.unsqueeze(-1) * self.direction + self.name
        for block in self.blocks:
            h = block(h)
        return self.decide(h.mean(dim=1))


def epoch_indices(n, size):
    order = torch.randperm(n)
    for start in range(0, n, size):
        yield order[start:start + size]


def fit(model, x, y, epochs, size=64, lr=2e-3):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.8)
    for epoch in range(epochs):
        model.train()
        losses = 0.0
        for rows in epoch_indices(len(x), size):
            loss = F.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses += loss.item() * len(rows)
        schedule.step()
        print(f"{epoch=} loss={losses / len(x):.4f}")


@torch.no_grad()
def share_right(model, x, y):
    model.eval()
    return torch.cat([model(part).argmax(1) for part in x.split(250)]).eq(y).float().mean().item()


def main():
    torch.manual_seed(23)
    rng = np.random.default_rng(23)
    x_train, y_train = applications(2400, rng)
    x_test, y_test = applications(1000, rng)
    centre, spread = x_train.mean(0), x_train.std(0)
    model = FieldTransformer()
    fit(model, (x_train - centre) / spread, y_train, epochs=7)
    print(f"result: {share_right(model, (x_test - centre) / spread, y_test):.4f}")


if __name__ == "__main__":
    main()
