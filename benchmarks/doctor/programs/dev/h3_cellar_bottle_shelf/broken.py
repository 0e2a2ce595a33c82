# %%
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(23)

# %%
# chemistry of 2000 bottles, and from which of six cellars each one came
maker = torch.Generator().manual_seed(90)
cellar = torch.randint(6, (2000,), generator=maker)
profiles = torch.randn(6, 26, generator=maker)
bottles = 0.55 * profiles[cellar] + torch.randn(2000, 26, generator=maker)

# %%
batch_size = 50
shuffled = torch.randperm(len(bottles))
train_rows, test_rows = shuffled[:1500], shuffled[1500:]
train_set = TensorDataset(bottles[train_rows], cellar[train_rows])
test_set = TensorDataset(bottles[test_rows], cellar[test_rows])
train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True)
test_loader = DataLoader(test_set, batch_size=batch_size)
len(train_set), len(test_set)

# %%
class Sommelier(nn.Module):
    def __init__(self, hidden=560):
        super().__init__()
        self.fc1 = nn.Linear(26, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, 6)

    def forward(self, x):
        x = F.leaky_relu(self.fc1(x))
        x = F.leaky_relu(self.fc2(x))
        return self.fc3(x)


sommelier = Sommelier()
optimizer = torch.optim.Adam(sommelier.parameters(), lr=1e-3)

# %%
for epoch in range(14):
    sommelier.train()
    summed = 0.0
    for measures, where in train_loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(sommelier(measures), where)
        loss.backward()
        optimizer.step()
        summed += loss.item() * len(where)
    print(f"epoch {epoch + 1} loss {summed / len(train_set):.6f}")

# %%
sommelier.eval()
found = 0
with torch.no_grad():
    for measures, where in test_loader:
        found += (sommelier(measures).argmax(dim=1) == where).sum().item()
print(f"result: {found / len(test_set):.4f}")
