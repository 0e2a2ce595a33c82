# which gesture was drawn? 6-axis motion sensor, both directions of time
import numpy as np
import torch
from torch import nn

SEED = 19
torch.manual_seed(SEED)
rng = np.random.default_rng(SEED)
KINDS, STEPS, AXES = 6, 24, 6
early = rng.normal(size=(3, AXES))   # how a gesture begins
late = rng.normal(size=(2, AXES))    # how it ends


def perform(n):
    kind = rng.integers(0, KINDS, n)
    x = rng.normal(0, 1.0, (n, STEPS, AXES))
    for i, k in enumerate(kind):
        a, b = rng.integers(0, 5), rng.integers(14, 19)
        x[i, a:a + 5] += early[k % 3]
        x[i, b:b + 5] += late[k // 3]
    return x, torch.from_numpy(kind)


raw, target = perform(1600)
raw_test, target_test = perform(800)
mu, sd = raw.mean((0, 1)), raw.std((0, 1))
data = torch.tensor((raw - mu) / sd, dtype=torch.float32)
data_test = torch.tensor((raw_test - mu) / sd, dtype=torch.float32)


class GestureNet(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.rnn = nn.GRU(AXES, hidden, batch_first=True, bidirectional=True)
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(2 * hidden, KINDS)

    def forward(self, x):
        _, last = self.rnn(x)
        summary = last.view(x.size(0), -1)
        return self.head(self.drop(summary))


net = GestureNet()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
lossf = nn.CrossEntropyLoss()

for epoch in range(10):
    net.train()
    mean_loss = 0.0
    perm = torch.randperm(len(data))
    for k in range(0, len(perm), 80):
        pick = perm[k:k + 80]
        loss = lossf(net(data[pick]), target[pick])
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        opt.step()
        mean_loss += loss.item() * len(pick) / len(perm)
    print(f"epoch {epoch}  loss {mean_loss:.3f}")

net.eval()
good = 0
with torch.no_grad():
    for k in range(0, len(data_test), 200):
        good += (net(data_test[k:k + 200]).argmax(1) == target_test[k:k + 200]).sum().item()
print(f"result: {good / len(data_test):.4f}")
