import math

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(12)
BANDS, FRAMES = 24, 28


def calls(count, kinds):
    """Rough spectrograms: one or two strokes whose slope and height say which bird it is."""
    band = torch.linspace(0, 1, BANDS).view(1, BANDS, 1)
    time = torch.linspace(0, 1, FRAMES).view(1, 1, FRAMES)
    which = torch.randint(0, len(kinds), (count,))
    shape = torch.tensor(kinds)[which]
    slope, start, ripple = shape[:, 0].view(-1, 1, 1), shape[:, 1].view(-1, 1, 1), shape[:, 2].view(-1, 1, 1)
    start = start + 0.08 * torch.randn(count, 1, 1)
    line = start + slope * time + 0.12 * ripple * torch.sin(6 * math.pi * time + 6.28 * torch.rand(count, 1, 1))
    picture = torch.exp(-((band - line) / 0.07) ** 2) + 0.4 * torch.randn(count, BANDS, FRAMES)
    return picture.unsqueeze(1), which


FOREST = [(0.4, 0.2, 0.0), (-0.4, 0.8, 0.0), (0.0, 0.5, 1.0), (0.0, 0.3, 0.0), (0.4, 0.3, 1.0), (0.0, 0.75, 0.0)]
MARSH = [(0.25, 0.3, 1.0), (-0.3, 0.6, 1.0), (0.6, 0.15, 0.0), (-0.6, 0.85, 0.0)]

forest_x, forest_y = calls(1800, FOREST)
marsh_x, marsh_y = calls(700, MARSH)
test_x, test_y = calls(500, MARSH)
mean, std = forest_x.mean(), forest_x.std()
forest_x, marsh_x, test_x = [(x - mean) / std for x in (forest_x, marsh_x, test_x)]


class CallNet(nn.Module):
    def __init__(self, kinds):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.low = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.high = nn.Sequential(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(32 * 6 * 7, 64), nn.ReLU())
        self.head = nn.Linear(64, kinds)

    def forward(self, x):
        return self.head(self.high(self.low(self.stem(x))))


def fit(net, x, y, opt, epochs):
    net.train()
    for epoch in range(epochs):
        total = 0.0
        for pick in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[pick]), y[pick])
            loss.backward()
            opt.step()
            total += loss.item() * len(pick)
        print(f"  epoch {epoch}: {total / len(x):.4f}")


net = CallNet(len(FOREST))
print("forest")
fit(net, forest_x, forest_y, torch.optim.Adam(net.parameters(), lr=2e-3), 6)

net.head = nn.Linear(64, len(MARSH))
for part in list(net.children())[2:]:
    for p in part.parameters():
        p.requires_grad_(False)

print("marsh")
fit(net, marsh_x, marsh_y, torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=1e-3), 10)

net.eval()
with torch.no_grad():
    accuracy = (net(test_x).argmax(1) == test_y).float().mean().item()
print(f"result: {accuracy:.4f}")
