# Heat camera above a kiln: learn what a normal picture looks like, then find cracks by bad reconstruction.
from collections import deque

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(64)
rng = np.random.default_rng(64)
SIDE = 32


def heat(n, cracked):
    yy, xx = np.mgrid[0:1:SIDE * 1j, 0:1:SIDE * 1j]
    cy, cx, w = (rng.uniform(a, b, (n, 1, 1)) for a, b in ((0.35, 0.65), (0.35, 0.65), (0.2, 0.35)))
    glow = np.exp(-((yy - cy) ** 2 + (xx - cx) ** 2) / w ** 2)
    glow = glow * rng.uniform(0.7, 1.0, (n, 1, 1)) + rng.normal(0, 0.03, glow.shape)
    if cracked:
        for k in range(n):
            r = int(rng.integers(8, 24))
            c = int(rng.integers(4, 16))
            glow[k, r : r + 2, c : c + 12] -= 0.3
    return torch.tensor(np.clip(glow, 0, 1.2), dtype=torch.float32).reshape(n, -1)


normal = heat(2400, cracked=False)
loader = DataLoader(TensorDataset(normal), batch_size=60, shuffle=True)

net = nn.Sequential(
    nn.Linear(SIDE * SIDE, 96), nn.GELU(), nn.Linear(96, 8),
    nn.Linear(8, 96), nn.GELU(), nn.Linear(96, SIDE * SIDE),
)
optimizer = torch.optim.NAdam(net.parameters(), lr=2e-3)

# the newest reconstructions, for the little film at the end
frames = deque()

for epoch in range(10):
    net.train()
    total = 0.0
    for (picture,) in loader:
        again = net(picture)
        loss = nn.functional.mse_loss(again, picture)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        frames.append(again.detach().clone())
        total += loss.item() * len(picture)
    print(f"epoch {epoch}: reconstruction {total / len(normal):.5f}")

film = list(frames)[-5:]
print("brightest spot in the last five batches:", " ".join(f"{f.max().item():.2f}" for f in film))

net.eval()
with torch.no_grad():
    def distance(pictures):
        rest = (net(pictures) - pictures).view(-1, SIDE, SIDE)
        return nn.functional.avg_pool2d(rest.unsqueeze(1), 3, stride=1).abs().amax(dim=(1, 2, 3))

    limit = distance(heat(400, cracked=False)).quantile(0.95)
    whole, cracks = distance(heat(400, cracked=False)), distance(heat(400, cracked=True))
print(f"cracks found {(cracks > limit).float().mean().item():.4f}, false calls {(whole > limit).float().mean().item():.4f}")
