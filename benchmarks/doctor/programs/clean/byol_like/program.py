import copy
import torch
from torch import nn
import torch.nn.functional as F


def mlp(a, b, c):
    return nn.Sequential(nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU(), nn.Linear(b, c))


class Bootstrap(nn.Module):
    def __init__(self):
        super().__init__()
        self.online = mlp(24, 64, 32)
        self.predict = mlp(32, 64, 32)
        self.target = copy.deepcopy(self.online).requires_grad_(False)

    def forward(self, a, b):
        loss = 0
        for first, second in ((a, b), (b, a)):
            with torch.no_grad():
                goal = self.target(second)
            loss = loss + 2 - 2 * F.cosine_similarity(self.predict(self.online(first)), goal.detach()).mean()
        return loss

    @torch.no_grad()
    def follow(self, rate=0.05):
        for slow, quick in zip(self.target.parameters(), self.online.parameters()):
            slow.lerp_(quick, rate)


torch.manual_seed(39)
y = torch.randint(0, 4, (1800,))
x = torch.randn(4, 24)[y] + 0.9 * torch.randn(1800, 24)
model = Bootstrap()
opt = torch.optim.Adam([*model.online.parameters(), *model.predict.parameters()], lr=2e-3)
for epoch in range(5):
    model.train()
    total = 0.0
    for rows in torch.randperm(1400).split(70):
        a = x[rows] + 0.4 * torch.randn(70, 24)
        b = x[rows] + 0.4 * torch.randn(70, 24)
        loss = model(a, b)
        opt.zero_grad()
        loss.backward()
        opt.step()
        model.follow()
        total += loss.item() / 20
    print(f"epoch {epoch} loss {total:.6f}")

model.eval()
with torch.no_grad():
    seen = model.online(x)
probe = nn.Linear(32, 4)
probe_opt = torch.optim.Adam(probe.parameters(), lr=0.01)
for epoch in range(4):
    total = 0.0
    for rows in torch.randperm(1400).split(70):
        loss = F.cross_entropy(probe(seen[rows]), y[rows])
        probe_opt.zero_grad()
        loss.backward()
        probe_opt.step()
        total += loss.item() / 20
    print(f"probe {epoch} loss {total:.6f}")
with torch.no_grad():
    print(f"result: {(probe(seen[1400:]).argmax(1) == y[1400:]).float().mean().item():.4f}")
