import math

import torch
from torch import nn

KINDS = ("sine", "square", "saw", "triangle")


def draw_waves(count, length=64):
    """Noisy periodic signals, one of four shapes each."""
    t = torch.linspace(0, 1, length)
    freq = torch.rand(count, 1) * 3 + 2
    u = (freq * t + torch.rand(count, 1)) % 1.0
    stack = torch.stack([
        math.sqrt(2) * torch.sin(2 * math.pi * u),
        torch.where(u < 0.5, 1.0, -1.0),
        math.sqrt(3) * (2 * u - 1),
        math.sqrt(3) * (4 * (u - 0.5).abs() - 1),
    ], dim=1)
    kind = torch.randint(0, len(KINDS), (count,))
    waves = stack[torch.arange(count), kind] + 0.35 * torch.randn(count, length)
    return waves.unsqueeze(1), kind


def build():
    encoder = nn.Sequential(
        nn.Conv1d(1, 16, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(16, 32, 5, padding=2), nn.ReLU(), nn.AdaptiveMaxPool1d(4), nn.Flatten(),
    )
    head = nn.Sequential(nn.Linear(128, 32), nn.ReLU(), nn.Linear(32, len(KINDS)))
    return encoder, head


def train(encoder, head, x, y, epochs=8, batch=50):
    enc_opt = torch.optim.Adam(encoder.parameters(), lr=1e-3)
    head_opt = torch.optim.Adam(head.parameters(), lr=3e-3)
    for epoch in range(epochs):
        seen, total = 0, 0.0
        for rows in torch.randperm(len(x)).split(batch):
            loss = nn.functional.cross_entropy(head(encoder(x[rows])), y[rows])
            head_opt.zero_grad()
            loss.backward()
            enc_opt.step()
            head_opt.step()
            total += loss.item() * len(rows)
            seen += len(rows)
        print(f"epoch {epoch + 1:2d}  train loss {total / seen:.4f}")


@torch.no_grad()
def accuracy(encoder, head, x, y):
    return (head(encoder(x)).argmax(1) == y).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(21)
    x_train, y_train = draw_waves(2000)
    x_test, y_test = draw_waves(600)
    enc, clf = build()
    train(enc, clf, x_train, y_train)
    print(f"result: {accuracy(enc, clf, x_test, y_test):.4f}")
