import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

CLASSES = ["b", "d", "p", "q"]


class WritingPad(Dataset):
    """16x16 scans of the four letters that first graders mix up."""

    def __init__(self, n, seed, augment=False):
        rng = np.random.default_rng(seed)
        self.labels = rng.integers(0, 4, n)
        self.augment = augment
        self.scans = np.stack([self.draw(CLASSES[k], rng) for k in self.labels]).astype(np.float32)

    @staticmethod
    def draw(letter, rng):
        img = rng.normal(0.1, 0.2, (16, 16))
        yy, xx = np.mgrid[0:16, 0:16]
        stem = int(rng.integers(6, 10))
        top, bottom = int(rng.integers(1, 3)), int(rng.integers(13, 15))
        img[top:bottom, stem] += rng.uniform(0.6, 1.0)
        r = rng.uniform(2.2, 3.2)
        cx = stem + r if letter in "bp" else stem - r
        cy = bottom - r - 0.5 if letter in "bd" else top + r + 0.5
        ring = np.abs(np.hypot(yy - cy, xx - cx) - r) < 0.7
        img[ring] += rng.uniform(0.6, 1.0)
        return np.clip(img, 0, 1)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        img = torch.from_numpy(self.scans[i])
        if self.augment:
            dy, dx = torch.randint(-1, 2, (2,)).tolist()
            img = torch.roll(img, (dy, dx), dims=(0, 1))
            if torch.rand(1).item() < 0.5:
                img = torch.flip(img, dims=[-1])
        return (img.unsqueeze(0) - 0.2) / 0.3, int(self.labels[i])


class LetterReader(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
        )
        self.classify = nn.Linear(24 * 16, len(CLASSES))

    def forward(self, x):
        return self.classify(self.features(x).flatten(1))


class Lesson:
    def __init__(self):
        torch.manual_seed(12)
        self.pupil = LetterReader()
        self.homework = DataLoader(WritingPad(900, seed=1, augment=True), batch_size=40, shuffle=True)
        self.exam = DataLoader(WritingPad(400, seed=2), batch_size=100)
        self.opt = torch.optim.AdamW(self.pupil.parameters(), lr=2e-3)
        self.rule = nn.CrossEntropyLoss()

    def study(self, epochs):
        for k in range(1, epochs + 1):
            self.pupil.train()
            for scan, letter in self.homework:
                self.opt.zero_grad()
                self.rule(self.pupil(scan), letter).backward()
                self.opt.step()
            print(f"week {k}: exam score so far {self.grade():.3f}")

    def grade(self):
        self.pupil.eval()
        right = 0
        with torch.no_grad():
            for scan, letter in self.exam:
                right += (self.pupil(scan).argmax(dim=1) == letter).sum().item()
        return right / len(self.exam.dataset)


lesson = Lesson()
lesson.study(4)
print(f"final exam: {lesson.grade():.4f}")
