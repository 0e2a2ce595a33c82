import random
import statistics

import torch
import torch.nn.functional as F
from torch import nn


def new_writers(count, gen):
    # each writer has a habit: weights of four slow waves in x and in y
    return torch.randn(count, 2, 4, generator=gen)


def sign(habits, gen):
    n = len(habits)
    t = torch.linspace(0, 1, 40)
    speed = 1 + 0.08 * torch.randn(n, 1, generator=gen)
    waves = torch.stack([torch.sin(3.1416 * k * t * speed) for k in (1, 2, 3, 4)], dim=1)
    today = habits + 0.25 * torch.randn(habits.shape, generator=gen)
    drift = 1.2 * torch.randn(n, 2, 1, generator=gen) + 1.5 * torch.randn(n, 2, 1, generator=gen) * t
    pen = today @ waves + drift + 0.2 * torch.randn(n, 2, 40, generator=gen)
    return pen / 2.0


def build():
    return nn.Sequential(
        nn.Conv1d(2, 16, 5, stride=2, padding=2), nn.ReLU(),
        nn.Conv1d(16, 32, 5, stride=2, padding=2), nn.ReLU(),
        nn.Flatten(), nn.Linear(320, 24),
    )


def embed(net, pen):
    return F.normalize(net(pen), dim=1)


def norm_and_clear(net):
    size = torch.stack([p.grad.norm() for p in net.parameters()]).norm().item()
    net.zero_grad()
    return size


def practise(net, opt, writers, gen, rounds):
    net.train()
    norms, losses = [], []
    for i in range(1, rounds + 1):
        own = torch.randint(0, len(writers), (64,), generator=gen)
        other = (own + torch.randint(1, len(writers), (64,), generator=gen)) % len(writers)
        anchor, same = embed(net, sign(writers[own], gen)), embed(net, sign(writers[own], gen))
        forger = embed(net, sign(writers[other], gen))
        loss = F.triplet_margin_loss(anchor, same, forger, margin=0.4)
        loss.backward()
        opt.step()
        norms.append(norm_and_clear(net))
        losses.append(loss.item())
        if i % 100 == 0:
            print(f"round {i}: loss {statistics.mean(losses[-100:]):.4f}  gradient {statistics.mean(norms[-100:]):.3f}")


def recognise(net, writers, gen):
    net.eval()
    with torch.no_grad():
        card = embed(net, sign(writers, gen))
        right = total = 0
        for _ in range(10):
            closest = torch.cdist(embed(net, sign(writers, gen)), card).argmin(dim=1)
            right += (closest == torch.arange(len(writers))).sum().item()
            total += len(writers)
    return right / total


def main():
    random.seed(6)
    torch.manual_seed(6)
    gen = torch.Generator().manual_seed(6)
    known, strangers = new_writers(300, gen), new_writers(50, gen)
    net = build()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    practise(net, opt, known, gen, 400)
    print(f"strangers found again by their signature: {recognise(net, strangers, gen):.4f}")


if __name__ == "__main__":
    main()
