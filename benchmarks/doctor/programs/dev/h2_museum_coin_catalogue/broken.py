"""Coins of a museum, by the number struck on them (0-7)."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset


class CoinPictures(Dataset):
    def __init__(self, count, seed):
        rng = np.random.RandomState(seed)
        stamp = np.random.RandomState(99).rand(8, 7, 7) > 0.5
        self.numbers = rng.randint(0, 8, count)
        self.pictures = np.zeros((count, 1, 14, 14), dtype=np.float32)
        for k, number in enumerate(self.numbers):
            dy, dx = rng.randint(2, 6, 2)
            self.pictures[k, 0] = 80 + 25 * rng.randn(14, 14)
            self.pictures[k, 0, dy:dy + 7, dx:dx + 7] += 110 * stamp[number]
        np.clip(self.pictures, 0, 255, out=self.pictures)

    def __len__(self):
        return self.numbers.size

    def __getitem__(self, i):
        picture = self.pictures[i]
        picture /= 255
        return torch.from_numpy(picture), torch.tensor(self.numbers[i])


class CoinNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(1, 24, 7)
        self.c2 = nn.Conv2d(24, 32, 1)
        self.fc = nn.Linear(32 * 16, 8)

    def forward(self, x):
        x = F.relu(self.c1(x))
        x = F.max_pool2d(F.relu(self.c2(x)), 2)
        return self.fc(x.flatten(start_dim=1))


class Catalogue:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def learn(self, data, epochs):
        loader = DataLoader(data, batch_size=40, shuffle=True)
        for epoch in range(epochs):
            self.model.train()
            mean = 0.0
            for k, (pictures, numbers) in enumerate(loader, start=1):
                self.optimizer.zero_grad()
                loss = F.cross_entropy(self.model(pictures), numbers)
                loss.backward()
                self.optimizer.step()
                mean += (loss.item() - mean) / k
            print(f"epoch {epoch}: {mean:.6f}")

    def check(self, data):
        self.model.eval()
        hits = 0
        with torch.no_grad():
            for pictures, numbers in DataLoader(data, batch_size=100):
                hits += int(self.model(pictures).argmax(1).eq(numbers).sum())
        return hits / len(data)


if __name__ == "__main__":
    torch.manual_seed(0)
    catalogue = Catalogue(CoinNet())
    catalogue.learn(CoinPictures(1600, seed=1), epochs=5)
    print(f"result: {catalogue.check(CoinPictures(500, seed=2)):.4f}")
