import numpy as np
import torch
from torch import nn

ACTIVITIES = ["sit", "walk", "run", "stairs up", "stairs down"]


class MotionData:
    """Windows of 30 readings of six motion sensors, in mini-batches."""

    def __init__(self, count, seed):
        rng = np.random.default_rng(seed)
        self.y = rng.integers(0, len(ACTIVITIES), count)
        t = np.arange(30)
        x = rng.normal(0, 0.7, (count, 30, 6))
        for row, kind in enumerate(self.y):
            speed = [0.0, 0.6, 1.1, 0.6, 0.6][kind] * rng.uniform(0.9, 1.1)
            size = [0.0, 1.0, 1.6, 1.0, 1.0][kind]
            swing = size * np.sin(speed * t + rng.uniform(0, 6.28))
            x[row, :, 0] += swing
            x[row, :, 2] += 0.6 * np.roll(swing, 3)
            x[row, :, 5] += {3: 0.05, 4: -0.05}.get(int(kind), 0.0) * (t - 15)
        self.x = x.astype(np.float32)

    def __len__(self):
        return len(self.y)

    def batches(self, size, rng=None):
        order = np.arange(len(self)) if rng is None else rng.permutation(len(self))
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            yield torch.from_numpy(self.x[rows]), torch.from_numpy(self.y[rows])


class MotionTransformer(nn.Module):
    def __init__(self, width=48, heads=4, steps=30):
        super().__init__()
        self.embed = nn.Linear(6, width)
        self.place = nn.Parameter(0.02 * torch.randn(steps, width))
        self.encoder = nn.TransformerEncoderLayer(width, heads, dim_feedforward=96, dropout=0.1)
        self.head = nn.Linear(steps * width, len(ACTIVITIES))

    def forward(self, x):
        h = self.embed(x) + self.place
        h = self.encoder(h.transpose(0, 1))
        return self.head(h.transpose(0, 1).reshape(len(x), -1))


class Learner:
    def __init__(self, model, lr):
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01)
        self.loss_fn = nn.CrossEntropyLoss(label_smoothing=0.05)
        self.history = []

    def train_batch(self, x, y):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss_fn(self.model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss.item()

    def fit(self, data, epochs, size=50):
        rng = np.random.default_rng(99)
        for epoch in range(epochs):
            self.model.train()
            self.history.append(np.mean([self.train_batch(x, y) for x, y in data.batches(size, rng)]))
            print(f"epoch {epoch}: {self.history[-1]:.6f}")

    def test(self, data):
        self.model.eval()
        table = np.zeros((len(ACTIVITIES), len(ACTIVITIES)), int)
        with torch.no_grad():
            for x, y in data.batches(250):
                np.add.at(table, (y.numpy(), self.model(x).argmax(-1).numpy()), 1)
        return table.trace() / table.sum()


torch.manual_seed(40)
learner = Learner(MotionTransformer(), lr=2e-3)
learner.fit(MotionData(1500, seed=1), epochs=6)
print(f"result: {learner.test(MotionData(500, seed=2)):.4f}")
