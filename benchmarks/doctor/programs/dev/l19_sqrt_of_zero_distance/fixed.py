import torch
from torch import nn


class Embedder(nn.Module):
    """Puts points of one class close together."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, x):
        return self.net(x)


class PairLoss(nn.Module):
    def __init__(self, margin=1.5):
        super().__init__()
        self.margin = margin

    def forward(self, z, label):
        gap = z[:, None] - z[None, :]
        distance = torch.sqrt((gap ** 2).sum(dim=2) + 1e-9)
        same = (label[:, None] == label[None, :]).float()
        return (same * distance ** 2 + (1 - same) * torch.relu(self.margin - distance) ** 2).mean()


torch.manual_seed(37)
centres = torch.randn(4, 6) * 1.5
label = torch.randint(4, (1600,))
x = centres[label] + torch.randn(1600, 6)
x[:, 0] = x[:, 0] * x[:, 1] / 2

embedder = Embedder()
pair_loss = PairLoss()
optimizer = torch.optim.Adam(embedder.parameters(), lr=3e-3)
for epoch in range(4):
    embedder.train()
    losses = []
    for rows in torch.randperm(1200).split(40):
        optimizer.zero_grad()
        loss = pair_loss(embedder(x[rows]), label[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch} loss {sum(losses) / len(losses):.6f}")

embedder.eval()
with torch.no_grad():
    known, new = embedder(x[:1200]), embedder(x[1200:])
    means = torch.stack([known[label[:1200] == k].mean(0) for k in range(4)])
    nearest = ((new[:, None] - means) ** 2).sum(2).argmin(1)
print(f"result: {(nearest == label[1200:]).float().mean().item():.4f}")
