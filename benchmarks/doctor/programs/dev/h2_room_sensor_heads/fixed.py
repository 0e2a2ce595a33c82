import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

TARGETS = ["warmth", "damp", "noise"]


class RoomModel(nn.Module):
    """One trunk that reads the sensors, and one head for each quantity."""

    def __init__(self, sensors: int, width: int, names: list):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Linear(sensors, width),
            nn.SiLU(),
            nn.Linear(width, width),
            nn.SiLU(),
        )
        self.heads = nn.ModuleDict({name: nn.Linear(width, 1) for name in names})

    def forward(self, x):
        shared = self.trunk(x)
        return {name: head(shared) for name, head in self.heads.items()}


def rooms(count):
    x = torch.rand(count, 8) * 2 - 1
    y = torch.stack([
        torch.sin(2 * x[:, 0]) + x[:, 1] + 0.5,
        x[:, 2] * x[:, 3] - x[:, 4],
        x[:, 5] ** 2 + 0.5 * x[:, 6] - 1.0,
    ], dim=1)
    return TensorDataset(x, y + 0.02 * torch.randn(count, 3))


class Session:
    def __init__(self, epochs=8):
        torch.manual_seed(17)
        self.epochs = epochs
        self.train = DataLoader(rooms(1600), batch_size=32, shuffle=True)
        self.test = DataLoader(rooms(400), batch_size=200)
        self.model = RoomModel(8, 128, TARGETS)
        self.loss = nn.MSELoss()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=4e-3)

    def total(self, predicted, y):
        return sum(self.loss(predicted[name], y[:, i:i + 1]) for i, name in enumerate(TARGETS))

    def run(self):
        schedule = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=3, gamma=0.5)
        for epoch in range(self.epochs):
            self.model.train()
            added = 0.0
            for x, y in self.train:
                self.optimizer.zero_grad()
                loss = self.total(self.model(x), y)
                loss.backward()
                self.optimizer.step()
                added += loss.item()
            schedule.step()
            print(f"epoch {epoch:02d} train {added / len(self.train):.6f}")

    @torch.no_grad()
    def explained(self):
        self.model.eval()
        wrong, spread = 0.0, 0.0
        every = torch.cat([y for _, y in self.test])
        for x, y in self.test:
            predicted = self.model(x)
            joined = torch.cat([predicted[name] for name in TARGETS], dim=1)
            wrong += (joined - y).pow(2).sum().item()
            spread += (y - every.mean(0)).pow(2).sum().item()
        return 1 - wrong / spread


session = Session()
session.run()
print(f"result: {session.explained():.4f}")
