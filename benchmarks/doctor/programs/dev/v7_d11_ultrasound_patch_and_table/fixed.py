import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(11)
rng = np.random.default_rng(11)


def acquire(n):
    """Raw scanner patches (grey values 0..250), a patient table and the stiffness in kPa."""
    table = rng.normal(size=(n, 8)).astype(np.float32)
    grain = rng.uniform(0.5, 3.0, size=n)
    yy, xx = np.mgrid[0:16, 0:16]
    patches = []
    for g in grain:
        phase = rng.uniform(0, 6.28, size=2)
        img = 125 + 60 * np.sin(g * xx + phase[0]) + 40 * np.cos(g * yy + phase[1])
        patches.append(np.clip(img + rng.normal(0, 12, size=(16, 16)), 0, 250))
    kpa = 12 + 3 * table[:, 0] - 2 * table[:, 1] * (table[:, 2] > 0) + 1.5 * np.abs(table[:, 3])
    kpa = kpa + 0.25 * (grain - 1.75) + rng.normal(0, 0.8, size=n)
    return patches, table, kpa.astype(np.float32)


def pack(patches):
    store = np.zeros((len(patches), 1, 16, 16), dtype=np.float32)
    for i, img in enumerate(patches):
        store[i, 0] = img / 255.0
    return torch.from_numpy(store).float()


class StiffnessNet(nn.Module):
    def __init__(self, n_columns):
        super().__init__()
        self.picture = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.columns = nn.Sequential(nn.Linear(n_columns, 64), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(16 + 64, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, picture, columns):
        both = torch.cat([self.picture(picture), self.columns(columns)], dim=1)
        return self.head(both).squeeze(1)


class Trainer:
    def __init__(self, n_train=1600, n_test=600, batch_size=64, lr=2e-3):
        patches, table, kpa = acquire(n_train + n_test)
        pic, tab, y = pack(patches), torch.from_numpy(table), torch.from_numpy(kpa)
        tr, te = slice(0, n_train), slice(n_train, None)
        pic = (pic - pic[tr].mean()) / (pic[tr].std() + 1e-6)
        tab = (tab - tab[tr].mean(0)) / tab[tr].std(0)
        self.y_mean, self.y_std = y[tr].mean(), y[tr].std()
        y = (y - self.y_mean) / self.y_std
        self.train_loader = DataLoader(TensorDataset(pic[tr], tab[tr], y[tr]), batch_size, shuffle=True)
        self.test_loader = DataLoader(TensorDataset(pic[te], tab[te], y[te]), 256)
        self.model = StiffnessNet(tab.shape[1])
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=lr, weight_decay=1e-2)

    def fit(self, epochs):
        for epoch in range(epochs):
            self.model.train()
            total, seen = 0.0, 0
            for pic, tab, y in self.train_loader:
                loss = nn.functional.mse_loss(self.model(pic, tab), y)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(y)
                seen += len(y)
            print(f"epoch {epoch + 1:2d}  mse {total / seen:.4f}")

    @torch.no_grad()
    def test_rmse(self):
        self.model.eval()
        err, seen = 0.0, 0
        for pic, tab, y in self.test_loader:
            err += (self.model(pic, tab) - y).square().sum().item()
            seen += len(y)
        return (err / seen) ** 0.5


if __name__ == "__main__":
    trainer = Trainer()
    trainer.fit(epochs=12)
    print(f"result: {trainer.test_rmse():.4f}")
