"""Meteor, aeroplane, satellite or nothing: what crossed the picture of an all-sky camera?"""
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

KINDS = ("nothing", "meteor", "aeroplane", "satellite")


def sky_pictures(n: int, side: int = 24):
    kind = torch.randint(len(KINDS), (n,))
    axis = torch.linspace(-1, 1, side)
    yy, xx = axis.view(1, side, 1), axis.view(1, 1, side)
    angle = 3.14 * torch.rand(n, 1, 1)
    along = xx * angle.cos() + yy * angle.sin() + 0.3 * torch.randn(n, 1, 1)
    across = yy * angle.cos() - xx * angle.sin() + 0.3 * torch.randn(n, 1, 1)
    line = torch.exp(-((across / 0.08) ** 2))
    meteor = line * torch.exp(-((along / 0.35) ** 2)) * 1.5
    plane = line * (torch.sin(14 * along) > 0.3)
    satellite = 0.8 * line
    trails = torch.stack([torch.zeros_like(line), meteor, plane, satellite])
    trail = trails[kind, torch.arange(n)]
    stars = (torch.rand(n, side, side) > 0.985).float()
    return (trail + stars + 0.3 * torch.randn(n, side, side)).unsqueeze(1), kind


class ConvUnit(nn.Module):
    def __init__(self, cin: int, cout: int):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 3, padding=1)
        self.norm = nn.BatchNorm2d(cout)
        self.act = nn.ReLU()
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        return self.pool(self.act(self.norm(self.conv(x))))


class SkyNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.units = nn.Sequential(ConvUnit(1, 12), ConvUnit(12, 24), ConvUnit(24, 32))
        self.drop = nn.Dropout(0.25)
        self.last = nn.Linear(32 * 9, len(KINDS))

    def forward(self, x):
        return self.last(self.drop(self.units(x).flatten(1)))


class Trainer:
    def __init__(self, model: nn.Module, train: TensorDataset, valid: TensorDataset, lr: float = 2e-3):
        self.model = model
        self.train_loader = DataLoader(train, batch_size=40, shuffle=True)
        self.valid_loader = DataLoader(valid, batch_size=60)
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
        self.scheduler = None

    def fit(self, epochs: int):
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=epochs)
        for epoch in range(epochs):
            self.train_epoch(epoch)
            loss, accuracy = self.validate()
            self.scheduler.step()
            print(f"  valid loss {loss:.6f} accuracy {accuracy:.4f}")
        return accuracy

    def train_epoch(self, epoch: int):
        self.model.train()
        total = 0.0
        for sky, target in self.train_loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(sky), target)
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(target)
        print(f"epoch {epoch + 1} train loss {total / len(self.train_loader.dataset):.6f}")

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        loss_sum, hits = 0.0, 0
        for sky, target in self.valid_loader:
            logits = self.model(sky)
            loss_sum += self.criterion(logits, target).item() * len(target)
            hits += (logits.argmax(1) == target).sum().item()
        size = len(self.valid_loader.dataset)
        return loss_sum / size, hits / size


if __name__ == "__main__":
    torch.manual_seed(33)
    trainer = Trainer(SkyNet(), TensorDataset(*sky_pictures(1500)), TensorDataset(*sky_pictures(480)))
    print(f"result: {trainer.fit(7):.4f}")
