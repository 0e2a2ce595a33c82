import argparse

import torch


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("--rows", default=2000, type=int)
    p.add_argument("--epochs", default=12, type=int)
    p.add_argument("--width", default=160, type=int)
    p.add_argument("--batch", default=64, type=int)
    p.add_argument("--lr", default=3e-3, type=float)
    return p.parse_args([])


def smooth(predicted, wanted):
    gap = predicted - wanted
    return torch.where(gap.abs() < 1, 0.5 * gap ** 2, gap.abs() - 0.5).mean()


def houses(rows):
    area = torch.rand(rows) * 160 + 40
    age = torch.rand(rows) * 80
    rooms = (area / 30 + torch.randn(rows)).clamp(min=1).round()
    distance = torch.rand(rows) * 25
    tax = 0.9 * area - 0.004 * area * age + 6 * rooms - 1.5 * distance + 3 * torch.randn(rows)
    return torch.stack([area, age, rooms, distance], dim=1), tax


def main(args, loss_fn):
    torch.manual_seed(33)
    x, y = houses(args.rows)
    cut = int(0.8 * args.rows)
    x_mean, x_std = x[:cut].mean(0), x[:cut].std(0)
    y_mean, y_std = y[:cut].mean(), y[:cut].std()
    x, y = (x - x_mean) / x_std, (y - y_mean) / y_std
    data = torch.utils.data.TensorDataset(x[:cut], y[:cut])
    loader = torch.utils.data.DataLoader(data, args.batch, shuffle=True)

    model = torch.nn.Sequential(
        torch.nn.Linear(4, args.width),
        torch.nn.Softplus(),
        torch.nn.Linear(args.width, args.width),
        torch.nn.Softplus(),
        torch.nn.Linear(args.width, 1),
    )
    optimizer = torch.optim.NAdam(model.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        mean = 0.0
        for x_part, y_part in loader:
            optimizer.zero_grad()
            loss = loss_fn(model(x_part).squeeze(1), y_part)
            loss.backward()
            optimizer.step()
            mean += loss.item() * len(y_part) / len(data)
        print(f"epoch {epoch + 1:2d}  loss {mean:.6f}")

    with torch.no_grad():
        left = model(x[cut:]).flatten() - y[cut:]
    print(f"result: {1 - (left.pow(2).mean() / y[cut:].var()).item():.4f}")


if __name__ == "__main__":
    main(parse(), loss_fn=smooth)
