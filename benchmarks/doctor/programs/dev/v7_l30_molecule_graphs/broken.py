# %%
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(31)
NODES = 14
# %%
def ring():
    a = torch.zeros(NODES, NODES)
    i = torch.arange(NODES)
    a[i, (i + 1) % NODES] = 1
    return a

def tree():
    a = torch.zeros(NODES, NODES)
    for i in range(1, NODES):
        a[i, int(torch.randint(0, i, (1,)))] = 1
    return a

def two_groups():
    a = (torch.rand(NODES, NODES) < 0.6).float()
    a[: NODES // 2, NODES // 2:] = 0
    a[0, NODES - 1] = 1
    return a.triu(1)

def sample(kind):
    a = [ring, tree, two_groups][kind]()
    extra = (torch.rand(NODES, NODES) < 0.05).float().triu(1)
    a = ((a + a.T + extra + extra.T) > 0).float()
    p = torch.randperm(NODES)
    a = a[p][:, p]
    degree = a.sum(1, keepdim=True)
    x = torch.cat([degree, torch.randn(NODES, 3)], 1)
    hat = a + torch.eye(NODES)
    scale = hat.sum(1).rsqrt()
    return x, scale[:, None] * hat * scale[None, :]

def make(n):
    kinds = torch.randint(0, 3, (n,))
    pairs = [sample(int(k)) for k in kinds]
    return torch.stack([p[0] for p in pairs]), torch.stack([p[1] for p in pairs]), kinds

feats, adjs, labels = make(768)
feats_test, adjs_test, labels_test = make(384)
m, s = feats.mean((0, 1)), feats.std((0, 1))
train_dl = DataLoader(TensorDataset((feats - m) / s, adjs, labels), batch_size=32, shuffle=True)
test_dl = DataLoader(TensorDataset((feats_test - m) / s, adjs_test, labels_test), batch_size=96)
# %%
class GraphNet(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.first = nn.Linear(4, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.third = nn.Linear(2 * hidden, 3)

    def forward(self, x, a):
        h = F.relu(a @ self.first(x))
        h = F.relu(a @ self.second(h))
        return self.third(torch.cat([h.mean(1), h.amax(1)], 1))

model = GraphNet()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
# %%
xb, ab, yb = next(iter(train_dl))
with torch.no_grad():
    print(xb.shape, ab.shape, yb.shape, "->", model(xb, ab).shape)
# %%
for epoch in range(15):
    model.train()
    running = 0.0
    for x, a, y in train_dl:
        optimizer.zero_grad()
        out = model(x, a)
        loss = criterion(out, yb)
        loss.backward()
        optimizer.step()
        running += loss.item()
    if epoch % 3 == 2:
        print(epoch + 1, round(running / len(train_dl), 4))
# %%
model.eval()
good = 0
with torch.no_grad():
    for x, a, y in test_dl:
        good += (model(x, a).argmax(1) == y).sum().item()
print(f"result: {good / len(labels_test):.4f}")
