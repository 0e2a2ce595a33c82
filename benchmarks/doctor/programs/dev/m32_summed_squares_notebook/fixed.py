# %%
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader

np.random.seed(64)
torch.manual_seed(64)

# %%
# curves made of two bumps; the network has to squeeze them into four numbers
grid = np.linspace(0, 1, 24)


def curves(n):
    place = np.random.rand(n, 2, 1)
    height = np.random.uniform(-1, 1, (n, 2, 1))
    bumps = height * np.exp(-((grid - place) ** 2) / 0.03)
    return torch.tensor(bumps.sum(1) + 0.02 * np.random.randn(n, 24), dtype=torch.float32)


train_curves, test_curves = curves(2000), curves(400)
loader = DataLoader(train_curves, batch_size=50, shuffle=True)

# %%
class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(24, 48), nn.Tanh(), nn.Linear(48, 4))
        self.decode = nn.Sequential(nn.Linear(4, 48), nn.Tanh(), nn.Linear(48, 24))

    def forward(self, x):
        return self.decode(self.encode(x))


# %%
ae = AutoEncoder()
mse = nn.MSELoss()
optimizer = torch.optim.SGD(ae.parameters(), lr=0.3, momentum=0.9)

# %%
for epoch in range(12):
    losses = []
    for batch in loader:
        loss = mse(ae(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(ae.parameters(), 5.0)
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch}: {np.mean(losses):.6f}")

# %%
with torch.no_grad():
    error = (ae(test_curves) - test_curves).pow(2).mean()
    explained = 1 - error / test_curves.var()
print(f"result: {explained.item():.4f}")
