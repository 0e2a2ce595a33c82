# %%
import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(7)
rng = np.random.default_rng(7)

# %%
n = 2400
fields = pd.DataFrame({
    "rain": rng.gamma(8, 60, n),
    "heat": rng.normal(18, 4, n),
    "nitrogen": rng.uniform(0, 200, n),
    "soil": rng.choice(["clay", "loam", "sand"], n, p=[0.3, 0.5, 0.2]),
})
bonus = fields.soil.map({"clay": -0.3, "loam": 0.6, "sand": -0.8})
fields["tonnes"] = (5 + 2 * np.sin(fields.rain / 150) - 0.03 * (fields.heat - 19) ** 2
                    + 0.02 * fields.nitrogen - 0.00006 * fields.nitrogen ** 2 + bonus + rng.normal(0, 0.3, n))

# %%
table = pd.get_dummies(fields.drop(columns="tonnes"), dtype=float).to_numpy(np.float32)
tonnes = fields["tonnes"].to_numpy(np.float32)
order = rng.permutation(n)
rows = {"train": order[:1600], "valid": order[1600:2000], "test": order[2000:]}
mean, std = table[rows["train"]].mean(0), table[rows["train"]].std(0)
low, spread = tonnes[rows["train"]].mean(), tonnes[rows["train"]].std()
parts = {k: TensorDataset(torch.from_numpy((table[r] - mean) / std), torch.from_numpy((tonnes[r] - low) / spread))
         for k, r in rows.items()}

# %%
def rmse(model, part):
    model.eval()
    x, y = parts[part].tensors
    with torch.no_grad():
        return (model(x).squeeze(1) - y).square().mean().sqrt().item()

model = nn.Sequential(nn.Linear(table.shape[1], 256), nn.GELU(), nn.Linear(256, 256), nn.GELU(), nn.Linear(256, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
criterion = nn.MSELoss()

# %%
for epoch in range(15):
    model.train()
    for x, y in DataLoader(parts["train"], batch_size=64, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(model(x).squeeze(1), y)
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: last batch {loss.item():.4f}")

# %%
rmse = rmse(model, "valid")
print(f"validation error {rmse:.3f} ({rmse * spread:.3f} tonnes per hectare)")

# %%
print(f"result: {rmse(model, 'test'):.4f}")
