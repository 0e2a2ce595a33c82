# %% [markdown]
# # Cleaning scanned line drawings
# A small convolutional denoiser; score = share of the noise energy that is removed.

# %%
import torch
import torch.nn as nn
from torch.utils.data import Dataset, DataLoader

torch.manual_seed(1234)

# %%
class Scans(Dataset):
    """Random black-and-white drawings together with their noisy scan."""

    def __init__(self, n, size=16):
        self.clean = torch.zeros(n, 1, size, size)
        for page in self.clean:
            for _ in range(3):
                r, c = torch.randint(0, size - 4, (2,)).tolist()
                if torch.rand(1) < 0.5:
                    page[0, r:r + 2, c:] = 1.0
                else:
                    page[0, r:, c:c + 2] = 1.0
        self.noisy = self.clean + 0.4 * torch.randn(n, 1, size, size)

    def __len__(self):
        return len(self.clean)

    def __getitem__(self, i):
        return self.noisy[i], self.clean[i]

# %%
train_ds, test_ds = Scans(800), Scans(200)
train_dl = DataLoader(train_ds, batch_size=32, shuffle=True)
len(train_ds), len(test_ds)

# %%
denoiser = nn.Sequential(
    nn.Conv2d(1, 24, 5, padding=2),
    nn.ReLU(),
    nn.Conv2d(24, 24, 3, padding=1),
    nn.ReLU(),
    nn.Conv2d(24, 1, 3, padding=1),
)
optimizer = torch.optim.Adam(denoiser.parameters(), lr=3e-3)
mse = nn.MSELoss()

# %%
for epoch in range(4):
    denoiser.train()
    running = 0.0
    for noisy, clean in train_dl:
        optimizer.zero_grad()
        loss = mse(denoiser(noisy), clean)
        loss.backward()
        optimizer.step()
        running += loss.item() / len(train_dl)
    print(f"epoch {epoch}: mse {running:.4f}")

# %%
denoiser.eval()
with torch.no_grad():
    before = (test_ds.noisy - test_ds.clean).pow(2).mean()
    after = (denoiser(test_ds.noisy) - test_ds.clean).pow(2).mean()
print(f"result: {(1 - after / before).item():.4f}")
