# Metric learning: batch-hard triplet loss on sensor fingerprints, judged by nearest class centre
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

rng = np.random.default_rng(7)
torch.manual_seed(7)

N_DEVICES, DIM, MARGIN = 6, 24, 0.4
centres = rng.normal(size=(N_DEVICES, 5))
lift = rng.normal(size=(5, DIM)) / np.sqrt(5)


def sample(n):
    who = rng.integers(0, N_DEVICES, n)
    latent = centres[who] + rng.normal(scale=0.45, size=(n, 5))
    x = np.tanh(latent @ lift) + rng.normal(scale=0.35, size=(n, DIM))
    return torch.tensor(x, dtype=torch.float32), torch.tensor(who)


x_train, y_train = sample(1200)
x_test, y_test = sample(400)
mu, sd = x_train.mean(0), x_train.std(0)
x_train, x_test = (x_train - mu) / sd, (x_test - mu) / sd


def pairwise_distances(e):
    squared = (e.unsqueeze(0) - e.unsqueeze(1)).pow(2).sum(-1)
    return (squared + 1e-9).sqrt()


def batch_hard_triplet(e, y):
    d = pairwise_distances(e)
    same = y[:, None] == y[None, :]
    furthest_positive = (d * same).amax(1)
    closest_negative = (d + 1e3 * same).amin(1)
    return F.relu(furthest_positive - closest_negative + MARGIN).mean()


net = nn.Sequential(nn.Linear(DIM, 48), nn.ReLU(), nn.Linear(48, 16))
embed = lambda x: F.normalize(net(x), dim=1)
opt = torch.optim.Adam(net.parameters(), lr=1e-3)

for epoch in range(8):
    losses = []
    for idx in torch.randperm(len(x_train)).split(60):
        loss = batch_hard_triplet(embed(x_train[idx]), y_train[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    print(f"epoch {epoch}: triplet loss {np.mean(losses):.4f}")

with torch.no_grad():
    e_train, e_test = embed(x_train), embed(x_test)
    means = torch.stack([e_train[y_train == k].mean(0) for k in range(N_DEVICES)])
    nearest = torch.cdist(e_test, means).argmin(1)
print(f"nearest-centre accuracy: {(nearest == y_test).float().mean().item():.4f}")
