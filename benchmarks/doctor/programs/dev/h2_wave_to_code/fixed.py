"""Squeeze short waves into four numbers and open them again."""
import math

import torch
from torch import nn, Tensor


def waves(count: int, points: int = 64) -> Tensor:
    t = torch.linspace(0, 2 * math.pi, points)
    speed = torch.rand(count, 1) * 2 + 0.5
    shift = torch.rand(count, 1) * 2 * math.pi
    height = torch.rand(count, 1) + 0.5
    return height * torch.sin(speed * t + shift) + 0.03 * torch.randn(count, points)


def standardised(rows: Tensor, eps: float = 1e-5) -> Tensor:
    return (rows - rows.mean(dim=1, keepdim=True)) / (rows.std(dim=1, keepdim=True) + eps)


def make_encoder(points: int, code: int) -> nn.Module:
    return nn.Sequential(nn.Linear(points, 128), nn.Tanh(), nn.Linear(128, 64), nn.Tanh(), nn.Linear(64, code))


def make_decoder(points: int, code: int) -> nn.Module:
    return nn.Sequential(nn.Linear(code, 64), nn.Tanh(), nn.Linear(64, 128), nn.Tanh(), nn.Linear(128, points))


def rebuild(encoder: nn.Module, decoder: nn.Module, batch: Tensor) -> Tensor:
    return decoder(standardised(encoder(batch)))


def train(encoder: nn.Module, decoder: nn.Module, data: Tensor, epochs: int, size: int) -> None:
    optimizer = torch.optim.Adam([
        {"params": encoder.parameters(), "lr": 2e-3},
        {"params": decoder.parameters(), "lr": 3e-3},
    ])
    for epoch in range(1, epochs + 1):
        summed = 0.0
        for batch in data[torch.randperm(len(data))].split(size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(rebuild(encoder, decoder, batch), batch)
            loss.backward()
            optimizer.step()
            summed += loss.item() * len(batch)
        print(f"epoch {epoch}: {summed / len(data):.6f}")


def main() -> None:
    torch.manual_seed(6)
    data, unseen = waves(1500), waves(300)
    encoder, decoder = make_encoder(64, 5), make_decoder(64, 5)
    train(encoder, decoder, data, epochs=10, size=50)
    with torch.no_grad():
        left = (rebuild(encoder, decoder, unseen) - unseen).pow(2).mean() / unseen.var()
    print(f"result: {1 - left.item():.4f}")


main()
