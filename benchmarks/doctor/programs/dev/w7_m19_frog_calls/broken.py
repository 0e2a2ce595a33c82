import numpy as np
import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

BANDS = 20


class PondRecordings(Dataset):
    """Spectrogram clips of different length; each frame is marked when the frog calls."""

    def __init__(self, n, rng, stats=None):
        self.clips = [self.clip(rng) for _ in range(n)]
        frames = np.concatenate([spec for spec, _ in self.clips], axis=1)
        self.stats = stats or (frames.mean(1, keepdims=True), frames.std(1, keepdims=True))

    @staticmethod
    def clip(rng):
        length = int(rng.integers(60, 140))
        spec = rng.gamma(2.0, 0.5, size=(BANDS, length)) * rng.uniform(0.7, 1.3)
        label = np.zeros(length)
        for _ in range(rng.integers(1, 4)):
            start, span = int(rng.integers(0, length - 20)), int(rng.integers(9, 18))
            rise = 6 + (np.arange(span) * 6 / span).astype(int)
            spec[rise, np.arange(start, start + span)] += rng.uniform(1.6, 3.0)
            label[start:start + span] = 1
        for _ in range(3):      # crickets: same band, no sweep
            start = int(rng.integers(0, length - 15))
            spec[rng.integers(6, 12), start:start + 12] += rng.uniform(1.2, 2.5)
        return np.log1p(spec).astype(np.float32), label.astype(np.float32)

    def __len__(self):
        return len(self.clips)

    def __getitem__(self, i):
        spec, label = self.clips[i]
        mean, std = self.stats
        return (spec - mean) / std, label


class FrameTagger(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.net = nn.Sequential(
            self.unit(BANDS, width, 1), self.unit(width, width, 2), self.unit(width, width, 4),
            nn.Conv1d(width, 1, 1))

    @staticmethod
    def unit(a, b, dilation):
        return nn.Sequential(nn.Conv1d(a, b, 5, padding=2 * dilation, dilation=dilation),
                             nn.BatchNorm1d(b), nn.ReLU())

    def forward(self, spec):
        return self.net(spec).squeeze(1)


class Detector:
    def __init__(self):
        rng = np.random.default_rng(19)
        torch.manual_seed(19)
        train_clips = PondRecordings(240, rng)
        test_clips = PondRecordings(100, rng, train_clips.stats)
        # clips differ in length, so they go through one at a time
        self.train_loader = DataLoader(train_clips, batch_size=1, shuffle=True)
        self.test_loader = DataLoader(test_clips, batch_size=1)
        self.net = FrameTagger()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=1e-3)

    def fit(self, epochs):
        for epoch in range(epochs):
            self.net.train()
            total = 0.0
            for clip, call in self.train_loader:
                loss = F.binary_cross_entropy_with_logits(self.net(clip), call)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            print(f"epoch {epoch + 1}: {total / len(self.train_loader):.4f}")

    def f1(self):
        self.net.eval()
        hit = wrong = 0
        with torch.no_grad():
            for clip, call in self.test_loader:
                found, real = self.net(clip) > 0, call > 0.5
                hit += (found & real).sum().item()
                wrong += (found ^ real).sum().item()
        return 2 * hit / (2 * hit + wrong)


detector = Detector()
detector.fit(5)
print(f"result: {detector.f1():.4f}")
