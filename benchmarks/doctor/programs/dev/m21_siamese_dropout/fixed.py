# Triplet network for signatures: is the nearest reference written by the same person?
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

rng = np.random.RandomState(64)
torch.manual_seed(64)

N_WRITERS, N_POINTS = 12, 24
t = np.linspace(0, 2 * np.pi, N_POINTS)
habits = rng.normal(0, 1, (N_WRITERS, 2, 4))


def sign(writer):
    """Pen track (x and y over time) of one signature."""
    h = habits[writer] + rng.normal(0, 0.25, (2, 4))
    waves = np.stack([np.sin(t), np.cos(2 * t), np.sin(3 * t), np.cos(4 * t)])
    track = h @ waves + rng.normal(0, 0.4, (2, N_POINTS))
    return track / 2


def collect(per_writer):
    writers = np.repeat(np.arange(N_WRITERS), per_writer)
    tracks = np.array([sign(w) for w in writers], dtype=np.float32)
    return torch.from_numpy(tracks), torch.from_numpy(writers)


class SignatureNet(nn.Module):
    def __init__(self, out=16):
        super().__init__()
        self.conv = nn.Conv1d(2, 16, 5, padding=2)
        self.fc1 = nn.Linear(16 * 12, 64)
        self.fc2 = nn.Linear(64, out)

    def forward(self, x):
        h = F.max_pool1d(F.relu(self.conv(x)), 2).flatten(1)
        h = F.relu(self.fc1(h))
        h = F.dropout(h, p=0.3, training=self.training)
        return F.normalize(self.fc2(h), dim=1)


def triplets(writers, n):
    anchor = torch.randint(0, len(writers), (n,))
    same = writers[anchor][:, None] == writers[None, :]
    same[torch.arange(n), anchor] = False
    positive = torch.multinomial(same.float(), 1).squeeze(1)
    negative = torch.multinomial((writers[anchor][:, None] != writers[None, :]).float(), 1).squeeze(1)
    return anchor, positive, negative


train_x, train_w = collect(60)
test_x, test_w = collect(25)
net = SignatureNet()
criterion = nn.TripletMarginLoss(margin=0.4)
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)

net.train()
for step in range(200):
    a, p, n = triplets(train_w, 48)
    loss = criterion(net(train_x[a]), net(train_x[p]), net(train_x[n]))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if (step + 1) % 50 == 0:
        print(f"{step + 1} triplet loss {loss.item():.4f}")

net.eval()
with torch.no_grad():
    distance = torch.cdist(net(test_x), net(train_x))
nearest = train_w[distance.argmin(dim=1)]
print(f"result: {(nearest == test_w).float().mean().item():.4f}")
