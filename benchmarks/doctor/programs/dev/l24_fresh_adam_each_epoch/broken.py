"""Compress 40-channel ECG-like beats into six numbers with an autoencoder."""
import argparse

import torch
from torch import nn


def beats(n, channels, generator):
    t = torch.linspace(-1, 1, channels)
    peak = 0.3 * torch.randn(n, 1, generator=generator)
    width = 0.08 + 0.1 * torch.rand(n, 1, generator=generator)
    height = 1.0 + 0.4 * torch.randn(n, 1, generator=generator)
    tail = 0.5 * torch.randn(n, 1, generator=generator)
    shape = height * torch.exp(-((t - peak) / width) ** 2)
    shape = shape + tail * torch.exp(-((t - peak - 0.5) / 0.2) ** 2)
    return shape + 0.03 * torch.randn(n, channels, generator=generator)


def make_model(channels, code):
    encoder = nn.Sequential(nn.Linear(channels, 64), nn.GELU(), nn.Linear(64, code))
    decoder = nn.Sequential(nn.Linear(code, 64), nn.GELU(), nn.Linear(64, channels))
    return nn.Sequential(encoder, decoder)


def train_epoch(model, optimizer, data, batch_size):
    model.train()
    losses = []
    for rows in torch.randperm(len(data)).split(batch_size):
        loss = nn.functional.mse_loss(model(data[rows]), data[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


def explained(model, data):
    model.eval()
    with torch.no_grad():
        left = (model(data) - data).pow(2).sum()
    return 1 - (left / (data - data.mean(0)).pow(2).sum()).item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--code", type=int, default=6)
    args = parser.parse_args([])

    torch.manual_seed(40)
    generator = torch.Generator().manual_seed(40)
    train_raw, test_raw = beats(2500, 40, generator), beats(500, 40, generator)
    mean, std = train_raw.mean(0), train_raw.std()
    train_data, test_data = (train_raw - mean) / std, (test_raw - mean) / std

    model = make_model(40, args.code)
    for epoch in range(args.epochs):
        optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
        loss = train_epoch(model, optimizer, train_data, args.batch_size)
        print(f"epoch={epoch} loss={loss:.5f}")
    print(f"result: {explained(model, test_data):.4f}")


if __name__ == "__main__":
    main()
