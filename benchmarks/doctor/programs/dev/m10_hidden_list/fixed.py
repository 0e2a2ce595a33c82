import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class PowerPlant:
    """Electrical output of a gas turbine from four (already standardised) ambient readings."""

    def __init__(self, seed):
        self.gen = torch.Generator().manual_seed(seed)

    def sample(self, n):
        x = torch.randn(n, 4, generator=self.gen)
        y = -0.9 * x[:, 0] - 0.4 * x[:, 1] + 0.3 * torch.tanh(x[:, 2] * x[:, 0]) + 0.1 * x[:, 3] ** 2
        return x, (y + 0.1 * torch.randn(n, generator=self.gen)).unsqueeze(1)


class DeepRegressor(nn.Module):
    def __init__(self, depth=2, width=64):
        super().__init__()
        self.stem = nn.Linear(4, width)
        self.hidden = nn.ModuleList([nn.Linear(width, width) for _ in range(depth)])
        self.readout = nn.Linear(width, 1)

    def forward(self, x):
        h = torch.relu(self.stem(x))
        for layer in self.hidden:
            h = torch.relu(layer(h)) + h
        return self.readout(h)


class Fit:
    def __init__(self, model, callbacks=()):
        self.model = model
        self.callbacks = callbacks
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-3)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=10)

    def __call__(self, loader, epochs=10):
        for epoch in range(epochs):
            total = 0.0
            for x, y in loader:
                loss = nn.functional.mse_loss(self.model(x), y)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            self.schedule.step()
            for callback in self.callbacks:
                callback(epoch, total / len(loader))


def r_squared(model, x, y):
    model.eval()
    with torch.no_grad():
        return 1 - ((model(x) - y).pow(2).sum() / (y - y.mean()).pow(2).sum()).item()


torch.manual_seed(2024)
plant = PowerPlant(seed=2024)
train_x, train_y = plant.sample(1500)
test_x, test_y = plant.sample(500)
model = DeepRegressor()
fit = Fit(model, callbacks=[lambda epoch, mse: print(f"{epoch:>3} mse {mse:.5f}")])
fit(DataLoader(TensorDataset(train_x, train_y), batch_size=50, shuffle=True))
print(f"result: {r_squared(model, test_x, test_y):.4f}")
