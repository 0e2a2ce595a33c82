import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class AverageMeter:
    def __init__(self):
        self.sum, self.count = 0.0, 0

    def update(self, value, n=1):
        self.sum += value * n
        self.count += n

    @property
    def avg(self):
        return self.sum / self.count


def draw(n, size=24):
    """Pictures with one stamp (frame, disc or cross) and its box as centre, width and height in 0..1."""
    kind = torch.randint(0, 3, (n,))
    w, h = torch.randint(8, 15, (n,)), torch.randint(8, 15, (n,))
    left = (torch.rand(n) * (size - w)).long()
    top = (torch.rand(n) * (size - h)).long()
    yy, xx = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    u = (xx[None] - left[:, None, None]) / (w - 1)[:, None, None] * 2 - 1
    v = (yy[None] - top[:, None, None]) / (h - 1)[:, None, None] * 2 - 1
    inside = (u.abs() <= 1.01) & (v.abs() <= 1.01)
    frame = inside & ((u.abs() > 0.7) | (v.abs() > 0.7))
    disc = u ** 2 + v ** 2 <= 1.05
    cross = inside & ((u.abs() < 0.3) | (v.abs() < 0.3))
    shape = torch.stack([frame, disc, cross], 1)[torch.arange(n), kind].float()
    box = torch.stack([left + w / 2, top + h / 2, w, h], 1) / size
    return (shape + 0.15 * torch.randn(n, size, size)).unsqueeze(1), kind, box


def iou(a, b):
    lo = torch.maximum(a[:, :2] - a[:, 2:] / 2, b[:, :2] - b[:, 2:] / 2)
    hi = torch.minimum(a[:, :2] + a[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2)
    inter = (hi - lo).clamp(min=0).prod(1)
    return inter / (a[:, 2:].prod(1) + b[:, 2:].prod(1) - inter)


class Finder(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(24 * 36, 96), nn.ReLU())
        self.heads = nn.ModuleDict({"kind": nn.Linear(96, 3), "box": nn.Linear(96, 4)})

    def forward(self, x):
        z = self.trunk(x)
        return self.heads["kind"](z), self.heads["box"](z).sigmoid()


class Trainer:
    def __init__(self, model, train, test, lr=2e-3):
        self.model, self.train_loader, self.test_loader = model, train, test
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.kind_loss, self.box_loss = nn.CrossEntropyLoss(), nn.SmoothL1Loss(beta=0.05)

    def train_epoch(self, epoch):
        self.model.train()
        meters = {name: AverageMeter() for name in ("kind", "box", "all")}
        for x, kind, box in self.train_loader:
            kind_out, box_out = self.model(x)
            parts = {"kind": self.kind_loss(kind_out, kind), "box": 5 * self.box_loss(box_out, box)}
            parts["all"] = parts["kind"] + parts["box"]
            self.optimizer.zero_grad()
            parts["all"].backward()
            self.optimizer.step()
            for name, value in parts.items():
                meters[name].update(value, len(x))
        print(f"epoch {epoch}  " + "  ".join(f"{k} {m.avg:.4f}" for k, m in meters.items()))

    @torch.no_grad()
    def test_iou(self):
        self.model.eval()
        meter = AverageMeter()
        for x, kind, box in self.test_loader:
            meter.update(iou(self.model(x)[1], box).mean().item(), len(x))
        return meter.avg


torch.manual_seed(8)
train_set, test_set = TensorDataset(*draw(2000)), TensorDataset(*draw(500))
trainer = Trainer(Finder(), DataLoader(train_set, 50, shuffle=True), DataLoader(test_set, 250))
for epoch in range(8):
    trainer.train_epoch(epoch)
print(f"result: {trainer.test_iou():.4f}")
