# %%
import numpy as np
import pandas as pd
import torch
import torch.nn as nn

torch.manual_seed(50)
rng = np.random.default_rng(50)

# %%
n = 2400
homes = pd.DataFrame({
    "area": rng.gamma(9, 13, n),
    "people": rng.integers(1, 7, n),
    "insulation": rng.random(n),
    "degree_days": rng.normal(2600, 500, n),
    "solar": rng.random(n) * (rng.random(n) < 0.4),
    "heat_pump": (rng.random(n) < 0.3).astype(float),
    "year": rng.integers(1920, 2020, n),
})
homes["use"] = (
    homes.area * homes.degree_days / 2600 * (1.6 - homes.insulation) * np.where(homes.heat_pump > 0, 0.35, 1.0)
    + 12 * homes.people - 40 * homes.solar + 0.2 * (2020 - homes.year) + 8 * rng.standard_normal(n)
)
columns = [c for c in homes.columns if c != "use"]

# %%
shuffled = homes.sample(frac=1.0, random_state=1)
train_df, test_df = shuffled.iloc[:1800], shuffled.iloc[1800:]
mean, std = train_df.mean(), train_df.std()


def tensors(frame):
    z = (frame - mean) / std
    return torch.tensor(z[columns].values, dtype=torch.float32), torch.tensor(z["use"].values, dtype=torch.float32)


x_train, y_train = tensors(train_df)
x_test, y_test = tensors(test_df)
print(len(x_train), "homes to learn from,", len(x_test), "to check")

# %%
model = nn.Sequential(nn.Linear(7, 128), nn.SiLU(), nn.Linear(128, 128), nn.SiLU(), nn.Linear(128, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
mse = nn.MSELoss()

# %%
model.train()
for epoch in range(12):
    running = 0.0
    for rows in torch.randperm(len(x_train)).split(60):
        loss = mse(model(x_train[rows]).squeeze(1), y_train[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item() * len(rows)
    print(f"epoch {epoch:2d}  mse {running / len(x_train):.4f}")

# %%
model.eval()
with torch.no_grad():
    rmse = (model(x_test).squeeze(1) - y_test).square().mean().sqrt().item()
print(f"result: {rmse:.4f}")
