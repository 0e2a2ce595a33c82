# %%
import numpy as np
import torch
from torch import nn

torch.manual_seed(7)
rng = np.random.default_rng(7)

# %%
# heart beats: 40 samples each, four rhythms, written one-hot by the annotation tool
def beats(n):
    t = np.linspace(-1, 1, 40)
    rhythm = rng.integers(0, 4, n)
    late = rng.uniform(-0.2, 0.2, (n, 1))
    spike = np.exp(-((t - late) / np.array([0.05, 0.05, 0.14, 0.05])[rhythm][:, None]) ** 2)
    bump = np.exp(-((t - late - 0.5) / 0.12) ** 2) * np.array([0.5, -0.5, 0.4, 0.0])[rhythm][:, None]
    x = spike + bump + rng.normal(0, 0.25, (n, 40))
    return x.astype(np.float32), np.eye(4, dtype=np.int64)[rhythm]


train_x, train_onehot = beats(1500)
test_x, test_onehot = beats(500)
mean, std = train_x.mean(), train_x.std()
train_x = torch.from_numpy((train_x - mean) / std)[:, None]
test_x = torch.from_numpy((test_x - mean) / std)[:, None]
train_y = torch.from_numpy(train_onehot).argmax(1)
test_y = torch.from_numpy(test_onehot).argmax(1)

# %%
model = nn.Sequential(
    nn.Conv1d(1, 16, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2),
    nn.Conv1d(16, 16, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
    nn.Flatten(), nn.Linear(160, 4),
)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()

# %%
for epoch in range(6):
    model.train()
    losses = []
    for rows in torch.randperm(len(train_x)).split(50):
        optimizer.zero_grad()
        loss = criterion(model(train_x[rows]), train_y[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch} loss {np.mean(losses):.4f}")

# %%
model.eval()
with torch.no_grad():
    accuracy = (model(test_x).argmax(1) == test_y).float().mean().item()
print(f"accuracy {accuracy:.4f}")
