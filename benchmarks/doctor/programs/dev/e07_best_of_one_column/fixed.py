import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Rings(Dataset):
    """Is the ring closed (1) or does it have a gap (0)?"""

    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        yy, xx = np.mgrid[0:15, 0:15] - 7.0
        angle, radius = np.arctan2(yy, xx), np.hypot(yy, xx)
        self.closed = (rng.random(n) < 0.55).astype(np.float32)
        self.pictures = rng.normal(0, 0.15, (n, 1, 15, 15)).astype(np.float32)
        for picture, closed in zip(self.pictures, self.closed):
            ring = np.abs(radius - rng.uniform(4, 6)) < 0.9
            if not closed:
                gap = rng.uniform(-np.pi, np.pi)
                ring &= np.cos(angle - gap) < 0.6
            picture[0] += ring

    def __len__(self):
        return len(self.closed)

    def __getitem__(self, i):
        return self.pictures[i], self.closed[i]


class RingNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(225, 80)
        self.fc2 = nn.Linear(80, 40)
        self.fc3 = nn.Linear(40, 1)

    def forward(self, x):
        x = nn.functional.relu(self.fc1(x.flatten(1)))
        x = nn.functional.relu(self.fc2(x))
        return self.fc3(x)


class Judge:
    def __init__(self, epochs):
        self.net = RingNet()
        self.epochs = epochs
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=2e-3)
        self.criterion = nn.BCEWithLogitsLoss()

    def fit(self, rings):
        loader = DataLoader(rings, batch_size=50, shuffle=True)
        for epoch in range(self.epochs):
            self.net.train()
            total = 0.0
            for pictures, closed in loader:
                self.optimizer.zero_grad()
                loss = self.criterion(self.net(pictures).squeeze(1), closed)
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            print(f"epoch {epoch}: loss {total / len(loader):.6f}")
        return self

    def score(self, rings):
        self.net.eval()
        correct = 0
        with torch.no_grad():
            for pictures, closed in DataLoader(rings, batch_size=100):
                output = self.net(pictures)
                predicted = (output.squeeze(1) > 0).long()
                correct += (predicted == closed.long()).sum().item()
        return correct / len(rings)


torch.manual_seed(27)
judge = Judge(epochs=8).fit(Rings(1800, 1))
print(f"result: {judge.score(Rings(400, 2)):.4f}")
