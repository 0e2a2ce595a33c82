# outcome of a loan (0 repaid late, 1 repaid, 2 default, 3 paid off early) from an application form
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(26)
rng = np.random.default_rng(26)

n = 5000
df = pd.DataFrame({
    "region": rng.integers(0, 12, n), "purpose": rng.integers(0, 7, n), "income": rng.lognormal(0, 0.5, n),
    "amount": rng.lognormal(0, 0.6, n), "age": rng.uniform(20, 70, n), "accounts": rng.poisson(3, n)})
region_effect, purpose_effect = rng.normal(size=(12, 4)), rng.normal(size=(7, 4))
burden = np.log(df.amount / df.income).to_numpy()
u = region_effect[df.region] * 0.9 + purpose_effect[df.purpose] * 0.9
u[:, 0] += 1.0 * burden - 1.0
u[:, 1] += 2.6
u[:, 2] += 2.2 * burden - 1.4
u[:, 3] += 0.05 * (df.age.to_numpy() - 45) - 1.6 * burden
df["outcome"] = (u + rng.gumbel(0, 0.7, u.shape)).argmax(1)

train, test = df.iloc[:3500], df.iloc[3500:]
numeric = ["income", "amount", "age", "accounts"]


def numbers(frame):
    return frame[numeric].assign(income=np.log(frame.income), amount=np.log(frame.amount))


mu, sd = numbers(train).mean(), numbers(train).std()


def to_tensors(frame):
    z = torch.tensor(((numbers(frame) - mu) / sd).to_numpy(), dtype=torch.float32)
    return torch.tensor(frame[["region", "purpose"]].to_numpy()), z, torch.tensor(frame.outcome.to_numpy())


counts = train.outcome.value_counts()
print(counts.to_dict())
weights = torch.tensor((len(train) / (4 * counts)).to_numpy(), dtype=torch.float32)


class LoanNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.region = nn.Embedding(12, 6)
        self.purpose = nn.Embedding(7, 4)
        self.layers = nn.Sequential(nn.Linear(14, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 4))

    def forward(self, cat, num):
        return self.layers(torch.cat([self.region(cat[:, 0]), self.purpose(cat[:, 1]), num], 1))


cat, num, y = to_tensors(train)
net = LoanNet()
opt = torch.optim.Adam(net.parameters(), lr=3e-3, weight_decay=1e-4)
for epoch in range(12):
    net.train()
    total = 0.0
    for b in torch.randperm(len(y)).split(100):
        opt.zero_grad()
        loss = F.cross_entropy(net(cat[b], num[b]), y[b], weight=weights)
        loss.backward()
        opt.step()
        total += loss.item()
    print(f"epoch {epoch}: weighted loss {total / 35:.4f}")

cat, num, y = to_tensors(test)
net.eval()
with torch.no_grad():
    pred = net(cat, num).argmax(1)
recall = torch.stack([(pred[y == c] == c).float().mean() for c in range(4)])
print("recall per outcome:", [round(v, 3) for v in recall.tolist()])
print(f"result: {recall.mean().item():.4f}")
