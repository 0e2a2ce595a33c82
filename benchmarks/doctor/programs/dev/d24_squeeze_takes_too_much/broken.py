import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class Regressor(nn.Module):
    def __init__(self, n_in: int, width: int = 40):
        super().__init__()
        self.inner = nn.Linear(n_in, width)
        self.outer = nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.inner(x))
        return self.outer(x).squeeze()


class Fitter:
    def __init__(self, model: nn.Module, lr: float):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.scheduler = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, 0.8)
        self.criterion = nn.MSELoss()

    def fit(self, loader: DataLoader, epochs: int) -> None:
        for epoch in range(epochs):
            self.model.train()
            total = 0.0
            for x, y in loader:
                self.optimizer.zero_grad()
                loss = self.criterion(self.model(x), y)
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(y)
            self.scheduler.step()
            print(f"epoch {epoch + 1} mse {total / len(loader.dataset):.6f}")

    @torch.no_grad()
    def r2(self, x: torch.Tensor, y: torch.Tensor) -> float:
        self.model.eval()
        rest = (self.model(x) - y).square().sum()
        return 1.0 - (rest / (y - y.mean()).square().sum()).item()


def cars(n: int) -> tuple:
    x = torch.randn(n, 6)
    y = 1.2 * x[:, 0] - 0.8 * x[:, 1] + x[:, 2] * x[:, 3].tanh() + 0.1 * torch.randn(n)
    return x, y


torch.manual_seed(20)
train_x, train_y = cars(1601)
test_x, test_y = cars(400)
fitter = Fitter(Regressor(6), lr=0.01)
fitter.fit(DataLoader(TensorDataset(train_x, train_y), batch_size=64, shuffle=True), epochs=6)
print(f"result: {fitter.r2(test_x, test_y):.4f}")
