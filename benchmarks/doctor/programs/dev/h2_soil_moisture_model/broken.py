import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(31)


def field(n):
    depth = rng.uniform(0, 1, n)
    rain = rng.gamma(2.0, 0.5, n)
    clay = rng.uniform(-1, 1, n)
    season = rng.uniform(0, 2 * np.pi, n)
    wet = np.log1p(rain) * np.exp(-2 * depth) + 0.4 * clay * depth + 0.2 * np.sin(season)
    wet += 0.04 * rng.standard_normal(n)
    inputs = np.column_stack([depth, rain, clay, np.sin(season), np.cos(season)])
    return TensorDataset(torch.from_numpy(inputs), torch.from_numpy(wet))


class SoilNet(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inp = nn.Linear(5, width)
        self.mid = nn.Linear(width, width)
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        x = torch.tanh(self.inp(x))
        x = x + torch.tanh(self.mid(x))
        return self.out(x).squeeze(-1)


def train_epoch(model, loader):
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    model.train()
    loss_sum = 0.0
    for inputs, wet in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(inputs), wet)
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(wet)
    return loss_sum / len(loader.dataset)


def evaluate(model, loader):
    model.eval()
    predicted, measured = [], []
    with torch.no_grad():
        for inputs, wet in loader:
            predicted.append(model(inputs))
            measured.append(wet)
    predicted, measured = torch.cat(predicted), torch.cat(measured)
    return 1 - ((predicted - measured) ** 2).sum().item() / ((measured - measured.mean()) ** 2).sum().item()


def main():
    torch.manual_seed(31)
    train_loader = DataLoader(field(2000), batch_size=40, shuffle=True)
    test_loader = DataLoader(field(500), batch_size=250)
    model = SoilNet(128).double()
    for epoch in range(8):
        print(f"epoch {epoch} loss {train_epoch(model, train_loader):.6f}")
    print(f"result: {evaluate(model, test_loader):.4f}")


main()
