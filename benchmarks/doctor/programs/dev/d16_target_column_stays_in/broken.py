# %% [markdown]
# # Will the customer leave? (telecom churn)

# %%
import numpy as np
import torch
import torch.nn as nn

np.random.seed(10)
torch.manual_seed(10)

# %%
N = 3000
table = {
    "months": np.random.gamma(2.0, 12.0, N),
    "monthly_fee": np.random.normal(60, 20, N),
    "calls_to_hotline": np.random.poisson(1.5, N).astype(float),
    "data_gb": np.random.lognormal(2.0, 0.7, N),
    "age": np.random.uniform(18, 80, N),
    "paperless": (np.random.rand(N) < 0.6).astype(float),
}
logit = (0.03 * (table["monthly_fee"] - 60) - 0.05 * (table["months"] - 24)
         + 0.6 * (table["calls_to_hotline"] - 1.5) - 0.02 * (table["data_gb"] - 9) - 0.3)
table["churn"] = (np.random.rand(N) < 1 / (1 + np.exp(-logit))).astype(float)
print({name: round(float(col.mean()), 2) for name, col in table.items()})

# %%
target = "churn"
features = list(table)
X = np.stack([table[name] for name in features], axis=1)
y = table[target].astype(int)

idx = np.random.permutation(N)
tr, te = idx[:2400], idx[2400:]
center, spread = X[tr].mean(0), X[tr].std(0)
X = torch.tensor((X - center) / spread, dtype=torch.float32)
y = torch.tensor(y)

# %%
model = nn.Sequential(
    nn.Linear(len(features), 32), nn.ReLU(), nn.Dropout(0.2),
    nn.Linear(32, 16), nn.ReLU(),
    nn.Linear(16, 2),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)

# %%
for epoch in range(10):
    model.train()
    order = np.random.permutation(tr)
    losses = []
    for start in range(0, len(order), 60):
        rows = order[start:start + 60]
        optimizer.zero_grad()
        loss = criterion(model(X[rows]), y[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if epoch % 3 == 0:
        print(f"Epoch {epoch}, loss {np.mean(losses):.4f}")

# %%
model.eval()
with torch.no_grad():
    pred = model(X[te]).argmax(dim=1)
print(f"result: {(pred == y[te]).float().mean().item():.4f}")
