"""Label every frame of a short recording: 6 frames, 6 sounds."""
import numpy as np
import torch
from torch import nn

FRAMES = SOUNDS = 6


def recordings(n, rng):
    labels = rng.integers(0, SOUNDS, (n, FRAMES))
    tone = np.random.default_rng(99).normal(size=(SOUNDS, 10))
    return (tone[labels] + rng.normal(0, 0.8, (n, FRAMES, 10))).astype(np.float32), labels


class Frames(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(10, 32, batch_first=True)
        self.out = nn.Linear(32, SOUNDS)

    def forward(self, x):
        return self.out(self.rnn(x)[0])


class Metric:
    def __init__(self):
        self.scores, self.truth = [], []

    def add(self, scores, truth):
        self.scores.append(scores.detach().cpu().numpy())
        self.truth.append(truth.cpu().numpy())

    def value(self):
        guess = np.argmax(np.concatenate(self.scores), axis=1)
        return float(np.mean(guess == np.concatenate(self.truth)))


def loop(model, x, y, opt=None, size=50):
    model.train(opt is not None)
    metric, total = Metric(), 0.0
    order = np.random.permutation(len(x)) if opt else np.arange(len(x))
    with torch.set_grad_enabled(opt is not None):
        for i in range(0, len(x), size):
            xb, yb = torch.from_numpy(x[order[i:i + size]]), torch.from_numpy(y[order[i:i + size]])
            out = model(xb)
            loss = nn.functional.cross_entropy(out.transpose(1, 2), yb)
            if opt:
                opt.zero_grad()
                loss.backward()
                opt.step()
            total += loss.item() * len(xb)
            metric.add(out, yb)
    return total / len(x), metric.value()


np.random.seed(1)
torch.manual_seed(1)
rng = np.random.default_rng(1)
xa, ya = recordings(1200, rng)
xb, yb = recordings(300, rng)
model = Frames()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(4):
    loss, _ = loop(model, xa, ya, opt)
    print(f"epoch {epoch} {loss:.6f}")
print(f"result: {loop(model, xb, yb)[1]:.4f}")
