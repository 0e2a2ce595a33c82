# %%
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)

# %%
# an autoregressive process of order 3; predict the next value from the last 6
coefs = torch.tensor([0.6, -0.5, 0.3])
values = [0.1, 0.2, 0.0]
noise = 0.3 * torch.randn(2000)
for e in noise.tolist():
    values.append(float(coefs[0]) * values[-1] + float(coefs[1]) * values[-2] + 0.3 * values[-3]
                  - 0.8 * (1 if values[-1] > 0 else -1) + e)
series = torch.tensor(values)
windows = series.unfold(0, 7, 1)
X, y = windows[:, :6], windows[:, 6:]
X_train, y_train, X_test, y_test = X[:1500], y[:1500], X[1510:], y[1510:]

# %%
train_dl = DataLoader(TensorDataset(X_train, y_train), batch_size=50, shuffle=True)
model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 1))
opt = torch.optim.Adam(model.parameters(), lr=0.01)
loss_fn = nn.HuberLoss()

# %%
curve = []
for epoch in range(12):
    model.train()
    for xb, yb in train_dl:
        loss = loss_fn(model(xb), yb)
        loss.backward()
        opt.step()
        opt.zero_grad()
        curve.append(loss)
    print(f"epoch {epoch}: {float(sum(curve[-30:])) / 30:.6f}")

# %%
model.eval()
with torch.no_grad():
    sse = ((model(X_test) - y_test) ** 2).sum()
r2 = 1 - sse / ((y_test - y_test.mean()) ** 2).sum()
print(f"result: {r2.item():.4f}")
