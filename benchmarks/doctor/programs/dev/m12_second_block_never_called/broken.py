import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


def shapes(n, seed):
    rng = np.random.default_rng(seed)
    pictures = rng.normal(0, 0.2, (n, 1, 12, 12)).astype(np.float32)
    names = rng.integers(0, 3, n)
    for picture, name in zip(pictures, names):
        r, c, size = rng.integers(0, 5), rng.integers(0, 5), rng.integers(5, 8)
        patch = picture[0, r:r + size, c:c + size]
        if name == 0:
            patch += 0.6
        elif name == 1:
            patch[0] += 1
            patch[-1] += 1
            patch[:, 0] += 1
            patch[:, -1] += 1
        else:
            patch[size // 2] += 1
            patch[:, size // 2] += 1
    return TensorDataset(torch.from_numpy(pictures), torch.from_numpy(names))


class ShapeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.fc1 = nn.Linear(8 * 6 * 6, 32)
        self.fc2 = nn.Linear(32, 3)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.max_pool2d(x, 2)
        x = x.view(x.size(0), -1)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


class Session:
    def __init__(self, seed=0):
        torch.manual_seed(seed)
        self.net = ShapeNet()
        self.adam = torch.optim.Adam(self.net.parameters(), lr=1e-3)
        self.train = DataLoader(shapes(1000, 1), batch_size=25, shuffle=True)
        self.test = DataLoader(shapes(400, 2), batch_size=100)

    def learn(self, epochs):
        for e in range(epochs):
            losses = []
            for pictures, names in self.train:
                loss = F.cross_entropy(self.net(pictures), names)
                self.adam.zero_grad()
                loss.backward(retain_graph=True)
                self.adam.step()
                losses.append(loss.item())
            print(f"epoch {e}  loss {np.mean(losses):.6f}  test {self.measure():.3f}")

    def measure(self):
        right = 0
        with torch.no_grad():
            for pictures, names in self.test:
                right += (self.net(pictures).argmax(1) == names).sum().item()
        return right / len(self.test.dataset)


session = Session()
session.learn(8)
print(f"result: {session.measure():.4f}")
