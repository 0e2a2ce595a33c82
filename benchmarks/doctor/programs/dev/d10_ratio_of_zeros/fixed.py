import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
rng = np.random.default_rng(14)

# loan applications, amounts in thousands
N = 2000
income = rng.gamma(3.0, 9.0, N) * (rng.random(N) > 0.02)
debt = income * rng.beta(2, 3, N)
age = rng.integers(20, 70, N)
years = rng.exponential(5, N)
ratio = debt / income
ratio[income == 0] = 0.0
signal = 2.5 * (np.nan_to_num(ratio) - 0.4) * 3 - 0.05 * (income - 27) - 0.02 * (years - 5) + rng.normal(0, 0.25, N)
default = (signal > 0).astype(np.int64)

features = np.stack([income / 30, ratio, (age - 45) / 14, years / 5], axis=1).astype(np.float32)
train = TensorDataset(torch.from_numpy(features[:1500]), torch.from_numpy(default[:1500]))
test = TensorDataset(torch.from_numpy(features[1500:]), torch.from_numpy(default[1500:]))
train_loader = DataLoader(train, batch_size=32, shuffle=True)
test_loader = DataLoader(test, batch_size=100)


class Scorer(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(4, 16)
        self.output = nn.Linear(16, 2)

    def forward(self, x):
        return self.output(torch.tanh(self.hidden(x)))


scorer = Scorer()
optimizer = torch.optim.Adam(scorer.parameters(), lr=0.01)
for epoch in range(5):
    total_loss = 0.0
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(scorer(x), y)
        loss.backward()
        optimizer.step()
        total_loss += loss.item() * x.size(0)
    print(f"Epoch {epoch + 1}/5 - loss: {total_loss / len(train):.6f}")

scorer.eval()
n_correct = 0
with torch.no_grad():
    for x, y in test_loader:
        n_correct += (scorer(x).argmax(dim=1) == y).sum().item()
print(f"result: {n_correct / len(test):.4f}")
