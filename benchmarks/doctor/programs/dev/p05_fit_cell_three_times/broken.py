# %%
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(90)
factors = torch.randn(1500, 3)
sensors = torch.tanh(factors @ torch.randn(3, 16)) + 0.1 * torch.randn(1500, 16)
train_loader = DataLoader(TensorDataset(sensors[:1200]), batch_size=30, shuffle=True)
held_back = sensors[1200:]

# %%
def build():
    return nn.Sequential(nn.Linear(16, 24), nn.SiLU(), nn.Linear(24, 3), nn.Linear(3, 24), nn.SiLU(), nn.Linear(24, 16))


def fit(net, optimizer, epochs):
    net.train()
    history = []
    for epoch in range(epochs):
        total = 0.0
        for (rows,) in train_loader:
            optimizer.zero_grad()
            loss = (net(rows) - rows).square().mean()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        history.append(total / 1200)
        print(f"epoch {epoch} loss {history[-1]:.6f}")
    return history

# %%
net = build()
optimizer = torch.optim.RMSprop(net.parameters(), lr=2e-3)
history = []

# %%
history = fit(net, optimizer, epochs=4)

# %%
net.eval()
with torch.no_grad():
    gap = (net(held_back) - held_back).square().sum() / (held_back - held_back.mean(0)).square().sum()
print(f"result: {1 - gap.item():.4f}")
