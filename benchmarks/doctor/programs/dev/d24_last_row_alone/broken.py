import firstlight as fl
import torch
from torch import nn


def shoes_or_not(dataset, limit):
    part = dataset.subset(range(limit))
    part.labels = torch.isin(part.labels, torch.tensor([5, 7, 9])).long()
    return part


def make_model(hidden):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 1))


def train_epoch(model, data, optimizer, loss_fn):
    model.train()
    total = 0.0
    for images, labels in data.batches(100, shuffle=True):
        scores = model(images).squeeze()
        loss = loss_fn(scores, labels.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    return total / len(data)


def test(model, data):
    model.eval()
    right = 0
    with torch.no_grad():
        for images, labels in data.batches(100):
            right += ((model(images).squeeze(-1) > 0) == labels.bool()).sum().item()
    return right / len(data)


def main():
    torch.manual_seed(0)
    train, held_out = fl.load("fashion_mnist_small")
    train, held_out = shoes_or_not(train, 2501), shoes_or_not(held_out, 600)
    model = make_model(32)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    loss_fn = nn.BCEWithLogitsLoss()
    for epoch in range(3):
        print(f"epoch {epoch} loss {train_epoch(model, train, optimizer, loss_fn):.6f}")
    print(f"result: {test(model, held_out):.4f}")


main()
