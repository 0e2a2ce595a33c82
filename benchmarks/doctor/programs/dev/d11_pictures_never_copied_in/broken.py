import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

N_KINDS = 5


def radar_echo(kind, rng):
    """One 12x12 echo of a vessel; hulls differ in length and in the number of masts."""
    echo = rng.normal(0, 0.35, (12, 12))
    row, start = rng.integers(3, 9), rng.integers(0, 3)
    length = 5 + (kind % 3) * 2
    echo[row, start:start + length] += 1.5
    for mast in range(1 + kind // 2):
        echo[row - 2:row, start + 1 + 2 * mast] += 1.2
    return echo


class EchoSet(Dataset):
    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        self.kinds = torch.from_numpy(rng.integers(0, N_KINDS, n))
        self.images = torch.zeros(n, 1, 12, 12)
        for slot, kind in zip(self.images, self.kinds):
            slot = torch.from_numpy(radar_echo(int(kind), rng)).float()

    def __len__(self):
        return len(self.kinds)

    def __getitem__(self, i):
        return self.images[i], self.kinds[i]


def make_net():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.ReLU(),
        nn.Conv2d(16, 24, 3, stride=2), nn.ReLU(),
        nn.Flatten(), nn.Linear(24 * 16, N_KINDS),
    )


def fit(net, loader, epochs):
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(epochs):
        net.train()
        total = 0.0
        for images, kinds in loader:
            loss = F.cross_entropy(net(images), kinds)
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item()
        print(f"epoch {epoch}: {total / len(loader):.4f}")


def accuracy(net, loader):
    net.eval()
    hits = 0
    with torch.no_grad():
        for images, kinds in loader:
            hits += (net(images).argmax(1) == kinds).sum().item()
    return hits / len(loader.dataset)


def main():
    torch.manual_seed(4)
    train = DataLoader(EchoSet(1500, seed=100), batch_size=50, shuffle=True)
    test = DataLoader(EchoSet(400, seed=200), batch_size=100)
    net = make_net()
    fit(net, train, epochs=6)
    print(f"test accuracy: {accuracy(net, test):.4f}")


main()
