# %%
import torch
from torch import nn

torch.manual_seed(12)
n = 1200
X = torch.randn(n, 15)
y = ((X[:, 0] + X[:, 1] * X[:, 2] + 0.8 * torch.randn(n)) > 0).float()

# %%
order = torch.randperm(n)
train_rows, test_rows = order[:800], order[800:]
print(len(train_rows), "rows to train on,", len(test_rows), "to test on")

# %%
model = nn.Sequential(nn.Linear(15, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
loss_fn = nn.BCEWithLogitsLoss()

# %%
def accuracy(rows):
    model.eval()
    with torch.no_grad():
        return ((model(X[rows]) > 0) == (y[rows] > 0.5)).float().mean().item()

# %%
for epoch in range(10):
    model.train()
    total = 0.0
    for part in train_rows[torch.randperm(800)].split(40):
        loss = loss_fn(model(X[part]), y[part])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / 20:.6f}")

# %%
print(f"result: {accuracy(test_rows):.4f}")
