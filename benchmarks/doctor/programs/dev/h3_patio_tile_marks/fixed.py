import random

import firstlight as fl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset


class TileMarks(Dataset):
    """Grey pictures as tensors; with `wobble` they are moved by up to two pixels, differently each time."""

    def __init__(self, pictures, marks, wobble=False):
        self.pictures = F.pad(pictures, (2, 2, 2, 2), value=float(pictures.min()))
        self.marks = marks.tolist()
        self.wobble = wobble

    def __len__(self):
        return len(self.marks)

    def __getitem__(self, k):
        dx, dy = 2, 2
        if self.wobble:
            dx, dy = random.randint(0, 4), random.randint(0, 4)
        return self.pictures[k, :, dy : dy + 28, dx : dx + 28], self.marks[k]


class MarkReader(nn.Module):
    def __init__(self, width: int = 16):
        super().__init__()
        self.a = nn.Conv2d(1, width, 3, stride=2, padding=1)
        self.b = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(2 * width)
        self.fc = nn.Linear(2 * width * 49, 10)

    def forward(self, x):
        x = F.relu(self.a(x))
        x = F.relu(self.norm(self.b(x)))
        return self.fc(x.flatten(1))


class Session:
    def __init__(self):
        random.seed(8)
        torch.manual_seed(8)
        source, _ = fl.load("fashion_mnist_small")
        source = source.subset(range(3000))
        pictures, marks = source.inputs.float() / 255, source.labels
        order = torch.randperm(len(marks))
        cut = 2400
        centre = pictures[order[:cut]].mean()
        pictures = (pictures - centre) / pictures[order[:cut]].std()
        self.train_part = Subset(TileMarks(pictures, marks, wobble=True), order[:cut].tolist())
        self.test_part = Subset(TileMarks(pictures, marks, wobble=False), order[cut:].tolist())
        self.train_loader = DataLoader(self.train_part, batch_size=64, shuffle=True, drop_last=True)
        self.test_loader = DataLoader(self.test_part, batch_size=64)
        self.model = MarkReader()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)

    def fit(self, epochs: int):
        for epoch in range(epochs):
            self.model.train()
            summed = 0.0
            for picture, mark in self.train_loader:
                self.optimizer.zero_grad()
                loss = F.cross_entropy(self.model(picture), mark)
                loss.backward()
                self.optimizer.step()
                summed += loss.item()
            print(f"[{epoch}] {summed / len(self.train_loader):.6f}  test {self.test():.4f}")

    def test(self) -> float:
        self.model.eval()
        good = 0
        with torch.no_grad():
            for picture, mark in self.test_loader:
                good += int((self.model(picture).argmax(1) == mark).sum())
        return good / len(self.test_part)


if __name__ == "__main__":
    session = Session()
    session.fit(9)
    print(f"result: {session.test():.4f}")
