import math

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class SpotScans(Dataset):
    """Pairs of a noisy detector scan and the scan it was made from (16 x 16 pixels)."""

    def __init__(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        grid = torch.linspace(-1, 1, 16)
        yy, xx = torch.meshgrid(grid, grid, indexing="ij")
        image = torch.zeros(n, 16, 16)
        for _ in range(2):
            cx, cy = torch.rand(2, n, 1, 1, generator=g) * 1.4 - 0.7
            width = 0.15 + 0.25 * torch.rand(n, 1, 1, generator=g)
            image += torch.exp(-((xx - cx) ** 2 + (yy - cy) ** 2) / (2 * width ** 2))
        angle = torch.rand(n, 1, 1, generator=g) * math.pi
        image += 0.5 * (torch.sin(6 * (xx * angle.cos() + yy * angle.sin())) > 0.6)
        self.clean = image.unsqueeze(1)
        self.noisy = self.clean + 0.5 * torch.randn(self.clean.shape, generator=g)

    def __len__(self):
        return len(self.clean)

    def __getitem__(self, index):
        return self.noisy[index], self.clean[index]


class ScanFilter(nn.Module):
    def __init__(self, width=20):
        super().__init__()
        self.enter = nn.Conv2d(1, width, 3, padding=1)
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.mid = nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.leave = nn.Conv2d(2 * width, 1, 3, padding=1)
        self.act = nn.LeakyReLU(0.1)

    def forward(self, scan):
        skip = self.act(self.enter(scan))
        h = self.act(self.mid(self.act(self.down(skip))))
        h = self.act(self.up(h))
        return self.leave(torch.cat([h, skip], dim=1))


class Experiment:
    def __init__(self, epochs=6, batch=32, lr=2e-3):
        torch.manual_seed(8)
        self.epochs = epochs
        self.net = ScanFilter()
        self.train_loader = DataLoader(SpotScans(1200, seed=1), batch_size=batch, shuffle=True)
        self.test_loader = DataLoader(SpotScans(300, seed=2), batch_size=100)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=lr)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=epochs)
        self.mse = nn.MSELoss()

    def train_epoch(self):
        self.net.train()
        running = 0.0
        for clean, noisy in self.train_loader:
            restored = self.net(noisy)
            loss = self.mse(restored, clean)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            running += loss.item() * len(noisy)
        self.scheduler.step()
        return running / len(self.train_loader.dataset)

    def run(self):
        for epoch in range(self.epochs):
            print(f"[{epoch + 1}/{self.epochs}] train mse {self.train_epoch():.4f}")
        return self.test()

    def test(self):
        self.net.eval()
        error = 0.0
        with torch.no_grad():
            for noisy, clean in self.test_loader:
                error += (self.net(noisy) - clean).square().mean().item() * len(noisy)
        return error / len(self.test_loader.dataset)


if __name__ == "__main__":
    print(f"result: {Experiment().run():.4f}")
