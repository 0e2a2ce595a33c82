import math

import torch
from torch import nn

STREAMS, CHUNK = 8, 20


def record(length, gen):
    """Several streams of one slowly changing signal, to be read from left to right."""
    phase = torch.rand(STREAMS, 1, generator=gen) * 2 * math.pi
    t = torch.arange(length + 1)
    clean = torch.sin(0.25 * t + phase) + 0.5 * torch.sin(0.11 * t + 2 * phase)
    noisy = clean + 0.05 * torch.randn(STREAMS, length + 1, generator=gen)
    return noisy[:, :-1, None], noisy[:, 1:, None]


class Forecaster(nn.Module):
    def __init__(self, hidden=20):
        super().__init__()
        self.rnn = nn.GRU(1, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x, h):
        y, h = self.rnn(x, h)
        return self.out(y), h


def train(model, x, y, optimizer):
    model.train()
    h = torch.zeros(1, STREAMS, 20)
    total = 0.0
    for i in range(0, x.shape[1], CHUNK):
        optimizer.zero_grad()
        guess, h = model(x[:, i:i + CHUNK], h)
        loss = ((guess - y[:, i:i + CHUNK]) ** 2).mean()
        loss.backward()
        optimizer.step()
        total += loss.item() * CHUNK
    return total / x.shape[1]


def test(model, x, y):
    model.eval()
    with torch.no_grad():
        guess, _ = model(x, torch.zeros(1, STREAMS, 20))
    return 1 - ((guess - y) ** 2).mean().item() / y.var().item()


if __name__ == "__main__":
    torch.manual_seed(90)
    gen = torch.Generator().manual_seed(1)
    x_train, y_train = record(600, gen)
    x_test, y_test = record(200, gen)
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(5):
        print(f"epoch {epoch}: loss {train(model, x_train, y_train, optimizer):.6f}")
    print(f"result: {test(model, x_test, y_test):.4f}")
