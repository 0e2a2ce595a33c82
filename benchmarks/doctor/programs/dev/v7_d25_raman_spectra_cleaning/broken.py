import torch
import torch.nn as nn
from torch.utils.data import Dataset, DataLoader

torch.manual_seed(25)
POINTS = 96
grid = torch.linspace(0, 1, POINTS)


def spectra(n):
    """Sums of three to five smooth peaks, as a detector without noise would see them."""
    out = torch.zeros(n, POINTS)
    for row in out:
        for _ in range(int(torch.randint(3, 6, (1,)))):
            place, width, height = torch.rand(3)
            row += (0.4 + height) * torch.exp(-((grid - place) / (0.02 + 0.05 * width)) ** 2)
    return out


class Spectra(Dataset):
    def __init__(self, n, noise=0.35):
        self.clean = spectra(n).unsqueeze(1)
        self.noisy = self.clean + noise * torch.randn_like(self.clean)

    def __len__(self):
        return self.clean.shape[0]

    def __getitem__(self, k):
        return self.clean[k], self.noisy[k]


class ResidualCleaner(nn.Module):
    def __init__(self, mean, std, width=24):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        layers, c_in = [], 1
        for dilation in (1, 2, 4):
            layers += [nn.Conv1d(c_in, width, 5, padding=2 * dilation, dilation=dilation), nn.ReLU()]
            c_in = width
        self.body = nn.Sequential(*layers, nn.Conv1d(width, 1, 5, padding=2))

    def forward(self, x):
        return x - self.body((x - self.mean) / self.std)


train_set, test_set = Spectra(1500), Spectra(400)
loader = DataLoader(train_set, batch_size=50, shuffle=True)
model = ResidualCleaner(train_set.noisy.mean(), train_set.noisy.std())
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
mse = nn.MSELoss()

for epoch in range(8):
    model.train()
    total = 0.0
    for noisy, clean in loader:
        optimizer.zero_grad()
        loss = mse(model(noisy), clean)
        loss.backward()
        optimizer.step()
        total += loss.item() * noisy.size(0)
    print(f"epoch {epoch}: {total / len(train_set):.4f}")

model.eval()
with torch.no_grad():
    restored = model(test_set.noisy)
    before = mse(test_set.noisy, test_set.clean).sqrt().item()
    after = mse(restored, test_set.clean).sqrt().item()
print(f"rms error of the raw test spectra: {before:.4f}")
print(f"result: {after:.4f}")
