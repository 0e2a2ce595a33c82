import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Rainfall(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
        nn.init.constant_(self.layers[-1].bias, 0.5)

    def forward(self, weather):
        return torch.relu(self.layers(weather))


torch.manual_seed(46)
weather = torch.randn(2000, 4)
amount = (1.5 * weather[:, 0] + weather[:, 1] ** 2 - 0.5 * weather[:, 2] + 0.1 * torch.randn(2000)).clamp(min=0)[:, None]
train_set = TensorDataset(weather[:1600], amount[:1600])
test_weather, test_amount = weather[1600:], amount[1600:]

model = Rainfall()
loss_fn = nn.SmoothL1Loss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(8):
    total = 0.0
    for w, a in DataLoader(train_set, batch_size=40, shuffle=True):
        optimizer.zero_grad()
        loss = loss_fn(model(w), a)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(w)
    print(f"epoch {epoch} loss {total / 1600:.6f}")

with torch.no_grad():
    error = (model(test_weather) - test_amount).pow(2).mean()
    r2 = 1 - error / test_amount.var()
print(f"result: {r2.item():.4f}")
