# %%
import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(33)
rng = np.random.default_rng(33)

# %%
names = np.array(["air", "calm", "leak", "surge"])
state = rng.choice(4, size=4200, p=[0.15, 0.6, 0.05, 0.2])
centres = rng.normal(0, 0.75, size=(4, 9))
readings = centres[state] * [3, 1, 0.2, 1, 5, 1, 1, 10, 1] + rng.normal(size=(4200, 9)) * [3, 1, 0.2, 1, 5, 1, 1, 10, 1]
df = pd.DataFrame(readings, columns=[f"sensor_{c}" for c in "abcdefghi"])
df["state"] = names[state]
df["code"] = df["state"].astype("category").cat.codes.astype("int64")
print(df.groupby("state").size().to_string())

# %%
train_df = df.sample(frac=0.7, random_state=1)
test_df = df.drop(train_df.index)
cols = [c for c in df if c.startswith("sensor_")]
mean, std = train_df[cols].mean(), train_df[cols].std()


def to_tensors(part):
    scaled = ((part[cols] - mean) / std).to_numpy(dtype="float32", copy=True)
    return torch.from_numpy(scaled), torch.from_numpy(part["code"].to_numpy(copy=True))


train_loader = DataLoader(TensorDataset(*to_tensors(train_df)), batch_size=64, shuffle=True)
x_test, y_test = to_tensors(test_df)

# %%
freq = train_df["code"].value_counts().sort_index()
class_weights = torch.tensor((len(train_df) / (len(freq) * freq)).to_numpy(), dtype=torch.float32)
criterion = nn.CrossEntropyLoss(weight=class_weights)

# %%
net = nn.Sequential(nn.Linear(9, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 4))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)

# %%
for epoch in range(8):
    net.train()
    total = seen = 0.0
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(xb), yb)
        loss.backward()
        optimizer.step()
        share = class_weights[yb].sum().item()
        total, seen = total + loss.item() * share, seen + share
    print(f"epoch {epoch}: weighted loss {total / seen:.4f}")

# %%
net.eval()
with torch.no_grad():
    guess = net(x_test).argmax(dim=1)
recall = [(guess[y_test == k] == k).float().mean().item() for k in range(4)]
print(dict(zip(names.tolist(), [round(r, 3) for r in recall])))
print(f"result: {np.mean(recall):.4f}")
