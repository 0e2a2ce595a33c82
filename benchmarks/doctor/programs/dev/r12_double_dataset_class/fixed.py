import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Symbols(Dataset):
    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        font = np.random.default_rng(0).integers(0, 2, size=(12, 6, 6))
        self.codes = rng.integers(0, 12, size=n)
        self.pictures = font[self.codes] + rng.normal(0, 0.7, size=(n, 6, 6))

    def __len__(self):
        return len(self.codes)

    def __getitem__(self, i):
        return torch.tensor(self.pictures[i], dtype=torch.float32)[None], int(self.codes[i])


class Recogniser(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 3, padding=1)
        self.fc = nn.Linear(16 * 36, 12)

    def forward(self, x):
        return self.fc(torch.relu(self.conv(x)).flatten(start_dim=1))

    def fit(self, dataset, epochs):
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3)
        for epoch in range(epochs):
            self.train()
            seen = total = 0
            for picture, code in DataLoader(dataset, batch_size=50, shuffle=True):
                loss = nn.functional.cross_entropy(self(picture), code)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(code)
                seen += len(code)
            print(f"epoch {epoch} loss {total / seen:.6f}")

    @torch.no_grad()
    def accuracy(self, dataset):
        self.eval()
        good = [self(p).argmax(1).eq(c).sum().item() for p, c in DataLoader(dataset, batch_size=100)]
        return sum(good) / len(dataset)


torch.manual_seed(51)
recogniser = Recogniser()
recogniser.fit(Symbols(1500, seed=1), epochs=3)
print(f"result: {recogniser.accuracy(Symbols(400, seed=2)):.4f}")
