import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

SIDE = 14
PLANTS = ["fern", "daisy", "grass", "moss"]


def to_tensor(picture):
    """Like torchvision's ToTensor: uint8 HxW -> float 1xHxW."""
    return torch.from_numpy(picture).unsqueeze(0).float() / 255.0


class Herbarium(Dataset):
    def __init__(self, n, rng):
        self.kind = rng.integers(0, len(PLANTS), n)
        yy, xx = np.mgrid[0:SIDE, 0:SIDE]
        pictures = []
        for k in self.kind:
            cy, cx = rng.uniform(4, 10, 2)
            dist, angle = np.hypot(yy - cy, xx - cx), np.arctan2(yy - cy, xx - cx)
            ink = [
                np.abs(np.sin(3 * angle)) * np.exp(-dist / 4),
                np.exp(-((dist - 3.5) ** 2) / 2),
                (np.sin(xx * 1.6 + rng.uniform(0, 6)) > 0) * 0.7,
                np.full((SIDE, SIDE), 0.35) * (rng.random((SIDE, SIDE)) < 0.8),
            ][k]
            page = 60 + 150 * ink + rng.normal(0, 30, (SIDE, SIDE))
            pictures.append(np.clip(page, 0, 255).astype(np.uint8))
        self.pictures = pictures

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        return to_tensor(self.pictures[i]), int(self.kind[i])


class PlantClassifier:
    def __init__(self):
        self.net = nn.Sequential(
            nn.Conv2d(1, 12, 3), nn.ReLU(),
            nn.Conv2d(12, 16, 3, stride=2), nn.ReLU(),
            nn.Flatten(), nn.Linear(16 * 25, 32), nn.ReLU(), nn.Linear(32, len(PLANTS)),
        )
        self.opt = torch.optim.Adam(self.net.parameters(), lr=2e-3)

    def prepare(self, pictures):
        return pictures.to(torch.float32)

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            self.net.train()
            total, seen = 0.0, 0
            for pictures, kind in loader:
                loss = nn.functional.cross_entropy(self.net(self.prepare(pictures)), kind)
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                total, seen = total + loss.item() * len(kind), seen + len(kind)
            print(f"epoch {epoch}: {total / seen:.4f}")

    @torch.no_grad()
    def score(self, loader):
        self.net.eval()
        right = total = 0
        for pictures, kind in loader:
            right += (self.net(self.prepare(pictures)).argmax(1) == kind).sum().item()
            total += len(kind)
        return right / total


torch.manual_seed(1)
rng = np.random.default_rng(1)
train_loader = DataLoader(Herbarium(1200, rng), batch_size=40, shuffle=True)
test_loader = DataLoader(Herbarium(400, rng), batch_size=100)
clf = PlantClassifier()
clf.fit(train_loader, epochs=8)
print(f"result: {clf.score(test_loader):.4f}")
