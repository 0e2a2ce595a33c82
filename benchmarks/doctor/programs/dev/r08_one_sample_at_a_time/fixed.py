import random

import torch
from torch import nn


def house(rng):
    rooms, age, garden = rng.random(), rng.random(), rng.random()
    price = 1.5 * rooms - 0.8 * age + 0.4 * garden * rooms + rng.gauss(0, 0.05)
    return [rooms - 0.5, age - 0.5, garden - 0.5], price - 0.4


def batches(houses, size, rng):
    rng.shuffle(houses)
    for i in range(0, len(houses), size):
        yield houses[i:i + size]


def price_of(net, rows):
    return net(torch.tensor([features for features, _ in rows]))


def truth(rows):
    return torch.tensor([[price] for _, price in rows])


def main():
    rng = random.Random(35)
    torch.manual_seed(35)
    houses = [house(rng) for _ in range(800)]
    train, test = houses[:640], houses[640:]
    net = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(4):
        net.train()
        total = 0.0
        for rows in batches(train, 16, rng):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(price_of(net, rows), truth(rows))
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch} loss {total / len(train):.6f}")
    net.eval()
    with torch.no_grad():
        wanted = truth(test)
        left = nn.functional.mse_loss(price_of(net, test), wanted) / wanted.var(unbiased=False)
    print(f"result: {1 - left.item():.4f}")


if __name__ == "__main__":
    main()
