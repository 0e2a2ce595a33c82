import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SHELF = ["jar", "tin", "box", "bag", "bottle"]


def read_shelf(per_class, seed):
    """All pictures of a kind, one kind after the other, as a folder per class gives them."""
    g = torch.Generator().manual_seed(seed)
    yy, xx = torch.meshgrid(torch.linspace(-1, 1, 18), torch.linspace(-1, 1, 18), indexing="ij")
    pictures, labels = [], []
    for number, name in enumerate(SHELF):
        for _ in range(per_class):
            cy, cx = (torch.rand(2, generator=g) - 0.5) * 0.4
            dy, dx = yy - cy, xx - cx
            if name == "jar":
                mask = dx ** 2 + dy ** 2 < 0.3
            elif name == "tin":
                mask = (dx.abs() < 0.45) & (dy.abs() < 0.55)
            elif name == "box":
                mask = (dx.abs() < 0.65) & (dy.abs() < 0.38)
            elif name == "bag":
                mask = dy.abs() + dx.abs() < 0.7
            else:
                mask = (dx.abs() < 0.25) & (dy.abs() < 0.75)
            pictures.append(mask.float() + 0.4 * torch.randn(18, 18, generator=g))
            labels.append(number)
    return TensorDataset(torch.stack(pictures).unsqueeze(1), torch.tensor(labels))


def make_model():
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3),
        nn.Flatten(),
        nn.Linear(24 * 9, 5),
    )


def train(args, model, loader, optimizer, epoch):
    model.train()
    total = 0.0
    for data, target in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(data), target)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(data)
    print("Train Epoch: {} \tLoss: {:.6f}".format(epoch, total / len(loader.dataset)))


def test(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for data, target in loader:
            pred = model(data).argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
    return correct / len(loader.dataset)


def main():
    parser = argparse.ArgumentParser(description="shelf pictures")
    parser.add_argument("--batch-size", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--lr", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args([])
    torch.manual_seed(args.seed)
    train_loader = DataLoader(read_shelf(320, seed=10), batch_size=args.batch_size, shuffle=True)
    test_loader = DataLoader(read_shelf(80, seed=11), batch_size=200)
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)
    for epoch in range(1, args.epochs + 1):
        train(args, model, train_loader, optimizer, epoch)
    print(f"result: {test(model, test_loader):.4f}")


if __name__ == "__main__":
    main()
