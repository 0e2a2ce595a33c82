# Many heart beats without a diagnosis, few with one:
# learn to clean noisy beats first, then read the diagnosis from the same encoder.
import os
import tempfile
from collections import OrderedDict

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(31)
rng = np.random.default_rng(31)
clock = np.linspace(-1, 1, 96)


def beats(n):
    kind = rng.integers(0, 3, n)
    shift = rng.uniform(-0.12, 0.12, (n, 1))
    t = clock - shift
    amp_p = np.where(kind == 1, 0.05, 0.3)[:, None] * rng.uniform(0.6, 1.4, (n, 1))
    amp_t = np.where(kind == 2, -0.25, 0.35)[:, None] * rng.uniform(0.6, 1.4, (n, 1))
    wave = amp_p * np.exp(-((t + 0.5) / 0.1) ** 2) + np.exp(-(t / 0.05) ** 2) * rng.uniform(0.7, 1.5, (n, 1))
    wave = wave - 0.3 * np.exp(-((t - 0.1) / 0.05) ** 2) + amp_t * np.exp(-((t - 0.55) / 0.14) ** 2)
    wave = (wave - 0.15) / 0.35
    noisy = wave + rng.normal(0, 0.5, wave.shape)
    return (torch.tensor(noisy, dtype=torch.float32), torch.tensor(wave, dtype=torch.float32), torch.tensor(kind))


def make_encoder():
    return nn.Sequential(nn.Linear(96, 64), nn.ReLU(), nn.Linear(64, 12))


# ---- stage one: denoising autoencoder on 3000 beats nobody has looked at
cleaner = nn.Sequential(OrderedDict(
    encoder=make_encoder(),
    decoder=nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 96)),
))
noisy, clean, _ = beats(3000)
loader = DataLoader(TensorDataset(noisy, clean), batch_size=64, shuffle=True)
opt = torch.optim.Adam(cleaner.parameters(), lr=2e-3)
for epoch in range(12):
    total = 0.0
    for x, target in loader:
        loss = nn.functional.mse_loss(cleaner(x), target)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(x)
    if epoch % 4 == 3:
        print(f"cleaning, epoch {epoch + 1}: mse {total / len(noisy):.4f}")

folder = tempfile.mkdtemp()
path = os.path.join(folder, "cleaner.pt")
torch.save(cleaner.state_dict(), path)

# ---- stage two: 90 beats with a diagnosis
saved = torch.load(path, map_location="cpu", weights_only=True)
os.remove(path)
os.rmdir(folder)
body = make_encoder()
body_weights = {k[len("encoder."):]: v for k, v in saved.items() if k.startswith("encoder.")}
body.load_state_dict(body_weights)
for p in body.parameters():
    p.requires_grad_(False)
head = nn.Linear(12, 3)

few, _, kind = beats(90)
opt = torch.optim.Adam(head.parameters(), lr=1e-2)
loader = DataLoader(TensorDataset(few, kind), batch_size=15, shuffle=True)
for epoch in range(60):
    for x, y in loader:
        loss = nn.functional.cross_entropy(head(body(x)), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
print(f"diagnosis, last batch of training: loss {loss.item():.3f}")

body.eval()
head.eval()
new, _, truth = beats(900)
with torch.no_grad():
    hit = (head(body(new)).argmax(1) == truth).float().mean().item()
print(f"right diagnosis on 900 new beats: {hit:.4f}")
