# %%
import math
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(32)
SIZE, WEAVES = 20, 6

# %%
def weave(n):
    """Fabric patches: stripes at one of six angles under heavy grain."""
    kind = torch.randint(WEAVES, (n,))
    angle = (kind + 0.25 * torch.randn(n)) * math.pi / WEAVES
    yy, xx = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    along = xx * torch.cos(angle)[:, None, None] + yy * torch.sin(angle)[:, None, None]
    stripes = torch.sin(along * (0.9 + 0.3 * torch.rand(n, 1, 1)) + 6.3 * torch.rand(n, 1, 1))
    return (stripes + 0.9 * torch.randn(n, SIZE, SIZE)).unsqueeze(1), kind

patches, kinds = weave(2600)
x_train, y_train = patches[:2000], kinds[:2000]
x_test, y_test = patches[2000:], kinds[2000:]
mu, sigma = x_train.mean(), x_train.std()
x_train, x_test = (x_train - mu) / sigma, (x_test - mu) / sigma

# %%
net = nn.Sequential(
    nn.Conv2d(1, 16, 7, padding=3), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(24, 32, 3, padding=1), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, WEAVES))

def log_likelihood(x, y):
    return F.log_softmax(net(x), dim=1).gather(1, y[:, None]).squeeze(1)

optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)

# %%
for epoch in range(10):
    net.train()
    total = 0.0
    for rows in torch.randperm(len(x_train)).split(64):
        optimizer.zero_grad()
        loss = -log_likelihood(x_train[rows], y_train[rows]).mean()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    print(f"epoch {epoch}: {total / len(x_train):.4f}")

# %%
net.eval()
with torch.no_grad():
    right = (net(x_test).argmax(1) == y_test).float().mean().item()
print(f"result: {right:.4f}")
