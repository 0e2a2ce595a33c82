import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Moons:
    def __init__(self, n, noise):
        angle = torch.rand(n) * torch.pi
        side = torch.randint(0, 2, (n,))
        x = torch.where(side == 0, angle.cos(), 1 - angle.cos())
        y = torch.where(side == 0, angle.sin(), 0.5 - angle.sin())
        self.points = torch.stack([x, y], dim=1) + noise * torch.randn(n, 2)
        self.side = side.float()

    def loader(self, batch_size, shuffle):
        return DataLoader(TensorDataset(self.points, self.side), batch_size=batch_size, shuffle=shuffle)


class BinaryNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 32)
        self.second = nn.Linear(32, 1)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


class Trainer:
    def __init__(self):
        self.net = BinaryNet()
        self.loss_fn = nn.BCEWithLogitsLoss()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=0.02)

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            self.net.train()
            total, n = 0.0, 0
            for points, side in loader:
                logits = self.net(points)
                loss = self.loss_fn(logits, side.unsqueeze(1))
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(side)
                n += len(side)
            print(f"epoch {epoch}: {total / n:.6f}")

    def test(self, loader):
        self.net.eval()
        matches = []
        with torch.no_grad():
            for points, side in loader:
                predicted = (torch.sigmoid(self.net(points)) > 0.5).float()
                matches.append((predicted == side.unsqueeze(1)).float().flatten())
        return torch.cat(matches).mean().item()


torch.manual_seed(41)
trainer = Trainer()
trainer.fit(Moons(1600, 0.15).loader(32, shuffle=True), epochs=8)
print(f"result: {trainer.test(Moons(400, 0.15).loader(80, shuffle=False)):.4f}")
