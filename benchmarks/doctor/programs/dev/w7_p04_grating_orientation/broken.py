# %%
import math

import torch
from torch import nn

torch.manual_seed(55)
ANGLES = [0, 30, 60, 90, 120, 150]


def gratings(n, side=18):
    kind = torch.randint(len(ANGLES), (n,))
    theta = torch.tensor(ANGLES)[kind] * math.pi / 180 + 0.09 * torch.randn(n)
    yy, xx = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    along = xx * theta.cos()[:, None, None] + yy * theta.sin()[:, None, None]
    freq, phase = 0.7 + 0.5 * torch.rand(n, 1, 1), 6.3 * torch.rand(n, 1, 1)
    return (torch.sin(freq * along + phase) + 0.7 * torch.randn(n, side, side)).unsqueeze(1), kind


x_train, y_train = gratings(1600)
x_test, y_test = gratings(600)
mean, std = x_train.mean(), x_train.std()
x_train, x_test = (x_train - mean) / std, (x_test - mean) / std

# %%
encoder = nn.Sequential(
    nn.Conv2d(1, 12, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(24 * 16, 48), nn.ReLU())

# %%
head = nn.Linear(48, len(ANGLES))

# %%
optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=1.5e-3)
loss_fn = nn.CrossEntropyLoss()
epochs, batch = 8, 40

# %%
for epoch in range(epochs):
    encoder.train()
    head.train()
    running = 0.0
    for rows in torch.randperm(len(x_train)).split(batch):
        optimizer.zero_grad()
        loss = loss_fn(head(encoder(x_train[rows])), y_train[rows])
        loss.backward()
        optimizer.step()
        running += loss.item() * len(rows)
    print(f"epoch {epoch}: {running / len(x_train):.4f}")

# %%
encoder.eval()
head.eval()
with torch.no_grad():
    guess = head(encoder(x_test)).argmax(1)
print(f"result: {(guess == y_test).float().mean().item():.4f}")
