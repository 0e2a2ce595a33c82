import math
import torch
import torch.nn as nn
from torch.utils.data import Dataset, DataLoader, random_split


class WristSensor:
    """Plays back simulated three-axis accelerometer traces of four gestures."""

    def __init__(self, length=64, seed=21):
        self.length = length
        self.gen = torch.Generator().manual_seed(seed)

    def _noise(self, *shape):
        return torch.randn(*shape, generator=self.gen)

    def read_into(self, frame, gesture):
        t = torch.linspace(0, 2 * math.pi, self.length)
        speed = 2.0 + 0.3 * self._noise(1)
        phase = 3.0 * self._noise(1)
        a = torch.sin(speed * t + phase)
        b = torch.cos(speed * t + phase)
        if gesture == 0:
            axes = (a, b, 0 * a)
        elif gesture == 1:
            axes = (a, 0 * a, b)
        elif gesture == 2:
            axes = (a, a, 0 * a)
        else:
            axes = (a * a, b, b)
        frame.copy_(torch.stack(axes) + 0.7 * self._noise(3, self.length))


class GestureSet(Dataset):
    def __init__(self, sensor, count):
        self.traces, self.gestures = [], []
        frame = torch.empty(3, sensor.length)
        for k in range(count):
            gesture = k % 4
            sensor.read_into(frame, gesture)
            self.traces.append(frame.clone())
            self.gestures.append(gesture)

    def __len__(self):
        return len(self.gestures)

    def __getitem__(self, index):
        return self.traces[index], self.gestures[index]


class Trainer:
    def __init__(self, data, lr=2e-3, batch_size=40):
        n_test = len(data) // 4
        self.train_set, self.test_set = random_split(data, [len(data) - n_test, n_test])
        stack = torch.stack([x for x, _ in self.train_set])
        self.mean = stack.mean((0, 2), keepdim=True)
        self.std = stack.std((0, 2), keepdim=True)
        self.batch_size = batch_size
        self.net = nn.Sequential(
            nn.Conv1d(3, 32, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(32, 32, 5, padding=2), nn.ReLU(),
            nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(128, 4))
        self.opt = torch.optim.Adam(self.net.parameters(), lr=lr)
        self.criterion = nn.CrossEntropyLoss()

    def logits(self, x):
        return self.net((x - self.mean) / self.std)

    def train_epoch(self):
        self.net.train()
        total = 0.0
        for x, y in DataLoader(self.train_set, batch_size=self.batch_size, shuffle=True):
            self.opt.zero_grad()
            loss = self.criterion(self.logits(x), y)
            loss.backward()
            self.opt.step()
            total += loss.item() * len(y)
        return total / len(self.train_set)

    @torch.no_grad()
    def score(self):
        self.net.eval()
        right = 0
        for x, y in DataLoader(self.test_set, batch_size=100):
            right += (self.logits(x).argmax(1) == y).sum().item()
        return right / len(self.test_set)


if __name__ == "__main__":
    torch.manual_seed(21)
    trainer = Trainer(GestureSet(WristSensor(), 1600))
    for epoch in range(10):
        print(f"epoch {epoch}: loss {trainer.train_epoch():.4f}")
    print(f"result: {trainer.score():.4f}")
