# %%
import math

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, random_split

SEED = 1234
torch.manual_seed(SEED)

# %%
# applicants: 20 numbers each, and whether the loan was paid back
applicants = torch.randn(3000, 20)
factors = applicants @ (torch.randn(20, 5) / math.sqrt(20))
standing = factors[:, 0] * factors[:, 1] + torch.sin(2.5 * factors[:, 2]) + 0.7 * factors[:, 3]
paid = (standing + 0.15 * torch.randn(3000) > standing.median()).long()
paid.float().mean()

# %%
everyone = TensorDataset(applicants, paid)
train_ds, test_ds = random_split(everyone, [2400, 600], generator=torch.Generator().manual_seed(SEED))
train_dl = DataLoader(train_ds, batch_size=80, shuffle=True)
test_dl = DataLoader(test_ds, batch_size=200)


# %%
class Desk(nn.Module):
    def __init__(self, width=320):
        super().__init__()
        self.fc1 = nn.Linear(20, width)
        self.fc2 = nn.Linear(width, width)
        self.fc3 = nn.Linear(width, 1)
        self.act = nn.GELU()

    def forward(self, x):
        x = self.act(self.fc1(x))
        x = self.act(self.fc2(x))
        return self.fc3(x)


desk = Desk()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(desk.parameters(), lr=1e-3)

# %%
for epoch in range(18):
    desk.train()
    total, seen = 0.0, 0
    for xb, yb in train_dl:
        target = yb.float().unsqueeze(1)
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(desk(xb), target)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(yb)
        seen += len(yb)
    print(f"epoch {epoch} | loss {total / seen:.6f}")

# %%
desk.eval()
agree = 0
with torch.no_grad():
    for xb, yb in test_dl:
        says_yes = torch.sigmoid(desk(xb)).squeeze(1) > 0.5
        agree += (says_yes == yb.bool()).sum().item()
print(f"result: {agree / len(test_ds):.4f}")
