"""Segment bright cells in noisy micrographs with a small encoder-decoder."""
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def make_images(n, size, gen):
    grid = torch.arange(size).float()
    yy, xx = torch.meshgrid(grid, grid, indexing="ij")
    masks = torch.zeros(n, size, size, dtype=torch.bool)
    for i in range(n):
        for _ in range(int(torch.randint(1, 5, (1,), generator=gen))):
            cx, cy = torch.rand(2, generator=gen) * size
            a, b = 2.5 + 3.5 * torch.rand(2, generator=gen)
            masks[i] |= ((xx - cx) / a) ** 2 + ((yy - cy) / b) ** 2 < 1
    images = masks.float() * 0.8 + 0.7 * torch.randn(n, size, size, generator=gen)
    return images.unsqueeze(1), masks.unsqueeze(1)


def conv(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU())


class CellNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.top = conv(1, 8)
        self.deep = conv(8, 16)
        self.merge = conv(24, 8)
        self.out = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        a = self.top(x)
        b = self.deep(F.max_pool2d(a, 2))
        b = F.interpolate(b, scale_factor=2, mode="nearest")
        return self.out(self.merge(torch.cat([a, b], 1)))


def soft_dice(logits, target):
    p = torch.sigmoid(logits)
    return 1 - (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)


def train_epoch(net, loader, opt):
    net.train()
    total = 0.0
    for x, m in loader:
        logits = net(x)
        target = m.float()
        loss = F.binary_cross_entropy_with_logits(logits, target) + soft_dice(logits, target)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(x)
    return total / len(loader.dataset)


@torch.no_grad()
def evaluate(net, loader):
    net.eval()
    inter = union = 0
    for x, m in loader:
        pred = net(x) > 0
        inter += (pred & m).sum().item()
        union += (pred | m).sum().item()
    return inter / union


def main():
    torch.manual_seed(21)
    gen = torch.Generator().manual_seed(21)
    x, m = make_images(640, 24, gen)
    xt, mt = make_images(300, 24, gen)
    mean, std = x.mean(), x.std()
    train_loader = DataLoader(TensorDataset((x - mean) / std, m), batch_size=32, shuffle=True)
    test_loader = DataLoader(TensorDataset((xt - mean) / std, mt), batch_size=64)
    net = CellNet()
    opt = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(8):
        print(f"epoch {epoch}: loss {train_epoch(net, train_loader, opt):.4f}")
    print(f"result: {evaluate(net, test_loader):.4f}")


main()
