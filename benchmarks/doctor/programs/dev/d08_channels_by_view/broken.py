import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def tiles(count: int, seed: int):
    """Coloured 16 x 16 tiles as a camera gives them, (count, height, width, 3), bytes."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[0:16, 0:16]
    images = np.empty((count, 16, 16, 3), dtype=np.uint8)
    labels = rng.integers(0, 4, count)
    for i, label in enumerate(labels):
        period, phase = rng.uniform(4, 7), rng.uniform(0, 6)
        along = {0: yy, 1: xx, 2: (yy + xx) / 1.4, 3: np.hypot(yy - 8, xx - 8)}[int(label)]
        pattern = 0.5 + 0.5 * np.sin(2 * np.pi * along / period + phase)
        colour = rng.uniform(60, 220, 3)
        noisy = pattern[..., None] * colour + rng.normal(0, 20, (16, 16, 3))
        images[i] = np.clip(noisy, 0, 255)
    return images, labels


class TileNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 10, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(10, 16, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
        )
        self.classifier = nn.Linear(64, 4)

    def forward(self, x):
        x = x.view(-1, 3, 16, 16)
        return self.classifier(self.features(x).flatten(1))


class Learner:
    def __init__(self, model, lr):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.loss = nn.CrossEntropyLoss()

    def fit(self, loader, epochs):
        for epoch in range(1, epochs + 1):
            self.model.train()
            summed = 0.0
            for images, labels in loader:
                self.optimizer.zero_grad()
                value = self.loss(self.model(images), labels)
                value.backward()
                self.optimizer.step()
                summed += value.item() * len(labels)
            print(f"epoch {epoch}: {summed / len(loader.dataset):.6f}")

    def accuracy(self, loader):
        self.model.eval()
        with torch.no_grad():
            hits = [self.model(images).argmax(1) == labels for images, labels in loader]
        return torch.cat(hits).float().mean().item()


def as_dataset(images, labels):
    return TensorDataset(torch.from_numpy(images).float() / 127.5 - 1, torch.from_numpy(labels))


if __name__ == "__main__":
    torch.manual_seed(6)
    learner = Learner(TileNet(), lr=0.01)
    learner.fit(DataLoader(as_dataset(*tiles(1000, 0)), batch_size=50, shuffle=True), epochs=4)
    print(f"result: {learner.accuracy(DataLoader(as_dataset(*tiles(300, 1)), batch_size=100)):.4f}")
