import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

cfg = dict(
    side=16,
    num_classes=4,
    epochs=6,
    batch_size=48,
    lr=2e-3,
    seed=17,
)
SHAPES = ["disc", "square", "plus", "bar"]


class ShapePictures(Dataset):
    def __init__(self, n, side, rng):
        self.labels = rng.integers(0, len(SHAPES), n)
        self.pictures = np.stack([self.draw(SHAPES[k], side, rng) for k in self.labels])

    @staticmethod
    def draw(name, side, rng):
        yy, xx = np.mgrid[0:side, 0:side].astype(float)
        yy -= rng.uniform(5, side - 6)
        xx -= rng.uniform(5, side - 6)
        r = rng.uniform(3.0, 4.5)
        inside = {
            "disc": yy ** 2 + xx ** 2 < r * r,
            "square": np.maximum(abs(yy), abs(xx)) < r * 0.9,
            "plus": (np.minimum(abs(yy), abs(xx)) < 1) & (np.maximum(abs(yy), abs(xx)) < r),
            "bar": (abs(yy) < 1.2) & (abs(xx) < r),
        }[name]
        return inside * rng.uniform(0.7, 1.2) + rng.normal(0, 0.15, (side, side))

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return torch.tensor(self.pictures[i], dtype=torch.float32)[None], int(self.labels[i])


def build_model(num_classes):
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(32 * 4, num_classes),
    )


torch.manual_seed(cfg["seed"])
rng = np.random.default_rng(cfg["seed"])
train_loader = DataLoader(ShapePictures(1152, cfg["side"], rng), cfg["batch_size"], shuffle=True)
val_loader = DataLoader(ShapePictures(320, cfg["side"], rng), 80)

model = build_model(cfg["num_classes"])
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=cfg["lr"])

for epoch in range(cfg["epochs"]):
    model.train()
    for pictures, labels in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(pictures), labels)
        loss.backward()
        optimizer.step()

    model.eval()
    correct, total = 0, 0
    with torch.no_grad():
        for pictures, labels in val_loader:
            correct += (model(pictures).argmax(1) == labels).sum().item()
            total += len(labels)
    print(f"epoch {epoch} last loss {loss.item():.4f} val accuracy {correct / total:.4f}")

print(f"result: {correct / total:.4f}")
