# %%
import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(8)
rng = np.random.default_rng(8)

# %%
n = 1800
temperature = rng.normal(21, 6, n)
humidity = rng.uniform(20, 55, n)
wind = rng.gamma(2.0, 5.0, n).clip(0, 40)
pressure = rng.normal(30, 3, n)
score = 0.25 * (temperature - 21) - 0.12 * (humidity - 37) - 0.1 * (wind - 10) + 0.3 * (pressure - 30)
score += 0.06 * (temperature - 21) * (wind - 10) / 4
labels = (score + rng.normal(0, 0.3, n) > 0).astype(np.float32)
table = np.stack([temperature, humidity, wind, pressure], axis=1).astype(np.float32)

# %%
X_train, X_test = table[:1400], table[1400:]
y_train, y_test = labels[:1400], labels[1400:]

mu = X_train.mean(0)
sigma = X_train.std(0)
X_train = (X_train - mu) / sigma

# %%
train_dl = DataLoader(TensorDataset(torch.from_numpy(X_train), torch.from_numpy(y_train)), batch_size=35, shuffle=True)

model = nn.Sequential(nn.Linear(4, 20), nn.ReLU(), nn.Linear(20, 1))
loss_fn = nn.BCEWithLogitsLoss()
optimizer = optim.RMSprop(model.parameters(), lr=0.01)

# %%
for epoch in range(6):
    total = 0
    for xb, yb in train_dl:
        optimizer.zero_grad()
        loss = loss_fn(model(xb).squeeze(1), yb)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch}  loss {total / len(train_dl):.6f}")

# %%
model.eval()
with torch.no_grad():
    logits = model(torch.from_numpy(X_test)).squeeze(1)
predicted = (logits > 0).float()
accuracy = (predicted == torch.from_numpy(y_test)).float().mean().item()
print(f"result: {accuracy:.4f}")
