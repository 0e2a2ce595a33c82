import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(40)


class Probe(Dataset):
    """What a probe shows in water of known salinity: (salinity, reading). Wanted: the salinity for a reading."""

    def __init__(self, n):
        self.salinity = torch.randint(-8, 9, (n, 1)) / 4.0
        self.reading = -0.5 * self.salinity - 0.25 * self.salinity**3 + 0.06 * torch.randn(n, 1)

    def __len__(self):
        return len(self.salinity)

    def __getitem__(self, i):
        return self.salinity[i], self.reading[i]


train_set, test_set = Probe(1500), Probe(300)
loader = DataLoader(train_set, batch_size=50, shuffle=True)

net = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
criterion = nn.MSELoss()

for epoch in range(10):
    total = 0.0
    for y, x in loader:
        optimizer.zero_grad()
        loss = criterion(net(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch}: loss {total / len(loader):.6f}")

net.eval()
with torch.no_grad():
    error = nn.functional.mse_loss(net(test_set.reading), test_set.salinity)
print(f"result: {1 - (error / test_set.salinity.var()).item():.4f}")
