import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(3)
torch.manual_seed(3)

# heart beats: normal, early beat, missing beat
def beats(n):
    kind = rng.integers(0, 3, n)
    series = rng.normal(0, 0.15, (n, 64))
    for s, k in zip(series, kind):
        at = list(range(int(rng.integers(4, 9)), 62, 12))
        spot = int(rng.integers(1, len(at) - 1))
        if k == 1:
            at[spot] -= 5
        elif k == 2:
            del at[spot]
        for p in at:
            s[p] += 1.5
            s[p + 1] -= 0.6
    return torch.tensor(series[:, None], dtype=torch.float32), torch.tensor(kind)


train_x, train_k = beats(1500)
test_x, test_k = beats(400)


class BeatNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(1, 16, 9, padding=4)
        self.conv2 = nn.Conv1d(16, 24, 15, padding=7)
        self.fc1 = nn.Linear(48, 32)
        self.fc2 = nn.Linear(32, 3)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = self.conv2(x)
        h = x
        x = torch.cat([h.amax(dim=2), h.mean(dim=2)], dim=1)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


net = BeatNet()
optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
loader = DataLoader(TensorDataset(train_x, train_k), batch_size=50, shuffle=True)
for epoch in range(6):
    s = 0.0
    for xb, kb in loader:
        loss = F.cross_entropy(net(xb), kb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        s += loss.item()
    print(f"epoch {epoch} loss {s / len(loader):.6f}")

with torch.no_grad():
    p = net(test_x).argmax(1)
print(f"result: {np.mean(p.numpy() == test_k.numpy()):.4f}")
