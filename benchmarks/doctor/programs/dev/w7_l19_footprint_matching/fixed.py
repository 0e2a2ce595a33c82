import torch
from torch import nn

PEOPLE, SENSORS = 12, 40


def record_steps(per_person, mixing, centres, gen):
    """Pressure patterns of shoe soles: every person has an own gait, seen through nonlinear sensors."""
    who = torch.arange(PEOPLE).repeat_interleave(per_person)
    gait = centres[who] + 0.55 * torch.randn(len(who), centres.shape[1], generator=gen)
    nuisance = 2.0 * torch.randn(len(who), 6, generator=gen)
    clean = torch.cat([gait, nuisance], 1) @ mixing
    return torch.tanh(clean) + 0.05 * torch.randn(len(who), SENSORS, generator=gen), who


def build(width=96, dim=12):
    return nn.Sequential(
        nn.Linear(SENSORS, width), nn.ReLU(),
        nn.Linear(width, width), nn.ReLU(),
        nn.Linear(width, dim))


def distances(z):
    diff = z[:, None, :] - z[None, :, :]
    return (diff * diff).sum(-1).clamp(min=1e-12).sqrt()


def contrastive(z, who, margin=2.0):
    dist = distances(z)
    same = who[:, None] == who[None, :]
    other = ~torch.eye(len(z), dtype=torch.bool)
    pull = dist[same & other].pow(2).mean()
    push = (margin - dist[~same]).clamp(min=0).pow(2).mean()
    return pull + push


def groups(who, people, each, gen):
    """Indices of batches with `each` steps of `people` persons."""
    chosen = torch.randperm(PEOPLE, generator=gen)[:people]
    rows = [(who == p).nonzero().flatten() for p in chosen]
    return torch.cat([r[torch.randperm(len(r), generator=gen)[:each]] for r in rows])


def train(net, x, who, gen, epochs=8, steps=50):
    optimizer = torch.optim.Adam(net.parameters(), lr=1.5e-3)
    net.train()
    for epoch in range(epochs):
        total = 0.0
        for _ in range(steps):
            pick = groups(who, 8, 8, gen)
            loss = contrastive(net(x[pick]), who[pick])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: loss {total / steps:.4f}")


@torch.no_grad()
def nearest_accuracy(net, x, who, x_test, who_test):
    net.eval()
    nearest = torch.cdist(net(x_test), net(x)).argmin(1)
    return (who[nearest] == who_test).float().mean().item()


def main():
    torch.manual_seed(2)
    gen = torch.Generator().manual_seed(2)
    mixing = 0.35 * torch.randn(12, SENSORS, generator=gen)
    centres = 1.2 * torch.randn(PEOPLE, 6, generator=gen)
    x, who = record_steps(80, mixing, centres, gen)
    x_test, who_test = record_steps(40, mixing, centres, gen)
    mean, std = x.mean(0), x.std(0)
    x, x_test = (x - mean) / std, (x_test - mean) / std
    net = build()
    print(f"before training: {nearest_accuracy(net, x, who, x_test, who_test):.4f}")
    train(net, x, who, gen)
    print(f"result: {nearest_accuracy(net, x, who, x_test, who_test):.4f}")


main()
