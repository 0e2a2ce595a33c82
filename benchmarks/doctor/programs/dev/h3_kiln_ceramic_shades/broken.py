import argparse

import torch
import torch.nn.functional as F
from torch import nn


def get_args():
    parser = argparse.ArgumentParser(description="shades of ceramics by the course of the fire")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=80)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--no-amp", action="store_true")
    parser.add_argument("--seed", type=int, default=15)
    return parser.parse_args()


def get_fires(n):
    """Courses of temperature over 60 readings; the shade is where the hottest stretch lies and how long it is."""
    center = torch.rand(n) * 40 + 10
    size = torch.randint(0, 3, (n,))
    length = 2.5 + 3 * size + torch.rand(n)
    t = torch.arange(60.0)
    course = torch.exp(-(((t - center[:, None]) / length[:, None]) ** 2)) + 0.25 * torch.randn(n, 60)
    shade = (center > 30).long() * 3 + size
    return (course - 0.25) / 0.4, shade


def train(args, net, fires, shades, optimizer, scaler):
    net.train()
    total = 0.0
    for rows in torch.randperm(len(fires)).split(args.batch_size):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=not args.no_amp):
            output = net(fires[rows])
        loss = F.cross_entropy(output.float(), shades[rows])
        scaler.scale(loss)
        loss.backward()
        scaler.step(optimizer)
        scaler.update()
        total += loss.item() * len(rows)
    return total / len(fires)


def test(net, fires, shades):
    net.eval()
    with torch.no_grad():
        return (net(fires).argmax(dim=1) == shades).sum().item() / len(shades)


def main():
    args = get_args()
    torch.manual_seed(args.seed)
    fires, shades = get_fires(2400)
    test_fires, test_shades = get_fires(600)

    net = nn.Sequential(nn.Linear(60, 448), nn.ReLU(), nn.Linear(448, 448), nn.ReLU(), nn.Linear(448, 6))
    optimizer = torch.optim.SGD(net.parameters(), lr=args.lr, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", enabled=not args.no_amp)
    for epoch in range(1, args.epochs + 1):
        loss = train(args, net, fires, shades, optimizer, scaler)
        print(f"epoch {epoch} loss {loss:.6f} scale {scaler.get_scale():.0f}")
    print(f"result: {test(net, test_fires, test_shades):.4f}")


if __name__ == "__main__":
    main()
