import math

import torch
import torch.nn as nn
import torch.nn.functional as F

SHAPES = ("sphere", "cube", "disc", "helix")


def sample_shape(kind, n, k):
    u, v = torch.rand(n, k), torch.rand(n, k)
    if kind == "sphere":
        z, a = 2 * u - 1, 2 * math.pi * v
        r = torch.sqrt(1 - z * z)
        p = torch.stack([r * torch.cos(a), r * torch.sin(a), z], dim=1)
    elif kind == "cube":
        p = 2 * torch.rand(n, 3, k) - 1
        face = torch.randint(0, 3, (n, 1, k))
        p = p.scatter(1, face, torch.sign(p.gather(1, face))) * 0.75
    elif kind == "disc":
        r, a = torch.sqrt(u), 2 * math.pi * v
        p = torch.stack([r * torch.cos(a), r * torch.sin(a), torch.zeros_like(u)], dim=1)
    else:
        a = 4 * math.pi * u
        p = torch.stack([0.7 * torch.cos(a), 0.7 * torch.sin(a), 2 * u - 1], dim=1)
    turn, _ = torch.linalg.qr(torch.randn(n, 3, 3))
    return turn @ p + 0.05 * torch.randn(n, 3, k)


def make_clouds(per_shape, points=48):
    clouds = torch.cat([sample_shape(kind, per_shape, points) for kind in SHAPES])
    labels = torch.arange(len(SHAPES)).repeat_interleave(per_shape)
    return clouds, labels


class PointNet(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.points = nn.Sequential(
            nn.Conv1d(3, width, 1), nn.BatchNorm1d(width), nn.ReLU(),
            nn.Conv1d(width, 2 * width, 1), nn.BatchNorm1d(2 * width), nn.ReLU(),
        )
        self.head = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Dropout(0.2), nn.Linear(width, len(SHAPES)))

    def forward(self, cloud):
        return self.head(self.points(cloud).amax(dim=2))


def describe(net, *shape):
    net.eval()
    with torch.no_grad():
        out = net(torch.zeros(1, *shape))
    count = sum(p.numel() for p in net.parameters())
    print(f"{type(net).__name__}: {count} parameters, output {tuple(out.shape)}")


def fit(net, clouds, labels, epochs=10, batch=50):
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, epochs)
    for epoch in range(epochs):
        net.train()
        total = 0.0
        for pick in torch.randperm(len(clouds)).split(batch):
            opt.zero_grad()
            loss = F.cross_entropy(net(clouds[pick]), labels[pick])
            loss.backward()
            opt.step()
            total += loss.item() * len(pick)
        sched.step()
        print(f"epoch {epoch + 1:2d} loss {total / len(clouds):.4f}")


@torch.no_grad()
def accuracy(net, clouds, labels):
    net.eval()
    return (net(clouds).argmax(1) == labels).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(14)
    train, test = make_clouds(350), make_clouds(120)
    net = PointNet()
    describe(net, 3, 48)
    fit(net, *train)
    print(f"result: {accuracy(net, *test):.4f}")
