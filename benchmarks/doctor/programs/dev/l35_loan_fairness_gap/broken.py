import numpy as np
import torch
import torch.nn.functional as F

SEED = 35
rng = np.random.default_rng(SEED)
torch.manual_seed(SEED)

# loan applications; district 1 earned less on paper in the old records
n_train, n_test = 3000, 1500
n = n_train + n_test
district = rng.integers(0, 2, n)
income = rng.normal(0, 1, n) - 0.7 * district
savings = rng.normal(0, 1, n) - 0.4 * district
years = rng.normal(0, 1, n)
odds = 1.3 * income + 0.9 * savings + 0.8 * years - 0.5 * district
repaid = (odds + rng.logistic(0, 0.7, n) > 0).astype(np.float32)
noise = rng.normal(size=(n, 3))
raw = np.column_stack([income, savings, years, district, noise])
raw = (raw - raw[:n_train].mean(axis=0)) / raw[:n_train].std(axis=0)

X = torch.tensor(raw, dtype=torch.float32)
Y = torch.tensor(repaid)
D = torch.tensor(district)
train, test = slice(0, n_train), slice(n_train, n)

net = torch.nn.Sequential(torch.nn.Linear(7, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
optim = torch.optim.Adam(net.parameters(), lr=5e-3)
FAIR = 1.5

for epoch in range(20):
    shuffled = torch.randperm(n_train)
    sum_bce = sum_gap = 0.0
    for idx in shuffled.split(250):
        x, y, d = X[train][idx], Y[train][idx], D[train][idx]
        logit = net(x).squeeze(1)
        p = torch.sigmoid(logit)
        bce = F.binary_cross_entropy_with_logits(logit, y)
        gap = (p[d == 0].mean() - p[d == 1].mean()).abs().item()
        loss = bce + FAIR * gap
        optim.zero_grad()
        loss.backward()
        optim.step()
        sum_bce += bce.item() * len(idx)
        sum_gap += float(gap) * len(idx)
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: bce {sum_bce / n_train:.3f}, gap {sum_gap / n_train:.3f}")

net.eval()
with torch.no_grad():
    p = torch.sigmoid(net(X[test])).squeeze(1)
acc = ((p > 0.5).float() == Y[test]).float().mean().item()
gap = (p[D[test] == 0].mean() - p[D[test] == 1].mean()).abs().item()
print(f"unseen applications: accuracy {acc:.3f}")
print(f"unseen applications: gap between districts {gap:.3f}")
