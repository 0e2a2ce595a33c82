# %%
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(18)

# %%
# spectra: two or three peaks each
grid = torch.linspace(0, 1, 40)
centres = torch.rand(1600, 2, 1)
heights = 0.5 + torch.rand(1600, 2, 1)
spectra = (heights * torch.exp(-((grid - centres) / 0.08) ** 2)).sum(1) + 0.02 * torch.randn(1600, 40)

# %%
train_set, val_set = random_split(TensorDataset(spectra), [1300, 300])
train_loader = DataLoader(train_set, batch_size=50, shuffle=True)
val_loader = DataLoader(train_set, batch_size=100)

# %%
class AutoEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(40, 64), nn.ReLU(), nn.Linear(64, 8), nn.Tanh())
        self.decoder = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 40))

    def forward(self, x):
        return self.decoder(self.encoder(x))

ae = AutoEncoder()
optimizer = torch.optim.Adam(ae.parameters(), lr=3e-3)
mse = nn.MSELoss()

# %%
for epoch in range(12):
    ae.train()
    total = 0.0
    for (x,) in train_loader:
        optimizer.zero_grad()
        loss = mse(ae(x), x)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    print(f"epoch {epoch}: {total / 1300:.6f}")

# %%
ae.eval()
squares, values = 0.0, 0
with torch.no_grad():
    for (x,) in val_loader:
        squares += (ae(x) - x).pow(2).sum().item()
        values += x.numel()
explained = 1 - squares / values / spectra.var().item()
print(f"result: {explained:.4f}")
