"""Research script: two models learn together, an encoder and a critic; own dropout layer."""
import torch
from torch import nn


class Drop(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, x):
        if not self.training:
            return x
        return x * (torch.rand_like(x) > self.p) / (1 - self.p)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.seq = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), Drop(0.3), nn.Linear(64, 12))

    def forward(self, x):
        return self.seq(x)


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.seq = nn.Sequential(Drop(0.2), nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, z):
        return self.seq(z)


def make(n, g):
    c = torch.randint(0, 4, (n,), generator=g)
    mix = torch.randn(4, 16, generator=torch.Generator().manual_seed(1))
    return mix[c] + 1.3 * torch.randn(n, 16, generator=g), c


class Experiment:
    def __init__(self):
        torch.manual_seed(44)
        g = torch.Generator().manual_seed(44)
        self.train, self.test = make(1600, g), make(500, g)
        self.parts = {"encoder": Encoder(), "critic": Critic()}
        self.opts = {k: torch.optim.Adam(m.parameters(), lr=3e-3) for k, m in self.parts.items()}

    def set_mode(self, training):
        for part in self.parts.values():
            part.train(training)

    def predict(self, x):
        return self.parts["critic"](self.parts["encoder"](x))

    def learn(self, x, y):
        for o in self.opts.values():
            o.zero_grad()
        loss = nn.functional.cross_entropy(self.predict(x), y)
        loss.backward()
        for o in self.opts.values():
            o.step()
        return loss.item()

    def epoch(self):
        self.set_mode(True)
        x, y = self.train
        chunks = torch.randperm(len(y)).split(40)
        return sum(self.learn(x[i], y[i]) for i in chunks) / len(chunks)

    def test_accuracy(self):
        x, y = self.test
        with torch.no_grad():
            return (self.predict(x).argmax(1) == y).float().mean().item()


exp = Experiment()
for e in range(5):
    print(f"epoch {e} loss {exp.epoch():.6f} acc {exp.test_accuracy():.3f}")
print(f"result: {exp.test_accuracy():.4f}")
