"""Will a patient stay longer than a week? 30 values from the day of arrival."""
import copy

import torch
from torch import nn


class Ward:
    """Patients as tensors, cut into three parts."""

    def __init__(self, patients=2800, values=30):
        table = torch.randn(patients, values)
        risk = table[:, :6].sum(1) + 1.5 * table[:, 6] * table[:, 7] - table[:, 8].abs() * 2 + 1.6
        stays = (risk + 0.8 * torch.randn(patients) > 0).float()
        table = table * torch.logspace(-1, 2, values) + torch.linspace(0, 50, values)
        first, second = int(0.65 * patients), int(0.82 * patients)
        mean, std = table[:first].mean(0), table[:first].std(0)
        table = (table - mean) / std
        self.train = table[:first], stays[:first]
        self.valid = table[first:second], stays[first:second]
        self.test = table[second:], stays[second:]


class KeepBest:
    """Remembers the weights of the epoch with the lowest value."""

    def __init__(self):
        self.value = float("inf")
        self.weights = None

    def update(self, value, net):
        if value < self.value:
            self.value = value
            self.weights = copy.deepcopy(net.state_dict())

    def restore(self, net):
        net.load_state_dict(self.weights)


class StayNet(nn.Module):
    def __init__(self, values):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Linear(values, 560), nn.LeakyReLU(0.1), nn.Dropout(0.4),
            nn.Linear(560, 560), nn.LeakyReLU(0.1), nn.Dropout(0.4),
        )
        self.answer = nn.Linear(560, 1)

    def forward(self, x):
        return self.answer(self.inner(x))[:, 0]


class Study:
    def __init__(self, ward):
        self.ward = ward
        self.net = StayNet(ward.train[0].shape[1])
        self.criterion = nn.BCEWithLogitsLoss()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=8e-4, weight_decay=1e-4)
        self.keeper = KeepBest()

    def train_epoch(self, batch=65):
        self.net.train()
        x, y = self.ward.train
        total = 0.0
        for rows in torch.randperm(len(x)).split(batch):
            self.optimizer.zero_grad()
            loss = self.criterion(self.net(x[rows]), y[rows])
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(rows)
        return total / len(x)

    @torch.no_grad()
    def check(self, part):
        self.net.eval()
        x, y = part
        logits = self.net(x)
        return self.criterion(logits, y).item(), ((logits > 0).float() == y).float().mean().item()

    def run(self, epochs):
        for epoch in range(epochs):
            train_loss = self.train_epoch()
            valid_loss, valid_acc = self.check(self.ward.valid)
            print(f"{epoch:3d} train {train_loss:.6f} valid {valid_loss:.6f} ({valid_acc:.3f})")
            self.keeper.update(valid_loss, self.net)
        self.keeper.restore(self.net)
        return self.check(self.ward.test)[1]


torch.manual_seed(2)
study = Study(Ward())
print(f"result: {study.run(18):.4f}")
