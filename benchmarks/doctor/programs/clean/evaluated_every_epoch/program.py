import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def loaders():
    g = torch.Generator().manual_seed(60)
    y = torch.randint(0, 4, (1600,), generator=g)
    c = torch.randn(4, 3, 10, generator=g)
    x = c[y, torch.randint(0, 3, (1600,), generator=g)] * 1.5 + 0.8 * torch.randn(1600, 10, generator=g)
    parts = [(0, 1000), (1000, 1300), (1300, 1600)]
    return [DataLoader(TensorDataset(x[a:b], y[a:b]), batch_size=50, shuffle=a == 0) for a, b in parts]


def evaluate(model, loader, repeat=1):
    model.eval()
    found = []
    with torch.no_grad():
        for _ in range(repeat):
            hits = sum((model(x).argmax(1) == y).sum().item() for x, y in loader)
            found.append(hits / len(loader.dataset))
    assert len(set(found)) == 1
    return found[0]


def main():
    torch.manual_seed(60)
    train, valid, test = loaders()
    model = nn.Sequential(nn.Linear(10, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 4))
    opt = torch.optim.AdamW(model.parameters(), lr=0.01)
    for epoch in range(5):
        model.train()
        total = 0.0
        for x, y in train:
            loss = nn.functional.cross_entropy(model(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item()
        print(f"epoch {epoch} loss {total / len(train):.6f} valid {evaluate(model, valid, repeat=2):.4f}")
    print(f"result: {evaluate(model, test, repeat=3):.4f}")


if __name__ == "__main__":
    main()
