# %%
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(85)
x = torch.rand(1500, 2) * 2 - 1
y = ((x[:, 0] * x[:, 1] > 0) ^ (torch.rand(1500) < 0.02)).long()
train = DataLoader(TensorDataset(x[:1200], y[:1200]), batch_size=30, shuffle=True)
x_test, y_test = x[1200:], y[1200:]

# %%
def fit(model, optimizer, epochs):
    for epoch in range(epochs):
        total = 0.0
        for xb, yb in train:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(xb), yb)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch} loss {total / len(train):.6f}")


@torch.no_grad()
def accuracy(model):
    return (model(x_test).argmax(1) == y_test).float().mean().item()

# %%
features = lambda v: torch.cat([v, v.prod(1, keepdim=True)], 1)


class Product(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, v):
        return self.linear(features(v))


model = Product()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
fit(model, optimizer, 3)
print("with a product of the two:", accuracy(model))

# %%
model = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
fit(model, optimizer, 5)

# %%
print(f"result: {accuracy(model):.4f}")
