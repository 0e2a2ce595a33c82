# are two pen traces written by the same person?
import numpy as np
import torch
import torch.nn as nn

SEED = 8
torch.manual_seed(SEED)
rng = np.random.default_rng(SEED)

WRITERS, LENGTH = 30, 64
habit = rng.normal(size=(WRITERS, 4))


def traces(n):
    who = rng.integers(0, WRITERS, n)
    phase = rng.uniform(0, 0.6, (n, 1))
    t = np.linspace(0, 4 * np.pi, LENGTH)
    h = habit[who]
    pen = h[:, :1] * np.sin(t + phase) + h[:, 1:2] * np.cos(2 * t + phase) + h[:, 2:3] * np.sin(3 * t) + h[:, 3:] * t / 12
    return pen + rng.normal(0, 0.4, pen.shape), who


(X_tr, y_tr), (X_te, y_te) = traces(1200), traces(600)
mu, sd = X_tr.mean(0), X_tr.std(0)
X_tr = torch.tensor((X_tr - mu) / sd, dtype=torch.float32)
X_te = torch.tensor((X_te - mu) / sd, dtype=torch.float32)


def draw_pairs(labels, n):
    left = rng.integers(0, len(labels), n)
    same = rng.random(n) < 0.5
    right = np.empty(n, dtype=np.int64)
    for i in range(n):
        if same[i]:
            pool = np.flatnonzero((labels == labels[left[i]]) & (np.arange(len(labels)) != left[i]))
        else:
            pool = np.flatnonzero(labels != labels[left[i]])
        right[i] = rng.choice(pool)
    return torch.from_numpy(left), torch.from_numpy(right), torch.from_numpy(same.astype(np.float32))


class PairNet(nn.Module):
    def __init__(self, dim=48):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Dropout(0.1), nn.Linear(256, dim))
        self.judge = nn.Sequential(nn.Linear(dim, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, a, b):
        return self.judge((self.encode(a) - self.encode(b)).abs())


net = PairNet()
optim = torch.optim.Adam(net.parameters(), lr=1e-3)
bce = nn.BCEWithLogitsLoss()

for round_ in range(15):
    net.train()
    a, b, t = draw_pairs(y_tr, 2048)
    losses = []
    for s in range(0, len(t), 64):
        out = net(X_tr[a[s:s + 64]], X_tr[b[s:s + 64]])
        loss = bce(out, t[s:s + 64].unsqueeze(1))
        optim.zero_grad()
        loss.backward()
        optim.step()
        losses.append(loss.item())
    print(f"round {round_:2d}  loss {np.mean(losses):.4f}")

net.eval()
a, b, t = draw_pairs(y_te, 1500)
scores = []
with torch.no_grad():
    for s in range(0, len(t), 250):
        scores.append(torch.sigmoid(net(X_te[a[s:s + 250]], X_te[b[s:s + 250]])).numpy())
said_same = np.concatenate(scores).squeeze(1) > 0.5
is_same = t.numpy() > 0.5
print(f"result: {(said_same == is_same).mean():.4f}")
