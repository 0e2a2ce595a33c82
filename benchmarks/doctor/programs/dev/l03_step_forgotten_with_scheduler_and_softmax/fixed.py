import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR


class Planets(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(3, 32), nn.Linear(32, 32)])
        self.head = nn.Linear(32, 5)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.head(x)


class Observatory:
    def __init__(self):
        torch.manual_seed(48)
        orbit = torch.randint(5, (1900,))
        direction = nn.functional.normalize(torch.randn(1900, 3), dim=1)
        self.position = direction * (0.5 + 0.5 * orbit[:, None]) + 0.06 * torch.randn(1900, 3)
        self.orbit = orbit
        self.net = Planets()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=8e-3)
        self.scheduler = CosineAnnealingLR(self.optimizer, T_max=6)

    def epoch(self):
        self.net.train()
        total = 0.0
        for rows in torch.randperm(1500).split(25):
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.net(self.position[rows]), self.orbit[rows])
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(rows)
        self.scheduler.step()
        return total / 1500

    def check(self):
        self.net.eval()
        with torch.no_grad():
            return (self.net(self.position[1500:]).argmax(1) == self.orbit[1500:]).float().mean().item()


observatory = Observatory()
for number in range(6):
    print(f"epoch {number} loss {observatory.epoch():.6f}")
print(f"result: {observatory.check():.4f}")
