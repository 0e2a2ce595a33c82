# %% [markdown]
# Which of five grape varieties is in the bottle? 13 lab measurements.

# %%
import numpy as np
import torch
import torch.nn as nn

np.random.seed(3)
torch.manual_seed(3)

# %%
centers = np.random.normal(0, 1.0, (5, 13))
variety = np.random.randint(0, 5, 1500)
lab = centers[variety] + np.random.normal(0, 0.9, (1500, 13))
lab[:, 3] = lab[:, 3] * 12 + 100      # magnesium in mg/l
lab[:, 12] = lab[:, 12] * 300 + 750   # proline in mg/l

train_lab, test_lab = lab[:1200], lab[1200:]
mean, std = train_lab.mean(axis=0), train_lab.std(axis=0)
X_train = torch.tensor((train_lab - mean) / std).float()
X_test = torch.tensor((test_lab - mean) / std).float()
y_train = torch.tensor(variety[:1200])
y_test = torch.tensor(variety[1200:])

# %%
def make_model(hidden):
    return nn.Sequential(nn.Linear(13, hidden), nn.ReLU(), nn.Linear(hidden, 5))


model = make_model(8)
print(sum(p.numel() for p in model.parameters()), "weights")

# %%
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

# %%
# 8 hidden units looked a bit small, let's take more
model = make_model(64)
print(sum(p.numel() for p in model.parameters()), "weights")

# %%
criterion = nn.CrossEntropyLoss()

# %%
for epoch in range(6):
    model.train()
    order = torch.randperm(len(X_train))
    seen = 0.0
    for start in range(0, len(order), 40):
        idx = order[start:start + 40]
        optimizer.zero_grad()
        loss = criterion(model(X_train[idx]), y_train[idx])
        loss.backward()
        optimizer.step()
        seen += loss.item() * len(idx)
    print("epoch", epoch + 1, "loss", round(seen / len(order), 4))

# %%
model.eval()
with torch.no_grad():
    guess = model(X_test).argmax(dim=1)
print("test accuracy: %.4f" % (guess == y_test).float().mean().item())
