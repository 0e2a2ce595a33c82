import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(77)

SAMPLES, DEPTH, WIDTH = 40, 8, 64


def swing(n):
    """Displacement of a released damped spring; its damping and its frequency are to be found."""
    damping = 0.1 + 0.9 * torch.rand(n, 1)
    omega = 2.0 + 4.0 * torch.rand(n, 1)
    t = torch.linspace(0, 4, SAMPLES)
    trace = (0.8 + 0.4 * torch.rand(n, 1)) * torch.exp(-damping * t) * torch.cos(omega * t)
    return trace + 0.03 * torch.randn(n, SAMPLES), torch.cat([damping, omega], 1)


x_train, y_train = swing(4000)
x_test, y_test = swing(1000)
x_mean, x_std = x_train.mean(0), x_train.std(0)
y_mean, y_std = y_train.mean(0), y_train.std(0)
x_train, x_test = (x_train - x_mean) / x_std, (x_test - x_mean) / x_std
y_train, y_test = (y_train - y_mean) / y_std, (y_test - y_mean) / y_std


class Inverse(nn.Module):
    def __init__(self):
        super().__init__()
        sizes = [SAMPLES] + [WIDTH] * DEPTH
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:]))
        self.last = nn.Linear(WIDTH, 2)
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)

    def forward(self, h):
        for layer in self.layers:
            h = torch.sigmoid(layer(h))
        return self.last(h)


model = Inverse()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)

for epoch in range(12):
    model.train()
    order = iter(torch.randperm(len(x_train)).split(50))
    epoch_loss = 0.0
    while (rows := next(order, None)) is not None:
        loss = F.mse_loss(model(x_train[rows]), y_train[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(rows) / len(x_train)
    scheduler.step()
    print(f"epoch {epoch + 1:2d}  {epoch_loss:.5f}")

model.eval()
with torch.inference_mode():
    rmse = F.mse_loss(model(x_test), y_test).sqrt().item()
print(f"result: {rmse:.4f}")
