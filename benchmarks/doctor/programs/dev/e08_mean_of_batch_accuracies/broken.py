from statistics import mean

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def four_leaves(n):
    leaf = torch.randint(0, 4, (n,))
    angle = leaf * torch.pi / 2 + 0.35 * torch.randn(n)
    r = 0.6 + torch.rand(n)
    return TensorDataset(torch.stack([r * angle.cos(), r * angle.sin()], 1) + 0.1 * torch.randn(n, 2), leaf)


def train_loop(dataloader, model, loss_fn, optimizer):
    model.train()
    losses = []
    for X, y in dataloader:
        loss = loss_fn(model(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return mean(losses)


def test_loop(dataloader, model):
    model.eval()
    accuracies = []
    with torch.no_grad():
        for X, y in dataloader:
            accuracies.append((model(X).argmax(1) == y).float().mean().item())
    return mean(accuracies)


if __name__ == "__main__":
    torch.manual_seed(35)
    train_dataloader = DataLoader(four_leaves(1280), batch_size=64, shuffle=True)
    test_dataloader = DataLoader(four_leaves(270), batch_size=128)
    model = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    for t in range(8):
        print(f"Epoch {t + 1}, loss {train_loop(train_dataloader, model, nn.CrossEntropyLoss(), optimizer):.6f}")
    print(f"result: {test_loop(test_dataloader, model):.4f}")
