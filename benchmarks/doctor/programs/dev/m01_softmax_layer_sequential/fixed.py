import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset, random_split


def make_clusters(n_per_class=300, n_classes=4, spread=0.7, seed=11):
    g = torch.Generator().manual_seed(seed)
    centres = torch.randn(n_classes, 6, generator=g) * 2
    points, kinds = [], []
    for k in range(n_classes):
        points.append(centres[k] + spread * torch.randn(n_per_class, 6, generator=g))
        kinds.append(torch.full((n_per_class,), k, dtype=torch.long))
    return TensorDataset(torch.cat(points), torch.cat(kinds))


def build_model():
    return nn.Sequential(
        nn.Linear(6, 24),
        nn.Tanh(),
        nn.Linear(24, 4),
    )


def train_one_epoch(model, loader, loss_fn, opt):
    model.train()
    summed, seen = 0.0, 0
    for xb, yb in loader:
        loss = loss_fn(model(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
        summed += loss.item() * len(xb)
        seen += len(xb)
    return summed / seen


def accuracy(model, loader):
    model.eval()
    hits = 0
    with torch.no_grad():
        for xb, yb in loader:
            hits += (model(xb).argmax(1) == yb).sum().item()
    return hits / len(loader.dataset)


def main():
    torch.manual_seed(1)
    train_set, test_set = random_split(make_clusters(), [960, 240])
    train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=120)
    model = build_model()
    loss_fn = nn.CrossEntropyLoss()
    opt = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(8):
        value = train_one_epoch(model, train_loader, loss_fn, opt)
        print(f"epoch {epoch}: train loss {value:.6f}")
    print(f"result: {accuracy(model, test_loader):.4f}")


if __name__ == "__main__":
    main()
