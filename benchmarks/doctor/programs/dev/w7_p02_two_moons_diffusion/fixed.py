"""A small diffusion model of points in the plane (two crescents)."""
import math

import torch
from torch import nn

T = 50
BETA = torch.linspace(1e-3, 0.12, T)
KEEP = torch.cumprod(1 - BETA, 0)


def crescents(n, gen):
    angle = math.pi * torch.rand(n, generator=gen)
    upper = torch.rand(n, generator=gen) < 0.5
    x = torch.where(upper, angle.cos(), 1 - angle.cos())
    y = torch.where(upper, angle.sin(), 0.5 - angle.sin())
    return torch.stack([x, y], 1) + 0.04 * torch.randn(n, 2, generator=gen)


class Denoiser(nn.Module):
    def __init__(self, width=128):
        super().__init__()
        self.freq = nn.Embedding(T, 32)
        self.net = nn.Sequential(
            nn.Linear(34, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2))

    def forward(self, x, t):
        return self.net(torch.cat([x, self.freq(t)], 1))


def corrupt(x, t, noise):
    keep = KEEP[t].unsqueeze(1)
    return keep.sqrt() * x + (1 - keep).sqrt() * noise


def train_epoch(model, opt, data, size=128):
    model.train()
    total = 0.0
    for idx in torch.randperm(len(data)).split(size):
        x = data[idx]
        t = torch.randint(0, T, (len(x),))
        noise = torch.randn_like(x)
        loss = nn.functional.mse_loss(model(corrupt(x, t, noise), t), noise)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(x)
    return total / len(data)


@torch.no_grad()
def preview(model, n=200):
    """Always draws the same starting points, so that the epochs can be compared."""
    model.eval()
    gen = torch.Generator().manual_seed(123)
    x = torch.randn(n, 2, generator=gen)
    for k in reversed(range(T)):
        t = torch.full((n,), k)
        x = (x - BETA[k] / (1 - KEEP[k]).sqrt() * model(x, t)) / (1 - BETA[k]).sqrt()
        if k > 0:
            x = x + BETA[k].sqrt() * torch.randn(n, 2, generator=gen)
    return x


@torch.no_grad()
def held_out_error(model, data, repeats=20):
    model.eval()
    gen = torch.Generator().manual_seed(7)
    total = 0.0
    for _ in range(repeats):
        t = torch.randint(0, T, (len(data),), generator=gen)
        noise = torch.randn(data.shape, generator=gen)
        total += nn.functional.mse_loss(model(corrupt(data, t, noise), t), noise).item()
    return total / repeats


def main():
    torch.manual_seed(2024)
    gen = torch.Generator().manual_seed(1)
    train, test = crescents(3000, gen), crescents(1000, gen)
    mean, std = train.mean(0), train.std(0)
    train, test = (train - mean) / std, (test - mean) / std
    model = Denoiser()
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(30):
        loss = train_epoch(model, opt, train)
        drawn = preview(model)
        spread = drawn.std(0).tolist()
        print(f"epoch {epoch:2d}: loss {loss:.4f}  spread of samples {spread[0]:.2f} {spread[1]:.2f}")
    print(f"result: {held_out_error(model, test):.4f}")


if __name__ == "__main__":
    main()
