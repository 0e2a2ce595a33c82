import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def measure(count, generator):
    """Ten readings of a wind turbine and the power that it gives."""
    wind = torch.empty(count).uniform_(2, 24, generator=generator)
    rest = torch.randn(count, 9, generator=generator)
    pitch, density, gust = rest[:, 0], rest[:, 1], rest[:, 2]
    curve = torch.sigmoid((wind - 9) * 0.6) * torch.sigmoid((21 - wind) * 0.8)
    power = 1500 * curve * (1 + 0.1 * density) * torch.cos(0.2 * pitch) + 40 * torch.sin(gust)
    power = power + 25 * torch.randn(count, generator=generator)
    return torch.cat([wind[:, None], rest], dim=1), power[:, None]


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, 2 * width)
        self.outer = nn.Linear(2 * width, width)

    def forward(self, x):
        return x + self.outer(torch.relu(self.inner(self.norm(x))))


class PowerNet(nn.Module):
    def __init__(self, inputs=10, width=160, depth=2):
        super().__init__()
        self.stem = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList([Block(width) for _ in range(depth)])
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        x = torch.tanh(self.stem(x))
        for block in self.blocks:
            x = block(x)
        return self.out(x)


class Forecaster:
    def __init__(self, lr=1e-3, batch_size=80):
        self.batch_size = batch_size
        self.net = PowerNet()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=lr)
        self.criterion = nn.MSELoss()

    def fit(self, x, y, epochs):
        self.shift_x, self.scale_x = x.mean(0), x.std(0)
        self.shift_y, self.scale_y = y.mean(), y.std()
        data = TensorDataset((x - self.shift_x) / self.scale_x, (y - self.shift_y) / self.scale_y)
        loader = DataLoader(data, batch_size=self.batch_size, shuffle=True)
        for epoch in range(epochs):
            self.net.train()
            total = 0.0
            for inputs, target in loader:
                loss = self.criterion(self.net(inputs), target)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(inputs)
            print(f"epoch {epoch + 1:2d}  mse {total / len(data):.6f}")
        return self

    @torch.no_grad()
    def predict(self, x):
        self.net.eval()
        return self.net((x - self.shift_x) / self.scale_x) * self.scale_y + self.shift_y

    def r2(self, x, y):
        residual = (y - self.predict(x)).pow(2).sum()
        return 1.0 - (residual / (y - y.mean()).pow(2).sum()).item()


if __name__ == "__main__":
    torch.manual_seed(30)
    generator = torch.Generator().manual_seed(31)
    train = measure(2400, generator)
    test = measure(600, generator)
    forecaster = Forecaster(lr=2e-3).fit(*train, epochs=20)
    print("rmse", math.sqrt((forecaster.predict(test[0]) - test[1]).pow(2).mean().item()))
    print(f"result: {forecaster.r2(*test):.4f}")
