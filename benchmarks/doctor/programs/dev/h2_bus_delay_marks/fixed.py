import torch
import torch.nn as nn
import torch.nn.functional as F


def journeys(count):
    """Hour, rain, stops, people waiting and road works of a journey; was it late by none, some, much?"""
    hour = torch.rand(count) * 24
    rain = torch.rand(count)
    stops = torch.randint(5, 30, (count,)).float()
    people = torch.rand(count) * 60
    works = (torch.rand(count) < 0.2).float()
    rush = torch.exp(-((hour - 12) / 6) ** 2)
    delay = 4 * rush + 2 * rain + stops / 12 + people / 30 + 2 * works
    table = torch.stack([hour / 12 - 1, rain * 2 - 1, (stops - 17) / 8, people / 30 - 1, works], dim=1)
    return table, torch.bucketize(delay, torch.tensor([5.2, 7.0]))


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


def update(model, optimizer, x, y):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


torch.manual_seed(61)
x, y = journeys(2000)
x_valid, y_valid = x[1400:1700], y[1400:1700]
model = nn.Sequential(nn.Linear(5, 64), nn.Mish(), nn.Linear(64, 32), nn.Mish(), nn.Linear(32, 3))
optimizer = torch.optim.Adamax(model.parameters(), lr=0.02)
best = 0.0
for epoch in range(10):
    losses = [update(model, optimizer, x[i], y[i]) for i in torch.randperm(1400).split(20)]
    valid = accuracy(model, x_valid, y_valid)
    best = max(best, valid)
    print(f"epoch {epoch} loss {sum(losses) / len(losses):.6f} best {best:.4f}")
print(f"result: {accuracy(model, x[1700:], y[1700:]):.4f}")
