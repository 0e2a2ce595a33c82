# Which customers leave the phone company next quarter?
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 404
rng = np.random.default_rng(SEED)
torch.manual_seed(SEED)

n = 2500
table = {
    "customer_id": np.arange(n),
    "months": rng.gamma(3.0, 9.0, n),
    "monthly_bill": rng.normal(38, 9, n),
    "calls_to_support": rng.poisson(1.4, n).astype(float),
    "data_gb": rng.lognormal(1.5, 0.5, n),
    "contract_years": rng.choice([0.0, 1.0, 2.0], n, p=[0.5, 0.3, 0.2]),
    "age": rng.uniform(18, 80, n),
}
pressure = (
    1.1 * (table["calls_to_support"] - 1.4)
    + 0.09 * (table["monthly_bill"] - 38)
    - 0.05 * (table["months"] - 27)
    - 1.2 * (table["contract_years"] - 0.7)
    + rng.logistic(0, 0.8, n)
)
table["churned"] = (pressure > 0).astype(float)

FEATURES = [name for name in table if name not in ("customer_id", "churned")]
inputs = np.stack([table[name] for name in FEATURES], axis=1).astype(np.float32)
target = torch.tensor(table["churned"], dtype=torch.float32)

cut = 2000
centre, width = inputs[:cut].mean(0), inputs[:cut].std(0)
inputs = torch.from_numpy((inputs - centre) / width)
train_loader = DataLoader(TensorDataset(inputs[:cut], target[:cut]), batch_size=80, shuffle=True)

model = nn.Sequential(nn.Linear(len(FEATURES), 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)

for epoch in range(10):
    loss_sum = 0.0
    for rows, left in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(rows), left)
        loss.backward()
        optimizer.step()
        loss_sum += loss.item()
    print(f"epoch {epoch}  train loss {loss_sum / len(train_loader):.4f}")

with torch.no_grad():
    leaves = torch.sigmoid(model(inputs[cut:])) > 0.5
print(f"result: {(leaves == (target[cut:] > 0.5)).float().mean().item():.4f}")
