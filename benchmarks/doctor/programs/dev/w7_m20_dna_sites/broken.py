import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

SITES = ["TATAAT", "GGCCAC", "CACGTG"]


class Promoters(Dataset):
    """Stretches of DNA, 80 bases long, with one of three binding sites or none (class 3)."""

    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        self.labels = rng.integers(0, 4, n)
        bases = rng.integers(0, 4, (n, 80))
        for row, label in enumerate(self.labels):
            if label < 3:
                site = np.array(["ACGT".index(b) for b in SITES[label]])
                if rng.random() < 0.15:
                    site[rng.integers(0, 6)] = rng.integers(0, 4)
                at = rng.integers(0, 74)
                bases[row, at:at + 6] = site
        self.one_hot = np.eye(4, dtype=np.float32)[bases].transpose(0, 2, 1).copy()

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return torch.from_numpy(self.one_hot[index]), int(self.labels[index])


class SiteFinder(nn.Module):
    def __init__(self, filters=48, hidden=96, keep_prob=0.9):
        super().__init__()
        self.keep_prob = keep_prob
        self.scan = nn.Conv1d(4, filters, 8, padding=4)
        self.dense = nn.Linear(filters, hidden)
        self.out = nn.Linear(hidden, 4)

    def forward(self, x):
        h = F.relu(self.scan(x)).amax(dim=2)
        h = F.relu(self.dense(h))
        h = F.dropout(h, self.keep_prob, training=self.training)
        return self.out(h)


class SiteTrainer:
    def __init__(self, model, lr=3e-3):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.history = []

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            self.model.train()
            total = 0.0
            for x, y in loader:
                self.optimizer.zero_grad()
                loss = F.cross_entropy(self.model(x), y)
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(y)
            self.history.append(total / len(loader.dataset))
            print(f"epoch {epoch + 1}: {self.history[-1]:.4f}")

    @torch.no_grad()
    def evaluate(self, loader):
        self.model.eval()
        right = 0
        for x, y in loader:
            right += (self.model(x).argmax(1) == y).sum().item()
        return right / len(loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(16)
    train_loader = DataLoader(Promoters(3000, seed=1), batch_size=60, shuffle=True)
    test_loader = DataLoader(Promoters(1000, seed=2), batch_size=200)
    trainer = SiteTrainer(SiteFinder())
    trainer.fit(train_loader, epochs=8)
    print(f"result: {trainer.evaluate(test_loader):.4f}")
