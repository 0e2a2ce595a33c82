# %% [markdown]
# ## Soil type from a satellite spectrum (7 types, 24 bands)

# %%
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import TensorDataset, DataLoader

rng = np.random.RandomState(1)
torch.manual_seed(1)

# %%
bands = np.linspace(0, 1, 24)
peaks = rng.uniform(0.1, 0.9, (7, 2))
soil = rng.randint(0, 7, 2100)
spectra = np.exp(-((bands - peaks[soil][:, :1]) / 0.10) ** 2)
spectra += 0.6 * np.exp(-((bands - peaks[soil][:, 1:]) / 0.15) ** 2)
spectra *= rng.uniform(0.6, 1.4, (2100, 1))
spectra += rng.normal(0, 0.28, spectra.shape)

train_s, test_s = spectra[:1600], spectra[1600:]
center, spread = train_s.mean(0), train_s.std(0)
to_x = lambda a: torch.from_numpy((a - center) / spread).float()
x_train, x_test = to_x(train_s), to_x(test_s)
y_train, y_test = torch.from_numpy(soil[:1600]), torch.from_numpy(soil[1600:])

# %%
def build_mlp(sizes):
    layers = []
    for a, b in zip(sizes[:-1], sizes[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


net = build_mlp([24, 64, 32, 7])
net

# %%
dl = DataLoader(TensorDataset(x_train, y_train), batch_size=32, shuffle=True)
opt = torch.optim.AdamW(net.parameters(), lr=2e-3)
loss_func = nn.CrossEntropyLoss()

for epoch in range(6):
    net.train()
    tot = cnt = 0
    for xb, yb in dl:
        loss = loss_func(net(xb), yb)
        loss.backward()
        opt.step()
        opt.zero_grad()
        tot += loss.item() * len(xb)
        cnt += len(xb)
    print(f"{epoch=} loss={tot / cnt:.4f}")

# %%
net.eval()
with torch.no_grad():
    acc = (net(x_test).argmax(1) == y_test).float().mean()
print(f"accuracy on held-out pixels: {acc.item():.4f}")
