import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

SEED, LONG, CROP = 20, 192, 128
torch.manual_seed(SEED)


def record(n, rng):
    """Vibration records of bearings: intact, worn inside, worn outside, dry."""
    kind = rng.integers(0, 4, size=n)
    t = np.arange(LONG)
    out = rng.normal(0, 0.6, size=(n, LONG))
    for i, k in enumerate(kind):
        period = {0: 31, 1: 23, 2: 17, 3: 12}[k]
        hits = (t + rng.integers(0, period)) % period
        out[i] += rng.uniform(1.2, 2.2) * np.exp(-hits / 3.0) * np.cos(1.9 * hits)
    return out.astype(np.float32), kind


class Crops(Dataset):
    """A crop at a random place, louder or softer, with sensor noise; `epoch` changes the draw."""

    def __init__(self, signals, kinds, seed):
        self.signals, self.kinds, self.seed, self.epoch = signals, kinds, seed, 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return len(self.kinds)

    def __getitem__(self, i):
        rng = np.random.default_rng((self.seed, self.epoch, i))
        start = rng.integers(0, LONG - CROP + 1)
        x = self.signals[i, start:start + CROP] * rng.uniform(0.8, 1.25)
        x = x + rng.normal(0, 0.3, size=CROP)
        return torch.as_tensor(x, dtype=torch.float32)[None], int(self.kinds[i])


data_rng = np.random.default_rng(SEED)
train_x, train_y = record(1000, data_rng)
test_x, test_y = record(800, data_rng)
mean, std = train_x.mean(), train_x.std()
train_x, test_x = (train_x - mean) / std, (test_x - mean) / std

train_set = Crops(train_x, train_y, SEED)
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
middle = (LONG - CROP) // 2
test_in = torch.from_numpy(test_x[:, None, middle:middle + CROP])
test_out = torch.from_numpy(test_y)

model = nn.Sequential(
    nn.Conv1d(1, 16, 9, padding=4), nn.BatchNorm1d(16), nn.ReLU(), nn.MaxPool1d(2),
    nn.Conv1d(16, 32, 9, padding=4), nn.BatchNorm1d(32), nn.ReLU(), nn.MaxPool1d(2),
    nn.Conv1d(32, 48, 9, padding=4), nn.BatchNorm1d(48), nn.ReLU(),
    nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(48, 4))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
epochs = 7
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)

for epoch in range(epochs):
    train_set.set_epoch(epoch)
    model.train()
    loss_sum = 0.0
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(y)
    scheduler.step()
    print(f"epoch {epoch:2d}  loss {loss_sum / len(train_set):.4f}")

model.eval()
with torch.no_grad():
    guess = torch.cat([model(part).argmax(1) for part in test_in.split(200)])
print(f"result: {(guess == test_out).float().mean().item():.4f}")
