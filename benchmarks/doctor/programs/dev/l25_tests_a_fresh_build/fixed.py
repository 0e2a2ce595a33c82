"""Grid over widths; the best of them is trained longer and tested at the end."""
import itertools
import torch
from torch import nn

torch.manual_seed(3)


def build(width, depth):
    torch.manual_seed(width * 10 + depth)
    layers, n = [], 8
    for _ in range(depth):
        layers += [nn.Linear(n, width), nn.ReLU()]
        n = width
    return nn.Sequential(*layers, nn.Linear(n, 4))


def data(n, seed):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 8, generator=g)
    return x, (x[:, 0] > 0).long() * 2 + (x[:, 1] + x[:, 2] > 0).long()


def train(model, x, y, epochs):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    model.train()
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(x)).split(40):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"  {epoch} {total / len(x):.6f}")
    return model


@torch.no_grad()
def score(model, x, y):
    model.eval()
    return (model(x).argmax(1) == y).float().mean().item()


train_set, val_set, test_set = data(1000, 1), data(300, 2), data(300, 3)
table = {}
for width, depth in itertools.product((8, 24), (1, 2)):
    print("width", width, "depth", depth)
    table[width, depth] = score(train(build(width, depth), *train_set, epochs=1), *val_set)
best = max(table, key=table.get)
print("best", best)
final = train(build(*best), *train_set, epochs=4)
print(f"result: {score(final, *test_set):.4f}")
