import os

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

RATE, CALLS = 512, 5


class BirdCalls(Dataset):
    """Short recordings; an item is the log spectrogram of one of them and the bird's number."""

    def __init__(self, n, seed):
        gen = torch.Generator().manual_seed(seed)
        self.bird = torch.randint(0, CALLS, (n,), generator=gen)
        t = torch.arange(RATE) / RATE
        low = 30 + 22 * self.bird[:, None] + 8 * torch.randn(n, 1, generator=gen)
        sweep = torch.where(self.bird[:, None] % 2 == 0, 40.0, -20.0)
        phase = 6.2832 * torch.rand(n, 1, generator=gen)
        call = torch.sin(6.2832 * (low * t + 0.5 * sweep * t ** 2) + phase)
        self.wave = call + 1.5 * torch.randn(n, RATE, generator=gen)
        self.window = torch.hann_window(64)
        self.mean, self.std = 0.0, 1.0

    def __len__(self):
        return len(self.bird)

    def __getitem__(self, i):
        spec = torch.stft(self.wave[i], 64, hop_length=16, window=self.window, return_complex=True)
        return ((spec.abs() + 1e-3).log()[None] - self.mean) / self.std, self.bird[i]


def standardise(train, test):
    pictures = torch.stack([train[i][0] for i in range(len(train))])
    mean, std = pictures.mean(), pictures.std()
    for part in (train, test):
        part.mean, part.std = mean, std


def make_loader(dataset, batch_size):
    workers = 4 * os.cpu_count()
    return DataLoader(dataset, batch_size=batch_size, shuffle=True, num_workers=workers, persistent_workers=True)


def make_model():
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, stride=2, padding=1), nn.BatchNorm2d(12), nn.ReLU(),
        nn.Conv2d(12, 24, 3, stride=2, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
        nn.AdaptiveAvgPool2d((4, 2)), nn.Flatten(), nn.Dropout(0.2), nn.Linear(24 * 8, CALLS))


def train_model(model, loader, epochs):
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for pictures, birds in loader:
            optimizer.zero_grad()
            loss = criterion(model(pictures), birds)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(birds)
        print(f"epoch {epoch}: loss {total / len(loader.dataset):.4f}")


@torch.no_grad()
def test_model(model, dataset):
    model.eval()
    hits = 0
    for pictures, birds in DataLoader(dataset, batch_size=100):
        hits += (model(pictures).argmax(1) == birds).sum().item()
    return hits / len(dataset)


def main():
    torch.manual_seed(4)
    train, test = BirdCalls(960, seed=41), BirdCalls(400, seed=42)
    standardise(train, test)
    model = make_model()
    train_model(model, make_loader(train, 32), epochs=5)
    print(f"result: {test_model(model, test):.4f}")


if __name__ == "__main__":
    main()
