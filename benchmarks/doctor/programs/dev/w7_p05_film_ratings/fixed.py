# %%
import numpy as np
import torch
from torch import nn

torch.manual_seed(44)
rng = np.random.default_rng(44)

# %%
people, films = 600, 400
taste, style = rng.normal(size=(people, 3)), rng.normal(size=(films, 3))
who, what = rng.integers(0, people, 40000), rng.integers(0, films, 40000)
pairs, first = np.unique(np.stack([who, what], 1), axis=0, return_index=True)
who, what = (torch.from_numpy(c) for c in pairs[np.argsort(first)].T)
stars = torch.from_numpy((taste[who] * style[what]).sum(1) * 0.6 + rng.normal(0, 0.4, len(who)) + 3.4).float().clamp(1, 5)
cut = int(0.8 * len(who))
middle = stars[:cut].mean()


# %%
class Ratings(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.p, self.f = nn.Embedding(people, dim), nn.Embedding(films, dim)
        self.p_bias, self.f_bias = nn.Embedding(people, 1), nn.Embedding(films, 1)
        for table in (self.p, self.f, self.p_bias, self.f_bias):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, p, f):
        dot = (self.p(p) * self.f(f)).sum(1)
        return middle + dot + self.p_bias(p).squeeze(1) + self.f_bias(f).squeeze(1)


# %%
model = Ratings()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.3)
losses = []
for epoch in range(12):
    model.train()
    total = 0.0
    for idx in torch.randperm(cut).split(512):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(who[idx], what[idx]), stars[idx])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
    losses.append(total / cut)
print("loss by epoch:", [round(v, 3) for v in losses])

# %%
model.eval()
with torch.no_grad():
    error = (model(who[cut:], what[cut:]).clamp(1, 5) - stars[cut:]).pow(2).mean().sqrt().item()
print(f"result: {error:.4f}")
