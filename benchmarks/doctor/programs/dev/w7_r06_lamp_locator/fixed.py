import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(66)

SIDE = 24


def street(n):
    """Night pictures with one lamp (round or cross-shaped): where is it, and which kind?"""
    at = 4 + (SIDE - 8) * torch.rand(n, 2)
    kind = torch.randint(2, (n,))
    yy, xx = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    dx, dy = xx - at[:, 0, None, None], yy - at[:, 1, None, None]
    round_lamp = torch.exp(-(dx ** 2 + dy ** 2) / 5)
    cross_lamp = torch.exp(-torch.minimum(dx.abs(), dy.abs()) ** 2 * 2) * (torch.maximum(dx.abs(), dy.abs()) < 4)
    picture = 2.2 * torch.where(kind[:, None, None] == 0, round_lamp, cross_lamp)
    return (picture + 0.3 * torch.randn(n, SIDE, SIDE)).unsqueeze(1), at / SIDE, kind


x_train, at_train, kind_train = street(2000)
x_test, at_test, kind_test = street(500)
mean, std = x_train.mean(), x_train.std()
x_train, x_test = (x_train - mean) / std, (x_test - mean) / std
loader = DataLoader(TensorDataset(x_train, at_train, kind_train), batch_size=40, shuffle=True)


class Locator(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 12, 5, padding=2), nn.ReLU())
        self.body = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(24 * 36, 64), nn.ReLU())
        self.place, self.kind = nn.Linear(64, 2), nn.Linear(64, 2)

    def forward(self, x):
        h = self.trunk(self.body(self.stem(x)))
        return self.place(h), self.kind(h)


net = Locator()
seen = {}


def remember(name):
    def hook(module, inputs, output):
        seen[name] = output.detach()
    return hook


for name, module in (("stem", net.stem), ("body", net.body)):
    module.register_forward_hook(remember(name))

optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
place_loss, kind_loss = nn.SmoothL1Loss(beta=0.05), nn.CrossEntropyLoss()

for epoch in range(5):
    net.train()
    total = 0.0
    for x, at, kind in loader:
        place, logits = net(x)
        loss = 5 * place_loss(place, at) + kind_loss(logits, kind)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    silent = {name: round(float((seen[name] <= 0).float().mean()), 3) for name in seen}
    print(f"epoch {epoch + 1}: loss {total / len(loader):.4f}, share of zeros {silent}")

net.eval()
with torch.no_grad():
    place, logits = net(x_test)
near = (place - at_test).norm(dim=1) < 2 / SIDE
right = near & (logits.argmax(1) == kind_test)
print(f"result: {right.float().mean().item():.4f}")
