import argparse

import torch
import torch.nn.functional as F
from torch import nn


def parse(argv=None):
    p = argparse.ArgumentParser(description="yield of a field from soil and weather")
    p.add_argument("--hidden", default=32, type=int)
    p.add_argument("--epochs", default=8, type=int)
    p.add_argument("--batch", default=40, type=int)
    p.add_argument("--learning-rate", default=1.0, type=float)
    return p.parse_args(argv)


def fields(n):
    rain, sun, soil, salt = torch.rand(4, n) * 2 - 1
    crop = torch.sin(2 * rain) * (1 + sun) + soil.abs() - 0.7 * salt * soil
    return torch.stack([rain, sun, soil, salt], 1), (crop + 0.05 * torch.randn(n)).unsqueeze(1)


def r2(prediction, truth):
    return 1 - F.mse_loss(prediction, truth).item() / truth.var(unbiased=False).item()


def main(options):
    torch.manual_seed(55)
    x, y = fields(1600)
    x_test, y_test = fields(400)
    model = nn.Sequential(
        nn.Linear(4, options.hidden), nn.ReLU(),
        nn.Linear(options.hidden, options.hidden), nn.ReLU(),
        nn.Linear(options.hidden, 1),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=options.learning_rate)
    for epoch in range(options.epochs):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(x)).split(options.batch):
            loss = F.mse_loss(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch} mse {total / len(x):.6f}")
    model.eval()
    with torch.no_grad():
        return r2(model(x_test), y_test)


if __name__ == "__main__":
    print(f"result: {main(parse([])):.4f}")
