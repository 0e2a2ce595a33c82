import math

import torch
from torch import Tensor, nn, optim
from torch.utils.data import DataLoader, TensorDataset


def make_waves(n: int, length: int = 20) -> tuple[Tensor, Tensor]:
    phase = torch.rand(n, 1) * 2 * math.pi
    speed = 0.2 + 0.3 * torch.rand(n, 1)
    t = torch.arange(length + 1)
    wave = torch.sin(phase + speed * t) + 0.05 * torch.randn(n, length + 1)
    return wave[:, :length, None], wave[:, length:]


class Forecaster(nn.Module):
    def __init__(self, hidden: int = 16):
        super().__init__()
        self.rnn = nn.GRU(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(x)
        return self.head(states[:, -1])


def train_epoch(model: nn.Module, loader: DataLoader, optimizer: optim.Optimizer) -> float:
    model.train()
    losses = []
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(xb), yb)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


def r_squared(model: nn.Module, x: Tensor, y: Tensor) -> float:
    model.eval()
    with torch.no_grad():
        residual = ((model(x) - y) ** 2).sum()
    return (1 - residual / ((y - y.mean()) ** 2).sum()).item()


def main() -> None:
    torch.manual_seed(11)
    x, y = make_waves(1200)
    x_test, y_test = make_waves(300)
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
    model = Forecaster()
    optimizer = optim.RMSprop(model.parameters(), lr=3e-3)
    for epoch in range(1, 6):
        print(f"{epoch}: {train_epoch(model, loader, optimizer):.6f}")
    print(f"result: {r_squared(model, x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
