import torch
import torch.nn as nn


def payments(n, generator):
    x = torch.randn(n, 12, generator=generator)
    signal = 1.1 * x[:, 0] * x[:, 1] + 0.8 * x[:, 2] - 0.9 * torch.relu(x[:, 3]) + 0.7 * torch.randn(n, generator=generator)
    return x, (signal > signal.quantile(0.9)).long()


def oversample(x, y, times):
    """Every rare row, several times."""
    rare = y == 1
    return torch.cat([x] + [x[rare]] * times), torch.cat([y] + [y[rare]] * times)


def split(x, y, share, generator):
    order = torch.randperm(len(x), generator=generator)
    cut = int(len(x) * share)
    return (x[order[cut:]], y[order[cut:]]), (x[order[:cut]], y[order[:cut]])


def train_model(x, y, epochs=14, size=64):
    model = nn.Sequential(nn.Linear(12, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(x)).split(size):
            optimizer.zero_grad()
            loss = loss_fn(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch + 1:02d} | {total / len(x):.6f}")
    return model


def balanced_accuracy(model, x, y):
    with torch.no_grad():
        guess = model(x).argmax(1)
    return sum((guess[y == k] == k).float().mean().item() for k in (0, 1)) / 2


def main():
    torch.manual_seed(6)
    g = torch.Generator().manual_seed(6)
    x, y = payments(2500, g)
    x, y = oversample(x, y, times=6)
    train, test = split(x, y, 0.25, g)
    model = train_model(*train)
    print(f"result: {balanced_accuracy(model, *test):.4f}")


if __name__ == "__main__":
    main()
