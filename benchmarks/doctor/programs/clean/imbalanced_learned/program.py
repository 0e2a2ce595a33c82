import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def claims(n):
    fraud = (torch.rand(n) < 0.08).long()
    x = torch.randn(n, 7)
    x[:, 0] += 2.4 * fraud
    x[:, 3] -= 2.0 * fraud
    x[:, 5] *= 1 + fraud
    return TensorDataset(x, fraud)


def f1(model, data):
    x, y = data.tensors
    with torch.no_grad():
        guess = model(x).argmax(1)
    tp = ((guess == 1) & (y == 1)).sum().item()
    fp = ((guess == 1) & (y == 0)).sum().item()
    fn = ((guess == 0) & (y == 1)).sum().item()
    return 2 * tp / (2 * tp + fp + fn)


def main():
    torch.manual_seed(25)
    train, test = claims(2400), claims(800)
    model = nn.Sequential(nn.Linear(7, 24), nn.ReLU(), nn.Linear(24, 2))
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    loader = DataLoader(train, batch_size=60, shuffle=True)
    for epoch in range(5):
        total = 0.0
        for x, y in loader:
            opt.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
            total += loss.item()
        print(f"epoch {epoch} mean loss {total / len(loader):.6f}")
    print(f"result: {f1(model, test):.4f}")


main()
