import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

BIRDS = ["crow", "finch", "owl", "robin", "stork"]


def write_library(root, per_bird, rng, tone):
    """Save short call spectrograms as root/bird/0001.npy."""
    for i, bird in enumerate(BIRDS):
        (root / bird).mkdir(parents=True)
        for k in range(per_bird):
            clip = 0.6 * tone[i] + rng.normal(0, 1.0, tone[i].shape)
            np.save(root / bird / f"{k:04d}.npy", clip.astype(np.float32))


class CallFolder(Dataset):
    def __init__(self, root):
        self.classes = sorted(p.name for p in root.iterdir())
        self.samples = []
        for label, name in enumerate(self.classes):
            for path in sorted((root / name).glob("*.npy")):
                self.samples.append((torch.from_numpy(np.load(path)), label))

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, i):
        return self.samples[i]


class CallNet(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(8, 24, 3, padding=1), nn.ReLU(), nn.AvgPool1d(2),
            nn.Conv1d(24, 24, 3, padding=1), nn.ReLU(),
        )
        self.fc = nn.Linear(24 * 8, n_classes)

    def forward(self, x):
        return self.fc(self.conv(x).flatten(1))


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.loss = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            self.model.train()
            total = 0.0
            for x, y in loader:
                self.optimizer.zero_grad()
                loss = self.loss(self.model(x), y)
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            print(f"epoch {epoch}: {total / len(loader):.4f}")

    def accuracy(self, loader):
        self.model.eval()
        right = 0
        with torch.no_grad():
            for x, y in loader:
                right += (self.model(x).argmax(1) == y).sum().item()
        return right / len(loader.dataset)


def main():
    torch.manual_seed(7)
    rng = np.random.default_rng(7)
    tone = rng.normal(0, 0.7, (len(BIRDS), 8, 16))
    with tempfile.TemporaryDirectory() as tmp:
        write_library(Path(tmp) / "train", 200, rng, tone)
        write_library(Path(tmp) / "test", 60, rng, tone)
        train_data = CallFolder(Path(tmp) / "train")
        test_data = CallFolder(Path(tmp) / "test")
    train_loader = DataLoader(train_data, batch_size=25)
    test_loader = DataLoader(test_data, batch_size=100)
    trainer = Trainer(CallNet(len(train_data.classes)), lr=0.02)
    trainer.fit(train_loader, epochs=6)
    print(f"result: {trainer.accuracy(test_loader):.4f}")


if __name__ == "__main__":
    main()
