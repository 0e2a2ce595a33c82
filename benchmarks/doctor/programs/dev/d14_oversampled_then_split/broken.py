import torch
from torch import nn


def patients(n, seed):
    g = torch.Generator().manual_seed(seed)
    values = torch.randn(n, 8, generator=g)
    risk = values[:, 0] + values[:, 1] * values[:, 2] + 0.7 * values[:, 3] + 0.4 * torch.randn(n, generator=g)
    return values, (risk > 1.6).float()


def oversample(x, y, g):
    """Repeats the rare rows until both classes are equally frequent."""
    rare = y.nonzero().flatten()
    missing = int((y == 0).sum()) - len(rare)
    extra = rare[torch.randint(0, len(rare), (missing,), generator=g)]
    return torch.cat([x, x[extra]]), torch.cat([y, y[extra]])


def split(x, y, share, g):
    order = torch.randperm(len(x), generator=g)
    cut = int(len(x) * share)
    return x[order[cut:]], y[order[cut:]], x[order[:cut]], y[order[:cut]]


def balanced(model, x, y):
    model.eval()
    with torch.no_grad():
        positive = model(x).squeeze(1) > 0
    return 0.5 * (positive[y == 1].float().mean() + (~positive[y == 0]).float().mean()).item()


def main():
    torch.manual_seed(5)
    g = torch.Generator().manual_seed(50)
    x, y = patients(1800, seed=500)
    x, y = oversample(x, y, g)
    x_train, y_train, x_test, y_test = split(x, y, 0.25, g)

    model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    loss_fn = nn.BCEWithLogitsLoss()
    for epoch in range(12):
        summed = 0.0
        for rows in torch.randperm(len(x_train), generator=g).split(64):
            optimizer.zero_grad()
            loss = loss_fn(model(x_train[rows]).squeeze(1), y_train[rows])
            loss.backward()
            optimizer.step()
            summed += loss.item() * len(rows)
        print(f"epoch {epoch + 1:02d} loss {summed / len(x_train):.6f}")
    print(f"result: {balanced(model, x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
