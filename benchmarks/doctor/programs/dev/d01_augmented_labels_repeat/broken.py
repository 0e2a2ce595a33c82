# %% [markdown]
# # Minerals from their (noisy) spectra
# Every training spectrum is used twice: as measured and with a bit of extra noise.

# %%
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1234)
MINERALS = ["quartz", "calcite", "gypsum", "talc", "pyrite"]
CHANNELS = 64

# %%
peaks = torch.randint(4, CHANNELS - 4, (len(MINERALS), 4)).float()
heights = 0.6 + torch.rand(len(MINERALS), 4)


def measure(n):
    labels = torch.randint(len(MINERALS), (n,))
    axis = torch.arange(CHANNELS).float()
    shift = torch.randn(n, 1) * 0.7
    where = (peaks[labels] + shift)[:, :, None]
    bumps = torch.exp(-((axis - where) ** 2) / 5.0) * heights[labels][:, :, None]
    return bumps.sum(1) + 0.35 * torch.randn(n, CHANNELS), labels


spectra, labels = measure(800)
test_spectra, test_labels = measure(300)

# %% standardise with what the training spectra say
mean, std = spectra.mean(), spectra.std()
spectra = (spectra - mean) / std
test_spectra = (test_spectra - mean) / std

# %% augment
noisy = spectra + 0.2 * torch.randn_like(spectra)
spectra = torch.cat([spectra, noisy])
labels = labels.repeat_interleave(2)
print(spectra.shape, labels.shape)

# %%
train_dl = DataLoader(TensorDataset(spectra, labels), batch_size=40, shuffle=True)

cnn = nn.Sequential(
    nn.Unflatten(1, (1, CHANNELS)),
    nn.Conv1d(1, 12, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2),
    nn.Conv1d(12, 16, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
    nn.Flatten(),
    nn.Linear(16 * 16, len(MINERALS)),
)
optimizer = torch.optim.Adam(cnn.parameters(), lr=1.5e-3)
loss_fn = nn.CrossEntropyLoss()

# %%
for epoch in range(7):
    cnn.train()
    running, hits = 0.0, 0
    for xb, yb in train_dl:
        logits = cnn(xb)
        loss = loss_fn(logits, yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item() * len(xb)
        hits += (logits.argmax(1) == yb).sum().item()
    print(f"{epoch}: loss {running / len(spectra):.4f}  train acc {hits / len(spectra):.4f}")

# %%
cnn.eval()
with torch.no_grad():
    accuracy = (cnn(test_spectra).argmax(1) == test_labels).float().mean().item()
print(f"test accuracy = {accuracy:.4f}")
