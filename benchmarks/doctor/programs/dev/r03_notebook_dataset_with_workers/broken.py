# %%
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(64)

# %%
class Stamps(Dataset):
    def __init__(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        self.kind = torch.randint(5, (n,), generator=g)
        self.noise = torch.randn(n, 36, generator=g)
        self.ink = torch.randn(5, 36, generator=torch.Generator().manual_seed(1))

    def __len__(self):
        return len(self.kind)

    def __getitem__(self, i):
        k = self.kind[i]
        return self.ink[k] + self.noise[i], k


# %%
train_loader = DataLoader(
    Stamps(1500, seed=2),
    batch_size=50,
    shuffle=True,
    num_workers=1,
    multiprocessing_context="spawn",
)
test_loader = DataLoader(Stamps(300, seed=3), batch_size=100)

# %%
model = nn.Sequential(nn.Linear(36, 40), nn.ReLU(), nn.Linear(40, 5))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(3):
    model.train()
    total = 0.0
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / len(train_loader):.6f}")

# %%
model.eval()
hits = 0
with torch.no_grad():
    for x, y in test_loader:
        hits += (model(x).argmax(1) == y).sum().item()
print(f"result: {hits / 300:.4f}")
