# %%
import numpy as np
import torch
from torch import nn, optim

np.random.seed(60)
torch.manual_seed(60)

# %%
# wine: 10 amounts between 0 and 1, quality low / middle / high
amounts = np.random.rand(1600, 10).astype(np.float32)
quality = amounts[:, 0] + 0.7 * amounts[:, 1] * amounts[:, 2] - 0.8 * amounts[:, 3] + 0.08 * np.random.randn(1600)
quality = np.digitize(quality, [0.05, 0.5])

# %%
X = torch.from_numpy(amounts)
y = torch.from_numpy(quality)
X_train, X_test, y_train, y_test = X[:1250], X[1250:], y[:1250], y[1250:]
torch.bincount(y_train)

# %%
model = nn.Sequential(
    nn.Linear(10, 40),
    nn.ReLU(),
    nn.Linear(40, 3),
)
nn.init.uniform_(model[0].weight, -0.5, 0.0)
nn.init.zeros_(model[0].bias)

# %%
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(model.parameters(), lr=0.2, momentum=0.9)

# %%
def fit_epoch():
    order = torch.randperm(len(X_train))
    loss_sum = 0.0
    for batch in order.split(50):
        optimizer.zero_grad()
        loss = criterion(model(X_train[batch]), y_train[batch])
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(batch)
    return loss_sum / len(X_train)


history = [fit_epoch() for _ in range(12)]
for i, value in enumerate(history):
    print(f"epoch {i}: {value:.6f}")

# %%
with torch.no_grad():
    correct = (model(X_test).argmax(dim=1) == y_test).sum().item()
print(f"result: {correct / len(X_test):.4f}")
