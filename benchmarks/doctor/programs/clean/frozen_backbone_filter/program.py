# %%
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(5)


def signals(n, slow, fast):
    y = torch.randint(0, 2, (n,))
    t = torch.arange(32) / 32
    f = torch.where(y == 0, torch.tensor(slow), torch.tensor(fast))
    x = torch.sin(6.283 * (f[:, None] * t + torch.rand(n, 1))) + 0.4 * torch.randn(n, 32)
    return x.unsqueeze(1), y


source_x, source_y = signals(1000, 2.0, 5.0)
target_x, target_y = signals(600, 3.0, 6.0)
test_x, test_y = signals(400, 3.0, 6.0)

# %%
backbone = nn.Sequential(nn.Conv1d(1, 16, 7), nn.ReLU(), nn.Conv1d(16, 16, 5), nn.ReLU(), nn.AdaptiveAvgPool1d(2), nn.Flatten())
model = nn.Sequential(backbone, nn.Linear(32, 2))


def train(model, optimizer, x, y, epochs):
    model.train()
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(x)).split(25):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch} {total / len(x):.6f}")


train(model, torch.optim.Adam(model.parameters(), lr=3e-3), source_x, source_y, 5)

# %%
for p in backbone.parameters():
    p.requires_grad = False
model[1] = nn.Linear(32, 2)
optimizer = torch.optim.Adam(filter(lambda p: p.requires_grad, model.parameters()), lr=1e-2)
train(model, optimizer, target_x, target_y, 5)

# %%
model.eval()
with torch.no_grad():
    score = (model(test_x).argmax(1) == test_y).float().mean()
print(f"result: {score.item():.4f}")
